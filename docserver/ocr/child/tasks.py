"""Child side: what an OCR process is asked to do with a document, once it is bounded."""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode
from docserver.model import AUTO, Options, Reading, pack_blocks
from docserver.ocr.engine import LIBRARY
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from docserver.ocr.image.analysis import look
from docserver.ocr.image.decode import Picture
from docserver.ocr.limits import MAX_TEXT, PAGES_AT_ONCE, Limits, Outcome
from docserver.ocr.pdf import render, text_layer
from docserver.ocr.recognition import reader
from docserver.ocr.recognition.language_detection import Choice
from docserver.ocr.recognition.tesseract import Recognised, Tesseract

PDF = "application/pdf"

FIRST_PAGES = PAGES_AT_ONCE // 2
"""Of these, read when a document is opened: fewer, because no other slot can help as long as it is not."""

OWN_TEXTS_S = 1.0
"""No more are begun after this; pages are rarely so full that these take longer."""


def load(limits: Limits) -> None:
    """Load what takes a while, so that the first document need not wait for it."""
    _tesseract(limits.binding, limits.tessdata, limits.scratch)


def open_document(source: str, content_type: str, *, reading: Options | None, limits: Limits) -> Outcome:
    """Count the pages of a document, and with `reading` read what costs little more. Raises Unreadable.

    That is its only page, or its first pages as far as they have a text of their own.
    """
    _require_readable(content_type)
    if content_type == PDF:
        pages = render.count_pages(source, max_pages=limits.max_pages)
    else:
        pages = decode.count_pages(source, content_type, max_pages=limits.max_pages, max_pixels=limits.max_page_pixels)
    if reading is None:
        return Outcome(pages=pages)
    if pages > 1:
        first = range(1, min(pages, FIRST_PAGES) + 1)
        return Outcome(
            pages=pages, readings=own_texts(source, content_type, pages=first, options=reading, limits=limits)
        )
    try:
        return Outcome(pages=pages, readings=(read_page(source, content_type, page=1, options=reading, limits=limits),))
    except Unreadable as unreadable:
        if unreadable.failure.code in RESOURCE_FAULTS:
            # It has more tries, each of which counts.
            raise
        return Outcome(unreadable.failure, pages=pages)


def own_texts(
    source: str, content_type: str, *, pages: Sequence[int], options: Options, limits: Limits
) -> tuple[Reading, ...]:
    """What these pages say of themselves, up to the first whose picture must be read, or until time is up."""
    if content_type != PDF or options.mode != AUTO:
        return ()
    until = time.monotonic() + OWN_TEXTS_S
    read: list[Reading] = []
    for own in text_layer.readings(source, pages=pages, dpi=limits.pdf_dpi, max_pixels=limits.max_page_pixels):
        read.append(own)
        if time.monotonic() > until:
            break
    return tuple(read)


def read_page(source: str, content_type: str, *, page: int, options: Options, limits: Limits) -> Reading:
    """Read page `page` (from 1) of a document. Raises Unreadable."""
    _require_readable(content_type)
    if own := own_texts(source, content_type, pages=[page], options=options, limits=limits):
        return own[0]
    tesseract = _tesseract(limits.binding, limits.tessdata, limits.scratch)
    scratch, most = Path(limits.scratch), limits.max_page_pixels
    if content_type == PDF:
        picture = render.draw(source, page=page, dpi=limits.pdf_dpi, max_pixels=most, scratch=scratch)
    else:
        picture = decode.decode(source, content_type, page=page, max_pixels=most)
    languages, turning = options.languages, options.rotate == AUTO
    if languages == AUTO and len(limits.candidates) == 1:
        (languages,) = limits.candidates
    if languages == AUTO:
        choice = _choice(limits.candidates)
        found, rotation, languages = reader.read_in_any(picture, tesseract, choice=choice, turning=turning)
    else:
        found, rotation = reader.read(picture, tesseract, languages=languages, turning=turning)
    if len(found.text) > MAX_TEXT:
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, f"The page has more than {MAX_TEXT:,} characters.")
    return Reading(
        width=picture.image.width,
        height=picture.image.height,
        dpi=picture.dpi,
        rotation=rotation,
        source="ocr",
        confidence=found.confidence,
        text=found.text,
        layout=pack_blocks(found.blocks),
        languages=languages,
        needs_review=_needs_review(found, picture, below=limits.review_below),
    )


def _needs_review(found: Recognised, picture: Picture, *, below: float) -> bool:
    if found.text:
        return found.confidence < below
    # A blank page says nothing; one that is not may have said something.
    return look(picture.image) is not None


@cache
def _tesseract(binding: str, tessdata: str, scratch: str) -> Tesseract:
    # Only one of the two is loaded, and the library need not be installed.
    if binding == LIBRARY:
        from docserver.ocr.recognition.tesseract_library import TesseractLibrary

        return TesseractLibrary(tessdata)
    from docserver.ocr.recognition.tesseract_program import TesseractProgram

    return TesseractProgram(Path(scratch))


@cache
def _choice(candidates: tuple[str, ...]) -> Choice:
    # It remembers what the last page came to.
    return Choice(candidates)


def _require_readable(content_type: str) -> None:
    if content_type != PDF and content_type not in decode.PILLOW_FORMATS:
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "Files of this type cannot be read.")
