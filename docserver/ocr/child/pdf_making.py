"""Child side: makes the PDF of a document that a client wants: searchable, and if wanted smaller or for archives."""

from functools import partial
from pathlib import Path

from PIL import Image

from docserver.model import Page
from docserver.ocr.limits import Limits
from docserver.ocr.pdf import render
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi
from docserver.ocr.requests import MakeSearchable
from docserver.ocr.searchable import from_image, from_pdf

PDF = "application/pdf"


def write(request: MakeSearchable, source: str, limits: Limits) -> None:
    """Write the PDF to the request's result file. Raises Unreadable."""
    target, options = Path(limits.scratch) / request.result_file, request.options
    if request.content_type == PDF:
        from_pdf.write(
            source,
            pages=request.pages,
            target=target,
            max_pixels=limits.max_page_pixels,
            quality=options.quality,
            draw=partial(_drawn, source=source, limits=limits) if options.archival else None,
        )
    else:
        from_image.write(
            source,
            request.content_type,
            pages=request.pages,
            target=target,
            max_pixels=limits.max_page_pixels,
            quality=options.quality,
            archived=options.archival,
        )


def _drawn(page: Page, points: tuple[float, float], *, source: str, limits: Limits) -> Image.Image:
    """A page in colours as viewers show it, as large as it was read. Raises Unreadable."""
    max_pixels = limits.max_page_pixels
    if page.reading:
        size, dpi = (page.reading.width, page.reading.height), page.reading.dpi or limits.pdf_dpi
    else:
        dpi = affordable_dpi(*points, page=page.number, dpi=limits.pdf_dpi, max_pixels=max_pixels)
        size = max(1, round(points[0] * dpi / POINTS_PER_INCH)), max(1, round(points[1] * dpi / POINTS_PER_INCH))
    return render.draw_all(
        source, page=page.number, size=size, dpi=dpi, max_pixels=max_pixels, scratch=Path(limits.scratch)
    )
