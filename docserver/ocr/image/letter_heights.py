"""Child side: measures the heights of the letters on a page. Recognises no text."""

from typing import NamedTuple

import numpy as np

from docserver.ocr.image.connected import connected
from docserver.ocr.image.overview import Overview

MIN_HEIGHT_PX, MAX_HEIGHT_SHARE = 4, 0.1
"""Smallest height of what may be a letter, in pixels of the picture of about 1000 pixels a side, and largest one as a
share of its longer side."""

MIN_WIDTH, MAX_WIDTH = 0.1, 6.0
"""Width of what may be a letter, or some letters that touch, as a multiple of its height."""

MIN_LETTERS = 8
"""Fewest letters from which heights are measured."""

CAPITALS_PERCENT, SMALLEST_PERCENT = 75, 10
"""Percentiles of the heights of letters that are those of capitals and of the smallest letters in most texts."""

MIN_SMALLEST = 0.3
"""Height of the smallest letters that count, as a multiple of that of capitals. Points and dashes are lower."""


class LetterHeights(NamedTuple):
    """Heights in pixels of the picture."""

    capitals: float
    """Of capitals and digits in most of the text."""
    smallest: float
    """Of the smallest letters."""


def letter_heights(seen: Overview) -> LetterHeights | None:
    """The heights of the letters on a page with dark letters; None if it has hardly any."""
    left, top, right, bottom = connected(seen.ink).T
    width, height = right - left, bottom - top
    is_high = (height >= MIN_HEIGHT_PX) & (height <= MAX_HEIGHT_SHARE * max(seen.ink.shape))
    heights = height[is_high & (width >= MIN_WIDTH * height) & (width <= MAX_WIDTH * height)]
    if heights.size < MIN_LETTERS:
        return None
    capitals = float(np.percentile(heights, CAPITALS_PERCENT))
    smallest = float(np.percentile(heights[heights >= MIN_SMALLEST * capitals], SMALLEST_PERCENT))
    return LetterHeights(seen.step * capitals, seen.step * smallest)
