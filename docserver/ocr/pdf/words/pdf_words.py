"""Child side: a word of a PDF page's text, and how its letters stand on the page. Does not read them."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from docserver.layout import Rect, around

UNMAPPED = "\ufffd"
"""Stands for a letter without a Unicode mapping."""


@dataclass(slots=True)
class PdfWord:
    """A word of the page's text."""

    text: str
    rect: Rect
    """The rectangle around its letters, in points; y grows upwards."""
    first: int
    """Index of its first character in the page's text."""
    end: int
    """Index after its last character."""
    address: int
    """Address of the text object that draws the word."""
    on_baseline: int
    """Index of a character on the baseline of the word's line: a large one. A raised number is not on it itself."""
    objects: int
    """Number of text objects that draw it."""
    orientation: "TextOrientation"
    """That of the text object, which is the same for all its words that are not vertical."""
    has_glyphs: bool = True
    """False if PDFium draws nothing for the word, because its font is not embedded. Other viewers may draw it."""
    is_vertical: bool = False
    """True if its letters are upright and below each other."""
    parts: tuple["PdfWord", ...] = ()
    """The words that are joined in it, if several are."""

    def followed_by(self, other: "PdfWord") -> "PdfWord":
        """This word and another as one."""
        parts = (*(self.parts or (self,)), *(other.parts or (other,)))
        return replace(self, text=self.text + other.text, rect=around((self.rect, other.rect)), parts=parts)

    @property
    def last(self) -> int:
        """Index of its last character."""
        return self.parts[-1].last if self.parts else self.end - 1

    @property
    def right_to_left(self) -> bool:
        return is_right_to_left(self.text)


@dataclass(slots=True)
class TextOrientation:
    """The size and direction of the letters of a text object on the page. Not frozen, to save time."""

    height: float
    """Height of the letters from descender to ascender, in points."""
    turns: int
    """Quarter turns counterclockwise from upright, before /Rotate is applied to the page."""
    slant: float
    """Degrees counterclockwise by which the lines are turned beyond that; 0 if they run along or across the page."""
    mirrored: bool

    @property
    def crooked(self) -> bool:
        """True if the letters are mirrored, or are neither horizontal nor vertical."""
        return self.mirrored or self.slant != 0.0

    @property
    def is_turned(self) -> bool:
        """True if the text runs up or down the page, or stands on its head."""
        return self.turns != 0 and not self.crooked


def quarters_of(matrix: Sequence[float]) -> float:
    """The quarter turns counterclockwise from upright of letters with this matrix."""
    return math.atan2(matrix[1], matrix[0]) / (math.pi / 2)


def turns_of(matrix: Sequence[float]) -> int:
    """The nearest of them, from 0 to 3."""
    return round(quarters_of(matrix)) % 4 if matrix[1] or matrix[0] <= 0 else 0


def upright(rect: Rect, turns: int) -> Rect:
    """The rectangle where it would be if text that is turned counterclockwise by these quarter turns were upright."""
    left, bottom, right, top = rect
    turned = (bottom, -right, top, -left), (-right, -top, -left, -bottom), (-top, left, -bottom, right)
    return turned[turns - 1] if turns else rect


def is_right_to_left(letters: str) -> bool:
    return not letters.isascii() and any(unicodedata.bidirectional(char) in ("R", "AL") for char in letters)
