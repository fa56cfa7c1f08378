"""Child side: measures the heights of the letters on a page. Recognises no text."""

from typing import NamedTuple

import numpy as np

from docserver.ocr.image.connected import connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import ink_of

MIN_HEIGHT_PX, MAX_HEIGHT_SHARE = 4, 0.1
"""Least height of what may be a letter, in pixels of the picture of about 1000 pixels a side, and most of it as a share
of that side."""

MIN_WIDTH, MAX_WIDTH = 0.1, 6.0
"""Width of what may be a letter, or some letters that touch, as a multiple of its height."""

MIN_LETTERS = 8
"""Fewest of them from which a height is measured."""

CAPITALS_PERCENT, SMALLEST_PERCENT = 75, 10
"""Percentages of the letters that are lower than capitals, of most text, and than its smallest letters."""

MIN_SMALLEST = 0.3
"""Height of the smallest letters that count, as a multiple of that of capitals. Points and dashes are lower."""


class LetterHeights(NamedTuple):
    """Heights in pixels of the picture."""

    capitals: float
    """That of capitals and digits in most of the text."""
    smallest: float
    """That of the smallest letters."""


def letter_heights(seen: Overview) -> LetterHeights | None:
    """The heights of the letters on a page with dark letters; None if it has hardly any."""
    ink = ink_of(seen.small, seen.contrasts)
    left, top, right, bottom = connected(ink).T
    width, height = right - left, bottom - top
    is_high = (height >= MIN_HEIGHT_PX) & (height <= MAX_HEIGHT_SHARE * max(ink.shape))
    heights = height[is_high & (width >= MIN_WIDTH * height) & (width <= MAX_WIDTH * height)]
    if heights.size < MIN_LETTERS:
        return None
    capitals = float(np.percentile(heights, CAPITALS_PERCENT))
    smallest = float(np.percentile(heights[heights >= MIN_SMALLEST * capitals], SMALLEST_PERCENT))
    return LetterHeights(seen.step * capitals, seen.step * smallest)
