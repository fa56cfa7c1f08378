"""Child side: decides whether what Tesseract read in a picture is text. Tesseract also reads patterns and drawings."""

from collections.abc import Sequence
from statistics import median

from docserver.layout import Word, words_of
from docserver.ocr.recognition.tesseract import Recognised
from docserver.typography import rise, sink

SURE_FROM = 60.0
"""Smallest confidence of a word that Tesseract is sure of. In patterns, it is sure of one word in five hundred."""

MIN_LETTERS = 2
"""Fewest letters of a word that counts as evidence. Single letters look like many things, but ideographs do not."""

FIRST_IDEOGRAPH = "\u2e80"

MIN_SURE_SHARE = 0.03
"""Smallest share of a text's letters that are in sure words. Even a hardly legible receipt has a tenth."""

FEW_WORDS = 4
"""A text with at most this many words is kept, whatever its confidence: the picture may show just them."""

MAX_SHORT = 2
"""Most characters of a word that may be a drawing. A logo is read as 9 with the confidence of a real 9, and the corner
of a frame as 7. Longer words are rarely read in drawings, and with little confidence."""

MAX_SIZE_RATIO = 1.4
"""Largest size of a short word beside longer ones, as a multiple of theirs. A logo before a name is larger."""


def shows_text(recognised: Recognised) -> bool:
    """True if Tesseract is sure of more of the text than it is of what it reads in patterns."""
    letters, sure = 0, 0
    for word in words_of(recognised.blocks):
        letters += len(word.text)
        if word.confidence >= SURE_FROM and (len(word.text) >= MIN_LETTERS or word.text >= FIRST_IDEOGRAPH):
            sure += len(word.text)
    return sure > 0 and sure >= MIN_SURE_SHARE * letters


def is_nonsense(recognised: Recognised) -> bool:
    """True if this is more than a few words, and they are not text."""
    return sum(1 for _ in words_of(recognised.blocks)) > FEW_WORDS and not shows_text(recognised)


def may_be_drawings(words: Sequence[Word], *, is_sideways: bool) -> list[Word]:
    """Those words of a line that may as well be logos, symbols or corners: all if the line has only short words, else
    short ones that are larger than the others. `is_sideways` is True if the line runs upwards or downwards.
    """
    short = [word for word in words if len(word.text) <= MAX_SHORT and word.text < FIRST_IDEOGRAPH]
    if len(short) == len(words):
        return short
    size = median(_size(word, is_sideways=is_sideways) for word in words if word not in short)
    return [word for word in short if _size(word, is_sideways=is_sideways) > MAX_SIZE_RATIO * size]


def _size(word: Word, *, is_sideways: bool) -> float:
    """The size of a word's letters, in pixels."""
    left, top, right, bottom = word.box
    return ((right - left) if is_sideways else (bottom - top)) / (rise(word.text) + sink(word.text))
