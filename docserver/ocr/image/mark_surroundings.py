"""Child side: tells by what is around a square or ring whether it is a letter, which a box to tick may look like."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from docserver.layout import Box
from docserver.ocr.image.connected import Boxes
from docserver.ocr.image.runs import Places

CLOSE, VERY_CLOSE, CLOSE_TO_RING = 0.35, 0.15, 0.3
"""A square with letters of its own height this close on both sides, or very close on one, is a letter itself, as in
Chinese, and so is a ring, or a square that is no taller, with a letter so close on one side. Shares of its side."""

CLOSE_ON_ITS_SIDE = 0.25
"""The same as CLOSE for what is above and below a square: boxes of a list may be closer than those of a line."""

TALLER_THAN_LETTERS = 1.12
"""A ring is at least so many times as tall as the letters beside it. The letter O is as tall as they are."""

NEAR = 8
"""Distance of letters with which a ring is compared, as a multiple of its side."""


def side_of(box: Box) -> int:
    """The longer side of a box."""
    return max(box[2] - box[0], box[3] - box[1])


@dataclass(frozen=True)
class Surroundings:
    """The groups of connected ink of a page, among which there are boxes and rings."""

    groups: Boxes

    def is_letter(self, box: Box) -> bool:
        """True if letters of the height of a square are so close that it is one of them, also on a page that lies on
        its side, where they are above and below it.
        """
        return _is_letter(box, self, close=CLOSE) or _is_letter(_lying(box), self._lying, close=CLOSE_ON_ITS_SIDE)

    def is_round_letter(self, box: Box) -> bool:
        """True if letters are as tall as a ring, or so close that it is one of them."""
        return _is_close(box, self) or not self.is_tall(box) or _is_close(_lying(box), self._lying)

    def is_tall(self, box: Box) -> bool:
        """True if a box is taller than the letters beside it."""
        x0, _, x1, _ = box
        side = side_of(box)
        beside = self.beside(box)
        near = beside[(beside[:, 0] < x1 + NEAR * side) & (beside[:, 2] > x0 - NEAR * side)]
        heights, widths = near[:, 3] - near[:, 1], near[:, 2] - near[:, 0]
        # Other marks in the line are as tall and as wide as this one.
        is_mark = (np.abs(heights - side) <= 1) & (np.abs(widths - side) <= 1)
        letters = heights[(heights > 0.3 * side) & (heights < 2 * side) & ~is_mark]
        return bool(letters.size == 0 or np.percentile(letters, 85) * TALLER_THAN_LETTERS <= side)

    def beside(self, box: Box) -> Boxes:
        """The groups of ink in the rows of a box that are beside it."""
        groups, doubled_middles = self._from_top
        first, end = np.searchsorted(doubled_middles, (2 * box[1] + 1, 2 * box[3]))
        in_rows = groups[first:end]
        return in_rows[(in_rows[:, 2] <= box[0]) | (in_rows[:, 0] >= box[2])]

    @cached_property
    def _from_top(self) -> tuple[Boxes, Places]:
        """The groups by the height of their middles, and twice that height of each."""
        doubled = self.groups[:, 1] + self.groups[:, 3]
        order = np.argsort(doubled)
        return self.groups[order], doubled[order]

    @cached_property
    def _lying(self) -> "Surroundings":
        return Surroundings(self.groups[:, [1, 0, 3, 2]])


def _is_letter(box: Box, around: Surroundings, *, close: float) -> bool:
    beside = around.beside(box)
    gaps = sorted(_gaps(box, beside, least=0.75, most=1.3))
    if gaps[1] < close or gaps[0] < VERY_CLOSE:
        return True
    return min(_gaps(box, beside, least=0.5, most=1.3)) < min(close, CLOSE_TO_RING) and not around.is_tall(box)


def _is_close(box: Box, around: Surroundings) -> bool:
    """True if a letter is too close to a ring."""
    return min(_gaps(box, around.beside(box), least=0.5, most=2.0)) < CLOSE_TO_RING


def _gaps(box: Box, beside: Boxes, *, least: float, most: float) -> tuple[float, float]:
    """The distances to what is beside a box on its left and on its right, as shares of its side; 1 if there is nothing
    that is between `least` and `most` times as high.
    """
    x0, _, x1, _ = box
    side = side_of(box)
    heights = beside[:, 3] - beside[:, 1]
    others = beside[(heights >= least * side) & (heights <= most * side)]
    before, after = x0 - others[:, 2], others[:, 0] - x1
    left, right = before[before >= 0].min(initial=side), after[after >= 0].min(initial=side)
    return float(left / side), float(right / side)


def _lying(box: Box) -> Box:
    x0, y0, x1, y1 = box
    return y0, x0, y1, x1
