"""Child side: the objects of a PDF page: its text objects, the places of its images, and the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pypdfium2.raw as pdfium
from pypdfium2 import PdfMatrix

from docserver.layout import Rect
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.text_words import address_of

MAX_OBJECTS = 50_000
"""Most objects of a page. A dense map has some ten thousand. If there are more, OCR is faster than this analysis."""

MAX_IMAGES = 300
"""Most images of a page. Only scans cut into strips, and pages whose letters are images, have more."""

MAX_FORM_DEPTH = 12
"""Most levels of forms within forms. Programs that write PDFs nest three or four."""

INVISIBLE_MODES = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)


@dataclass(slots=True)
class PageObjects:
    count: int = 0
    images: list[Rect] = field(default_factory=list)
    """The bounds of each image in points (y upwards)."""
    texts: dict[int, Any] = field(default_factory=dict)
    """Address of a text object → its handle."""
    others: list[Any] = field(default_factory=list)
    """The handles of everything else that is drawn: paths, images and shadings."""
    invisible_texts: set[int] = field(default_factory=set)
    """Addresses of text objects that are not painted."""


def collect(page: Any) -> PageObjects:
    """Collect the objects of a page. Raises TextLayerRejected if there are too many."""
    objects = PageObjects()
    count = pdfium.FPDFPage_CountObjects(page)
    for handle, kind, matrix in _walk(count, partial(pdfium.FPDFPage_GetObject, page), matrix=PdfMatrix(), depth=0):
        objects.count += 1
        if objects.count > MAX_OBJECTS:
            raise TextLayerRejected("too many objects")
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            address = address_of(handle)
            objects.texts[address] = handle
            if pdfium.FPDFTextObj_GetTextRenderMode(handle) in INVISIBLE_MODES:
                objects.invisible_texts.add(address)
        elif kind != pdfium.FPDF_PAGEOBJ_FORM:
            objects.others.append(handle)
            if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                objects.images.append(_bounds(handle, matrix))
    if len(objects.images) > MAX_IMAGES:
        raise TextLayerRejected("too many pictures")
    return objects


def _walk(
    count: int, get: Callable[[int], Any], *, matrix: PdfMatrix, depth: int
) -> Iterator[tuple[Any, int, PdfMatrix]]:
    """In painting order, each object with its kind and the matrix that maps its coordinates to those of the page."""
    for index in range(count):
        handle = get(index)
        kind = pdfium.FPDFPageObj_GetType(handle)
        yield handle, kind, matrix
        if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < MAX_FORM_DEPTH:
            form_matrix = pdfium.FS_MATRIX()
            pdfium.FPDFPageObj_GetMatrix(handle, form_matrix)
            yield from _walk(
                pdfium.FPDFFormObj_CountObjects(handle),
                partial(pdfium.FPDFFormObj_GetObject, handle),
                matrix=PdfMatrix.from_raw(form_matrix).multiply(matrix),
                depth=depth + 1,
            )


def _bounds(handle: Any, matrix: PdfMatrix) -> Rect:
    left, bottom, right, top = (pdfium.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(handle, left, bottom, right, top)
    rect: Rect = matrix.on_rect(left.value, bottom.value, right.value, top.value)
    return rect
