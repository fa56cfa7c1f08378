"""Child side: the marks of ink in the box of a word that may be its letters. Recognises no text."""

from docserver.layout import Box
from docserver.ocr.image.connected import connected
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.shades import INK_CONTRAST

MIN_HEIGHT = 0.5
"""Smallest height of a letter as a multiple of that of the highest one. Points and accents are lower."""


def letter_marks(seen: Overview, word: Box) -> list[Box]:
    """The boxes of the marks in a word that may be letters, or some that touch, in pixels of the reduced picture, from
    the corner of the word. The word's box is in pixels of the full picture, which has dark letters.
    """
    left, top, right, bottom = (side // seen.step for side in word)
    ink = seen.contrasts[top : bottom + 1, left : right + 1] > INK_CONTRAST
    marks = [(x0, y0, x1, y1) for x0, y0, x1, y1 in connected(ink).tolist()]
    highest = max((y1 - y0 for _, y0, _, y1 in marks), default=0)
    return [mark for mark in marks if mark[3] - mark[1] >= MIN_HEIGHT * highest]
