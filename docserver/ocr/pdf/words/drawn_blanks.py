"""Child side: finds letters that a font's mapping calls soft hyphens, or nothing, though they are drawn.

Letters that it calls spaces are in no word; `drawn_spaces` finds what is drawn of them.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from docserver.layout import Rect
from docserver.ocr.pdf.words.character_codes import places_in

SOFT_HYPHEN = 0xAD

MIN_HYPHEN_SLENDERNESS = 1.5
"""A hyphen is at least this many times as long as high."""

_BLANKS = frozenset((SOFT_HYPHEN, *range(0x200B, 0x2010), *range(0x2060, 0x2065), 0xFEFF))
"""Codes of characters that are part of a word, and without a width."""


class DrawnText(Protocol):
    """The characters of a page."""

    def is_drawn(self, index: int) -> bool:
        """True if something is drawn of the character. Never true of slanted text, whose boxes do not tell."""

    def ink(self, index: int) -> Rect:
        """The rectangle around what is drawn of the character, turned so that the character is upright."""

    def begin(self, index: int) -> tuple[float, float]:
        """The point on the baseline where the character begins."""


def drawn_blanks(codes: Sequence[int], text: DrawnText) -> Iterator[int]:
    """The indexes of the characters that are said to be blank, and are letters."""
    for index in places_in(codes, _BLANKS):
        if text.is_drawn(index) and not (codes[index] == SOFT_HYPHEN and _is_hyphen(text.ink(index))):
            # Where /ActualText gives several characters for what is drawn, all begin at one point and share its ink.
            beside = (other for other in (index - 1, index + 1) if 0 <= other < len(codes))
            if text.begin(index) not in map(text.begin, beside):
                yield index


def _is_hyphen(ink: Rect) -> bool:
    left, bottom, right, top = ink
    return right - left >= MIN_HYPHEN_SLENDERNESS * (top - bottom)
