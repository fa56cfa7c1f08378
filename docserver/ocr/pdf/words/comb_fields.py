"""Child side: joins the letters that are written into the boxes of a comb field, such as that for an account number."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from docserver.layout import Rect, is_in
from docserver.ocr.pdf.annotations import each_annotation
from docserver.ocr.pdf.words.pdf_words import PdfWord

COMB_FLAG = 1 << 24
"""The flag of a text field that is a comb (ISO 32000-1, table 228)."""

MAX_PITCH_RATIO = 1.75
"""Largest distance of two letters in boxes next to each other, as a multiple of the smallest distance in the field.
With an empty box between them, it is 2."""

MAX_VALUE_BYTES = 2048
"""Most bytes of a value that is compared, in UTF-16. A field has a few dozen boxes."""


@dataclass(frozen=True, slots=True)
class CombField:
    rect: Rect
    """In points."""
    value: str
    """What the form says is written in it. Spaces stand for empty boxes."""


def comb_fields(document: Any, page: Any) -> list[CombField]:
    """The page's comb fields. Call this before the page is flattened."""
    if document.formenv is None:
        return []
    return [
        CombField((rect.left, rect.bottom, rect.right, rect.top), _value(document.formenv, annotation))
        for annotation in each_annotation(page)
        if pdfium.FPDFAnnot_GetFormFieldFlags(document.formenv, annotation) & COMB_FLAG
        and pdfium.FPDFAnnot_GetRect(annotation, rect := pdfium.FS_RECTF())
    ]


def _value(form: Any, annotation: Any) -> str:
    units = (pdfium.FPDF_WCHAR * (MAX_VALUE_BYTES // 2))()
    length = pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, units, MAX_VALUE_BYTES)
    if length > MAX_VALUE_BYTES:
        return ""
    return bytes(units)[:length].decode("utf-16-le", errors="replace").rstrip("\0")


def joined(words: Sequence[PdfWord], fields: Sequence[CombField]) -> list[PdfWord]:
    """The words, with those letters joined that are of one word in the same field."""
    if not fields:
        return list(words)
    return [
        whole
        for field, parts in itertools.groupby(words, key=lambda word: _field_of(word, fields))
        for whole in (parts if field is None else _in_field(list(parts), field))
    ]


def _field_of(word: PdfWord, fields: Sequence[CombField]) -> CombField | None:
    return next((field for field in fields if is_in(field.rect, word.rect)), None)


def _in_field(letters: Sequence[PdfWord], field: CombField) -> Iterable[PdfWord]:
    return _as_in_value(letters, field.value.split()) or _by_distance(letters)


def _as_in_value(letters: Sequence[PdfWord], value: Sequence[str]) -> list[PdfWord]:
    """The words of the field's value; none if other letters are drawn, as some programs that fill in forms do."""
    words: list[PdfWord] = []
    rest = list(letters)
    for text in value:
        if not rest:
            return []
        word = rest.pop(0)
        while len(word.text) < len(text) and rest:
            word = word.followed_by(rest.pop(0))
        if word.text != text:
            return []
        words.append(word)
    return [] if rest else words


def _by_distance(letters: Sequence[PdfWord]) -> Iterator[PdfWord]:
    distances = [math.dist(_middle(first), _middle(second)) for first, second in itertools.pairwise(letters)]
    word = letters[0]
    for distance, letter in zip(distances, letters[1:], strict=True):
        if distance <= MAX_PITCH_RATIO * min(distances):
            word = word.followed_by(letter)
        else:
            yield word
            word = letter
    yield word


def _middle(word: PdfWord) -> tuple[float, float]:
    left, bottom, right, top = word.rect
    return (left + right) / 2, (bottom + top) / 2
