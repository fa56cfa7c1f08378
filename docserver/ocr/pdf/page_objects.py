"""Child side: the objects of a PDF page: its text objects, the places of its images, and the rest."""

import itertools
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from ctypes import pointer
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium
from pypdfium2 import PdfMatrix

from docserver.layout import Rect
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.calls import bounds_of, kinds_of, object_at, objects_of_form, objects_of_page, render_mode

MAX_OBJECTS = 50_000
"""Most objects of a page. A dense map has some ten thousand. If there are more, OCR is faster than this analysis."""

MAX_IMAGES = 300
"""Most images of a page. Only scans cut into strips, and pages whose letters are images, have more."""

MAX_FORM_DEPTH = 12
"""Most levels of forms within forms. Programs that write PDFs nest three or four."""

MIN_WIDTH = 0.01
"""Width of the narrowest text object that PDFium makes a part of a page's text, in points."""

UNMOVED = PdfMatrix()
"""The matrix of what is in no form. Not applying it saves half of the time."""

INVISIBLE_MODES = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)


@dataclass(frozen=True, slots=True)
class PlacedObject:
    """A path or an image."""

    handle: Any
    matrix: PdfMatrix
    """Maps its coordinates to those of the page."""

    @property
    def bounds(self) -> Rect:
        """In points (y upwards)."""
        rect = bounds(self.handle)
        if self.matrix is not UNMOVED:
            rect = self.matrix.on_rect(*rect)
        return rect


@dataclass(slots=True)
class PageObjects:
    count: int = 0
    images: list[PlacedObject] = field(default_factory=list)
    texts: dict[int, Any] = field(default_factory=dict)
    """Address of a text object → its handle."""
    others: list[Any] = field(default_factory=list)
    """The handles of everything else that is drawn: paths, images and shadings. All are in the order of painting."""
    paths: list[PlacedObject] = field(default_factory=list)
    text_matrices: dict[int, PdfMatrix] = field(default_factory=dict)
    """Address of a text object in a form → what maps its coordinates to those of the page."""
    others_before: dict[int, int] = field(default_factory=dict)
    """Address of a text object → how many of the others are painted before it."""
    shadows: list[Any] = field(default_factory=list)
    """Those of the others that are text objects, drawn as shadows of letters."""
    invisible_texts: set[int] = field(default_factory=set)
    """Addresses of text objects that are not painted."""


def collect(page: Any) -> PageObjects:
    """Collect the objects of a page. Raises TextLayerRejected if there are too many."""
    objects = PageObjects()
    for addresses, kind, matrix in _objects(page, levels=MAX_FORM_DEPTH, most=MAX_OBJECTS + 1):
        objects.count += len(addresses)
        if objects.count > MAX_OBJECTS:
            raise TextLayerRejected("too many objects")
        if kind == pdfium.FPDF_PAGEOBJ_FORM:
            continue
        handles = list(map(object_at, addresses))
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            objects.texts.update(zip(addresses, handles, strict=True))
            objects.others_before.update(dict.fromkeys(addresses, len(objects.others)))
            if matrix is not UNMOVED:
                objects.text_matrices.update(dict.fromkeys(addresses, matrix))
            are_invisible = map(INVISIBLE_MODES.__contains__, map(render_mode, addresses))
            objects.invisible_texts.update(itertools.compress(addresses, are_invisible))
            continue
        objects.others += handles
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            objects.paths += (PlacedObject(handle, matrix) for handle in handles)
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            objects.images += (PlacedObject(handle, matrix) for handle in handles)
    if len(objects.images) > MAX_IMAGES:
        raise TextLayerRejected("too many pictures")
    return objects


def images(page: Any, *, levels: int) -> Iterator[Any]:
    """Pointers to all images on a page, also those in so many levels of forms within forms."""
    for addresses, kind, _ in _objects(page, levels=levels, most=sys.maxsize):
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            yield from (pointer(object_at(address)) for address in addresses)


Alike = tuple[Sequence[int], int, PdfMatrix]
"""The addresses of successive objects of one kind, this kind, and the matrix that maps their coordinates to those of
the page. A form is alone."""


def _objects(page: Any, *, levels: int, most: int) -> Iterator[Alike]:
    """The objects in painting order: at most so many of the page, and of each form."""
    count = min(pdfium.FPDFPage_CountObjects(page), most)
    return _walk(objects_of_page(page, count), matrix=UNMOVED, levels=levels, most=most)


def _walk(addresses: list[int], *, matrix: PdfMatrix, levels: int, most: int) -> Iterator[Alike]:
    start = 0
    for kind, alike in itertools.groupby(kinds_of(addresses)):
        end = start + sum(1 for _ in alike)
        if kind != pdfium.FPDF_PAGEOBJ_FORM:
            yield addresses[start:end], kind, matrix
        else:
            for form in addresses[start:end]:
                yield [form], kind, matrix
                if levels:
                    yield from _within(form, matrix=matrix, levels=levels, most=most)
        start = end


def _within(form: int, *, matrix: PdfMatrix, levels: int, most: int) -> Iterator[Alike]:
    """The objects of a form, given by its address."""
    handle, form_matrix = object_at(form), pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(handle, form_matrix)
    return _walk(
        objects_of_form(form, min(pdfium.FPDFFormObj_CountObjects(handle), most)),
        matrix=PdfMatrix.from_raw(form_matrix).multiply(matrix),
        levels=levels - 1,
        most=most,
    )


def bounds(handle: Any) -> Rect:
    """The bounds of an object in the coordinates of the page, or of the form that it is in."""
    left, bottom, right, top = (pdfium.c_float() for _ in range(4))
    pdfium.FPDFPageObj_GetBounds(handle, left, bottom, right, top)
    return left.value, bottom.value, right.value, top.value


def bounds_on_page(objects: PageObjects, texts: Collection[int]) -> list[Rect]:
    """The bounds of text objects on the page, in points. They are given by their addresses."""
    rects: list[Rect] = list(map(tuple, bounds_of(texts).tolist()))
    if objects.text_matrices:
        in_form = map(objects.text_matrices.get, texts)
        rects = [matrix.on_rect(*rect) if matrix else rect for matrix, rect in zip(in_form, rects, strict=True)]
    return rects


def widen_empty(texts: Mapping[int, Any]) -> bool:
    """Give a width to those of these text objects that have none, if their font is not embedded. They are spaces, or
    PDFium has no glyphs for them: single letters, and lines that run upwards. They are given by their addresses.

    Returns True if there are any. A page's text that was loaded before lacks them.
    """
    left, _, right, _ = bounds_of(texts).T
    are_narrow = right - left < MIN_WIDTH
    without_width = [handle for handle in itertools.compress(texts.values(), are_narrow) if not is_embedded(handle)]
    for handle in without_width:
        widen(handle, by=1.0)
    return bool(without_width)


def widen(handle: Any, *, by: float) -> None:
    """Make the bounds of a text object wider and higher than what it draws, which stays as it is."""
    # The bounds of stroked text are wider by the width of the strokes. They are computed when the text is moved.
    mode, width = pdfium.FPDFTextObj_GetTextRenderMode(handle), pdfium.c_float()
    pdfium.FPDFPageObj_GetStrokeWidth(handle, width)
    pdfium.FPDFPageObj_SetStrokeWidth(handle, by)
    pdfium.FPDFTextObj_SetTextRenderMode(handle, pdfium.FPDF_TEXTRENDERMODE_STROKE)
    pdfium.FPDFPageObj_Transform(handle, 1, 0, 0, 1, 0, 0)
    pdfium.FPDFTextObj_SetTextRenderMode(handle, mode)
    pdfium.FPDFPageObj_SetStrokeWidth(handle, width)


def is_embedded(text_object: Any) -> bool:
    """True if the PDF contains the font of this text object."""
    return bool(pdfium.FPDFFont_GetIsEmbedded(pdfium.FPDFTextObj_GetFont(text_object)) != 0)
