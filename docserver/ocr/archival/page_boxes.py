"""Child side: checks the boxes of a page (ISO 19005-2, 6.1.13)."""

from pikepdf import Object

from docserver.ocr.archival.unfit import Unfit

BOXES = ("/MediaBox", "/CropBox", "/BleedBox", "/TrimBox", "/ArtBox")

MIN_SIDE_PT, MAX_SIDE_PT = 3, 14_400
"""Smallest and largest side of a page, in points. Viewers refuse other pages (ISO 32000-1, annex C)."""


def check_boxes(page: Object) -> None:
    """Raise Unfit if a box of the page is too small or too large."""
    for key in BOXES:
        if key in page:
            x0, y0, x1, y1 = (float(value) for value in page[key])
            if not all(MIN_SIDE_PT <= abs(side) <= MAX_SIDE_PT for side in (x1 - x0, y1 - y0)):
                raise Unfit("the page has a size that is not allowed")
