"""Child side: how finely a PDF page of a given size is drawn, whoever draws it."""

import math

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.image.decode import MAX_SIDE

POINTS_PER_INCH = 72

LEAST_DPI = 72
"""Below this, printed letters are under ten pixels high and nothing would be read."""

AMPLE_PIXELS = 36_000_000
"""An A2 page at 300 dpi. Larger sheets are nearly always scans whose size was taken for points (one pixel, one point),
so more pixels only blow up what is there, at four times the cost."""

AMPLE_DPI = 120
"""A true poster is not drawn coarser than this for AMPLE_PIXELS's sake: its small print is ten points."""


def affordable_dpi(width: float, height: float, *, page: int, dpi: int, max_pixels: int) -> int:
    """The resolution for a page of `width` x `height` points: `dpi` unless that is too much. Raises Unreadable."""
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise Unreadable(DocumentErrorCode.CORRUPT, f"Page {page} of the PDF has no area.")

    def finest(pixels: int) -> int:
        return int(POINTS_PER_INCH * math.sqrt(pixels / (width * height)))

    # One pixel less, because sides are rounded up.
    limit = min(finest(max_pixels), int(POINTS_PER_INCH * (MAX_SIDE - 1) / max(width, height)))
    if limit < LEAST_DPI:
        raise Unreadable(
            DocumentErrorCode.TOO_MANY_PIXELS,
            f"Page {page} of the PDF measures {width / POINTS_PER_INCH:.0f} x {height / POINTS_PER_INCH:.0f} inches, "
            "more than can be drawn finely enough to be read.",
        )
    return min(dpi, limit, max(AMPLE_DPI, finest(AMPLE_PIXELS)))
