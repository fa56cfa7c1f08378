"""Child side: puts Latin words of lines that run from right to left in order, as PDFium mixes up their brackets."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Protocol

from docserver.layout import Rect, around
from docserver.ocr.pdf.pdf_words import PdfWord, is_right_to_left

MAX_GAP = 0.2
"""Widest space between two letters of a word, as a share of their height."""

MAX_BRACKET_GAP = 0.25
"""Widest space between the ink of a bracket and of its word, as a share of their height. A space takes 0.3."""

MAX_BRACKETS = 500
"""Most brackets of a page that are joined to the words that they touch. Each is compared with all words."""

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_BRACKETS = "()[]{}<>«»"
_QUOTES = "\"'\u201c\u201d\u2018\u2019"
_MARKS = frozenset(_BRACKETS + _QUOTES)
_MIRRORED = str.maketrans(_BRACKETS, ")(][}{><»«")


class Characters(Protocol):
    """What has to be known of the characters of a page."""

    def room(self, index: int) -> Rect:
        """The room that the font has for the character, turned so that the character is upright."""


def may_have_right_to_left(text: str) -> bool:
    """False if there is no Hebrew or Arabic letter. Takes no time on a long text."""
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def in_order(letters: str, *, first: int, text: str, characters: Characters) -> list[tuple[int, str]]:
    """The parts of a word that are apart on the page, as one reads them, each with the index of its first character.

    `text` is the page's, in which the word begins at `first`. A part is empty if its letters are not known.
    """
    goes_left = is_right_to_left(letters)
    if letters.isalnum() or not any(map(str.isalnum, letters)) or (goes_left and not _MARKS.intersection(letters)):
        return [(first, letters)]
    rooms = [characters.room(index) for index in range(first, first + len(letters))]
    order = sorted(range(len(letters)), key=lambda place: rooms[place][0])
    if order == sorted(order):
        return [(first, letters)]
    gaps = [number for number, (left, right) in enumerate(pairwise(order), 1) if _are_apart(rooms[left], rooms[right])]
    parts = [order[start:end] for start, end in pairwise([0, *gaps, len(order)])]
    if any(max(part) - min(part) >= len(part) for part in parts):
        return [(first, letters if goes_left else "")]
    seen = _unmirrored(letters, before=text[:first])
    result = []
    for part in sorted(parts, key=min):
        drawn = "".join(seen[place] for place in part)
        result.append((first + min(part), letters[min(part) : max(part) + 1] if is_right_to_left(drawn) else drawn))
    return result


def _unmirrored(letters: str, *, before: str) -> str:
    """The letters as they are drawn. PDFium mirrors brackets that it puts behind a letter from right to left."""
    last = next((char for char in reversed(before) if char.isalpha() or char in "\r\n"), "\n")
    is_mirrored = last in "\r\n" or is_right_to_left(last)
    drawn = ""
    for char in letters:
        is_mirrored = is_right_to_left(char) if char.isalpha() else is_mirrored
        drawn += char.translate(_MIRRORED) if is_mirrored else char
    return drawn


def _are_apart(left: Rect, right: Rect) -> bool:
    return right[0] - left[2] > MAX_GAP * (left[3] - left[1])


def with_brackets(words: Iterable[PdfWord]) -> list[PdfWord]:
    """The words of a page, with those brackets joined to them that they touch, if the page has right-to-left script."""
    words = list(words)
    if not any(word.right_to_left for word in words):
        return words
    brackets = [word for word in words if word.text in _MARKS][:MAX_BRACKETS]
    for bracket in brackets:
        for word in words:
            if any(map(str.isalnum, word.text)) and not word.right_to_left:
                before, after = _touches(bracket.rect, word.rect), _touches(word.rect, bracket.rect)
                if before or after:
                    word.text = bracket.text + word.text if before else word.text + bracket.text
                    word.rect = around((word.rect, bracket.rect))
                    words.remove(bracket)
                    break
    return words


def _touches(left: Rect, right: Rect) -> bool:
    """True if what is left ends where the other begins, in the same line."""
    height = max(left[3] - left[1], right[3] - right[1])
    is_beside = left[0] < right[0] and abs(right[0] - left[2]) <= MAX_BRACKET_GAP * height
    return is_beside and min(left[3], right[3]) > max(left[1], right[1])
