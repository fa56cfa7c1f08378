"""Child side: which rows of a page are enough to tell its language. Reads no text."""

import numpy as np
from PIL import Image

from docserver.ocr.image.analysis import reduction
from docserver.ocr.image.shades import INK_CONTRAST, contrast

SAMPLE_INK_PX = 4000
"""How much the ink of successive rows differs in a sample, in pixels of the analysed size: three full lines come to so
much, or ten short ones."""

GAP_INK = 0.05
"""Share of the ink in the fullest row. Between lines there is less; only specks and what hangs far below a line."""


def sample_rows(image: Image.Image) -> tuple[int, int]:
    """The fewest rows that hold some whole lines of dark letters: the first row, and the one after the last."""
    step = reduction(image)
    ink = (contrast(image.convert("L").reduce(step)) > INK_CONTRAST).sum(axis=1)
    # From line to line ink comes and goes; in pictures it stays.
    changes = np.abs(np.diff(ink, prepend=0)).cumsum()
    ends = np.searchsorted(changes, changes + SAMPLE_INK_PX)
    if ends[0] == len(ink):
        return 0, image.height
    heights = np.where(ends < len(ink), ends - np.arange(len(ink)), len(ink))
    top, bottom = int(heights.argmin()), int(ends[heights.argmin()])
    gaps = np.flatnonzero(ink <= GAP_INK * ink[top:bottom].max())
    first, last = gaps[gaps < top].max(initial=0), gaps[gaps > bottom].min(initial=len(ink))
    return int(first) * step, min((int(last) + 1) * step, image.height)
