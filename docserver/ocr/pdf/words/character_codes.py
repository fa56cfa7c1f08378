"""Child side: what the codes that PDFium gives for characters stand for."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from docserver.ocr.pdf.words.pdf_words import UNMAPPED

LINE_END_HYPHEN = 2
"""The code that PDFium reports for a hyphen at the end of a line, and for some within a word that it tears."""

FIRST_PRINTED = 32
"""The first code that is not a control character."""

CONTROLS = frozenset(range(FIRST_PRINTED))
"""The codes of control characters."""

LAST_OF_ONE_BYTE = 0xFF
"""The last code that one byte holds: the last one of Latin-1."""

SURROGATES = 0xD800
"""The first surrogate code. Surrogates are not characters of their own."""

_SUBSTITUTES = {
    LINE_END_HYPHEN: "-",
    # Characters without width are removed.
    **dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF), ""),
    # Bullets of office programs, from symbol fonts.
    **dict.fromkeys((0xF06C, 0xF06E, 0xF075, 0xF076, 0xF0A7, 0xF0A8, 0xF0B7, 0xF0D8, 0xF0FC), "•"),
}


def letter_of(code: int) -> str:
    """What one reads for a code that is mapped: UNMAPPED for those that are not letters."""
    if code in _SUBSTITUTES:
        return _SUBSTITUTES[code]
    # These are not letters: control characters, surrogates, private use, non-characters, and planes 14 and later.
    is_letter = not (
        code < FIRST_PRINTED
        or 0x7F <= code < 0xA0
        or SURROGATES <= code <= 0xF8FF
        or code & 0xFFFE == 0xFFFE
        or code >= 0xE0000
    )
    return chr(code) if is_letter else UNMAPPED


def places_in(codes: Sequence[int], wanted: AbstractSet[int]) -> list[int]:
    """The indexes of those codes that are among these. Most pages have none, and few different codes."""
    if wanted.isdisjoint(set(codes)):
        return []
    return [index for index, code in enumerate(codes) if code in wanted]


def text_of_codes(codes: Sequence[int]) -> str:
    """One character for each code, so that the indexes agree. UNMAPPED is not an ASCII letter, so a word that contains
    it is not plain.
    """
    most = max(codes, default=0)
    if most <= LAST_OF_ONE_BYTE:
        return bytes(codes).decode("latin-1")
    if most >= SURROGATES:
        codes = [code if code < SURROGATES else ord(UNMAPPED) for code in codes]
    return "".join(map(chr, codes))
