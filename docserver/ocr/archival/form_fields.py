"""Child side: mends a document's form (ISO 19005-2, 6.4): fields stay where they are shown; scripts go."""

from typing import Any

from pikepdf import Array, Dictionary, Name, Object, Pdf

from docserver.ocr.archival.actions import remove_actions

MAX_LEVELS = 32
"""Most levels of form fields. Real forms have up to five."""

COMPUTED = (Name.XFA, Name.NeedAppearances, Name.CO, Name.SigFlags)
"""What lets a viewer compute what it shows, or checks a signature, which a changed document breaks."""


def mend_form(pdf: Pdf) -> None:
    """Keep the fields that the pages show."""
    form = pdf.Root.get(Name.AcroForm)
    if not isinstance(form, Dictionary):
        return
    for key in COMPUTED:
        if key in form:
            del form[key]
    shown = {
        annotation.objgen
        for page in pdf.pages
        for annotation in _list(page.obj.get(Name.Annots))
        if isinstance(annotation, Dictionary) and annotation.is_indirect
    }
    fields = [field for field in _list(form.get(Name.Fields)) if _mended(field, shown, 0)]
    if fields:
        form.Fields = Array(fields)
    else:
        del pdf.Root[Name.AcroForm]


def _mended(field: Any, shown: set[tuple[int, int]], level: int) -> bool:
    """Mend a field with all below it. False if no page shows it."""
    if not isinstance(field, Dictionary) or level > MAX_LEVELS:
        return False
    remove_actions(field, all_of_them=True)
    if field.get(Name.FT) == Name.Sig and Name.V in field:
        del field[Name.V]
    if Name.Kids not in field:
        return field.objgen in shown
    kids = [kid for kid in _list(field.Kids) if _mended(kid, shown, level + 1)]
    field.Kids = Array(kids)
    return bool(kids)


def _list(value: Object | None) -> list[Any]:
    return list(value) if isinstance(value, Array) else []
