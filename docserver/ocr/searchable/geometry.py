"""Child side: converts places on a page between the pixels in which it was read and the points of its PDF page."""

import math
from collections.abc import Sequence
from typing import Any

from pikepdf import Matrix, Name, Object

from docserver.layout import Box, Rect
from docserver.ocr.archival.inheritance import inherited
from docserver.ocr.archival.page_boxes import MAX_SIDE_PT, MIN_SIDE_PT

LETTER: Rect = (0.0, 0.0, 612.0, 792.0)
"""The area, in points, that viewers assume for a page without a valid size."""

POINTS_PER_INCH = 72

DEFAULT_DPI = 300
"""Resolution of an image that does not state one. A scan then becomes about as large as its paper, and a photo fits a
sheet."""

SIDEWAYS = (90, 270)

COUNTERCLOCKWISE: dict[int, Matrix] = {
    0: Matrix(1, 0, 0, 1, 0, 0),
    90: Matrix(0, 1, -1, 0, 1, 0),
    180: Matrix(-1, 0, 0, -1, 1, 1),
    270: Matrix(0, -1, 1, 0, 0, 1),
}
"""Degrees → the matrix that turns the unit square onto itself. It is exact, and Matrix.rotated is not."""


def turn_box(box: Box, size: tuple[int, int], degrees: int) -> Box:
    """The place of a box after a page of this size is turned clockwise."""
    x0, y0, x1, y1 = box
    width, height = size
    if degrees == 90:
        return (height - y1, x0, height - y0, x1)
    if degrees == 180:
        return (width - x1, height - y1, width - x0, height - y0)
    if degrees == 270:
        return (y0, width - x1, y1, width - x0)
    return box


def turn_size(size: tuple[int, int], degrees: int) -> tuple[int, int]:
    """Width and height of a page of this size after it is turned."""
    return (size[1], size[0]) if degrees in SIDEWAYS else size


def upright_to_page(size: tuple[int, int], *, rotation: int, page_rotation: int, area: Rect) -> Matrix:
    """The matrix from pixels of the page with upright text, with y upwards, to points of the PDF page.

    `size` is that of the page as it was read, in pixels. A viewer shows `area` (points) turned clockwise by
    `page_rotation`, and OCR has read this view. Turned clockwise by another `rotation` degrees, the text is upright.
    """
    width, height = turn_size(size, rotation)
    x0, y0, x1, y1 = area
    to_unit_square = Matrix(1 / width, 0, 0, 1 / height, 0, 0)
    to_area = Matrix(x1 - x0, 0, 0, y1 - y0, x0, y0)
    return to_unit_square @ COUNTERCLOCKWISE[rotation] @ COUNTERCLOCKWISE[page_rotation] @ to_area


def page_area(page: Object) -> Rect:
    """The area of a page that viewers show, in points."""
    return visible_area(inherited(page, Name.MediaBox), inherited(page, Name.CropBox))


def page_rotation(page: Object) -> int:
    """Degrees clockwise by which viewers turn a page, a multiple of 90."""
    try:
        degrees = int(inherited(page, Name.Rotate) or 0) % 360
    except (TypeError, ValueError):
        return 0
    return degrees if degrees % 90 == 0 else 0


def shown_size(page: Object) -> tuple[float, float]:
    """Width and height of a page as viewers show it, in points."""
    x0, y0, x1, y1 = page_area(page)
    width, height = x1 - x0, y1 - y0
    return (height, width) if page_rotation(page) in SIDEWAYS else (width, height)


def visible_area(media_box: Any, crop_box: Any) -> Rect:
    """The area of a page that viewers show, in points. The boxes come from the PDF and may be missing or invalid."""
    media = _valid_rect(media_box) or LETTER
    crop = _valid_rect(crop_box) or media
    x0, y0 = max(media[0], crop[0]), max(media[1], crop[1])
    x1, y1 = min(media[2], crop[2]), min(media[3], crop[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else media


def _valid_rect(values: Any) -> Rect | None:
    """The rectangle between two opposite corners; None unless the values are four finite numbers with an area."""
    try:
        x0, y0, x1, y1 = (float(value) for value in values)
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x0 == x1 or y0 == y1:
        return None
    return (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def paper(size: tuple[int, int], dpi: int | None) -> Rect:
    """The area of a page, in points, for an image of this size in pixels: that of the original paper, limited to the
    sizes that a PDF page may have.
    """
    points_per_pixel = POINTS_PER_INCH / (dpi or DEFAULT_DPI)
    points_per_pixel = min(max(points_per_pixel, MIN_SIDE_PT / min(size)), MAX_SIDE_PT / max(size))
    width, height = (max(MIN_SIDE_PT, round(side * points_per_pixel, 4)) for side in size)
    return (0.0, 0.0, width, height)


def format_numbers(values: Sequence[float], *, digits: int) -> str:
    """Numbers in PDF's form. Matrix.encode has only five digits, an error of 0.05 points in 10 000 pixels."""
    return " ".join(f"{value:.{digits}f}" for value in values)
