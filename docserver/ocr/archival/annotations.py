"""Child side: checks and mends the annotations of a page (ISO 19005-2, 6.3), such as links, notes and form fields."""

from collections.abc import Callable
from typing import Any

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from docserver.ocr.archival.actions import remove_actions
from docserver.ocr.archival.inheritance import inherited
from docserver.ocr.archival.unfit import Unfit

_ALLOWED = (
    "/Text /Link /FreeText /Line /Square /Circle /Polygon /PolyLine /Highlight /Underline /Squiggly /StrikeOut /Stamp "
    "/Caret /Ink /Popup /Widget /PrinterMark /TrapNet /Watermark /Redact"
)
ALLOWED = frozenset(_ALLOWED.split())

INVISIBLE, HIDDEN, PRINT, NO_VIEW, TOGGLE = 1, 2, 4, 32, 256
"""Flags of ISO 32000-1, table 165."""

BY_VIEWERS = frozenset({"/Popup", "/Link"})
"""Annotations that need no picture of their own."""

MAX_ANNOTATIONS = 5_000
"""Most annotations of a page. A long form has some hundred."""


def mend_annotations(pdf: Pdf, page: Object, check_form: Callable[[Stream], None]) -> None:
    """Check the annotations of a page. Remove those that are not seen, and what happens by itself. Raises Unfit if an
    annotation can only stay as a part of the page's picture.
    """
    form: Any = pdf.Root.get(Name.AcroForm)
    is_computed = isinstance(form, Dictionary) and bool(form.get(Name.NeedAppearances))
    for annotation in _annotations(page):
        if is_computed and inherited(annotation, Name.FT) in (Name.Tx, Name.Ch):
            raise Unfit("viewers draw the values of form fields")
        _mend(pdf, annotation)
        appearance: Any = annotation.get(Name.AP)
        shown = appearance.get(Name.N) if isinstance(appearance, Dictionary) else None
        for picture in shown.values() if isinstance(shown, Dictionary) else [shown]:
            if isinstance(picture, Stream):
                check_form(picture)


def keep_links(page: Object) -> None:
    """Remove all annotations of a page but links."""
    links = [annotation for annotation in _annotations(page) if annotation.get(Name.Subtype) == Name.Link]
    for link in links:
        _set_flags(link)
        remove_actions(link)
        if Name.AP in link:
            del link[Name.AP]
    page.Annots = Array(links)


def _annotations(page: Object) -> list[Object]:
    """The annotations that are seen. All others are removed from the page."""
    listed = page.get(Name.Annots)
    entries: list[Any] = list(listed) if isinstance(listed, Array) else []
    if len(entries) > MAX_ANNOTATIONS:
        raise Unfit("there are too many annotations")
    shown: list[Object] = [entry for entry in entries if isinstance(entry, Dictionary) and not _is_hidden(entry)]
    if Name.Annots in page:
        page.Annots = Array(shown)
    return shown


def _is_hidden(annotation: Object) -> bool:
    flags = annotation.get(Name.F, 0)
    return isinstance(flags, int) and bool(flags & (HIDDEN | NO_VIEW))


def _set_flags(annotation: Object) -> None:
    flags = annotation.get(Name.F, 0)
    flags = flags if isinstance(flags, int) else 0
    annotation.F = (flags | PRINT) & ~(INVISIBLE | HIDDEN | NO_VIEW | TOGGLE)


def _mend(pdf: Pdf, annotation: Object) -> None:
    subtype = str(annotation.get(Name.Subtype))
    if subtype not in ALLOWED:
        raise Unfit("an annotation is of a kind that is not allowed")
    is_field = subtype == "/Widget"
    remove_actions(annotation, all_of_them=is_field)
    _set_flags(annotation)
    appearance = annotation.get(Name.AP)
    if isinstance(appearance, Dictionary) and Name.N in appearance:
        _mend_appearance(annotation, appearance, is_button=is_field and inherited(annotation, Name.FT) == Name.Btn)
    elif is_field and _is_empty(annotation):
        nothing = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 1, 1]))
        is_button = inherited(annotation, Name.FT) == Name.Btn
        annotation.AP = Dictionary(N=Dictionary(Off=nothing) if is_button else nothing)
    elif subtype not in BY_VIEWERS and not _has_no_area(annotation):
        raise Unfit("an annotation has no picture")
    elif Name.AP in annotation:
        del annotation[Name.AP]


def _mend_appearance(annotation: Object, appearance: Object, *, is_button: bool) -> None:
    """Keep only how the annotation looks while nobody points at it."""
    shown: Any = appearance.N
    if is_button and isinstance(shown, Stream):
        # A button that is pressed has no states, but its pictures are to have names.
        shown, annotation.AS = Dictionary(Off=shown), Name.Off
    elif not is_button and isinstance(shown, Dictionary):
        shown = shown.get(str(annotation.get(Name.AS)))
    if is_button and not (isinstance(shown, Dictionary) and all(isinstance(form, Stream) for form in shown.values())):
        raise Unfit("a button has no picture")
    if not is_button and not isinstance(shown, Stream):
        raise Unfit("an annotation has no picture")
    annotation.AP = Dictionary(N=shown)


def _is_empty(field: Object) -> bool:
    """True if no viewer shows anything of a form field that has no picture of its own."""
    look = field.get(Name.MK)
    coloured = isinstance(look, Dictionary) and {"/BG", "/BC", "/CA", "/I"} & set(look.keys())
    value = inherited(field, Name.V)
    return not coloured and (value is None or str(value) in ("", "/Off"))


def _has_no_area(annotation: Object) -> bool:
    rect = annotation.get(Name.Rect)
    return isinstance(rect, Array) and len(rect) == 4 and rect[0] == rect[2] and rect[1] == rect[3]
