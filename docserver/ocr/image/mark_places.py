"""Child side: tells at little cost whether a page may have boxes to tick or round buttons.

Most pages have none. Small closed shapes with paper around them are looked for in the reduced picture, and only those
are looked at in the full one.
"""

import numpy as np

from docserver.ocr.image.mark_close_ups import (
    ANGLES,
    MAX_SIDE,
    MIN_SIDE,
    Boxes,
    looked_at,
    seen_closer,
    squares_and_rings,
)
from docserver.ocr.image.overview import PAPER_CELL_PX, Overview
from docserver.ocr.image.runs import Places, runs_in_rows
from docserver.ocr.image.shades import Mask, lightest_around

MAX_LOOKS = 100
"""Most squares, and most rings, that are looked at closely. If all of them are letters or cells, the others are too."""

MIN_REDUCED_PX = 4
"""Shortest side of a box in the reduced picture."""

SAMPLED_EACH = 5
"""The contrast of ink with the paper is measured in so many rows and columns of the reduced picture."""

MIN_CONTRAST, MIN_INK = 24, 0.3
"""Smallest contrast of ink with the paper, in grey levels, and as a share of that of the darkest ink: thin lines are
pale."""

PALER = 1 / 2
"""What of that is enough in a reduced picture, where thin lines are paler, and noise is too."""

TOLERANCE_PX = 2
"""How far from its expected place a side of a box may be in the reduced picture."""

MAX_RUNS = 5
"""Most runs of ink in a row of a box: its two sides, and the lines of a mark."""

MIN_GAP, MIN_GAPS = 0.1, 0.4
"""Shortest gap beside a box, and of both gaps together, as shares of its side. Letters of a word are closer."""

LETTER_GAPS = (0.12, 0.2, 0.28)
"""Distances at which there is paper on both sides of a ring, and on one side of a square, as shares of its side. The
letter O has another letter there."""

LOOKED_AT_EACH = 3
"""Of so many rows of the reduced picture, one is looked at. The smallest boxes have 6."""

OFF_MIDDLE = 0.22
"""Distance from the middle of the rows in which both sides are looked for, as a share of the side. Those of a ring are
about as far apart as in the middle."""

MAX_SLENDERNESS = 1.3
"""Longest side of a box as a multiple of its shorter one."""

ALIKE = 1.25
"""Largest ratio of the sides of two rings of a form. They are whole pixels of the reduced picture."""

PLACES_AROUND = np.stack((np.sin(ANGLES[1::2]), np.cos(ANGLES[1::2])))
"""Directions in which a box is looked at in the reduced picture. Of these places on it, one may not be drawn."""


def may_have_marks(page: Overview) -> bool:
    """True if a picture shows a box, or two rings of about the same size, and they seem to be no letters."""
    papers = lightest_around(page.cells, 1).astype(np.int16)
    sampled = page.pixels[::SAMPLED_EACH, ::SAMPLED_EACH]
    rows, columns = (SAMPLED_EACH * np.arange(count) // PAPER_CELL_PX for count in sampled.shape)
    contrasts = papers[rows[:, np.newaxis], columns] - sampled
    least = max(MIN_CONTRAST, MIN_INK * float(np.percentile(contrasts, 99)))
    shades = np.maximum(papers - int(least if page.step == 1 else max(MIN_CONTRAST, PALER * least)), 0).astype(np.uint8)
    height, width = page.pixels.shape
    in_full = shades.repeat(PAPER_CELL_PX, axis=0)[:height].repeat(PAPER_CELL_PX, axis=1)[:, :width]
    boxes = _lone_shapes(page.pixels < in_full)
    if not boxes.size:
        return False
    middle_x, middle_y = (boxes[0] + boxes[2]) // 2, (boxes[1] + boxes[3]) // 2
    darkest_paper = np.maximum(papers[middle_y // PAPER_CELL_PX, middle_x // PAPER_CELL_PX] - least, 0)
    alone, ink = seen_closer(page.grey, boxes, page.step, darkest_paper)
    squares, rings = squares_and_rings(ink)
    for number in alone[squares][:MAX_LOOKS]:
        shape, around = looked_at(page, boxes[:, number], darkest_paper[number])
        if shape and not shape.is_round and not around.is_letter(shape.box):
            return True
    sides: list[int] = []
    for number in alone[rings][:MAX_LOOKS]:
        shape, around = looked_at(page, boxes[:, number], darkest_paper[number])
        if shape and shape.is_round and not around.is_round_letter(shape.box):
            if any(max(side, shape.side) <= ALIKE * min(side, shape.side) for side in sides):
                return True
            sides.append(shape.side)
    return False


class _Framed:
    """Ink with paper around it, so that places beside the picture can be asked for."""

    def __init__(self, ink: Mask, frame: int) -> None:
        framed = np.pad(ink, frame)
        self._frame, self._width = frame, framed.shape[1]
        self._ink = framed.ravel()
        self._near_rows = _spread(framed, axis=0).ravel()
        self._near_columns = _spread(framed, axis=1).ravel()

    def at(self, y: Places, x: Places) -> Mask:
        """Where there is ink."""
        return self._ink.take(self._numbers(y, x))

    def is_near_row(self, y: Places, x: Places) -> Mask:
        """Where there is ink within TOLERANCE_PX above or below."""
        return self._near_rows.take(self._numbers(y, x))

    def is_near_column(self, y: Places, x: Places) -> Mask:
        """Where there is ink within TOLERANCE_PX to the left or right."""
        return self._near_columns.take(self._numbers(y, x))

    def _numbers(self, y: Places, x: Places) -> Places:
        numbers: Places = y * self._width + x + self._frame * (self._width + 1)
        return numbers


def _spread(ink: Mask, *, axis: int) -> Mask:
    """The ink spread by TOLERANCE_PX in both directions along an axis."""
    spread = ink.copy()
    target, source = (spread, ink) if axis == 0 else (spread.T, ink.T)
    for distance in range(1, TOLERANCE_PX + 1):
        target[distance:] |= source[:-distance]
        target[:-distance] |= source[distance:]
    return spread


def _lone_shapes(ink: Mask) -> Boxes:
    """The boxes of shapes that are about as high as wide, closed on all sides, and have paper around them."""
    longer = max(ink.shape)
    most = MAX_SIDE * longer + 2
    x0, y, x1 = _lone_rows(ink, least=max(MIN_REDUCED_PX, MIN_SIDE * longer - 1), most=most)
    framed = _Framed(ink, int(most) + 4)
    for share in (0.5, 0.3, 0.7):
        x, half = x0 + (share * (x1 - x0)).astype(np.int64), (x1 - x0) // 2
        kept = np.flatnonzero(framed.is_near_row(y - half, x) & framed.is_near_row(y + half, x))
        x0, y, x1 = x0[kept], y[kept], x1[kept]
        if share == 0.5:
            for off in (-OFF_MIDDLE, OFF_MIDDLE):
                row = y + np.round(off * (x1 - x0)).astype(np.int64)
                drawn = framed.is_near_column(row, x0) & framed.is_near_column(row, x1 - 1)
                kept = np.flatnonzero(drawn & ~framed.at(row, x0 - 2) & ~framed.at(row, x1 + 1))
                x0, y, x1 = x0[kept], y[kept], x1[kept]
    return _may_be_marks(framed, _with_ends(framed, x0, y, x1))


def _lone_rows(ink: Mask, *, least: float, most: float) -> tuple[Places, Places, Places]:
    """The first column, row and end of each part of a row that begins and ends with ink, is as long as a box, and has
    some paper before and after it.
    """
    rows, starts, ends = runs_in_rows(ink[::LOOKED_AT_EACH])
    rows *= LOOKED_AT_EACH
    gaps = np.where(rows[1:] == rows[:-1], starts[1:] - ends[:-1], ink.shape[1])
    before, after = np.append(ink.shape[1], gaps), np.append(gaps, ink.shape[1])
    found = []
    for more in range(1, min(MAX_RUNS, rows.size)):
        count = rows.size - more
        lengths, gap_before, gap_after = ends[more:] - starts[:count], before[:count], after[more:]
        fits = (lengths >= least) & (lengths <= most) & (rows[more:] == rows[:count])
        fits &= np.minimum(gap_before, gap_after) >= np.maximum(1, MIN_GAP * lengths)
        numbers = np.flatnonzero(fits & (gap_before + gap_after >= MIN_GAPS * lengths))
        found.append((starts[numbers], rows[numbers], ends[numbers + more]))
    if not found:
        return starts, rows, ends
    x0, y, x1 = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return x0, y, x1


def _with_ends(framed: _Framed, x0: Places, y: Places, x1: Places) -> Boxes:
    """The boxes around shapes of which middle rows are given, each once."""
    middle, half = (x0 + x1) // 2, (x1 - x0) // 2
    top, bottom = y.copy(), y.copy()
    for depth in range(-2, 4):
        top = np.where(framed.at(y - half - depth, middle), y - half - depth, top)
        bottom = np.where(framed.at(y + half + depth, middle), y + half + depth, bottom)
    boxes: Boxes = np.unique(np.stack((x0, top, x1, bottom + 1)), axis=1)
    return boxes


def _may_be_marks(framed: _Framed, boxes: Boxes) -> Boxes:
    """Those boxes that have ink in all corners, or in none and around an empty middle with more paper around it."""
    at = framed.at
    x0, y0, x1, y1 = boxes
    widths, heights = x1 - x0, y1 - y0
    fits = np.maximum(widths, heights) <= MAX_SLENDERNESS * np.minimum(widths, heights) + 1
    fits &= ~at(y0 - 2, (x0 + x1) // 2) & ~at(y1 + 1, (x0 + x1) // 2)
    boxes = boxes[:, fits]
    x0, y0, x1, y1 = boxes
    corners = [(y, x, down, right) for y, down in ((y0, 1), (y1 - 1, -1)) for x, right in ((x0, 1), (x1 - 1, -1))]
    filled = np.sum([at(y, x) for y, x, _, _ in corners], axis=0)
    near = [at(y, x) | at(y + b, x) | at(y, x + a) | at(y + b, x + a) for y, x, b, a in corners]
    middle, quarter = (y0 + y1) // 2, (y1 - y0) // 4
    is_near_left, is_near_right = np.zeros((2, boxes.shape[1]), dtype=np.bool_)
    for gap in LETTER_GAPS:
        distance = 1 + (gap * (x1 - x0)).astype(np.int64)
        for row in (middle - quarter, middle, middle + quarter):
            is_near_left |= at(row, x0 - distance)
            is_near_right |= at(row, x1 - 1 + distance)
    squares = np.all(near, axis=0) & (filled >= 2) & ~(is_near_left & is_near_right)
    rings = (filled == 0) & ~at(middle, (x0 + x1) // 2) & ~(is_near_left | is_near_right)
    numbers = np.flatnonzero(squares | rings)
    chosen: Boxes = boxes[:, numbers[_are_closed(framed, boxes[:, numbers], squares[numbers])]]
    return chosen


def _are_closed(framed: _Framed, boxes: Boxes, squares: Mask) -> Mask:
    """Those of these squares and rings that are drawn at almost all places that are looked at."""
    x0, y0, x1, y1 = boxes[:, :, np.newaxis, np.newaxis]
    heights, widths = y1 - y0 - 1, x1 - x0 - 1
    depths = np.concatenate([np.broadcast_to(depth, widths.shape) for depth in (0, 1, np.maximum(1, widths // 8))], 2)
    down, right = PLACES_AROUND[:, :, np.newaxis]
    # On the edge of the square around, or on the circle in it.
    scale = np.where(squares[:, np.newaxis, np.newaxis], 1 / np.maximum(abs(down), abs(right)), 1.0) / 2
    rows = np.rint(y0 + heights / 2 + scale * down * (heights - 2 * depths)).astype(np.int64)
    columns = np.rint(x0 + widths / 2 + scale * right * (widths - 2 * depths)).astype(np.int64)
    are_closed: Mask = framed.at(rows, columns).any(axis=2).sum(axis=1) >= PLACES_AROUND.shape[1] - 1
    return are_closed
