"""Child side: finds spaces that one does not see, because the next letter stands where the space begins.

Some programs draw "find" as the ligature fi and a space that lies under it, and go on with nd. Others draw a link with
a space at its end, and the full stop over that space.
"""

import re
from collections.abc import Iterator
from typing import Protocol

from docserver.layout import Rect

MAX_GAP = 0.05
"""Widest gap between two letters of a word, as a share of their height. A space is at least 0.15 wide."""

_SPACE = re.compile(r"(?<=f[fil]) (?=[a-z])|(?<=\S) (?=[.,;:)])")
"""A space behind a ligature or before a closing sign. Others are not looked at, to save time."""


class PlacedText(Protocol):
    """The characters of a page."""

    def room(self, index: int) -> Rect:
        """The room that the font has for the character, turned so that the character is upright."""


def covered_spaces(text: str, characters: PlacedText) -> Iterator[int]:
    """The indexes of these spaces in the page's text."""
    for match in _SPACE.finditer(text):
        index = match.start()
        _, bottom, end, top = characters.room(index - 1)
        start, next_bottom, _, _ = characters.room(index + 1)
        height = top - bottom
        if abs(start - end) <= MAX_GAP * height and abs(next_bottom - bottom) <= MAX_GAP * height:
            yield index
