"""Child side: places on a page: pixels as it was read, points as its PDF counts them, and the turns between the two."""

import math
from collections.abc import Sequence
from typing import Any

from pikepdf import Matrix

from docserver.model import Box, Rect

LETTER: Rect = (0.0, 0.0, 612.0, 792.0)
"""What viewers take for a page whose own size makes no sense."""

SIDEWAYS = (90, 270)

TURNED_LEFT: dict[int, Matrix] = {
    0: Matrix(1, 0, 0, 1, 0, 0),
    90: Matrix(0, 1, -1, 0, 1, 0),
    180: Matrix(-1, 0, 0, -1, 1, 1),
    270: Matrix(0, -1, 1, 0, 0, 1),
}
"""Degrees counterclockwise → the turn of the square from 0 to 1 onto itself."""


def turned(box: Box, size: tuple[int, int], degrees: int) -> Box:
    """Where a box of a page of this size is when the page is turned clockwise."""
    x0, y0, x1, y1 = box
    width, height = size
    if degrees == 90:
        return (height - y1, x0, height - y0, x1)
    if degrees == 180:
        return (width - x1, height - y1, width - x0, height - y0)
    if degrees == 270:
        return (y0, width - x1, y1, width - x0)
    return box


def upright_size(size: tuple[int, int], degrees: int) -> tuple[int, int]:
    """Width and height of a page of this size that is turned."""
    return (size[1], size[0]) if degrees in SIDEWAYS else size


def onto_page(size: tuple[int, int], *, degrees: int, page_degrees: int, area: Rect) -> Matrix:
    """From pixels of upright text, counted from the bottom left, to points of a PDF page.

    The page of `size` pixels is the area as a viewer shows it, turned clockwise by `page_degrees`; turned by `degrees`
    more its text is upright.
    """
    width, height = upright_size(size, degrees)
    x0, y0, x1, y1 = area
    to_square = Matrix(1 / width, 0, 0, 1 / height, 0, 0)
    to_area = Matrix(x1 - x0, 0, 0, y1 - y0, x0, y0)
    return to_square @ TURNED_LEFT[degrees] @ TURNED_LEFT[page_degrees] @ to_area


def visible(media: Any, crop: Any) -> Rect:
    """What viewers show of a page with these boxes, which may be missing or nonsense."""
    sheet = _rectangle(media) or LETTER
    part = _rectangle(crop) or sheet
    shown = (max(sheet[0], part[0]), max(sheet[1], part[1]), min(sheet[2], part[2]), min(sheet[3], part[3]))
    return shown if shown[0] < shown[2] and shown[1] < shown[3] else sheet


def _rectangle(values: Any) -> Rect | None:
    try:
        x0, y0, x1, y1 = (float(value) for value in values)
    except (TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x0 == x1 or y0 == y1:
        return None
    return (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def numbers(values: Sequence[float], *, digits: int) -> str:
    """Numbers as PDF writes them."""
    return " ".join(f"{value:.{digits}f}" for value in values)
