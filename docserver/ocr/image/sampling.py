"""Child side: chooses a few rows of a page from which its language can be detected. Recognises no text."""

import numpy as np
from PIL import Image

from docserver.ocr.image.overview import grey, reduction
from docserver.ocr.image.shades import INK_CONTRAST, contrast

SAMPLE_INK_PX = 4000
"""Size of a sample: the sum of the differences in ink between successive rows, in pixels of the analysed size. Three
full lines or ten short ones have this sum."""

GAP_INK = 0.05
"""Most ink of a row between two lines, as a share of the ink in the fullest row. Such rows contain only specks and the
lowest parts of letters."""


def sample_rows(image: Image.Image, *, most: int) -> tuple[int, int]:
    """The smallest range of rows that contains enough whole lines of dark letters: its first row, and the row after. If
    that is more than this number of rows, the range of this number with the most lines.
    """
    step = reduction(image)
    ink = (contrast(grey(image).reduce(step)) > INK_CONTRAST).sum(axis=1)
    # In text, the amount of ink changes with each line and gap. In pictures it changes little from row to row.
    changes = np.abs(np.diff(ink, prepend=0)).cumsum()
    ends = np.searchsorted(changes, changes + SAMPLE_INK_PX)
    heights = np.where(ends < len(ink), ends - np.arange(len(ink)), len(ink))
    top, bottom = int(heights.argmin()), int(ends[heights.argmin()])
    gaps = np.flatnonzero(ink <= GAP_INK * ink[top:bottom].max())
    first, last = gaps[gaps < top].max(initial=0), gaps[gaps > bottom].min(initial=len(ink))
    start, end = int(first) * step, min((int(last) + 1) * step, image.height)
    if end - start <= most:
        return start, end
    within = changes[most // step :] - changes[: len(changes) - most // step]
    # A short text is in many of the ranges: take the one that has it in the middle.
    fullest = np.flatnonzero(within == within.max())
    start = int(fullest[len(fullest) // 2]) * step
    return start, start + most
