"""Child side: makes the annotations of a PDF page, such as filled form fields and stamps, a part of its content."""

from collections.abc import Iterator
from ctypes import sizeof
from typing import Any

import pypdfium2.raw as pdfium

from docserver.layout import Rect
from docserver.ocr.pdf import free_text

MAX_ANNOTATIONS = 5_000
"""Most annotations that are looked at. A long form has some hundred fields on a page."""

SMALL_SCALE = 0.01
"""Pixels per point of a drawing that nobody looks at."""

END_BYTES = 2
"""What PDFium counts for the end of a text, even if there is none."""

MAX_STATE_UNITS = 128
"""Most UTF-16 units of the state of a check box. Names in PDFs have 127 bytes at most."""

_NOT_SHOWN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW

_TICKED_FIELDS = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)

_TEXT_OBJECTS = (pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_FORM)
"""Kinds of objects that are text, or may contain some."""


def prepare(page: Any, *, source: str, number: int) -> list[Rect]:
    """Change the annotations of a page, so that PDFium draws what other viewers show.

    It is page `number` (from 1) of the file `source`. Returns the places of texts, in points, that PDFium cannot draw.
    """
    if any(pdfium.FPDFAnnot_HasKey(annotation, b"OC") for annotation in each_annotation(page)):
        _hide_those_in_layers_off(page, source=source, number=number)
    return free_text.split_into_lines(page, filter(_lacks_appearance, each_annotation(page)))


def are_left_to_viewers(page: Any, *, source: str, number: int) -> bool:
    """True if the page has annotations that some viewers draw by themselves, and PDFium does not, or otherwise: ticks,
    and some with text.
    """
    if any(map(_is_left_to_viewers, each_annotation(page))):
        return True
    if not page.formenv:
        return False
    ticks = [
        index for index, annotation in enumerate(each_annotation(page)) if _may_be_made_tick(page.formenv, annotation)
    ]
    if not ticks:
        return False
    # Import it here, because it loads pikepdf, which takes 40 ms.
    from docserver.ocr.pdf.optional_content import ticks_without_appearance

    return not ticks_without_appearance(source, page=number).isdisjoint(ticks)


def _hide_those_in_layers_off(page: Any, *, source: str, number: int) -> None:
    # Import it here, because it loads pikepdf, which takes 40 ms.
    from docserver.ocr.pdf.optional_content import annotations_in_layers_off

    for index in annotations_in_layers_off(source, page=number):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            flags = pdfium.FPDFAnnot_GetFlags(annotation)
            pdfium.FPDFAnnot_SetFlags(annotation, flags | pdfium.FPDF_ANNOT_FLAG_HIDDEN)
            pdfium.FPDFPage_CloseAnnot(annotation)


def _lacks_appearance(annotation: Any) -> bool:
    """True if the annotation is a text for which each viewer makes an appearance by itself."""
    is_text = pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_FREETEXT
    return is_text and _is_shown_without_appearance(annotation)


def _is_shown_without_appearance(annotation: Any) -> bool:
    return not (pdfium.FPDFAnnot_HasKey(annotation, b"AP") or pdfium.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN)


def _is_left_to_viewers(annotation: Any) -> bool:
    """True if the annotation is a stamp or a line with a caption, and has no appearance.

    Captions: ISO 32000-2, table 178. PDFium does not tell the value of `Cap`, which is written where it is true.
    """
    kind = pdfium.FPDFAnnot_GetSubtype(annotation)
    has_caption = kind == pdfium.FPDF_ANNOT_LINE and all(
        pdfium.FPDFAnnot_HasKey(annotation, key) for key in (b"Cap", b"Contents")
    )
    return (kind == pdfium.FPDF_ANNOT_STAMP or has_caption) and _is_shown_without_appearance(annotation)


def is_tickable(form: Any, annotation: Any) -> bool:
    """True if the annotation is a check box or a radio button that viewers show."""
    if pdfium.FPDFAnnot_GetSubtype(annotation) != pdfium.FPDF_ANNOT_WIDGET:
        return False
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    return kind in _TICKED_FIELDS and not pdfium.FPDFAnnot_GetFlags(annotation) & _NOT_SHOWN


def _may_be_made_tick(form: Any, annotation: Any) -> bool:
    """True if the annotation is a check box or radio button that may be on, and that is drawn without text. PDFium may
    have made its appearance when it loaded the page.
    """
    if not is_tickable(form, annotation) or _has_text(annotation):
        return False
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    # Where a box has a value and no state, PDFium makes its state `Off`. A radio button has the value of its group.
    return _is_on(annotation, b"AS") or (kind == pdfium.FPDF_FORMFIELD_CHECKBOX and _is_on(annotation, b"V"))


def _is_on(annotation: Any, key: bytes) -> bool:
    units = (pdfium.FPDF_WCHAR * MAX_STATE_UNITS)()
    size = pdfium.FPDFAnnot_GetStringValue(annotation, key, units, sizeof(units))
    return bytes(units)[: max(0, size - END_BYTES)].decode("utf-16-le", errors="replace") not in ("", "Off")


def flatten(page: Any) -> bool:
    """Make the annotations that viewers draw a part of the page, if they may show text. Returns True if this was done;
    then the page must be loaded again.
    """
    if any(map(_lacks_appearance, each_annotation(page))):
        # PDFium makes appearances when it draws the page.
        page.render(scale=SMALL_SCALE)
    may_show_text = False
    for annotation in each_annotation(page):
        may_show_text |= _set_flags(annotation)
    if not may_show_text:
        return False
    _set_own_boxes(page)
    pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
    return True


def _set_own_boxes(page: Any) -> None:
    """Give the page boxes of its own. Flattening overlooks those that it inherits, and makes it a Letter page."""
    box = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, box)
    for set_box in (pdfium.FPDFPage_SetMediaBox, pdfium.FPDFPage_SetCropBox):
        set_box(page, box.left, box.bottom, box.right, box.top)


def count(page: Any) -> int:
    """The number of the page's annotations, those included that are not drawn."""
    return min(int(pdfium.FPDFPage_GetAnnotCount(page)), MAX_ANNOTATIONS)


def each_annotation(page: Any) -> Iterator[Any]:
    """The page's annotations. Each is closed when the next one is asked for."""
    for index in range(count(page)):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            try:
                yield annotation
            finally:
                pdfium.FPDFPage_CloseAnnot(annotation)


def _set_flags(annotation: Any) -> bool:
    """Set the annotation's flags so that it is flattened only if it is drawn. Returns True if it may show text."""
    flags = pdfium.FPDFAnnot_GetFlags(annotation)
    if flags & _NOT_SHOWN:
        # PDFium would flatten an annotation that is not for viewing, though it does not draw it.
        pdfium.FPDFAnnot_SetFlags(annotation, flags | pdfium.FPDF_ANNOT_FLAG_HIDDEN)
        return False
    if flags & pdfium.FPDF_ANNOT_FLAG_INVISIBLE:
        # This flag is only about kinds that a viewer does not know. PDFium draws them, but would not flatten them.
        pdfium.FPDFAnnot_SetFlags(annotation, flags & ~pdfium.FPDF_ANNOT_FLAG_INVISIBLE)
    if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_POPUP:
        return False
    if pdfium.FPDFAnnot_GetAP(annotation, pdfium.FPDF_ANNOT_APPEARANCEMODE_NORMAL, None, 0) <= END_BYTES:
        return False
    return _has_text(annotation)


def _has_text(annotation: Any) -> bool:
    """True if the annotation's appearance may show text."""
    return any(
        pdfium.FPDFPageObj_GetType(pdfium.FPDFAnnot_GetObject(annotation, index)) in _TEXT_OBJECTS
        for index in range(pdfium.FPDFAnnot_GetObjectCount(annotation))
    )
