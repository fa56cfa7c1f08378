"""Child side: finds plain coloured boxes on a page in which something stands that no word was read of. Recognises no
text.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from docserver.layout import Box
from docserver.ocr.image.connected import connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import Mask, Shades

CELL_PX = 4
"""Side of the cells of the picture of about 1000 pixels a side. A cell is coloured if all of its pixels are."""

MIN_DARKER = 30
"""Number of grey levels by which a box is darker than most of the page."""

MIN_WIDTH, MIN_HEIGHT = 12, 5
"""Sides of the smallest box with a word, in cells."""

MIN_EDGE = 0.8
"""Smallest share of the edges of a box that is coloured. Large letters and pictures have less."""

PLAIN, MIN_PLAIN = 12, 0.5
"""Most grey levels between a plain pixel and the median of its box, and smallest share of a box that is plain. Photos
have less."""

MIN_DIFFERENCE, MIN_PX = 25, 40
"""Smallest number of grey levels between a box and its letters, and fewest pixels of letters that were not read."""


def coloured_areas(seen: Overview, words: Sequence[Box]) -> list[Box]:
    """The plain coloured boxes with something that is in none of these words, in pixels of the full picture."""
    pixels, step = seen.pixels, seen.step
    cells = _lightest(pixels) < float(np.median(pixels[::CELL_PX, ::CELL_PX])) - MIN_DARKER
    areas = []
    for area in connected(cells).tolist():
        if not _is_box(cells, area):
            continue
        left, top, right, bottom = (CELL_PX * side for side in area)
        unlike = abs(pixels[top:bottom, left:right] - np.median(pixels[top:bottom, left:right]))
        if (unlike <= PLAIN).mean() < MIN_PLAIN:
            continue
        for x0, y0, x1, y1 in words:
            rows = slice(max(0, y0 // step - top), max(0, y1 // step + 1 - top))
            unlike[rows, max(0, x0 // step - left) : max(0, x1 // step + 1 - left)] = 0
        if np.count_nonzero(unlike >= MIN_DIFFERENCE) >= MIN_PX:
            areas.append((left * step, top * step, right * step, bottom * step))
    return areas


def _is_box(cells: Mask, area: Box) -> bool:
    """True if coloured cells are at all edges of an area that may have a word."""
    left, top, right, bottom = area
    if right - left < MIN_WIDTH or bottom - top < MIN_HEIGHT:
        return False
    inside = cells[top:bottom, left:right]
    # Where a box is a little askew, its edge is in two rows of cells.
    edges = inside[:2].any(axis=0), inside[-2:].any(axis=0), inside[:, :2].any(axis=1), inside[:, -2:].any(axis=1)
    return min(float(edge.mean()) for edge in edges) >= MIN_EDGE


def _lightest(pixels: Shades) -> Shades:
    """The lightest pixel of each cell."""
    height, width = (side // CELL_PX * CELL_PX for side in pixels.shape)
    rows = pixels[:height, :width].reshape(-1, CELL_PX, width).max(axis=1)
    lightest: Shades = rows.reshape(rows.shape[0], -1, CELL_PX).max(axis=2)
    return lightest


def in_black_on_white(box: Image.Image) -> Image.Image:
    """The picture of a plain box in grey, with its letters darker than it."""
    levels = np.asarray(box.convert("L")).astype(np.int16)
    difference = levels - int(np.median(levels))
    lighter, darker = (int(np.count_nonzero(sign * difference >= MIN_DIFFERENCE)) for sign in (1, -1))
    ink = np.clip(difference if lighter > darker else -difference, 0, 255).astype(np.uint8)
    return ImageOps.invert(ImageOps.autocontrast(Image.fromarray(ink)))
