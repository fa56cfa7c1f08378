"""Child side: counts and draws PDF pages with PDFium, or with poppler if PDFium fails."""

from pathlib import Path

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf import pdfium, poppler
from docserver.ocr.pdf.pdfium import NotForPdfium


def count_pages(source: str, *, max_pages: int) -> int:
    """The number of pages. Raises Unreadable."""
    try:
        pages = pdfium.count_pages(source)
    except NotForPdfium:
        pages = poppler.count_pages(source)
    if pages > max_pages:
        raise Unreadable(DocumentErrorCode.TOO_MANY_PAGES, f"The PDF has {pages} pages; the limit is {max_pages}.")
    return pages


def draw(source: str, *, page: int, dpi: int, max_pixels: int, scratch: Path) -> Picture:
    """Draw page `page` (from 1) in grey, at `dpi` or less for a large page. Raises Unreadable."""
    try:
        return pdfium.draw(source, page=page, dpi=dpi, max_pixels=max_pixels)
    except NotForPdfium:
        return poppler.draw(source, page=page, dpi=dpi, max_pixels=max_pixels, scratch=scratch)
