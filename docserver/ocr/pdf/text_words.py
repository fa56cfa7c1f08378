"""Child side: the words that a PDF page says it holds, in the order they are drawn, with their places in points."""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from ctypes import addressof, c_double, c_ushort
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from docserver.layout import Rect
from docserver.ocr.errors import NoLayer

MOST_CHARACTERS = 50_000
"""A full newspaper page has 30 000."""

MOST_SPOILT = 0.02
"""Share of words in which a letter is missing; a page of 200 words may have four."""

MOST_SYMBOLS = 0.15
"""Share of words that are nothing but signs without a meaning: bullets of lists, mostly."""

CROOKED = 0.05
"""Quarter turns, which are 4.5 degrees: lines that climb faster run into each other's heights."""

LINE_END_HYPHEN = 2
"""What PDFium reports for a hyphen at the end of a line."""

SOFT_HYPHEN = 0xAD

NO_CHARACTER = 0xFFFE
"""What PDFium has in a whole page's text for such a hyphen, and for what has no mapping."""

SURROGATES = 0xD800
"""The first of the codes that are no characters by themselves."""

_SPACES = r"\t-\r \xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000"
# Up to a space, or to the hyphen at the end of a line, which belongs to the word.
_WORDS = re.compile(rf"[^{_SPACES}\x02]+\x02?|\x02")
_PLAIN = re.compile(r"[A-Za-z]+")
"""In such a word the first letter is asked whether it has a mapping; one that has none would have another code."""

_OTHERS = {
    LINE_END_HYPHEN: "-",
    SOFT_HYPHEN: "-",
    # Without width.
    **dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF), ""),
    # What office programs draw before the items of a list, in fonts of symbols.
    **dict.fromkeys((0xF06C, 0xF06E, 0xF075, 0xF076, 0xF0A7, 0xF0A8, 0xF0B7, 0xF0D8, 0xF0FC), "•"),
}

LOST = "\ufffd"


@dataclass(slots=True)
class Glyphs:
    """A word as the page has it."""

    text: str
    rect: Rect
    """Left, bottom, right, top: what its letters cover, in points."""
    first: int
    """Index of its first character."""
    address: int
    """Of the object that draws it."""

    @property
    def backwards(self) -> bool:
        """Written from right to left."""
        return not self.text.isascii() and any(unicodedata.bidirectional(char) in ("R", "AL") for char in self.text)


@dataclass(frozen=True, slots=True)
class Stance:
    """How the letters of a text object stand on the page."""

    size: float
    """Their height from ascender to descender."""
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
        self._stances: dict[int, Stance] = {}
        # Where PDFium puts its answers; they are taken out before the next question.
        self._sides = (c_double(), c_double(), c_double(), c_double())

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

    def origin(self, word: Glyphs) -> tuple[float, float]:
        """Where the first letter begins, on its baseline."""
        x, y, *_ = self._sides
        pdfium.FPDFText_GetCharOrigin(self._text, word.first, x, y)
        return x.value, y.value

    def may_be_undrawn(self, word: Glyphs) -> bool:
        """Whether it is in a font of other letters than ours, not in the file and perhaps not on this machine."""
        if word.text.isascii():
            return False
        font = pdfium.FPDFTextObj_GetFont(pdfium.FPDFText_GetTextObject(self._text, word.first))
        return bool(pdfium.FPDFFont_GetIsEmbedded(font) == 0)

    def stance(self, word: Glyphs) -> Stance:
        """How a word stands; all words of an object stand alike."""
        if word.address not in self._stances:
            self._stances[word.address] = self._stance(word)
        return self._stances[word.address]

    def _stance(self, word: Glyphs) -> Stance:
        loose, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
        pdfium.FPDFText_GetLooseCharBox(self._text, word.first, loose)
        pdfium.FPDFText_GetMatrix(self._text, word.first, matrix)
        quarters = math.atan2(matrix.b, matrix.a) / (math.pi / 2)
        turns = round(quarters)
        mirrored = matrix.a * matrix.d < matrix.b * matrix.c
        size = abs(loose.right - loose.left if turns % 2 else loose.top - loose.bottom)
        return Stance(size, turns % 4, mirrored or abs(quarters - turns) > CROOKED)

    def _all_words(self) -> Iterator[Glyphs]:
        codes = self._codes()
        # Characters that are not of one unit cannot be in a word that the pattern finds to be plain.
        shown = "".join(chr(code) if code < SURROGATES else LOST for code in codes)
        for found in _WORDS.finditer(shown):
            first, behind = found.span()
            letters = found[0]
            if not (_PLAIN.fullmatch(letters) and self._is_mapped(first)):
                letters = "".join(self._letter(index, codes[index]) for index in range(first, behind))
            yield self._word(letters, first, behind)

    def _codes(self) -> Sequence[int]:
        """The code of each character of the page."""
        text, count = self._text, pdfium.FPDFText_CountChars(self._text)
        if count > MOST_CHARACTERS:
            raise NoLayer("too many characters")
        # All at once, in a tenth of the time, where each is one unit of UTF-16 and none is left out.
        units = (c_ushort * (count + 1))()
        if pdfium.FPDFText_GetText(text, 0, count, units) == count + 1:
            return [
                pdfium.FPDFText_GetUnicode(text, index) if unit == NO_CHARACTER else unit
                for index, unit in enumerate(units[:count])
            ]
        return [pdfium.FPDFText_GetUnicode(text, index) for index in range(count)]

    def _word(self, letters: str, first: int, behind: int) -> Glyphs:
        text = self._text
        left, top, right, bottom = sides = self._sides
        count = pdfium.FPDFText_CountRects(text, first, behind - first)
        rect = (0.0, 0.0, 0.0, 0.0)
        for number in range(count):
            pdfium.FPDFText_GetRect(text, number, *sides)
            part = (left.value, bottom.value, right.value, top.value)
            rect = _around(rect, part) if number else part
        return Glyphs(letters, rect, first, address_of(pdfium.FPDFText_GetTextObject(text, first)))

    def _is_mapped(self, index: int) -> bool:
        return bool(pdfium.FPDFText_HasUnicodeMapError(self._text, index) != 1)

    def _letter(self, index: int, code: int) -> str:
        if code in _OTHERS:
            return _OTHERS[code]
        # Controls, surrogates, private use, what is no character, and what PDFium has no name for.
        if (
            code < 32
            or 0x7F <= code < 0xA0
            or SURROGATES <= code <= 0xF8FF
            or code & 0xFFFE == 0xFFFE
            or code >= 0xE0000
        ):
            return LOST
        return chr(code) if code != ord(LOST) and self._is_mapped(index) else LOST


def _around(one: Rect, other: Rect) -> Rect:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def address_of(handle: Any) -> int:
    """Of an object of PDFium's, to tell it from others."""
    return addressof(handle.contents) if handle else 0
