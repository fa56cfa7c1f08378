"""Child side: what a PDF page draws besides its words: where pictures lie, and in which order all is painted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pypdfium2.raw as pdfium
from pypdfium2 import PdfMatrix

from docserver.layout import Rect
from docserver.ocr.errors import NoLayer
from docserver.ocr.pdf.text_words import address_of

MOST_OBJECTS = 50_000
"""A dense map has some ten thousand; a page of more is drawn faster than it is understood."""

MOST_PICTURES = 300
"""Of strips of a scan, or of letters that are pictures, there are more."""

DEEPEST = 12
"""Forms within forms; producers nest three or four."""

NOT_PAINTED = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)

SHOWN_ANNOTATIONS = frozenset((pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP))
"""Kinds of annotations that show text on the page: fields of forms, notes written onto it, stamps."""

MOST_ANNOTATIONS = 5_000


@dataclass(slots=True)
class Scene:
    pictures: list[tuple[int, Rect]] = field(default_factory=list)
    """When each picture is painted, and where."""
    texts: dict[int, int] = field(default_factory=dict)
    """Address of a text object → when it is painted."""
    unpainted: set[int] = field(default_factory=set)
    """Addresses of text objects that are invisible."""
    objects: int = 0


def survey(page: Any) -> Scene:
    """Look at all objects of a page. Raises NoLayer."""
    scene = Scene()
    count = pdfium.FPDFPage_CountObjects(page)
    for handle, kind, matrix in _objects(count, partial(pdfium.FPDFPage_GetObject, page), PdfMatrix(), 0):
        scene.objects += 1
        if scene.objects > MOST_OBJECTS:
            raise NoLayer("too many objects")
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            address = address_of(handle)
            scene.texts[address] = scene.objects
            if pdfium.FPDFTextObj_GetTextRenderMode(handle) in NOT_PAINTED:
                scene.unpainted.add(address)
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            scene.pictures.append((scene.objects, _bounds(handle, matrix)))
    if len(scene.pictures) > MOST_PICTURES:
        raise NoLayer("too many pictures")
    return scene


def shows_annotations(page: Any) -> bool:
    """Whether fields or notes may show text that is not in the page's own content."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), MOST_ANNOTATIONS)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in SHOWN_ANNOTATIONS:
            return True
    return False


def _objects(
    count: int, get: Callable[[int], Any], matrix: PdfMatrix, depth: int
) -> Iterator[tuple[Any, int, PdfMatrix]]:
    """Each object with its kind and what leads from its coordinates to the page's, in the order they are painted."""
    for index in range(count):
        handle = get(index)
        kind = pdfium.FPDFPageObj_GetType(handle)
        yield handle, kind, matrix
        if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < DEEPEST:
            own = pdfium.FS_MATRIX()
            pdfium.FPDFPageObj_GetMatrix(handle, own)
            inner = PdfMatrix.from_raw(own).multiply(matrix)
            parts = pdfium.FPDFFormObj_CountObjects(handle)
            yield from _objects(parts, partial(pdfium.FPDFFormObj_GetObject, handle), inner, depth + 1)


def _bounds(handle: Any, matrix: PdfMatrix) -> Rect:
    left, bottom, right, top = (pdfium.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(handle, left, bottom, right, top)
    rect: Rect = matrix.on_rect(left.value, bottom.value, right.value, top.value)
    return rect
