"""Child side: tells by the shapes of its lines whether a page is upright or upside down. Recognises no text.

Most lines of Latin and Greek letters have more that rises above the small letters, as in b, d, h, l, t and capitals,
than sinks below them, as in g, p and y.
"""

import numpy as np
from PIL import Image

from docserver.ocr.image.overview import grey
from docserver.ocr.image.runs import Places, Runs, runs_in_rows
from docserver.ocr.image.shades import Numbers

STRIP_PX = 100
"""Width of the strips in which the ink of each row is measured: that of about seven letters. The skew of lines that are
not straightened makes them rise by three pixels in a strip at most."""

PAPER_PERCENTILE, FULL_PERCENTILE = 85, 95
"""Of the grey levels of a strip's rows, the paper is at the first, and of the amounts of ink, small letters are at the
second."""

MIN_FULL_INK = 8.0
"""Least ink in the rows of small letters, in grey levels as a mean over a strip. Noise has less."""

CORE_SHARE = 0.45
"""The core of a line is where a row has at least this share of the ink of small letters."""

MIN_CORE_PX, CORE_HEIGHTS = 4, (0.6, 1.6)
"""Lowest core of a line, and range of the heights of cores that count, as a multiple of their median."""

REACH, MIN_REACH_PX = 0.55, 2
"""How far above and below the core of a line ink is compared, as a share of its height, and in pixels. It is less than
the gap between two lines."""

MIN_SURPLUS, MIN_DEVIATIONS = 0.3, 6.0
"""A page is surely upright if so much more ink is above the cores than below them, as a share of both, and if the
difference is this many times what would be chance. Latin letters have 0.4 and 7 or more on a full page. Cyrillic
letters may have 0.28 and 5 the other way, and patterns have less."""


def way_up(level: Image.Image) -> int:
    """1 if a picture with level lines of dark letters is surely upright, -1 if surely upside down, otherwise 0."""
    if level.width < STRIP_PX:
        return 0
    ink = _ink_of_strips(level)
    strip, first, end = _cores(ink)
    reach = np.maximum(MIN_REACH_PX, (REACH * (end - first)).astype(np.int64))
    sums = np.pad(ink.cumsum(axis=1), ((0, 0), (1, 0)))

    def between(start: Places, stop: Places) -> Numbers:
        places = (np.clip(place, 0, level.height) for place in (start, stop))
        before, after = (sums[strip, place] for place in places)
        difference: Numbers = after - before
        return difference

    # The row beside a core has the soft edges of its letters.
    above, below = between(first - 1 - reach, first - 1), between(end + 1, end + 1 + reach)
    surplus, chance = (above - below).sum(), np.sqrt(np.square(above - below).sum())
    is_sure = chance > 0 and abs(surplus) >= max(MIN_SURPLUS * (above + below).sum(), MIN_DEVIATIONS * chance)
    return int(np.sign(surplus)) if is_sure else 0


def _ink_of_strips(level: Image.Image) -> Numbers:
    """The ink in each row of each strip, in grey levels."""
    width = level.width - level.width % STRIP_PX
    rows = grey(level).reduce((STRIP_PX, 1), box=(0, 0, width, level.height))
    levels = np.asarray(rows, dtype=np.float64).T
    ink: Numbers = np.maximum(np.percentile(levels, PAPER_PERCENTILE, axis=1, keepdims=True) - levels - 1, 0)
    return ink


def _cores(ink: Numbers) -> Runs:
    """The strip, the first row and the row after of each core."""
    full = np.maximum(np.percentile(ink, FULL_PERCENTILE, axis=1, keepdims=True), MIN_FULL_INK)
    strip, first, end = runs_in_rows(ink > CORE_SHARE * full)
    heights = end - first
    is_high = heights >= MIN_CORE_PX
    low, high = np.array(CORE_HEIGHTS) * (np.median(heights[is_high]) if is_high.any() else 0)
    is_core = is_high & (heights > low) & (heights < high)
    return strip[is_core], first[is_core], end[is_core]
