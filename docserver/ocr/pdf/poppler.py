"""Child side: counts and draws pages of PDFs that PDFium cannot open, with poppler's programs, through pdf2image."""

import re
import subprocess
from pathlib import Path
from typing import Any

from pdf2image import convert_from_path, pdfinfo_from_path
from pdf2image.exceptions import PDFPageCountError, PDFPopplerTimeoutError
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf.passwords import LOCKED
from docserver.ocr.pdf.resolution import affordable_dpi
from docserver.setting_types import DAY_S

_SIZE = re.compile(r"([0-9.]+(?:e\+?[0-9]+)?) x ([0-9.]+(?:e\+?[0-9]+)?) pts")
_AFTER_LAST = re.compile(r"can not be after the last page \((\d+)\)")
EXIT_CANNOT_OPEN = 1
"""pdfinfo's exit code for a file that it cannot open (pdfinfo(1), "Exit codes")."""

_HEADER = re.compile(rb"P([56])\s(\d{1,6})\s(\d{1,6})\s255\s")


BANDS = {b"5": 1, b"6": 3}
"""Bytes of a pixel, by the kind of file: grey or colour (pgm(5), ppm(5))."""


def count_pages(source: str) -> int:
    """The number of pages. Raises Unreadable."""
    return int(_info(source)["Pages"])


def draw(
    source: str,
    *,
    page: int,
    dpi: int,
    max_pixels: int,
    scratch: Path,
    in_colour: bool = False,
    within_s: int = DAY_S,
) -> Picture:
    """Draw page `page` (from 1) in grey or in colour, at `dpi` or less for a large page. Raises Unreadable, also if it
    takes longer than `within_s`.
    """
    info = _info(source, page=page)
    used_dpi = affordable_dpi(*_size(info, page=page), page=page, dpi=dpi, max_pixels=max_pixels)
    try:
        paths = convert_from_path(
            source,
            dpi=used_dpi,
            first_page=page,
            last_page=page,
            grayscale=not in_colour,
            fmt="ppm",
            output_folder=scratch,
            output_file="page",
            paths_only=True,
            # Draw the crop box, because viewers show it and pdfinfo reports its size.
            use_cropbox=True,
            timeout=within_s,
        )
    except (PDFPopplerTimeoutError, PermissionError) as error:
        # The sandbox allows no signals. Then the program goes on until the OCR process ends, soon after this PDF.
        raise Unreadable(DocumentErrorCode.PAGE_TIMEOUT, f"Drawing page {page} of the PDF took too long.") from error
    if len(paths) != 1:
        # The file is not broken, because pdfinfo has reported the page's size. So pdftoppm has crashed.
        raise Unreadable(DocumentErrorCode.ENGINE_CRASHED, f"Drawing page {page} of the PDF gave no picture.")
    path = Path(str(paths[0]))
    _check(path, page=page)
    with Image.open(path, formats=["PPM"]) as image:
        image.load()
    path.unlink()
    return Picture(image, used_dpi)


def _info(source: str, *, page: int = 1) -> dict[str, Any]:
    try:
        return dict(pdfinfo_from_path(source, first_page=page, last_page=page))
    except PDFPageCountError as error:
        message = str(error)
        if "Incorrect password" in message:
            raise Unreadable(DocumentErrorCode.ENCRYPTED, LOCKED) from error
        if after := _AFTER_LAST.search(message):
            if int(after[1]) == 0:
                raise Unreadable(DocumentErrorCode.EMPTY, "The PDF has no pages.", detail=message[-2000:]) from error
            raise Unreadable(DocumentErrorCode.PAGE_OUT_OF_RANGE, f"The PDF has no page {page}.") from error
        if "security handler" in message:
            raise Unreadable(
                DocumentErrorCode.ENCRYPTED,
                "The PDF is protected in a way that cannot be opened.",
                detail=message[-2000:],
            ) from error
        if _refuses(source):
            raise Unreadable(
                DocumentErrorCode.CORRUPT, "The PDF is broken and cannot be opened.", detail=message[-2000:]
            ) from error
        raise Unreadable(
            DocumentErrorCode.ENGINE_CRASHED, "Opening the PDF ended before it was complete.", detail=message[-2000:]
        ) from error


def _refuses(source: str) -> bool:
    """True if pdfinfo's exit code says that it cannot open the file. pdf2image does not report the exit code."""
    process = subprocess.run(["pdfinfo", source], capture_output=True, check=False)  # noqa: S607 - as pdf2image does
    return process.returncode == EXIT_CANNOT_OPEN


def _size(info: dict[str, Any], *, page: int) -> tuple[float, float]:
    """Width and height in points."""
    size = _SIZE.match(info.get(f"Page {page:4d} size", ""))
    if not size:
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF has no size.")
    return float(size[1]), float(size[2])


def _check(path: Path, *, page: int) -> None:
    """Raise Unreadable unless the whole page was drawn. pdftoppm may crash halfway, or leave an empty file."""
    with path.open("rb") as file:
        header = _HEADER.match(file.read(32))
    if header:
        bands, width, height = BANDS[header[1]], int(header[2]), int(header[3])
        if path.stat().st_size == header.end() + width * height * bands:
            return
    raise Unreadable(DocumentErrorCode.ENGINE_CRASHED, f"Drawing page {page} of the PDF ended before it was complete.")
