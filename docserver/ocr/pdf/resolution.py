"""Child side: the resolution at which a PDF page of a given size is drawn, by whatever program."""

import math

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import MAX_SIDE

POINTS_PER_INCH = 72

MIN_DPI = 72
"""At less, printed letters are under ten pixels high and cannot be read."""

SUFFICIENT_PIXELS = 36_000_000
"""An A2 page at 300 dpi. Larger pages are nearly always scans of one point per pixel: more pixels would only enlarge
the scan, at four times the cost."""

SUFFICIENT_DPI = 120
"""SUFFICIENT_PIXELS does not reduce the resolution below this: the small print of a real poster has ten points."""


def affordable_dpi(width: float, height: float, *, page: int, dpi: int, max_pixels: int) -> int:
    """`dpi`, or less for a page of `width` x `height` points that would become too large. Raises Unreadable."""
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF has no area.")

    def dpi_for(pixels: int) -> int:
        return int(POINTS_PER_INCH * math.sqrt(pixels / (width * height)))

    # One pixel less, because the sides are rounded up.
    limit = min(dpi_for(max_pixels), int(POINTS_PER_INCH * (MAX_SIDE - 1) / max(width, height)))
    if limit < MIN_DPI:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PIXELS,
            f"Page {page} of the PDF measures {width / POINTS_PER_INCH:.0f} x {height / POINTS_PER_INCH:.0f} inches, "
            "more than can be drawn finely enough to be read.",
        )
    return min(dpi, limit, max(SUFFICIENT_DPI, dpi_for(SUFFICIENT_PIXELS)))
