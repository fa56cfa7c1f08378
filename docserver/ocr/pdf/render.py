"""Child side: counts and draws PDF pages with PDFium, or with poppler if PDFium fails."""

from pathlib import Path

from PIL import Image

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import scaling
from docserver.ocr.image.decode import Picture
from docserver.ocr.pdf import passwords, pdfium, poppler
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.requests import View

POPPLER_S = 20
"""After this time, PDFium draws a page instead of poppler. Pages take a second; a malicious one may never end."""

MAX_ENLARGEMENT = 2.0
"""How much larger than it was read poppler draws a page at most."""


def count_pages(source: str, *, max_pages: int) -> int:
    """The number of pages. Raises Unreadable."""
    try:
        pages = pdfium.count_pages(source)
    except NotForPdfium:
        with passwords.for_programs(source) as readable:
            pages = poppler.count_pages(readable)
    if pages > max_pages:
        raise Unreadable(DocumentErrorCode.TOO_MANY_PAGES, f"The PDF has {pages} pages; the limit is {max_pages}.")
    return pages


def draw(source: str, *, page: int, dpi: int, max_pixels: int, scratch: Path) -> Picture:
    """Draw page `page` (from 1) in grey, at `dpi` or less for a large page. Raises Unreadable."""
    try:
        return pdfium.draw(source, page=page, dpi=dpi, max_pixels=max_pixels)
    except NotForPdfium:
        with passwords.for_programs(source) as readable:
            return poppler.draw(readable, page=page, dpi=dpi, max_pixels=max_pixels, scratch=scratch)


def draw_view(source: str, *, page: int, view: View, dpi: int, max_pixels: int, scratch: Path) -> Image.Image:
    """Draw a view of page `page` (from 1) in colour. `dpi` is the resolution of its `page_size`. Raises Unreadable."""
    try:
        return pdfium.draw_view(source, page=page, view=view, max_pixels=max_pixels)
    except NotForPdfium:
        # It draws whole pages alone. More than twice as large, nothing more is seen of most scans.
        drawn_dpi = max(1, round(dpi * min(*view.scale, MAX_ENLARGEMENT)))
        drawn = poppler.draw(
            source, page=page, dpi=drawn_dpi, max_pixels=max_pixels, scratch=scratch, in_colour=True
        ).image
        across, down = drawn.width / view.page_size[0], drawn.height / view.page_size[1]
        x0, y0, x1, y1 = view.part
        return scaling.resized(drawn, (x0 * across, y0 * down, x1 * across, y1 * down), view.size)


def draw_all(source: str, *, page: int, size: tuple[int, int], dpi: int, max_pixels: int, scratch: Path) -> Image.Image:
    """Draw page `page` (from 1) in colour and in this size, with all that viewers show. `dpi` is about its resolution.
    Raises Unreadable.
    """
    # Poppler also draws notes and form fields that have no picture of their own, and more kinds of colours.
    try:
        with passwords.for_programs(source) as readable:
            drawn = poppler.draw(
                readable,
                page=page,
                dpi=dpi,
                max_pixels=max_pixels,
                scratch=scratch,
                in_colour=True,
                within_s=POPPLER_S,
            ).image
    except Unreadable:
        view = View(page_size=size, part=(0, 0, *size), size=size)
        return draw_view(source, page=page, view=view, dpi=dpi, max_pixels=max_pixels, scratch=scratch)
    return drawn if drawn.size == size else drawn.resize(size, Image.Resampling.BICUBIC)
