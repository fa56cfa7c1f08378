"""Child side: finds dashes that stand alone in the cells of tables, where no word was read. Recognises no text.

A dash in a cell says that there is no value. OCR takes it for dirt. Its shape and its place show what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docserver.layout import Box
from docserver.ocr.image.connected import connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import Mask
from docserver.ocr.image.unread_letters import MIN_CONTRAST_SHARES, heights, reduced, unread_ink

MIN_WIDTH, MAX_WIDTH, MAX_HEIGHT = 0.25, 1.5, 0.3
"""Width and greatest height of a dash, as multiples of the height of most words."""

MIN_SLIMNESS, MIN_DENSITY, MIN_FULL = 1.5, 0.7, 0.9
"""Smallest width as a multiple of the height, and smallest shares of ink in its box, and in the fullest row of it."""

MIN_AT, MAX_AT = 0.4, 0.75
"""How far down in the box of most words of its row a dash stands. Points and underscores stand lower, quotes higher."""

MIN_GAP = 0.8
"""Smallest gap between a dash and the words of its row, in the same measure as its width. Around one between words it
is smaller."""

MIN_IN_ROW, MIN_IN_COLUMN = 2, 2
"""Fewest words in the row of a dash, and in its column."""

ALIGNED = 0.25
"""Largest difference of the left ends, the right ends or the middles of cells in a column, in the same measure."""

MIN_EN_DASH, MIN_EM_DASH = 0.5, 1.1
"""Smallest widths of longer dashes than a hyphen, in the same measure."""

MAX_DASHES = 500
"""Most marks of the shape of a dash. A page with more has dotted lines or hatching, and each takes up to 0.1 ms."""

EN_DASH, EM_DASH = "\N{EN DASH}", "\N{EM DASH}"

_Boxes = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dash:
    """A dash that stands alone in a cell."""

    text: str
    box: Box
    """In pixels of the full picture."""


def lone_dashes(seen: Overview, words: Sequence[Box]) -> list[Dash]:
    """The dashes in rows and columns of these words; none of a page full of them."""
    if len(words) < MIN_IN_ROW + MIN_IN_COLUMN:
        return []
    boxes = reduced(words, seen)
    height = float(np.median(heights(boxes)))
    ink = unread_ink(seen.contrasts, boxes, MIN_CONTRAST_SHARES[0])
    marks = connected(ink)
    width, thickness = marks[:, 2] - marks[:, 0], marks[:, 3] - marks[:, 1]
    is_dash = (width >= MIN_WIDTH * height) & (width <= MAX_WIDTH * height) & (thickness <= MAX_HEIGHT * height)
    is_dash &= width >= MIN_SLIMNESS * thickness
    if np.count_nonzero(is_dash) > MAX_DASHES:
        return []
    return [
        Dash(_text(right - left, height), (left * seen.step, top * seen.step, right * seen.step, bottom * seen.step))
        for left, top, right, bottom in marks[is_dash].tolist()
        if _is_bar(ink, (left, top, right, bottom), height)
        if _is_in_row((left, top, right, bottom), boxes, height)
        if _is_in_column((left, top, right, bottom), boxes, height)
    ]


def _is_bar(ink: Mask, dash: Box, height: float) -> bool:
    """True if the ink is one level stroke, with no other above or below it."""
    left, top, right, bottom = dash
    inked = ink[top:bottom, left:right].mean(axis=1)
    room = round(height / 2)
    around = np.count_nonzero(ink[max(0, top - room) : bottom + room, left:right])
    is_alone = bool(around == np.count_nonzero(ink[top:bottom, left:right]))
    return is_alone and float(inked.mean()) >= MIN_DENSITY and float(inked.max()) >= MIN_FULL


def _is_in_row(dash: Box, words: _Boxes, height: float) -> bool:
    left, top, right, bottom = dash
    middle = (top + bottom) / 2
    row = words[(words[:, 1] < middle) & (middle < words[:, 3])]
    if len(row) < MIN_IN_ROW:
        return False
    at = float(np.median((middle - row[:, 1]) / (row[:, 3] - row[:, 1])))
    gaps = np.maximum(row[:, 0] - right, left - row[:, 2])
    return MIN_AT <= at <= MAX_AT and float(gaps.min()) >= MIN_GAP * height


def _is_in_column(dash: Box, words: _Boxes, height: float) -> bool:
    """True if words above and below have one end or the middle where the dash has it."""
    left, _, right, _ = dash
    ends = (words[:, 0] - left, words[:, 2] - right, (words[:, 0] + words[:, 2] - left - right) / 2)
    return any(np.count_nonzero(np.abs(end) <= ALIGNED * height) >= MIN_IN_COLUMN for end in ends)


def _text(width: int, height: float) -> str:
    if width < MIN_EN_DASH * height:
        return "-"
    return EN_DASH if width < MIN_EM_DASH * height else EM_DASH
