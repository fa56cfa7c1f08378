"""Child side: brings back letters that PDFium takes for the letter before, such as the second f in "off"."""

import math
from collections.abc import Collection, Mapping
from ctypes import c_float
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

from docserver.ocr.pdf.calls import Sides, bounds_of
from docserver.ocr.pdf.page_objects import bounds, widen

MIN_OVERLAP = 0.5
"""PDFium compares a letter with the one before if the boxes share half of their width."""

MIN_OFFSET = 0.2
"""Smallest distance of two letters that stand beside each other, as a share of the font's size. A narrow f takes 0.22.
A letter that is drawn twice to be bold is at most 0.1 away."""

WIDTH = 2.2
"""Width of a letter that PDFium does not take the next one for, as a multiple of the width of that. It takes no letter
for one that is more than twice as wide. One that is far wider is compared with other letters of its word."""

MAX_WIDTH = 1000.0
"""Most points by which a letter is made wider. Each letter of a row is wider than all that follow."""


def restore_doubled(texts: Mapping[int, Any], *, read: Collection[int], text: Any) -> bool:
    """Let PDFium keep the letters that it left out of `text` because the letter before is the same and overlaps it.

    PDFium forgets the scale of the text there. `texts` are the text objects of a page by their addresses, `read` those
    known to be in `text`. Returns True if there are such letters. They are only in a text that is loaded afterwards.
    """
    restored: set[int] = set()
    pairs = []
    addresses = list(texts)
    for place in _beside_the_next(bounds_of(addresses)):
        address_before, address = addresses[place : place + 2]
        before, handle = texts[address_before], texts[address]
        if address in read or not (_is_apart(before, handle) and _is_empty(handle, text)):
            continue
        if address_before in restored or not _is_empty(before, text):
            restored.add(address)
            pairs.append((before, handle))
    # The last first, because the letter before is itself compared with the one before it.
    for before, handle in reversed(pairs):
        widen(before, by=min(WIDTH * _width(handle) - _width(before), MAX_WIDTH))
    return bool(restored)


def _beside_the_next(sides: Sides) -> list[int]:
    """The numbers of the objects with these bounds that share half of the width of the next one."""
    left, bottom, right, top = sides.T
    width = (right - left)[1:]
    shared = np.minimum(right[:-1], right[1:]) - np.maximum(left[:-1], left[1:])
    are_level = np.minimum(top[:-1], top[1:]) > np.maximum(bottom[:-1], bottom[1:])
    beside: list[int] = np.flatnonzero((shared >= MIN_OVERLAP * width) & (width > 0) & are_level).tolist()
    return beside


def _is_apart(before: Any, handle: Any) -> bool:
    """True if two letters stand beside each other."""
    left, bottom, _, _ = bounds(before)
    next_left, next_bottom, _, _ = bounds(handle)
    return math.hypot(next_left - left, next_bottom - bottom) >= MIN_OFFSET * _size(handle)


def _width(handle: Any) -> float:
    left, _, right, _ = bounds(handle)
    return right - left


def _size(handle: Any) -> float:
    """The size of the object's font in points."""
    size, matrix = c_float(), pdfium.FS_MATRIX()
    pdfium.FPDFTextObj_GetFontSize(handle, size)
    pdfium.FPDFPageObj_GetMatrix(handle, matrix)
    return abs(size.value) * math.hypot(matrix.a, matrix.b)


def _is_empty(handle: Any, text: Any) -> bool:
    """True if the object is not in the page's text. The result of PDFium counts the bytes and a final zero."""
    return bool(pdfium.FPDFTextObj_GetText(handle, text, None, 0) <= 2)
