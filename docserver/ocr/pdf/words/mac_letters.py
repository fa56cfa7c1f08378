"""Child side: mends letters with accents that PDFium takes for others, such as the È in "DurÈe".

In some TrueType fonts, PDFium takes the codes of letters for those of MacRoman even if they are those of WinAnsi (ISO
32000-1, annex D), since the font itself only has a table for a Mac. It draws the right letters.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from ctypes import c_size_t, c_uint8
from typing import Any, Protocol

import pypdfium2.raw as pdfium

from docserver.ocr.pdf.calls import address_of
from docserver.ocr.pdf.page_objects import is_embedded
from docserver.ocr.pdf.words.accents import NOTHING

SYMBOLIC = 1 << 2
"""The flag of a font whose codes need not be standard ones (ISO 32000-1, table 123)."""

MAX_FONT_BYTES = 5_000_000
"""Most bytes of such a font. Fonts with all Chinese letters have more, and other codes."""

_TRUETYPE = (b"\0\1\0\0", b"true")
"""How a TrueType font begins."""

_LIGATURES = {"fi": "Þ", "fl": "ß"}
"""Two letters that PDFium makes of one of MacRoman, and the letter of WinAnsi with the same code."""

_ODD = re.compile(
    # A capital, such as \u00c8 for \u00e9, or a sign or accent, behind a small letter: in "f\u00b8r", \u00fc.
    "(?<=[a-z])(?:[\u00c1\u00c2\u00c8-\u00cf\u00d2-\u00d4\u00d9-\u00db]"
    "|[\u02c6\u00af\u02da\u2021\u201a\u201e\u2030](?=[a-z])"
    "|[\u00b8\u02d8\u02d9\u02db\u02dd])"
    # An accent before a small letter.
    "|[\u02c6\u00b8\u02d9](?=[a-z])"
    # A sign between capitals, such as \u0192 for \u00c4.
    "|\u0192(?=[A-Z])|(?<=[A-Z])[\u00f7\u2039](?=[A-Z])"
)
"""A letter or sign that is hardly ever where it is."""

_MAC_ONLY = re.compile(r"[^\x00-\x7f]|f[il]")
"""What may have another meaning in WinAnsi."""


class DrawnText(Protocol):
    """The characters of a page."""

    def text_object(self, index: int) -> Any:
        """The text object that draws the character; a null pointer if PDFium added it."""

    def begin(self, index: int) -> tuple[float, float]:
        """The point on the baseline where the character begins."""


def mended_letters(text: str, drawn: DrawnText) -> Iterator[tuple[int, int]]:
    """The indexes of such characters in the page's text, and the codes of what they are."""
    if text.isascii():
        return
    odd: dict[int, list[int]] = defaultdict(list)
    for match in _ODD.finditer(text):
        index = match.start()
        odd[_font_address(drawn, index)].append(index)
    for address, indexes in odd.items():
        good = sum(_is_odd_only_on_mac(text, index) for index in indexes)
        if 2 * good > len(indexes) and address and _may_be_taken_for_mac(drawn.text_object(indexes[0])):
            yield from _mended(text, drawn, address)


def _is_odd_only_on_mac(text: str, index: int) -> bool:
    """True if WinAnsi has a letter for the character's code that looks right in its word."""
    letter = _in_winansi(text[index])
    beside = text[index - 1] if text[index - 1 : index].isalpha() else text[index + 1]
    return letter.isalpha() and letter.isupper() == beside.isupper()


def _in_winansi(letter: str) -> str:
    """The letter of WinAnsi with the code that this letter has in MacRoman; itself if there is none."""
    return letter.encode("mac_roman", errors="ignore").decode("cp1252", errors="ignore") or letter


def _font_address(drawn: DrawnText, index: int) -> int:
    text_object = drawn.text_object(index)
    return address_of(pdfium.FPDFTextObj_GetFont(text_object)) if text_object else 0


def _may_be_taken_for_mac(text_object: Any) -> bool:
    """True if the PDF has the object's font, and it is a TrueType font whose codes need not be standard ones."""
    font, size = pdfium.FPDFTextObj_GetFont(text_object), c_size_t()
    if not (
        pdfium.FPDFFont_GetFlags(font) & SYMBOLIC
        and is_embedded(text_object)
        and pdfium.FPDFFont_GetFontData(font, None, 0, size)
        and size.value <= MAX_FONT_BYTES
    ):
        return False
    data = (c_uint8 * size.value)()
    pdfium.FPDFFont_GetFontData(font, data, size, size)
    return bytes(data[:4]) in _TRUETYPE


def _mended(text: str, drawn: DrawnText, address: int) -> Iterator[tuple[int, int]]:
    for match in _MAC_ONLY.finditer(text):
        index, end = match.span()
        if _font_address(drawn, index) != address:
            continue
        if end - index == 1:
            yield index, ord(_in_winansi(match[0]))
        elif drawn.begin(index) == drawn.begin(index + 1):
            yield from ((index, ord(_LIGATURES[match[0]])), (index + 1, NOTHING))
