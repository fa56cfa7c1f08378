"""Child side: finds the letters of a PDF page's text after which PDFium leaves others out.

PDFium takes a letter for one that is drawn twice if an equal one is closer than a share of the font's size. The letters
of a Type 3 font may be far smaller than its size; then the second l of "will" is that close, and digits are too.
"""

from collections.abc import Callable, Mapping, Sequence
from ctypes import POINTER, c_ushort, cast, create_string_buffer
from dataclasses import replace
from typing import Any

from pypdfium2.raw import FPDFTextObj_GetText

from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.page_objects import bounds
from docserver.ocr.pdf.words.own_words import OwnWord
from docserver.ocr.pdf.words.pdf_words import UNMAPPED, upright
from docserver.ocr.pdf.words.text_words import TextPage

REACH = 0.07
"""How close two equal letters are of which PDFium leaves out one, as a share of the font's size."""

MIN_ADVANCE = 0.16
"""Smallest width of a letter with the room beside it, as a share of the letters' height."""

MIN_GAP = 0.12
"""Narrowest gap behind a letter in which another one may have been, as a share of the letters' height."""

MIN_LETTERS = 2.0
"""Fewest letters of a text object, on average."""

BLANK_BYTES = 4
"""How many bytes PDFium gives for a space and the final zero."""


def may_leave_out(text_page: TextPage, index: int) -> bool:
    """True if the letters of this character's font are so small that PDFium may leave some out."""
    _, low, _, high = text_page.room(index)
    return REACH * text_page.size_at(index) > MIN_ADVANCE * (high - low)


def unknown_where_left_out(
    words: Sequence[OwnWord],
    text_page: TextPage,
    *,
    texts: Mapping[int, Any],
    leaves_out: Callable[[int], bool],
) -> list[OwnWord]:
    """The words, with UNMAPPED in place of each letter behind which others may have been left out. `leaves_out` tells
    that of the address of a text object. Raises TextLayerRejected if most such letters are drawn one by one, because
    PDFium does not know which of them are one word.
    """
    small = {address for address in texts if leaves_out(address)}
    letters = sum(len(word.pdf_word.text) for word in words if word.pdf_word.address in small)
    if letters < MIN_LETTERS * sum(not _is_blank(texts[address], text_page) for address in small):
        raise TextLayerRejected("letters left out")
    return [_unknown(word, text_page) if word.pdf_word.address in small else word for word in words]


def _is_blank(handle: Any, text_page: TextPage) -> bool:
    """True if a text object is in the page's text as nothing but a space."""
    buffer = create_string_buffer(BLANK_BYTES)
    size = FPDFTextObj_GetText(handle, text_page.handle, cast(buffer, POINTER(c_ushort)), BLANK_BYTES)
    return size == BLANK_BYTES and buffer.raw[:2] == " ".encode("utf-16-le")


def _unknown(word: OwnWord, text_page: TextPage) -> OwnWord:
    own = word.pdf_word
    if len(own.text) != own.end - own.first:
        # It is joined of several parts, or has ligatures.
        has_gap = any(
            _has_gap(index, text_page) for part in own.parts or (own,) for index in range(part.first, part.end)
        )
        letters = UNMAPPED * len(own.text) if has_gap else own.text
    else:
        letters = "".join(
            UNMAPPED if _has_gap(index, text_page) else letter for index, letter in enumerate(own.text, own.first)
        )
    return word if letters == own.text else replace(word, pdf_word=replace(own, text=letters))


def _has_gap(index: int, text_page: TextPage) -> bool:
    """True if there is room for a letter between a character and the next one, or the end of its text object."""
    left, low, right, high = text_page.room(index)
    if right - left >= REACH * text_page.size_at(index):
        return False
    address = text_page.address(index)
    following = (place for place in (index + 1, index + 2) if place < text_page.count)
    after = next((place for place in following if text_page.address(place) == address), None)
    if after is None:
        turns = text_page.upright_place(index)
        end = upright(bounds(text_page.text_object(index)), turns[0] if turns else 0)[2]
    else:
        end = text_page.begin_upright(after)[0]
    return end - right >= MIN_GAP * (high - low)
