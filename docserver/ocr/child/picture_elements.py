"""Child side: finds barcodes and boxes to tick on a page's picture, and shows OCR the picture without them."""

from collections.abc import Sequence
from dataclasses import replace

from docserver.elements import Elements, SelectionMark
from docserver.ocr.child import stopwatch
from docserver.ocr.image.barcodes import barcodes, without_barcodes
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.overview import overview
from docserver.ocr.image.selection_marks import selection_marks, without_marks
from docserver.ocr.pdf.form_marks import merged


@stopwatch.stage("recognising")
def picture_elements(
    picture: Picture, *, fields: Sequence[SelectionMark], with_barcodes: bool
) -> tuple[Picture, Elements]:
    """The picture for OCR, and what it shows. `fields` are the boxes of a PDF's form, which knows more of them."""
    page = overview(picture.image)
    found = barcodes(page) if with_barcodes else None
    image = without_barcodes(picture.image, found or ())
    marks = merged(fields, selection_marks(overview(image) if found else page))
    return replace(picture, image=without_marks(image, marks)), Elements(barcodes=found, selection_marks=marks)
