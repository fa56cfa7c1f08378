"""Child side: the resolution at which a PDF page of a given size is drawn."""

import math

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import MAX_SIDE

POINTS_PER_INCH = 72

MIN_DPI = 72
"""Lowest resolution. Below it, printed letters are less than ten pixels high and cannot be read."""

SUFFICIENT_PIXELS = 36_000_000
"""Most pixels of a drawn page: an A2 page at 300 dpi. Larger pages are almost always scans with one point per pixel.
More pixels would only enlarge the scan, and cost four times as much."""

SUFFICIENT_DPI = 120
"""SUFFICIENT_PIXELS does not reduce the resolution below this. It is enough for the small print of a real poster, which
has ten points."""


def affordable_dpi(width: float, height: float, *, page: int, dpi: int, max_pixels: int) -> int:
    """`dpi`, or less if a page of `width` x `height` points would become too large. Raises Unreadable."""
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF has no area.")

    def dpi_for(pixels: int) -> int:
        return int(POINTS_PER_INCH * math.sqrt(pixels / (width * height)))

    # Use one pixel less than MAX_SIDE, because the sides are rounded up.
    limit = min(dpi_for(max_pixels), int(POINTS_PER_INCH * (MAX_SIDE - 1) / max(width, height)))
    if limit < MIN_DPI:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PIXELS,
            f"Page {page} of the PDF measures {width / POINTS_PER_INCH:.0f} x {height / POINTS_PER_INCH:.0f} inches, "
            "which is too large to be drawn at a resolution that can be read.",
        )
    return min(dpi, limit, max(SUFFICIENT_DPI, dpi_for(SUFFICIENT_PIXELS)))
