"""Child side: removes the invisible text of a scanned page, which the words that were recognised replace."""

import re
from collections.abc import Iterable

import pikepdf
from pikepdf import ContentStreamInlineImage, ContentStreamInstruction, Dictionary, Name, Operator, Pdf, Stream

Instructions = Iterable[ContentStreamInstruction | ContentStreamInlineImage]

HIDDEN = 3
"""The mode in which letters are neither filled nor stroked (ISO 32000-1, table 106)."""

MAX_BYTES = 4 * 1024 * 1024
"""Longest content whose operators are looked at, because each takes some hundred bytes of memory. Scans have less."""

MAX_FORMS = 50
"""Most forms of a page that are looked at. A scan has one or two."""

_SETS_HIDDEN = re.compile(rb"\b3\s+Tr\b")
_NEW_LINE = ContentStreamInstruction([], Operator("T*"))
_SHOWS = frozenset({"Tj", "TJ", "'", '"'})
_PLACES = frozenset({"BT", "Td", "TD", "Tm", "T*"})


def remove_hidden_text(pdf: Pdf, page: pikepdf.Page, resources: Dictionary) -> None:
    """Remove the invisible text of a page and of the forms on it. `resources` belong to this page alone."""
    page.contents_coalesce()
    if (visible := _visible(page.obj.get(Name.Contents))) is not None:
        page.obj[Name.Contents] = pdf.make_stream(visible)
    forms = resources.get(Name.XObject)
    if not isinstance(forms, Dictionary) or len(forms) > MAX_FORMS:
        return
    resources[Name.XObject] = own = Dictionary(dict(forms.items()))
    for name, form in forms.items():
        is_form = isinstance(form, Stream) and form.get(Name.Subtype) == Name.Form
        if is_form and (visible := _visible(form)) is not None:
            # Other pages may share the form.
            own[name] = copy = pdf.make_stream(visible)
            for key in set(form.keys()) - {"/Length", "/Filter", "/DecodeParms"}:
                copy[key] = form[key]


def _visible(content: object) -> bytes | None:
    """The content without its invisible text; None if it has none, or none that can be told from the rest."""
    if not isinstance(content, Stream):
        return None
    try:
        decoded = content.read_bytes()
        if len(decoded) > MAX_BYTES or not _SETS_HIDDEN.search(decoded):
            return None
        kept = _without_hidden(pikepdf.parse_content_stream(content))
        return None if kept is None else pikepdf.unparse_content_stream(kept)
    except (pikepdf.PdfError, TypeError, ValueError):
        # The content is broken.
        return None


def _without_hidden(instructions: Instructions) -> list[ContentStreamInstruction | ContentStreamInlineImage] | None:
    """The instructions but for those that show invisible text. None if the place of another text depends on them."""
    mode, saved, follows_hidden = 0, list[int](), False
    kept: list[ContentStreamInstruction | ContentStreamInlineImage] = []
    for instruction in instructions:
        operator = str(instruction.operator)
        is_new_line = operator in {"'", '"'}
        if operator == "q":
            saved.append(mode)
        elif operator == "Q":
            mode = saved.pop() if saved else mode
        elif operator == "Tr":
            mode = int(instruction.operands[0])
        follows_hidden &= not (is_new_line or operator in _PLACES)
        if operator in _SHOWS and mode == HIDDEN:
            follows_hidden = True
            kept += [_NEW_LINE] if is_new_line else []
        elif operator in _SHOWS and follows_hidden:
            return None
        else:
            kept.append(instruction)
    return kept
