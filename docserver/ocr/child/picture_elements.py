"""Child side: finds barcodes and boxes to tick on a page's picture, and shows OCR the picture without them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from docserver.elements import SELECTED, Elements, SelectionMark
from docserver.layout import Word
from docserver.ocr.child import stopwatch
from docserver.ocr.child.lone_letters import MAX_READ_ALONE, letter_in_frame
from docserver.ocr.image.barcodes import barcodes, without_barcodes
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.overview import overview
from docserver.ocr.image.selection_marks import selection_marks, without_marks
from docserver.ocr.pdf.form_marks import merged
from docserver.ocr.recognition.attempt import Attempt

MAX_BOXES_READ = 60
"""Most boxes of a page in which letters are looked for, if one of the first boxes has some."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a page's picture shows beside its text."""

    picture: Picture
    """The picture without that."""
    elements: Elements
    letters: tuple[Word, ...]
    """The letters and digits that stand in boxes, which OCR of the whole page leaves out or mixes up with the boxes."""


@stopwatch.stage("recognising")
def picture_elements(
    picture: Picture,
    *,
    fields: Sequence[SelectionMark],
    with_barcodes: bool,
    recognise: Callable[[Picture], Attempt],
) -> Found:
    """Look for barcodes and boxes to tick. `fields` are the boxes of a PDF's form, which knows more of them."""
    page = picture.overview
    found = barcodes(page) if with_barcodes else None
    image = without_barcodes(picture.image, found or ())
    boxes = merged(fields, selection_marks(overview(image) if found else page))
    marked = [mark for mark in boxes if mark.state == SELECTED and mark not in fields]
    letters = _letters_in(picture, marked[:MAX_READ_ALONE], recognise=recognise)
    if letters:
        # The others may have letters, too.
        letters |= _letters_in(picture, marked[MAX_READ_ALONE:MAX_BOXES_READ], recognise=recognise)
    cleaned = without_marks(image, boxes)
    marks = tuple(mark for mark in boxes if mark not in letters)
    return Found(
        picture if cleaned is picture.image else replace(picture, image=cleaned),
        Elements(barcodes=found, selection_marks=marks),
        tuple(letters.values()),
    )


def _letters_in(
    picture: Picture, boxes: Sequence[SelectionMark], *, recognise: Callable[[Picture], Attempt]
) -> dict[SelectionMark, Word]:
    """Those of the boxes that have a letter, each with it."""
    found = ((box, letter_in_frame(picture, box.box, recognise=recognise)) for box in boxes)
    return {box: letter for box, letter in found if letter}
