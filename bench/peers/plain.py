"""The reference: plain `tesseract` processes that run at the same time, the least work that is possible."""

import shutil
import subprocess
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.files import ranges
from bench.peers import WORKERS, Outcome
from bench.peers.commands import ONE_THREAD, measured
from bench.workloads import PDF_DPI, Upload


class Plain:
    """One `tesseract` for each image; for a PDF one `pdftoppm` and one `tesseract` for each half of its pages."""

    name = "two plain tesseract"

    def __init__(self, *, others: Collection[int] = ()) -> None:
        self._others = others

    def missing(self) -> str | None:
        return next((program for program in ("tesseract", "pdftoppm") if shutil.which(program) is None), None)

    def read(self, uploads: Sequence[Upload], directory: Path) -> Outcome:
        return measured(lambda: _texts(uploads, directory), others=self._others)


def _texts(uploads: Sequence[Upload], directory: Path) -> list[str]:
    with ThreadPoolExecutor(WORKERS) as threads:
        parts = []
        for upload in uploads:
            path = directory / upload.filename
            if path.suffix == ".pdf":
                parts.append([threads.submit(_read_pdf, path, pages) for pages in ranges(upload.pages, WORKERS)])
            else:
                parts.append([threads.submit(tesseract, path)])
        return ["\n".join(part.result() for part in of_document) for of_document in parts]


def _read_pdf(path: Path, pages: range) -> str:
    drawn = path.with_name(f"{path.stem}-{pages.start}")
    drawn.mkdir()
    command = ["pdftoppm", "-gray", "-r", str(PDF_DPI), "-f", str(pages.start), "-l", str(pages.stop - 1)]
    subprocess.run([*command, path, drawn / "page"], check=True)
    listed = drawn / "list"
    listed.write_text("".join(f"{page}\n" for page in sorted(drawn.glob("*.pgm"))))
    return tesseract(listed)


def tesseract(path: Path) -> str:
    """Read an image or a list of images with the plain command."""
    out = path.with_name(f"{path.name}.plain")
    subprocess.run(["tesseract", path, out], check=True, env=ONE_THREAD, stderr=subprocess.DEVNULL)
    return out.with_name(f"{out.name}.txt").read_text()
