"""Child side: finds dots and accents above letters that were read without them, such as an Ä as A.

Tesseract's models know only the letters of their languages, and take such dots for dirt, with high confidence.
"""

import math
import unicodedata
from collections.abc import Iterable

import numpy as np
from PIL import Image

from docserver.layout import Box, Word
from docserver.ocr.image.connected import connected

HEIGHT_PX = 60
"""Height to which a word is reduced. Its dots have three pixels or more."""

MAX_PX = 4_000_000
"""Most pixels of a word that is looked at. A larger one is no word."""

REACH = 0.5
"""How far above its box a word may have accents, as a share of its height."""

MIN_LETTER = 0.4
"""Smallest height of a letter as a share of its word's height."""

MIN_SIDE, MAX_HEIGHT, MAX_WIDTH = 0.06, 0.4, 0.9
"""Shortest side of an accent as a share of the height of the letter below it, greatest height, and greatest width as a
share of the letter's. Specks are smaller, and lines above words longer."""

MIN_SIDE_PX = 2
"""Shortest side of an accent in pixels. A scrap of a broken stroke may be one pixel wide."""

MAX_WIDTH_ABOVE_STEM = 0.3
"""Greatest width of the dot of an i, which is wider than its stem, as a share of the stem's height."""

MAX_GAP = 0.4
"""Largest distance between a letter and its accent, as a share of the letter's height."""

FIRST_OTHER_SCRIPT, GREEK_AND_LATIN_MORE = "\u0530", ("\u1e00", "\u2000")
"""Latin, Greek and Cyrillic letters are before the first of these, or between the others. Letters of other scripts have
several parts."""

TWO_DOTS = "\u0308\u030b"
"""The combining diaeresis and double acute accent, which have two parts."""

ABOVE = 230
"""The combining class of accents above letters."""


def has_unread_accents(words: Iterable[Word], image: Image.Image) -> bool:
    """True if the picture shows more dots and accents above the letters of a word than were read."""
    return any(_may_be_compared(word.text) and _accents_above(word.box, image) > _read_in(word.text) for word in words)


def _may_be_compared(text: str) -> bool:
    low, high = GREEK_AND_LATIN_MORE
    return all(letter < FIRST_OTHER_SCRIPT or low <= letter < high for letter in filter(str.isalpha, text))


def _read_in(text: str) -> int:
    """The most parts above letters that this text has. Signs may stand above others."""
    return sum(map(_parts_above, text))


def _parts_above(character: str) -> int:
    if not character.isalnum():
        return 2
    accents = [mark for mark in unicodedata.normalize("NFD", character) if unicodedata.combining(mark) == ABOVE]
    return sum(1 + (accent in TWO_DOTS) for accent in accents) or character in "ij"


def _accents_above(box: Box, image: Image.Image) -> int:
    """How many spots of ink in and above a word's box may be accents of a letter below them."""
    left, top, right, bottom = box
    height = bottom - top
    reach = math.ceil(REACH * height)
    area = max(0, left - reach), max(0, top - reach), min(image.width, right + reach), min(image.height, bottom + reach)
    if not 0 < (area[2] - area[0]) * (area[3] - area[1]) <= MAX_PX:
        return 0
    grey = image.crop(area).convert("L").reduce(max(1, height // HEIGHT_PX))
    levels = np.asarray(grey).astype(np.int16)
    paper = np.median(np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]]))
    contrast = abs(levels - paper)
    spots = [(x0, y0, x1, y1) for x0, y0, x1, y1 in connected(2 * contrast > contrast.max(), corners=False).tolist()]
    scale = grey.width / (area[2] - area[0])
    start, end, least = scale * (left - area[0]), scale * (right - area[0]), scale * MIN_LETTER * height
    # Beside the word there may be accents of others.
    letters = [spot for spot in spots if spot[3] - spot[1] >= least and start <= (spot[0] + spot[2]) / 2 <= end]
    return sum(any(_is_accent(spot, letter) for letter in letters) for spot in spots)


def _is_accent(spot: Box, letter: Box) -> bool:
    """True if the spot is small, above the letter and close to it."""
    left, top, right, bottom = spot
    x0, y0, x1, y1 = letter
    height = y1 - y0
    return (
        min(right - left, bottom - top) >= max(MIN_SIDE_PX, MIN_SIDE * height)
        and bottom - top <= MAX_HEIGHT * height
        and right - left <= max(MAX_WIDTH * (x1 - x0), MAX_WIDTH_ABOVE_STEM * height)
        and 0 <= y0 - bottom + 1 <= MAX_GAP * height
        and x0 - 1 <= (left + right) / 2 <= x1 + 1
    )
