"""Child side: what a glyph may show in place of the character that it is said to be, if its shape alone tells: letters
whose accent was dropped, ligatures, and characters that OCR mistakes for each other.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache

LIGATURES = ("ff", "fi", "fl", "ffi", "ffl")

ACCENTED = frozenset(char for char in map(chr, range(0xC0, 0x100)) if unicodedata.decomposition(char))
"""The letters with accents of Latin-1, which PDFium's own fonts have."""

MIXED_UP: Mapping[str, str] = dict(zip("Ss5Zz2B8bgqlC", "55S22Z8B699iG", strict=True)) | {"I": "i1", "D": "O0"}
"""Characters, and those that OCR reads for them, though they have another shape in every font."""

TALL: Mapping[str, str] = {"i": "l", "o": "0"}
"""Small letters, and characters that look like them but for their height."""

OF_WIDTH: Mapping[str, str] = {"O": "0", "l": "1", "I": "1", "0": "O", "1": "lI"}
"""Letters and digits, and those that look like them in some fonts. All digits of most fonts are equally wide."""

MIN_ACCENT, MIN_LIGATURE, MIN_MIXUP = 1.3, 1.4, 1.3
"""A glyph shows an accented letter, a ligature, or a character that is mixed up with the one that it is said to be, if
it is so many times as far from the latter as from the former. Of 1600 letters in 107 fonts, none has more. Of those
with an accent, 97 of 100 have more, and of ligatures 98."""

MIN_OTHER_LIGATURE, MIN_LETTER = 1.2, 1.5
"""The same for ligatures that show another one, and that show a letter. In these fonts, no right one has more; of
those in the place of another one, 5 of 100 have less."""


@cache
def accented(char: str) -> frozenset[str]:
    """The letters with an accent over this letter, or over its small capital. A dot is much like an accent."""
    return frozenset(other for other in ACCENTED if _base_of(other).lower() == char.lower() and char not in "ij")


@cache
def mixed_up(char: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a character that is mixed up with others looks like, also as a small capital, and these others."""
    others = frozenset(MIXED_UP.get(char, ""))
    return frozenset((char, char.swapcase())) - others, others


def _base_of(char: str) -> str:
    return unicodedata.normalize("NFD", char)[0]
