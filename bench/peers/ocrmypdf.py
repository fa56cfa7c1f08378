"""OCRmyPDF, as a command line program."""

import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from bench.peers import WORKERS, Outcome
from bench.peers.commands import measured
from bench.workloads import Upload

SKIPPED = "[OCR skipped on page"
"""The text of the sidecar for pages that already have a text."""


class OcrMyPdf:
    """Several images at the same time, with one job each; PDFs one after the other, with several jobs."""

    name = "OCRmyPDF"

    def __init__(self, *, others: Collection[int]) -> None:
        self._others = others

    def missing(self) -> str | None:
        if find_spec("ocrmypdf") is None:
            return "ocrmypdf"
        return None if shutil.which("pdftotext") else "pdftotext"

    def read(self, uploads: Sequence[Upload], directory: Path) -> Outcome:
        return measured(lambda: _texts(uploads, directory), others=self._others)


def _texts(uploads: Sequence[Upload], directory: Path) -> list[str]:
    read: dict[str, str] = {}
    pictures = [upload for upload in uploads if not upload.filename.endswith(".pdf")]
    with ThreadPoolExecutor(WORKERS) as threads:
        texts = threads.map(lambda upload: _picture(directory / upload.filename), pictures)
        read |= {upload.filename: text for upload, text in zip(pictures, texts, strict=True)}
    read |= {upload.filename: _pdf(directory / upload.filename) for upload in uploads if upload not in pictures}
    return [read[upload.filename] for upload in uploads]


def _picture(path: Path) -> str:
    return _run(path, "--image-dpi", "300", "--jobs", "1").read_text()


def _pdf(path: Path) -> str:
    text = _run(path, "--skip-text", "--jobs", str(WORKERS)).read_text()
    if SKIPPED not in text:
        return text
    command = ["pdftotext", str(path.with_name(f"{path.name}.searchable.pdf")), "-"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


def _run(path: Path, *options: str) -> Path:
    """Make a searchable PDF beside the file, and the file with its text."""
    sidecar = path.with_name(f"{path.name}.sidecar")
    command = [sys.executable, "-m", "ocrmypdf", "--quiet", "--output-type", "pdf", "--sidecar", str(sidecar), *options]
    subprocess.run([*command, path, path.with_name(f"{path.name}.searchable.pdf")], check=True, capture_output=True)
    return sidecar
