"""Child side: the words that a PDF page says it holds, in the order they are drawn, with their places in points."""

import ctypes
import math
import unicodedata
from collections.abc import Iterator
from ctypes import byref, c_double
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from docserver.ocr.faults import NoLayer

MOST_CHARACTERS = 100_000
"""A full newspaper page has 30 000. More are hidden, or a spreadsheet that takes a second to arrange."""

MOST_SPOILT = 0.02
"""Share of words in which a letter is missing; a page of 200 words may have four."""

MOST_SYMBOLS = 0.15
"""Share of words that are nothing but signs without a meaning: bullets of lists, mostly."""

BULLETS = frozenset("\uf06c\uf06e\uf075\uf076\uf0a7\uf0a8\uf0b7\uf0d8\uf0fc")
"""What office programs draw before the items of a list, in fonts of symbols."""

CROOKED = 0.05
"""Quarter turns, which are 4.5 degrees: lines that climb faster run into each other's heights."""

LINE_END_HYPHEN = 2
"""What PDFium reports for a hyphen at the end of a line."""

SOFT_HYPHEN = 0xAD

_SPACES = frozenset(
    (9, 10, 11, 12, 13, 32, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
)
_WITHOUT_WIDTH = frozenset((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF))

LOST = "\ufffd"


@dataclass(slots=True)
class Glyphs:
    """A word as the page has it."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    first: int
    """Index of its first character."""

    @property
    def backwards(self) -> bool:
        """Written from right to left."""
        return not self.text.isascii() and any(unicodedata.bidirectional(char) in ("R", "AL") for char in self.text)


@dataclass(frozen=True, slots=True)
class Stance:
    """How a word stands on the page."""

    x: float
    y: float
    """Where its first letter begins, on the baseline."""
    size: float
    """Height of the letters from ascender to descender."""
    turns: int
    """Quarter turns counter-clockwise from upright, before the page itself is turned."""
    crooked: bool
    """Neither along nor across the page, or mirrored."""


class TextPage:
    """The text of one page. Close it."""

    def __init__(self, page: Any) -> None:
        """Raises NoLayer."""
        self._text = pdfium.FPDFText_LoadPage(page)
        if not self._text:
            raise NoLayer("the text cannot be parsed")

    def close(self) -> None:
        pdfium.FPDFText_ClosePage(self._text)

    def words(self) -> list[Glyphs]:
        """All words, without letters that mean nothing. Raises NoLayer if those are too many."""
        words = [word for word in self._all_words() if word.text]
        symbols = [word for word in words if not word.text.strip(LOST)]
        spoilt = sum(LOST in word.text for word in words) - len(symbols)
        if spoilt > MOST_SPOILT * len(words) or len(symbols) > max(1, MOST_SYMBOLS * len(words)):
            raise NoLayer("letters without a meaning")
        for word in words:
            word.text = word.text.replace(LOST, "")
        return [word for word in words if word.text]

    def stance(self, word: Glyphs) -> Stance:
        """How a word stands, told by its first letter."""
        x, y, loose, matrix = c_double(), c_double(), pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        pdfium.FPDFText_GetCharOrigin(self._text, word.first, byref(x), byref(y))
        pdfium.FPDFText_GetLooseCharBox(self._text, word.first, byref(loose))
        pdfium.FPDFText_GetMatrix(self._text, word.first, byref(matrix))
        quarters = math.atan2(matrix.b, matrix.a) / (math.pi / 2)
        turns = round(quarters)
        mirrored = matrix.a * matrix.d < matrix.b * matrix.c
        size = abs(loose.right - loose.left if turns % 2 else loose.top - loose.bottom)
        return Stance(x.value, y.value, size, turns % 4, mirrored or abs(quarters - turns) > CROOKED)

    def address(self, word: Glyphs) -> int:
        """Of the object that draws the word."""
        return address_of(pdfium.FPDFText_GetTextObject(self._text, word.first))

    def _all_words(self) -> Iterator[Glyphs]:
        count = pdfium.FPDFText_CountChars(self._text)
        if count > MOST_CHARACTERS:
            raise NoLayer("too many characters")
        left, right, bottom, top = (c_double() for _ in range(4))
        box = tuple(byref(side) for side in (left, right, bottom, top))
        text, get_code, get_box = self._text, pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetCharBox
        word: Glyphs | None = None
        for index in range(count):
            code = get_code(text, index)
            if code in _SPACES:
                if word is not None:
                    yield word
                    word = None
                continue
            get_box(text, index, *box)
            char = self._char(index, code)
            if word is None:
                word = Glyphs(char, left.value, bottom.value, right.value, top.value, index)
            else:
                word.text += char
                word.left, word.right = min(word.left, left.value), max(word.right, right.value)
                word.bottom, word.top = min(word.bottom, bottom.value), max(word.top, top.value)
            if code == LINE_END_HYPHEN:
                yield word
                word = None
        if word is not None:
            yield word

    def _char(self, index: int, code: int) -> str:
        if code in (LINE_END_HYPHEN, SOFT_HYPHEN):
            return "-"
        if code in _WITHOUT_WIDTH:
            return ""
        if 0xE000 <= code <= 0xF8FF and chr(code) in BULLETS:
            return "•"
        # Surrogates, private use, what is no character, and controls.
        if code < 32 or 0x7F <= code < 0xA0 or 0xD800 <= code <= 0xF8FF or code & 0xFFFE == 0xFFFE or code >= 0xE0000:
            return LOST
        if code == 0xFFFD or pdfium.FPDFText_HasUnicodeMapError(self._text, index) == 1:
            return LOST
        return chr(code)


def address_of(handle: Any) -> int:
    """Of an object of PDFium's, to tell it from others."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
