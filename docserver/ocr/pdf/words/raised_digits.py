"""Child side: parts numbers from raised and lowered digits of the same text object or font.

Such digits are small letters of the font, with the meaning of the large ones: 250 and the mark of a note is not 2502.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from docserver.layout import Rect
from docserver.ocr.pdf.words.pdf_words import PdfWord

MIN_RISE = 0.15
"""Smallest distance of the ink of a raised digit from the baseline, as a share of the letters' height. Other digits
stand on the baseline or below it."""

MAX_LOWERED_TOP, MIN_SINK = 0.33, 0.05
"""Highest top above the baseline of a lowered digit, and its smallest depth below it, in the same way. Old-style digits
that reach below the baseline are as high as a small letter."""

_LAST_DIGIT = re.compile(r"\d[.,]?(\d)(?=[/\u2044]\d|\D{0,3}\Z)")
"""The last digit of a number, or of the numerator of a fraction. Looking only at it saves time."""


class Characters(Protocol):
    """The characters of a page."""

    def ink(self, index: int) -> Rect:
        """The rectangle around what is drawn of the character, turned so that the character is upright."""

    def begin_upright(self, index: int) -> tuple[float, float]:
        """The point on the baseline where the character begins, turned in the same way."""

    def part(self, word: PdfWord, start: int, end: int) -> PdfWord:
        """These characters of the word."""


def parted_from_raised_digits(words: Iterable[PdfWord], characters: Characters) -> Iterator[PdfWord]:
    """The words, with raised and lowered digits apart from the number that they follow."""
    for word in words:
        match = None if word.text.isalpha() else _LAST_DIGIT.search(word.text)
        if match and len(word.text) == word.end - word.first and (start := _start(word, match.start(1), characters)):
            yield characters.part(word, 0, start)
            yield characters.part(word, start, len(word.text))
        else:
            yield word


def _start(word: PdfWord, last: int, characters: Characters) -> int:
    """The place of the first such digit of those that end at this place; 0 if there are none behind a number."""
    orientation = word.orientation
    if orientation.crooked:
        return 0
    start = last + 1
    while (
        start
        and word.text[start - 1].isdigit()
        and _is_off_line(word.first + start - 1, orientation.height, characters)
    ):
        start -= 1
    return start if start <= last else 0


def _is_off_line(index: int, height: float, characters: Characters) -> bool:
    """True if the digit is small, and above or below others."""
    _, bottom, _, top = characters.ink(index)
    _, baseline = characters.begin_upright(index)
    is_lowered = bottom < baseline - MIN_SINK * height and top < baseline + MAX_LOWERED_TOP * height
    return is_lowered or bottom > baseline + MIN_RISE * height
