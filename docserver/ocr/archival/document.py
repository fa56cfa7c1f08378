"""Child side: mends a document so that it is a PDF/A-2b, and says which pages cannot stay as they are."""

from collections.abc import Sequence
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, String
from PIL import ImageCms

from docserver.ocr.archival.actions import is_allowed, remove_actions
from docserver.ocr.archival.annotations import mend_annotations
from docserver.ocr.archival.content import ContentChecks
from docserver.ocr.archival.form_fields import mend_form
from docserver.ocr.archival.inheritance import inherited
from docserver.ocr.archival.layers import mend_layers
from docserver.ocr.archival.metadata import write_metadata
from docserver.ocr.archival.objects import check_objects
from docserver.ocr.archival.page_boxes import check_boxes
from docserver.ocr.archival.unfit import Unfit

_KEPT_OF_DOCUMENT = (
    "/Type /Pages /PageLabels /Names /Dests /Outlines /ViewerPreferences /PageMode /PageLayout /OpenAction "
    "/StructTreeRoot /MarkInfo /Lang /OCProperties /AcroForm"
)
KEPT_OF_DOCUMENT = frozenset(_KEPT_OF_DOCUMENT.split())
"""Entries of the catalogue that stay, unless they have something in them that is not allowed. Among the others are
scripts, attached files, signatures and how to present the document.
"""

_KEPT_OF_PAGE = (
    "/Type /Parent /MediaBox /CropBox /BleedBox /TrimBox /ArtBox /Resources /Contents /Rotate /Group /Annots "
    "/StructParents /Tabs /UserUnit"
)
KEPT_OF_PAGE = frozenset(_KEPT_OF_PAGE.split())

INHERITED = (Name.Resources, Name.MediaBox, Name.CropBox, Name.Rotate)

MAX_BOOKMARKS = 100_000
"""Most bookmarks. Real documents have thousands."""

PROFILE_TIME = slice(24, 36)
"""Where a colour profile says when it was made. Without that, the same document always gives the same file."""


def unfit_pages(pdf: Pdf, pages: Sequence[pikepdf.Page]) -> dict[int, str]:
    """Mend these pages. Returns the index of each that cannot stay as it is, and why."""
    checks, seen = ContentChecks(), set[tuple[int, int]]()
    found = {}
    for index, page in enumerate(pages):
        try:
            _mend_page(pdf, page.obj, checks, seen)
        except Unfit as unfit:
            found[index] = str(unfit)
        except (pikepdf.PdfError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # A malicious or broken page has objects of the wrong types. It can still be drawn.
            found[index] = "the page is broken"
    return found


def mend_document(pdf: Pdf) -> None:
    """Make a PDF/A-2b of a document whose pages are in order."""
    for key in set(pdf.Root.keys()) - KEPT_OF_DOCUMENT:
        del pdf.Root[key]
    if (
        Name.OpenAction in pdf.Root
        and not isinstance(pdf.Root.OpenAction, Array)
        and not is_allowed(pdf.Root.OpenAction)
    ):
        del pdf.Root[Name.OpenAction]
    names = pdf.Root.get(Name.Names)
    if isinstance(names, Dictionary):
        pdf.Root.Names = Dictionary({"/Dests": names.Dests} if Name.Dests in names else {})
    _mend_bookmarks(pdf.Root.get(Name.Outlines))
    mend_form(pdf)
    mend_layers(pdf)
    seen: set[tuple[int, int]] = {pdf.Root.Pages.objgen}
    for key in set(pdf.Root.keys()) - {"/Type", "/Pages"}:
        value: Any = pdf.Root[key]
        try:
            if isinstance(value, Object):
                check_objects(value, seen)
        except Unfit:
            del pdf.Root[key]
    pdf.Root.OutputIntents = Array([_output_intent(pdf)])
    write_metadata(pdf)


def _mend_page(pdf: Pdf, page: Object, checks: ContentChecks, seen: set[tuple[int, int]]) -> None:
    for attribute in INHERITED:
        if attribute not in page and (value := inherited(page, attribute)) is not None:
            page[attribute] = value
    for key in set(page.keys()) - KEPT_OF_PAGE:
        del page[key]
    check_boxes(page)
    mend_annotations(pdf, page, checks.check_form)
    check_objects(page, seen)
    checks.check_page(page)


def _mend_bookmarks(outlines: Any) -> None:
    """Remove actions that are not allowed from bookmarks."""
    waiting, seen = [outlines], set[tuple[int, int]]()
    while waiting:
        item = waiting.pop()
        if not isinstance(item, Dictionary) or item.objgen in seen or len(seen) > MAX_BOOKMARKS:
            continue
        seen.add(item.objgen)
        remove_actions(item)
        waiting += [item.get(Name.First), item.get(Name.Next)]


def _output_intent(pdf: Pdf) -> Dictionary:
    """Says that grey and RGB colours are those of sRGB. The profile is made by Little CMS, and free to use."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[PROFILE_TIME] = bytes(12)
    return Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=String("sRGB"),
        Info=String("sRGB IEC61966-2.1"),
        DestOutputProfile=pdf.make_stream(bytes(profile), N=3),
    )
