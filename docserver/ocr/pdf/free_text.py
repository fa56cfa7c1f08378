"""Child side: breaks the lines of notes on a PDF page for which each viewer makes an appearance by itself.

PDFium puts such a note on one line, joins the words where a line ends, and cuts off what is outside of the note.
"""

import re
import textwrap
from collections.abc import Iterable
from ctypes import c_ushort, sizeof
from typing import Any

import pypdfium2.raw as pdfium

from docserver.layout import Rect

MAX_UNITS = 5000
"""Most UTF-16 units of a note. A page of print has 3000."""

DEFAULT_SIZE = 12.0
"""Size of letters in points, where a note does not say it."""

LETTER_WIDTH = 0.55
"""Width of a letter as a share of its size, more than that of most letters, so that no line is too long."""

LINE_PITCH = 1.3
"""Distance of two lines as a share of the letters' size."""

MAX_LINES = 500
"""Most lines of all such notes on a page. Making one takes some microseconds, and a page of print has 100."""

CODING = "cp1252"
"""The characters that PDFium draws in a note."""

_SIZE = re.compile(r"(\d+\.?\d*|\.\d+)\s+Tf\b")


def split_into_lines(page: Any, notes: Iterable[Any]) -> list[Rect]:
    """Hide those of these notes that have several lines, and put a note for each line. Returns the places of notes, in
    points, of which PDFium cannot draw all characters or lines.
    """
    free = MAX_LINES
    undrawn: list[Rect] = []
    for note in notes:
        text, look = _text(note, b"Contents"), _text(note, b"DA") or ""
        found = _SIZE.search(look)
        size = (float(found[1]) if found else 0.0) or DEFAULT_SIZE
        rect = pdfium.FS_RECTF()
        pdfium.FPDFAnnot_GetRect(note, rect)
        lines = _wrapped(text or "", max(int((rect.right - rect.left) / (LETTER_WIDTH * size)), 1))
        if text is None or len(lines) > free or text.encode(CODING, errors="ignore").decode(CODING) != text:
            undrawn.append((rect.left, rect.bottom, rect.right, rect.top))
            continue
        if lines in ([], [text]):
            continue
        free -= len(lines)
        for number, line in enumerate(lines):
            top = rect.top - number * LINE_PITCH * size
            made = pdfium.FPDFPage_CreateAnnot(page, pdfium.FPDF_ANNOT_FREETEXT)
            pdfium.FPDFAnnot_SetRect(made, pdfium.FS_RECTF(rect.left, top, rect.right, top - LINE_PITCH * size))
            _set_text(made, b"DA", look)
            _set_text(made, b"Contents", line)
            pdfium.FPDFPage_CloseAnnot(made)
        pdfium.FPDFAnnot_SetFlags(note, pdfium.FPDF_ANNOT_FLAG_HIDDEN)
    return undrawn


def _wrapped(text: str, letters: int) -> list[str]:
    return [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(paragraph, letters, break_long_words=False, break_on_hyphens=False)
    ]


def _text(note: Any, key: bytes) -> str | None:
    """The value of a key; None if it is too long."""
    units = (c_ushort * MAX_UNITS)()
    size = pdfium.FPDFAnnot_GetStringValue(note, key, units, sizeof(units))
    if size > sizeof(units):
        return None
    return bytes(units)[:size].decode("utf-16-le", errors="replace").rstrip("\0")


def _set_text(note: Any, key: bytes, text: str) -> None:
    coded = f"{text}\0".encode("utf-16-le")
    pdfium.FPDFAnnot_SetStringValue(note, key, (c_ushort * (len(coded) // 2)).from_buffer_copy(coded))
