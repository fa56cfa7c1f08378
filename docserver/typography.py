"""Typography: how far a text rises above and sinks below its baseline, its direction, and where it has spaces."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise

X_HEIGHT, ASCENDER, DESCENDER = 0.5, 0.22, 0.22
"""The height of small letters, the height that tall letters add to it, and the depth of letters below the baseline; as
shares of the font's size."""

_RISING = re.compile(r"[^\Wa-zàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ_]|[bdfhiklt\"'!?àáâãäåèéêëìíîïñòóôõöùúûüÿ]")
_SINKING = re.compile(r"[gjpqyçQ,;()\[\]/|]")


def rise(text: str) -> float:
    """How far the text rises above its baseline, as a share of the font's size."""
    return X_HEIGHT + ASCENDER if _RISING.search(text) else X_HEIGHT


def sink(text: str) -> float:
    """How far the text sinks below its baseline, as a share of the font's size."""
    return DESCENDER if _SINKING.search(text) else 0.0


def runs_right_to_left(text: str) -> bool:
    """True if most letters of the text belong to a script such as Hebrew or Arabic."""
    if text.isascii():
        return False
    left = right = 0
    for character in text:
        kind = unicodedata.bidirectional(character)
        left += kind == "L"
        right += kind in ("R", "AL")
    return right > left


def direction(texts: Iterable[str]) -> str:
    """`ltr` or `rtl`: the direction of most letters of all texts."""
    return "rtl" if runs_right_to_left("".join(texts)) else "ltr"


def without_accents(text: str) -> str:
    """The text without accents and other marks over or below letters."""
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def spaced(words: Iterable[str]) -> str:
    """The words joined in one line, with a space between two words unless both belong to a script without spaces."""
    return "".join(_with_spaces([word for word in words if word]))


def _with_spaces(words: list[str]) -> Iterator[str]:
    yield from words[:1]
    for before, word in pairwise(words):
        if not (_needs_no_space(before[-1:]) and _needs_no_space(word[:1])):
            yield " "
        yield word


def _needs_no_space(character: str) -> bool:
    """True for Chinese and Japanese characters and their punctuation; Korean characters are wide too but use spaces."""
    if character < "\u2e80" or unicodedata.east_asian_width(character) not in ("W", "F"):
        return False
    return not "\uac00" <= character <= "\ud7ff"
