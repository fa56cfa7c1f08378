"""The previous release of docserver, from the wheel in tests/previous_release."""

import compileall
from functools import cache
from pathlib import Path
from zipfile import ZipFile

DIRECTORY = Path(__file__).parents[1] / "previous_release"


def wheel() -> Path:
    """The one wheel that is there."""
    (path,) = DIRECTORY.glob("*.whl")
    return path


def unpack(directory: Path) -> None:
    """Put the package into a directory. A process that starts there runs it, and so do all processes that it starts."""
    with ZipFile(wheel()) as archive:
        archive.extractall(directory)
    # OCR processes cannot keep what they compile.
    compileall.compile_dir(directory, quiet=1)


def read(name: str) -> str:
    """The text of a file of the release."""
    with ZipFile(wheel()) as archive:
        return archive.read(name).decode()


@cache
def migrations() -> dict[str, str]:
    """The text of each migration, by the name of its file."""
    with ZipFile(wheel()) as archive:
        return {Path(name).name: read(name) for name in sorted(archive.namelist()) if name.endswith(".sql")}
