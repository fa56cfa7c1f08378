"""Child side: joins the letters that are written into the boxes of a comb field, such as that for an account number."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pypdfium2.raw as pdfium

from docserver.layout import Rect
from docserver.ocr.pdf.annotations import each_annotation
from docserver.ocr.pdf.text_words import PdfWord, around

COMB_FLAG = 1 << 24
"""The flag of a text field that is a comb (ISO 32000-1, table 228)."""

MAX_PITCH_RATIO = 1.75
"""Largest distance of two letters in boxes next to each other, as a multiple of the smallest distance in the field.
With an empty box between them, it is 2."""


def comb_fields(document: Any, page: Any) -> list[Rect]:
    """The places of the page's comb fields, in points. Call this before the page is flattened."""
    if document.formenv is None:
        return []
    return [
        (rect.left, rect.bottom, rect.right, rect.top)
        for annotation in each_annotation(page)
        if pdfium.FPDFAnnot_GetFormFieldFlags(document.formenv, annotation) & COMB_FLAG
        and pdfium.FPDFAnnot_GetRect(annotation, rect := pdfium.FS_RECTF())
    ]


def joined(words: Sequence[PdfWord], fields: Sequence[Rect]) -> list[PdfWord]:
    """The words, with those letters joined that are next to each other in the same field."""
    if not fields:
        return list(words)
    return [
        whole
        for field, parts in itertools.groupby(words, key=lambda word: _field_of(word, fields))
        for whole in (parts if field is None else _values(list(parts)))
    ]


def _field_of(word: PdfWord, fields: Sequence[Rect]) -> Rect | None:
    x, y = _middle(word)
    return next((field for field in fields if field[0] <= x <= field[2] and field[1] <= y <= field[3]), None)


def _values(letters: Sequence[PdfWord]) -> Iterator[PdfWord]:
    distances = [math.dist(_middle(first), _middle(second)) for first, second in itertools.pairwise(letters)]
    value = letters[0]
    for distance, letter in zip(distances, letters[1:], strict=True):
        if distance <= MAX_PITCH_RATIO * min(distances):
            value = replace(value, text=value.text + letter.text, rect=around(value.rect, letter.rect))
        else:
            yield value
            value = letter
    yield value


def _middle(word: PdfWord) -> tuple[float, float]:
    left, bottom, right, top = word.rect
    return (left + right) / 2, (bottom + top) / 2
