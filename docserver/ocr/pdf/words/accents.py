"""Child side: makes one character of a letter and the accent that is drawn over it, as TeX does. Only of those that
Unicode has as one character.
"""

import unicodedata
from typing import Protocol

from docserver.layout import Rect
from docserver.ocr.pdf.words.character_codes import places_in

MAX_ACCENTS = 1000
"""Most accents of a page. Looking for the letters of more takes seconds, and no page of TeX has as many."""

MAX_DISTANCE = 100
"""Most characters from a letter to an accent that is not in its word. PDFium gives some at the end of the line."""

MAX_DISTANCE_IN_WORD = 2
"""Most characters from a letter to an accent in its word."""

ABOVE_LETTER = 0.3
"""How far the middle of an accent may be above the room that the font has for the letter, as a share of its height."""

BESIDE_MIDDLE = 0.35
"""How far the middle of an accent may be from that of its letter, as a share of the letter's width. A quotation mark
after a word may be above the edge of its last letter."""

MAX_GAP = 0.1
"""Widest space between two letters of a word, as a share of their height. PDFium takes the accent between them for a
word of its own."""

SPACE = 0x20
"""The code of a space. Those of line ends are lower."""

NOTHING = 0x2060
"""Stands for a character that is left out. It is the code of a character without width."""

_COMBINING = {
    ord(accent): combining
    for accents, combining in (
        ("`", "\u0300"),
        ("\xb4", "\u0301"),
        ("^\u02c6", "\u0302"),
        ("~\u02dc", "\u0303"),
        ("\xaf", "\u0304"),
        ("\u02d8", "\u0306"),
        ("\u02d9", "\u0307"),
        ("\xa8", "\u0308"),
        ("\u02da", "\u030a"),
        ("\u02dd", "\u030b"),
        ("\u02c7", "\u030c"),
        ("\xb8", "\u0327"),
        ("\u02db", "\u0328"),
    )
    for accent in accents
}
"""Code of an accent that stands alone → the one that Unicode puts over the letter before it."""

_DOTTED = {"\u0131": "i", "\u0237": "j"}
"""Letters without a dot, which get one from Unicode with an accent."""


class Characters(Protocol):
    """What has to be known of the characters of a page. Rectangles are turned so that the character is upright."""

    def ink(self, index: int) -> Rect:
        """The rectangle around what is drawn."""

    def room(self, index: int) -> Rect:
        """The room that the font has for the character."""

    def is_generated(self, index: int) -> bool:
        """True if PDFium added the character, such as a space or the end of a line."""


def compose(codes: list[int], characters: Characters) -> None:
    """Replace accents and letters by letters with accents. What is left out becomes NOTHING or a space."""
    accents = places_in(codes, _COMBINING.keys())
    for index in accents if len(accents) <= MAX_ACCENTS else ():
        _compose_one(codes, index, characters)


def _compose_one(codes: list[int], index: int, characters: Characters) -> None:
    left, bottom, right, top = characters.ink(index)
    x, y = (left + right) / 2, (bottom + top) / 2
    for place in _places(codes, index):
        letter = chr(codes[place])
        if not letter.isalpha():
            continue
        x0, y0, x1, y1 = characters.room(place)
        is_over = abs(x - (x0 + x1) / 2) <= BESIDE_MIDDLE * (x1 - x0)
        if is_over and y0 <= y <= y1 + ABOVE_LETTER * (y1 - y0):
            composed = unicodedata.normalize("NFC", _DOTTED.get(letter, letter) + _COMBINING[codes[index]])
            if len(composed) == 1:
                is_near = abs(place - index) <= MAX_DISTANCE_IN_WORD
                codes[place], codes[index] = ord(composed), NOTHING if is_near else SPACE
                _close_gap(codes, index, characters)
            return


def _places(codes: list[int], index: int) -> list[int]:
    """Where the letter of an accent may be, the nearest places first."""
    beside = codes[max(0, index - 1) : index] + codes[index + 1 : index + 2]
    reach = MAX_DISTANCE if max(beside, default=0) <= SPACE else MAX_DISTANCE_IN_WORD
    around = (*range(max(0, index - reach), index), *range(index + 1, min(len(codes), index + reach + 1)))
    return sorted(around, key=lambda place: abs(place - index))


def _close_gap(codes: list[int], index: int, characters: Characters) -> None:
    """Join the letters before and after an accent that was left out, if there is no space between them."""
    before, after = index - 1, index + 1
    while before >= 0 and characters.is_generated(before):
        before -= 1
    while after < len(codes) and characters.is_generated(after):
        after += 1
    if before < 0 or after == len(codes) or min(codes[before], codes[after]) <= SPACE:
        return
    (_, bottom, end, top), (start, next_bottom, *_) = characters.room(before), characters.room(after)
    if max(abs(start - end), abs(next_bottom - bottom)) <= MAX_GAP * (top - bottom):
        codes[before + 1 : after] = [NOTHING] * (after - before - 1)
