"""Digits above or below the line that the font's mapping calls by the names of large digits."""

import pytest

from docserver.layout import Rect
from docserver.ocr.pdf.words.pdf_words import PdfWord, TextOrientation
from docserver.ocr.pdf.words.raised_digits import parted_from_raised_digits

RAISED, LOWERED, LOW, PLAIN = (4.0, 8.0), (-2.0, 2.0), (-3.0, 5.0), (0.0, 8.0)
"""Bottom and top of digits above the baseline. Old-style digits are low."""

UPRIGHT = TextOrientation(12.0, 0, 0.0, mirrored=False)


class Digits:
    """A word whose last digits have this ink."""

    def __init__(self, text: str, inks: dict[int, tuple[float, float]]) -> None:
        self.word = PdfWord(text, (0, 0, 10, 10), 0, len(text), 1, 0, 1, UPRIGHT)
        self._inks = inks

    def ink(self, index: int) -> Rect:
        bottom, top = self._inks.get(index, PLAIN)
        return 0.0, bottom, 5.0, top

    def begin_upright(self, _: int) -> tuple[float, float]:
        return 0.0, 0.0

    def part(self, word: PdfWord, start: int, end: int) -> PdfWord:
        return PdfWord(word.text[start:end], word.rect, start, end, 1, 0, 1, UPRIGHT)


@pytest.mark.parametrize(
    ("text", "inks", "read"),
    [
        ("19951", {4: RAISED}, ["1995", "1"]),
        ("25012,", {3: RAISED, 4: RAISED}, ["250", "12,"]),
        ("31/2", {1: RAISED}, ["3", "1/2"]),
        ("102", {2: LOWERED}, ["10", "2"]),
        ("1995", {3: LOW}, ["1995"]),
        ("12", {0: RAISED, 1: RAISED}, ["12"]),
        ("m2", {1: RAISED}, ["m2"]),
    ],
)
def test_small_digits_above_or_below_the_line_are_apart_from_the_number(
    text: str, inks: dict[int, tuple[float, float]], read: list[str]
) -> None:
    digits = Digits(text, inks)
    assert [word.text for word in parted_from_raised_digits([digits.word], digits)] == read
