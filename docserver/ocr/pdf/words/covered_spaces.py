"""Child side: joins words at spaces that one does not see, because the next letter stands where the space begins.

Some programs draw "find" as the ligature fi and a space that lies under it, and go on with nd. Others draw a link with
a space at its end, and the full stop over that space. Others move letters closer with a space: "T", a space, "wo".
"""

import math
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import Protocol

from docserver.layout import Rect
from docserver.ocr.pdf.words.pdf_words import PdfWord

MAX_INK_GAP = 0.35
"""Widest gap between the ink of two words that are looked at, as a share of the height of the higher one. Most spaces
are wider, so that this test saves time."""

MAX_GAP = 0.05
"""Widest gap between two letters of a word, as a share of their height. A space is at least 0.15 wide."""

MAX_ADVANCE = 0.1
"""Largest distance from where a space begins to where the letter over it does, as a share of the letters' height."""

MAX_KERNING = 0.02
"""Largest gap to such a letter, as a share of the letters' height. Some fonts have tall boxes, so that a narrow space
may be 0.05 of them."""

MAX_OVERLAP = 0.08
"""Largest overlap of two letters that are kerned, such as Tw, in the same way."""

_LIGATURES = ("ff", "fi", "fl")
_OPENING, _CLOSING = frozenset("(["), frozenset(".,;:)")


class PlacedText(Protocol):
    """The characters of a page."""

    def room(self, index: int) -> Rect:
        """The room that the font has for the character, turned so that the character is upright."""

    def begin(self, index: int) -> tuple[float, float]:
        """The point on the baseline where the character begins."""

    def is_generated(self, index: int) -> bool:
        """True if PDFium added the character."""

    def are_of_one_object(self, first: int, second: int) -> bool:
        """True if one text object draws both characters."""

    def as_one(self, word: PdfWord, other: PdfWord) -> PdfWord:
        """The word that two successive ones are together."""


def joined_over_spaces(words: Iterable[PdfWord], characters: PlacedText) -> Iterator[PdfWord]:
    """The words of a page, with those joined that have such a space between them."""
    before: PdfWord | None = None
    for word in words:
        if (
            before
            and word.first == before.end + 1
            and (_may_touch(before.rect, word.rect) or word.text[0] in _CLOSING)
            and _is_covered(before, word, characters)
        ):
            before = characters.as_one(before, word)
            continue
        if before:
            yield before
        before = word
    if before:
        yield before


def _may_touch(rect: Rect, other: Rect) -> bool:
    left, bottom, right, top = rect
    x0, y0, x1, y1 = other
    gap = x0 - right
    if gap > MAX_INK_GAP * (top - bottom) and gap > MAX_INK_GAP * (y1 - y0):
        return False
    x_gap, y_gap = max(gap, left - x1), max(y0 - top, bottom - y1)
    if x_gap > y_gap:
        return x_gap <= MAX_INK_GAP * max(top - bottom, y1 - y0)
    return y_gap <= MAX_INK_GAP * max(right - left, x1 - x0)


def _is_covered(word: PdfWord, other: PdfWord, characters: PlacedText) -> bool:
    """True if one does not see the space between two words."""
    first = other.text[0]
    if first in _CLOSING:
        return _touch(word.end - 1, other.first, characters)
    if word.text.endswith(_LIGATURES) and first in ascii_lowercase:
        return _touch(word.end - 1, other.first, characters)
    last = word.text[-1]
    return (last.isalpha() or last in _OPENING) and first.isalpha() and _is_kerned_over(word, characters)


def _touch(last: int, first: int, characters: PlacedText) -> bool:
    """True if a letter begins where one ends. Several text objects may draw them."""
    _, bottom, end, top = characters.room(last)
    start, next_bottom, _, _ = characters.room(first)
    height = top - bottom
    return abs(start - end) <= MAX_GAP * height and abs(next_bottom - bottom) <= MAX_GAP * height


def _is_kerned_over(word: PdfWord, characters: PlacedText) -> bool:
    """True if one text object draws the letters beside the space behind a word as close as those of a word."""
    space = word.end
    _, bottom, _, top = characters.room(space - 1)
    height = top - bottom
    advance = math.dist(characters.begin(space), characters.begin(space + 1))
    # Almost all spaces are wider, so that nothing else has to be looked at.
    if advance > MAX_ADVANCE * height:
        return False
    # The text of a scan may give each word an object, and more room than it has in the picture.
    if characters.is_generated(space) or not characters.are_of_one_object(space - 1, space + 1):
        return False
    start, _, end, _ = characters.room(space)
    gap = _gap(space - 1, space + 1, characters)
    return (
        abs(gap) <= MAX_KERNING * height
        # A program that draws a space without a width means one.
        and end - start - advance > MAX_KERNING * height
        # Where all letters overlap, a space without a gap is seen.
        and (len(word.text) == 1 or gap - _gap(space - 2, space - 1, characters) <= MAX_OVERLAP * height)
    )


def _gap(before: int, after: int, characters: PlacedText) -> float:
    left, _, right, _ = characters.room(before)
    return math.dist(characters.begin(before), characters.begin(after)) - (right - left)
