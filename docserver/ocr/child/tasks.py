"""Child side: how an OCR process carries out each request. Its limits and its sandbox are set elsewhere."""

import itertools
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from docserver.elements import Elements, pack_elements
from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode
from docserver.layout import EXACT, EngineName, Rect, Word, marks_of, pack_blocks, text_of, words_of
from docserver.model import Reading, Source
from docserver.ocr.child import mixed, stopwatch
from docserver.ocr.child.lone_letters import MAX_READ_ALONE, is_letter, read_alone
from docserver.ocr.child.marked_words import MAX_MARKED, are_as_read, cut_out
from docserver.ocr.child.marks_in_text import with_marks, with_own_marks
from docserver.ocr.child.picture_elements import picture_elements
from docserver.ocr.child.picture_tables import picture_tables
from docserver.ocr.child.turned_words import MAX_TURNED, alone
from docserver.ocr.errors import Unreadable
from docserver.ocr.image import decode
from docserver.ocr.image.decode import Picture
from docserver.ocr.languages import reads_all
from docserver.ocr.limits import FIRST_PAGES, LIBRARY, MAX_ELEMENTS_BYTES, MAX_LAYOUT_BYTES, MAX_TEXT, Limits
from docserver.ocr.pdf import mending, passwords, render, text_layer
from docserver.ocr.pdf.verification.wrong_mappings import MappingCheck
from docserver.ocr.pdf.words.own_words import TextLayer
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.language_detection import LanguageDetector
from docserver.ocr.recognition.ppocr.engine import Ppocr
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.second_reading import is_unsure
from docserver.ocr.recognition.tesseract import Layout, Tesseract
from docserver.ocr.requests import (
    Answer,
    DrawPage,
    Inspect,
    Inspected,
    MakeSearchable,
    OpenDocument,
    Opened,
    OwnTexts,
    PageDrawn,
    PageRead,
    ReadOwnTexts,
    ReadPage,
    Request,
    SearchableMade,
    Timed,
)
from docserver.reading_options import AUTO, EngineChoice, Mode, Rotate

PDF = "application/pdf"

SAMPLE_LANGUAGE, SAMPLE_DPI = "eng", 300
"""The model that reads samples of fonts if the language of a document is not named, and their resolution."""

OWN_TEXTS_S = 1.0
"""After this time, no further text layer is read in the same call. Only very full pages take as long as this."""


def load(limits: Limits) -> None:
    """Load Tesseract, which takes a while, so that the first document does not wait for it."""
    _tesseract(limits)


def perform(request: Request[Any], source: str, limits: Limits) -> Answer:
    """Carry out a request on the document at `source`. Raises Unreadable."""
    stopwatch.start()
    with mending.mended(source, scratch=Path(limits.scratch)) as readable:
        answer = _answer(request, readable, limits)
    return msgspec.structs.replace(answer, stages=stopwatch.stages()) if isinstance(answer, Timed) else answer


def _answer(request: Request[Any], source: str, limits: Limits) -> Answer:
    match request:
        case OpenDocument() | ReadOwnTexts() | ReadPage():
            with passwords.given(request.password):
                return _read(request, source, limits)
        case Inspect():
            with passwords.given(request.password):
                return inspect(request, source, limits)
        case DrawPage():
            return draw_page(request, source, limits)
    assert isinstance(request, MakeSearchable)
    return make_searchable(request, source, limits)


def _read(request: OpenDocument | ReadOwnTexts | ReadPage, source: str, limits: Limits) -> Answer:
    match request:
        case OpenDocument():
            return open_document(request, source, limits)
        case ReadOwnTexts():
            return OwnTexts(own_texts(request, source, limits))
        case ReadPage():
            return PageRead(read_page(request, source, limits))


def open_document(request: OpenDocument, source: str, limits: Limits) -> Opened:
    """Count the pages of a document. With reading options in the request, also read pages. Raises Unreadable."""
    content_type, options = request.content_type, request.reading
    _require_readable(content_type)
    with stopwatch.stage("opening"):
        pages = _count_pages(source, content_type, limits)
    if options is None:
        return Opened(pages)
    if pages > 1:
        first = range(1, min(pages, FIRST_PAGES) + 1)
        texts = ReadOwnTexts(content_type=content_type, pages=first, options=options)
        return Opened(pages, own_texts(texts, source, limits))
    only_page = ReadPage(content_type=content_type, page=1, options=options)
    try:
        return Opened(pages, (read_page(only_page, source, limits),))
    except Unreadable as unreadable:
        if unreadable.failure.code in RESOURCE_FAULTS:
            # Let the job try again and count its tries.
            raise
        return Opened(pages, failure=unreadable.failure)


def _count_pages(source: str, content_type: str, limits: Limits) -> int:
    if content_type == PDF:
        return render.count_pages(source, max_pages=limits.max_pages)
    return decode.count_pages(source, content_type, max_pages=limits.max_pages, max_pixels=limits.max_page_pixels)


def own_texts(request: ReadOwnTexts, source: str, limits: Limits) -> tuple[Reading, ...]:
    """The text layers of these pages, until the first page without a good one, until OWN_TEXTS_S is over, or until they
    are too large for one answer.
    """
    if request.content_type != PDF or request.options.mode is not Mode.AUTO:
        return ()
    end = time.monotonic() + OWN_TEXTS_S
    readings: list[Reading] = []
    layout_bytes = element_bytes = 0
    dpi, max_pixels = limits.pdf_dpi, limits.max_page_pixels
    check = _mapping_check(request.options.languages, limits)
    with stopwatch.stage("text_layer"):
        for own in text_layer.readings(
            source,
            pages=request.pages,
            dpi=dpi,
            max_pixels=max_pixels,
            check=check,
            with_barcodes=request.options.barcodes,
        ):
            reading = with_own_marks(own)
            layout_bytes += _unpacked_size(reading.layout)
            element_bytes += _unpacked_size(reading.packed_elements)
            too_large = layout_bytes > MAX_LAYOUT_BYTES or element_bytes > MAX_ELEMENTS_BYTES
            if too_large or len(reading.text) > MAX_TEXT:
                break
            readings.append(reading)
            if time.monotonic() > end:
                break
    return tuple(readings)


def read_page(request: ReadPage, source: str, limits: Limits) -> Reading:
    """Read one page of a document. Raises Unreadable."""
    _require_readable(request.content_type)
    layer = _text_layer(request, source, limits)
    if layer and layer.is_exact and _fits(own := with_own_marks(layer.reading())):
        return own
    picture = _picture(request, source, limits)
    fields = layer.selection_marks if layer else ()
    languages, turning = request.options.languages, request.options.rotate is Rotate.AUTO
    found = picture_elements(
        picture,
        fields=fields,
        with_barcodes=request.options.barcodes,
        recognise=lambda part: _letter(part, languages=languages, limits=limits),
    )
    picture = found.picture
    if layer and not layer.is_exact and not layer.lacks_most:
        reading = _mixed_reading(layer, picture, languages=languages, turning=turning, limits=limits)
    else:
        attempt = _attempt(picture, languages=languages, turning=turning, limits=limits, choice=request.options.engine)
        reading = _reading(attempt, picture, review_below=limits.review_below)
        if layer and layer.lacks_most and not (layer.is_sure and mixed.confirms(layer, attempt)):
            reading = replace(reading, needs_review=True)
    reading = with_marks(reading, found.elements.selection_marks or (), letters=found.letters)
    reading = replace(reading, packed_elements=pack_elements(replace(found.elements, tables=reading.elements.tables)))
    if len(reading.text) > MAX_TEXT:
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, f"The page has more than {MAX_TEXT:,} characters.")
    if not _fits(reading):
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "The page has too many words.")
    return reading


def _mixed_reading(layer: TextLayer, picture: Picture, *, languages: str, turning: bool, limits: Limits) -> Reading:
    """Read what the text layer lacks: shapes that look like letters one by one, and all other parts together.

    Of equal markers, one is read first, and the others only if it is a letter.
    """

    def recognise(part: Picture) -> Attempt:
        return _attempt(part, languages=languages, turning=False, limits=limits)

    def read(places: Iterable[Rect]) -> dict[Rect, Attempt]:
        attempts = {place: recognise(mixed.part(picture, place)) for place in places}
        unread = (place for place, read in attempts.items() if not mixed.is_read(place, read))
        for place in itertools.islice(unread, MAX_READ_ALONE):
            alone = read_alone(picture, place, origin=mixed.box_around(place), recognise=recognise)
            attempts[place] = alone or attempts[place]
        return attempts

    shapes = read(layer.shapes)
    for sample, *others in mixed.alike(layer.markers):
        first = read([sample])
        if mixed.may_be_letter(sample, first[sample]):
            shapes |= first | read(others)
    attempt = None
    if layer.patches:
        turning = turning and not layer.is_upright
        page = picture if turning else replace(picture, image=layer.patches.bands(picture.image))
        attempt = _attempt(page, languages=languages, turning=turning, limits=limits)
    read_marked = [(words, recognise(cut_out(picture, words))) for words in layer.marked[:MAX_MARKED]]
    marked = [(words, read) for words, read in read_marked if are_as_read(picture, words, read)]
    turned = [(word, recognise(cut_out(picture, alone(word, layer.to_pixels)))) for word in layer.turned[:MAX_TURNED]]
    return mixed.join(layer, attempt, shapes, marked, turned, review_below=limits.review_below)


def _text_layer(request: ReadPage, source: str, limits: Limits) -> TextLayer | None:
    """The page's own text; None if the page has to be read by OCR alone."""
    if request.content_type != PDF or request.options.mode is not Mode.AUTO:
        return None
    check = _mapping_check(request.options.languages, limits)
    dpi, max_pixels = limits.pdf_dpi, limits.max_page_pixels
    with stopwatch.stage("text_layer"):
        return text_layer.layer_of(
            source,
            page=request.page,
            dpi=dpi,
            max_pixels=max_pixels,
            check=check,
            with_barcodes=request.options.barcodes,
        )


@stopwatch.stage("drawing")
def _picture(request: ReadPage, source: str, limits: Limits) -> Picture:
    """The page's picture. Raises Unreadable."""
    page, max_pixels = request.page, limits.max_page_pixels
    if request.content_type != PDF:
        return decode.decode(source, request.content_type, page=page, max_pixels=max_pixels)
    scratch = Path(limits.scratch)
    return render.draw(source, page=page, dpi=limits.pdf_dpi, max_pixels=max_pixels, scratch=scratch)


@stopwatch.stage("recognising")
def _attempt(
    picture: Picture,
    *,
    languages: str,
    turning: bool,
    limits: Limits,
    choice: EngineChoice = EngineChoice.TESSERACT,
) -> Attempt:
    """Read a picture by OCR. Raises Unreadable."""
    second = None if limits.ppocr is None or choice is EngineChoice.TESSERACT else _ppocr(limits.ppocr)
    reader = PageReader(picture, _tesseract(limits), turning=turning, has_second=second is not None)
    attempt = _first_attempt(reader, languages, limits)
    if second is None or not reads_all(attempt.languages):
        return attempt
    if choice is EngineChoice.PPOCR:
        return reader.read_again(attempt, second, all_lines=True)
    if is_unsure(attempt):
        attempt = reader.read_again(attempt, second)
    return reader.with_unsure_words_read_again(attempt, second)


def _letter(picture: Picture, *, languages: str, limits: Limits) -> Attempt:
    """Read what may be a letter or digit. A quick reading tells most ticks; it takes a few of them for letters."""
    model = _sample_language(limits) if languages == AUTO else languages
    recognised = _tesseract(limits).recognise(picture.image, dpi=picture.dpi, languages=model, layout=Layout.LETTER)
    quick = Attempt(recognised, 0, model)
    return _attempt(picture, languages=languages, turning=False, limits=limits) if is_letter(quick) else quick


def _first_attempt(reader: PageReader, languages: str, limits: Limits) -> Attempt:
    """What Tesseract reads. Raises Unreadable."""
    if languages == AUTO and len(limits.candidates) == 1:
        (languages,) = limits.candidates
    if languages == AUTO:
        return reader.read_in_detected_language(_detector(limits.candidates))
    return reader.read(languages)


def _reading(attempt: Attempt, picture: Picture, *, review_below: float) -> Reading:
    recognised = attempt.recognised
    found = picture_tables(attempt, picture)
    confidence = EXACT if attempt.is_blank else recognised.confidence * (1 - attempt.unread_share)
    is_whole = not (attempt.left_out or attempt.unread_share or attempt.missed)
    return Reading(
        width=picture.image.width,
        height=picture.image.height,
        dpi=picture.dpi,
        rotation=attempt.rotation,
        source=Source.OCR,
        confidence=confidence,
        text=recognised.text if found.blocks == recognised.blocks else text_of(found.blocks),
        layout=pack_blocks(found.blocks),
        second_engine=marks_of(word.engine is not EngineName.TESSERACT for word in words_of(found.blocks)),
        languages=attempt.languages,
        packed_elements=pack_elements(Elements(tables=found.tables)),
        needs_review=not is_whole or confidence < review_below or not (recognised.text or attempt.is_blank),
    )


def make_searchable(request: MakeSearchable, source: str, limits: Limits) -> SearchableMade:
    """Write a searchable PDF of a document into the scratch directory. Raises Unreadable."""
    # Import it here, because a process that only reads pages does not need its libraries.
    from docserver.ocr.child import pdf_making

    pdf_making.write(request, source, limits)
    return SearchableMade()


def draw_page(request: DrawPage, source: str, limits: Limits) -> PageDrawn:
    """Write a picture of a page into the scratch directory. Raises Unreadable."""
    # A process that only reads pages does not need it.
    from docserver.ocr.child import page_images

    _require_readable(request.content_type)
    page_images.write(request, source, limits)
    return PageDrawn()


def inspect(request: Inspect, source: str, limits: Limits) -> Inspected:
    """Say what a file is. Raises Unreadable."""
    # A process that only reads pages does not need it.
    from docserver.ocr.child import inspection

    _require_readable(request.content_type)
    return inspection.inspect(request, source, limits)


def _fits(reading: Reading) -> bool:
    """True if the reading fits into an answer."""
    return len(reading.text) <= MAX_TEXT and _unpacked_size(reading.layout) <= MAX_LAYOUT_BYTES


def _unpacked_size(packed: bytes | None) -> int:
    return 0 if packed is None else len(zlib.decompress(packed))


def _sample_language(limits: Limits) -> str:
    """The model for what tells nothing of its language."""
    return SAMPLE_LANGUAGE if SAMPLE_LANGUAGE in limits.candidates else "+".join(limits.candidates[:1])


def _tesseract(limits: Limits) -> Tesseract:
    return _library(limits.tessdata) if limits.binding == LIBRARY else _program(limits.scratch)


# Each imports only the binding in use: the library need not be installed.
@cache
def _library(tessdata: str) -> Tesseract:
    from docserver.ocr.recognition.tesseract_library import TesseractLibrary

    return TesseractLibrary(tessdata)


@cache
def _program(scratch: str) -> Tesseract:
    from docserver.ocr.recognition.tesseract_program import TesseractProgram

    return TesseractProgram(Path(scratch))


@cache
def _ppocr(models: str) -> Ppocr:
    return Ppocr(Path(models))


@cache
def _mapping_check(languages: str, limits: Limits) -> MappingCheck:
    """The check of fonts for documents in these languages. It is kept, because it remembers its verdicts."""
    if languages == AUTO:
        languages = _sample_language(limits)

    def read(picture: Image.Image) -> Iterable[Word]:
        tesseract = _tesseract(limits)
        # A page whose own text is exact needs no model, so that a missing one is no error here.
        with suppress(Unreadable):
            recognised = tesseract.recognise(picture, dpi=SAMPLE_DPI, languages=languages, layout=Layout.BLOCK)
            return words_of(recognised.blocks)
        return ()

    return MappingCheck(read)


@cache
def _detector(candidates: tuple[str, ...]) -> LanguageDetector:
    # The detector is kept between pages, because it remembers the language of the last page.
    return LanguageDetector(candidates)


def _require_readable(content_type: str) -> None:
    if content_type != PDF and content_type not in decode.PILLOW_FORMATS:
        raise Unreadable(DocumentErrorCode.UNSUPPORTED, "Files of this type cannot be read.")
