"""Child side: the only caller of poppler, through pdf2image; PDF pages counted, measured and drawn, not recognised."""

import math
import re
from pathlib import Path
from typing import Any

from pdf2image import convert_from_path, pdfinfo_from_path
from pdf2image.exceptions import PDFPageCountError
from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr import images
from docserver.ocr.faults import Unreadable
from docserver.ocr.images import MAX_SIDE, Picture

POINTS_PER_INCH = 72

LEAST_DPI = 72
"""Below this, printed letters are under ten pixels high and nothing would be read."""

AMPLE_PIXELS = 36_000_000
"""An A2 page at 300 dpi. Larger sheets are nearly always scans whose size was taken for points (one pixel, one point),
so more pixels only blow up what is there, at four times the cost."""

AMPLE_DPI = 120
"""A true poster is not drawn coarser than this for AMPLE_PIXELS's sake: its small print is ten points."""

_SIZE = re.compile(r"([0-9.]+(?:e\+?[0-9]+)?) x ([0-9.]+(?:e\+?[0-9]+)?) pts")
_AFTER_LAST = re.compile(r"can not be after the last page \((\d+)\)")
_HEADER = re.compile(rb"P5\s(\d{1,6})\s(\d{1,6})\s255\s")


def count_pages(source: str, *, max_pages: int) -> int:
    """The number of pages. Raises Unreadable."""
    pages = int(_info(source)["Pages"])
    if pages < 1:
        raise Unreadable(DocumentErrorCode.EMPTY, "The PDF has no pages.")
    if pages > max_pages:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PAGES, f"The PDF has {pages} pages; the limit is {max_pages} pages."
        )
    return pages


def draw(source: str, *, page: int, dpi: int, max_pixels: int, target: Path) -> Picture:
    """Draw page `page` (from 1) in grey beside `target`, at `dpi` or as finely as it may be. Raises Unreadable."""
    info = _info(source, page=page)
    used_dpi = _affordable_dpi(info, page=page, dpi=dpi, max_pixels=max_pixels)
    paths = convert_from_path(
        source,
        dpi=used_dpi,
        first_page=page,
        last_page=page,
        grayscale=True,
        # As TIFF pdf2image would have another program draw it, which is why it is rewritten below.
        fmt="ppm",
        output_folder=target.parent,
        output_file=target.name,
        paths_only=True,
        # pdfinfo measures the crop box, and it is what a reader sees.
        use_cropbox=True,
    )
    if len(paths) != 1:
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF is broken and cannot be drawn.")
    drawn = Path(str(paths[0]))
    _check(drawn, page=page)
    with Image.open(drawn, formats=["PPM"]) as image:
        picture = images.save(image, target=target, dpi=used_dpi, rotation=0)
    drawn.unlink()
    return picture


def _info(source: str, *, page: int = 1) -> dict[str, Any]:
    try:
        return dict(pdfinfo_from_path(source, first_page=page, last_page=page))
    except PDFPageCountError as error:
        said = str(error)
        if "Incorrect password" in said:
            raise Unreadable(DocumentErrorCode.ENCRYPTED, "The PDF can only be opened with a password.") from error
        if after := _AFTER_LAST.search(said):
            if int(after[1]) == 0:
                raise Unreadable(DocumentErrorCode.EMPTY, "The PDF has no pages.", detail=said[-2000:]) from error
            raise Unreadable(DocumentErrorCode.PAGE_OUT_OF_RANGE, f"The PDF has no page {page}.") from error
        if "security handler" in said:
            raise Unreadable(
                DocumentErrorCode.ENCRYPTED, "The PDF is protected in a way that cannot be opened.", detail=said[-2000:]
            ) from error
        raise Unreadable(
            DocumentErrorCode.CORRUPT, "The PDF is broken and cannot be opened.", detail=said[-2000:]
        ) from error


def _affordable_dpi(info: dict[str, Any], *, page: int, dpi: int, max_pixels: int) -> int:
    found = _SIZE.match(info.get(f"Page {page:4d} size", ""))
    if not found:
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF has no size.")
    width, height = float(found[1]), float(found[2])
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF has no area.")

    def finest(pixels: int) -> int:
        return int(POINTS_PER_INCH * math.sqrt(pixels / (width * height)))

    # One pixel less, because poppler rounds a page's sides up.
    limit = min(finest(max_pixels), int(POINTS_PER_INCH * (MAX_SIDE - 1) / max(width, height)))
    if limit < LEAST_DPI:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PIXELS,
            f"Page {page} of the PDF measures {width / POINTS_PER_INCH:.0f} x {height / POINTS_PER_INCH:.0f} inches, "
            "more than can be drawn finely enough to be read.",
        )
    return min(dpi, limit, max(AMPLE_DPI, finest(AMPLE_PIXELS)))


def _check(path: Path, *, page: int) -> None:
    """Raise Unreadable unless a page is drawn whole: pdftoppm may crash after half a file, or leave an empty one."""
    with path.open("rb") as file:
        header = _HEADER.match(file.read(32))
    if header:
        width, height = int(header[1]), int(header[2])
        if path.stat().st_size == header.end() + width * height:
            return
    raise Unreadable(DocumentErrorCode.ENGINE_CRASHED, f"Drawing page {page} of the PDF ended before it was complete.")
