"""Child side: makes one letter of two where Tesseract reads a lone one as capital and small letter: `Cc` for `C`."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from docserver.layout import Word, words_of
from docserver.ocr.image.letter_marks import letter_marks
from docserver.ocr.image.overview import Overview
from docserver.ocr.image.transform import PageImage, from_original
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.combination import with_words
from docserver.ocr.recognition.tesseract import Recognised
from docserver.typography import X_HEIGHT, rise, sink

ALIKE = frozenset("cosuvwxz")
"""The letters whose capital has the same shape."""

MAX_WIDTH = 1.5
"""Largest width of one letter as a multiple of its height. Two letters that touch are wider."""

MIN_CAPITAL = 0.86
"""Smallest height of a capital as a multiple of that of the others in its row. A small letter has up to 0.8."""


def without_doubled_letters(attempt: Attempt, page: PageImage) -> Attempt:
    """The attempt with single letters in place of doubled ones. `page` is the level page that was read."""
    first = attempt.recognised.blocks
    if not any(map(_may_be_doubled, words_of(first))):
        return attempt
    words = list(words_of(from_original(first, page)))
    taken: dict[int, list[Word]] = {}
    for original, word in zip(words_of(first), words, strict=True):
        height = _height_of_one(page.overview, word) if _may_be_doubled(word) else None
        if height:
            is_capital = height >= MIN_CAPITAL * _height_of_capitals(page.overview, word, words, default=height)
            letter = word.text[0].upper() if is_capital else word.text[0].lower()
            taken[id(original)] = [replace(original, text=letter)]
    return replace(attempt, recognised=Recognised.of(with_words(first, taken))) if taken else attempt


def _may_be_doubled(word: Word) -> bool:
    text = word.text
    return len(text) == 2 and text[0] != text[1] and text[0].lower() == text[1].lower() and text[0].lower() in ALIKE


def _height_of_one(seen: Overview, word: Word) -> int | None:
    """The height of a word's letter in the reduced picture if it is one."""
    marks = letter_marks(seen, word.box)
    if len(marks) != 1:
        return None
    ((left, top, right, bottom),) = marks
    return bottom - top if right - left <= MAX_WIDTH * (bottom - top) else None


def _height_of_capitals(seen: Overview, word: Word, words: Sequence[Word], *, default: int) -> float:
    """The height of capitals, digits and letters as high in the row of a word."""
    _, top, _, bottom = word.box
    beside = [
        other
        for other in words
        if other.box[1] < (top + bottom) / 2 < other.box[3] and not _may_be_doubled(other)
        if rise(other.text) > X_HEIGHT and not sink(other.text)
    ]
    marks = [letter_marks(seen, other.box) for other in beside]
    return median([max(y1 - y0 for _, y0, _, y1 in letters) for letters in marks if letters] or [default])
