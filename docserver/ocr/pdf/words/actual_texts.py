"""Child side: where an /ActualText says something else than what is drawn, lets PDFium read the drawn letters.

Programs give an /ActualText to what fonts cannot map: ligatures, and the joined glyphs of Arabic and Indic scripts.
"""

import codecs
import ctypes
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

from docserver.ocr.pdf.calls import mark_at, marks_of
from docserver.ocr.pdf.words.character_codes import FIRST_PRINTED
from docserver.ocr.pdf.words.pdf_words import UNMAPPED
from docserver.ocr.pdf.words.text_words import TextPage

KEY = b"ActualText"

MAX_BYTES = 20_000
"""Longest /ActualText, in bytes. A longer one is more than a page has."""

MAX_UNMAPPED = 2
"""Most glyphs without a mapping whose /ActualText is believed: those of a ligature, or a letter with its accent. Some
programs give each glyph one, digits too."""

FIRST_JOINED, LAST_JOINED = "\u0590", "\u1cff"
"""The scripts, from Hebrew to Vedic, whose letters are drawn in another order or joined."""

PRIVATE_USE = range(0xE000, 0xF900)

_ENCODINGS = {codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF8: "utf-8"}
_BLANK, _DASH = re.compile(r"[\s\xad]"), re.compile("[\u2010-\u2015\u2212]")
_ESSENTIAL = re.compile(r"[^\W_]|[$%\xa2-\xa5\u20a0-\u20cf]|-(?=\D?\d)|(?<![.,])[.,](?=\d)")
"""Letters, digits, signs of amounts, the minus before a digit, and a point or comma that is of a number."""


@dataclass(slots=True)
class _Span:
    """What has one /ActualText."""

    mark: Any
    value: bytes
    """As it is in the PDF."""
    addresses: list[int] = field(default_factory=list)
    """Those of the text objects with this mark."""

    @property
    def text(self) -> str:
        """A text string as of ISO 32000-2, 7.9.2.2."""
        for start, encoding in _ENCODINGS.items():
            if self.value.startswith(start):
                return self.value.removeprefix(start).decode(encoding, "replace")
        # The encoding of others differs from Latin-1 in signs that are rare.
        return self.value.decode("latin-1")


def read_drawn_letters(document: Any, page: Any, texts: Mapping[int, Any]) -> None:
    """Remove each /ActualText of these text objects of a page, given by their addresses, that says something else than
    they draw.

    Raises TextLayerRejected if PDFium cannot parse the page's text.
    """
    spans = _spans(texts)
    if not spans:
        return
    for span in spans:
        for address in span.addresses:
            pdfium.FPDFPageObjMark_RemoveParam(texts[address], span.mark, KEY)
    drawn = _drawn(page, set(itertools.chain(*(span.addresses for span in spans))))
    for span in spans:
        if _is_true(span.text, _letters(span, drawn)):
            _restore(document, span, texts)


def _spans(texts: Mapping[int, Any]) -> list[_Span]:
    marks = list(marks_of(texts))
    different = dict.fromkeys(mark for _, mark in marks)
    spans = {address: _Span(mark, _value(mark)) for address in different if _is_text(mark := mark_at(address))}
    for address, mark_address in marks if spans else ():
        if mark_address in spans:
            spans[mark_address].addresses.append(address)
    return list(spans.values())


def _is_text(mark: Any) -> bool:
    return bool(pdfium.FPDFPageObjMark_GetParamValueType(mark, KEY) == pdfium.FPDF_OBJECT_STRING)


def _value(mark: Any) -> bytes:
    buffer, length = (ctypes.c_ubyte * MAX_BYTES)(), ctypes.c_ulong()
    pdfium.FPDFPageObjMark_GetParamBlobValue(mark, KEY, buffer, MAX_BYTES, length)
    return bytes(buffer)[: length.value]


def _restore(document: Any, span: _Span, texts: Mapping[int, Any]) -> None:
    length = len(span.value)
    for address in span.addresses:
        value = (ctypes.c_ubyte * length)(*span.value)
        pdfium.FPDFPageObjMark_SetBlobParam(document, texts[address], span.mark, KEY, value, length)


def _drawn(page: Any, addresses: Collection[int]) -> Mapping[int, str]:
    """The letters of the text objects with these addresses, as their fonts map them."""
    letters: dict[int, str] = defaultdict(str)
    with closing(TextPage(page)) as text_page:
        for index, address in enumerate(text_page.objects()):
            if address in addresses:
                code = pdfium.FPDFText_GetUnicode(text_page.handle, index)
                is_mapped = pdfium.FPDFText_HasUnicodeMapError(text_page.handle, index) != 1
                is_letter = code >= FIRST_PRINTED and code not in PRIVATE_USE
                letters[address] += chr(code) if is_mapped and is_letter else UNMAPPED
    return letters


def _letters(span: _Span, drawn: Mapping[int, str]) -> str:
    return "".join(drawn.get(address, "") for address in span.addresses)


def _is_true(text: str, drawn: str) -> bool:
    """True if an /ActualText says what is drawn, as far as that is known."""
    if UNMAPPED in drawn:
        return len(drawn) <= MAX_UNMAPPED
    # Of letters that are drawn twice, PDFium gives only the first.
    if not drawn or any(FIRST_JOINED <= char <= LAST_JOINED for char in text):
        return True
    return _essential(text) == _essential(drawn)


def _essential(text: str) -> list[str]:
    """The letters and amounts in a text, whichever way they are written."""
    chars = _DASH.sub("-", _BLANK.sub("", unicodedata.normalize("NFKC", text).casefold()))
    return _ESSENTIAL.findall(chars)
