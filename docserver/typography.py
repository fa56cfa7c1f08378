"""Properties of characters: which XML may hold, which way they run, which rise or sink, which need no spaces."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from html import escape
from itertools import pairwise

_FORBIDDEN = [*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_WHITE = {0x09: " ", 0x0A: " ", 0x0B: " ", 0x0C: " ", 0x0D: " ", 0x85: " "}

_CLEAN = {**dict.fromkeys(_FORBIDDEN), **_WHITE}
"""XML 1.0, 2.2: control characters, lone surrogates and non-characters are no text. Line breaks and tabs become spaces,
because no word spans lines. C1 controls are allowed there but HTML forbids them, and they mean nothing in either."""


def clean(text: str) -> str:
    """The text without what no format can hold, in one line."""
    return text if text.isascii() and text.isprintable() else text.translate(_CLEAN)


def escaped(text: str) -> str:
    """The text clean and fit for the content and the quoted attributes of XML and HTML."""
    return escape(clean(text))


def runs_right_to_left(text: str) -> bool:
    """Whether most letters of the text belong to a script such as Hebrew or Arabic."""
    if text.isascii():
        return False
    left = right = 0
    for character in text:
        kind = unicodedata.bidirectional(character)
        left += kind == "L"
        right += kind in ("R", "AL")
    return right > left


def direction(texts: Iterable[str]) -> str:
    """`ltr` or `rtl`: which way the texts run, taken together."""
    return "rtl" if runs_right_to_left("".join(texts)) else "ltr"


X_HEIGHT, ASCENDER, DESCENDER = 0.5, 0.22, 0.22
"""Of a font's size: the height of small letters, and how far tall ones rise above and hanging ones sink below it."""

_RISING = re.compile(r"[^\Wa-zàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ_]|[bdfhiklt\"'!?àáâãäåèéêëìíîïñòóôõöùúûüÿ]")
_SINKING = re.compile(r"[gjpqyçQ,;()\[\]/|]")


def rise(text: str) -> float:
    """How far the text rises above its line, as a share of the font's size."""
    return X_HEIGHT + ASCENDER if _RISING.search(text) else X_HEIGHT


def sink(text: str) -> float:
    """How far the text sinks below its line, as a share of the font's size."""
    return DESCENDER if _SINKING.search(text) else 0.0


def spaced(words: Iterable[str]) -> str:
    """The words in one line, with a space between two unless both belong to a script that is set without."""
    return "".join(_with_spaces([clean(word) for word in words if word]))


def _with_spaces(words: list[str]) -> Iterator[str]:
    yield from words[:1]
    for before, word in pairwise(words):
        if not (_set_solid(before[-1:]) and _set_solid(word[:1])):
            yield " "
        yield word


def _set_solid(character: str) -> bool:
    """Chinese and Japanese characters and their punctuation; Korean is wide too, but has spaces between words."""
    if character < "\u2e80" or unicodedata.east_asian_width(character) not in ("W", "F"):
        return False
    return not "\uac00" <= character <= "\ud7ff"
