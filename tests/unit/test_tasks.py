"""What an OCR process answers to a request when a document or a page is not as it should be."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageDraw

from docserver.errors import DocumentErrorCode
from docserver.layout import Block, Line, Paragraph, Word
from docserver.model import Reading, Source
from docserver.ocr.child import tasks
from docserver.ocr.errors import Unreadable
from docserver.ocr.limits import FIRST_PAGES
from docserver.ocr.pdf import text_layer
from docserver.ocr.recognition.tesseract import Recognised
from docserver.ocr.requests import MakeSearchable, OpenDocument, ReadOwnTexts, ReadPage, SearchableMade
from docserver.reading_options import AUTO, Options
from tests.support.limits import LIMITS
from tests.support.pages import paragraph, read
from tests.support.samples import pdf_pages

PNG, PDF = "image/png", "application/pdf"
READING = Reading(
    width=10, height=10, dpi=None, rotation=0, source=Source.TEXT_LAYER, confidence=50.0, text="a", layout=b""
)


class Reads:
    """Tesseract that reads the same from each picture. It notes which models it is asked for."""

    def __init__(self, recognised: Recognised) -> None:
        self.recognised = recognised
        self.models: list[str] = []

    def recognise(self, *_: object, languages: str, **__: object) -> Recognised:
        self.models.append(languages)
        return self.recognised


def reads(monkeypatch: pytest.MonkeyPatch, text: str = "", blocks: tuple[Block, ...] = ()) -> Reads:
    tesseract = Reads(Recognised(text, blocks, 90.0 if text else 0.0))
    monkeypatch.setattr(tasks, "_tesseract", lambda _: tesseract)
    return tesseract


@pytest.fixture
def white(tmp_path: Path) -> str:
    path = tmp_path / "white.png"
    Image.new("L", (200, 200), 255).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("code", "is_tried_again"), [(DocumentErrorCode.OUT_OF_MEMORY, True), (DocumentErrorCode.CORRUPT, False)]
)
def test_a_lack_of_memory_is_no_result_of_the_only_page(
    code: DocumentErrorCode, is_tried_again: bool, white: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Reading:
        raise Unreadable(code, "No.")

    monkeypatch.setattr(tasks, "read_page", fail)
    request = OpenDocument(PNG, Options("eng"))

    if is_tried_again:
        with pytest.raises(Unreadable):
            tasks.open_document(request, white, LIMITS)
    else:
        assert tasks.open_document(request, white, LIMITS).failure


@pytest.mark.parametrize(
    "request_", [OpenDocument("text/plain"), ReadPage(content_type="text/plain", page=1, options=Options("eng"))]
)
def test_a_type_without_a_decoder_is_refused(request_: Any, white: str) -> None:
    with pytest.raises(Unreadable) as caught:
        tasks.perform(request_, white, LIMITS)

    assert caught.value.failure.code is DocumentErrorCode.UNSUPPORTED


def test_text_layers_that_take_long_are_left_to_the_next_call(white: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "OWN_TEXTS_S", -1.0)
    monkeypatch.setattr(tasks, "_unpacked_size", lambda _: 0)
    monkeypatch.setattr(text_layer, "readings", lambda *_, **__: iter([READING] * FIRST_PAGES))
    request = ReadOwnTexts(content_type=PDF, pages=range(1, FIRST_PAGES + 1), options=Options("eng"))

    assert tasks.own_texts(request, white, LIMITS) == (READING,)


def test_with_one_model_no_language_is_detected(white: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tesseract = reads(monkeypatch)
    limits = replace(LIMITS, candidates=("deu",))

    reading = tasks.read_page(ReadPage(content_type=PNG, page=1, options=Options(AUTO)), white, limits)

    assert reading.languages == "deu"
    assert set(tesseract.models) == {"deu"}


def test_a_blank_page_is_read_with_the_preferred_model(white: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tesseract = reads(monkeypatch)
    limits = replace(LIMITS, candidates=("deu", "rus"))

    reading = tasks.read_page(ReadPage(content_type=PNG, page=1, options=Options(AUTO)), white, limits)

    assert reading.languages == "deu"
    assert set(tesseract.models) == {"deu"}


BOX = (0, 0, 9, 9)
BLOCK = Block(BOX, (Paragraph(BOX, (Line(BOX, (Word("a", BOX, 90.0),)),)),))


@pytest.mark.parametrize(
    ("limit", "text", "blocks", "message"),
    [("MAX_TEXT", "four", (), "3 characters"), ("MAX_LAYOUT_BYTES", "a", (BLOCK,), "too many words")],
)
def test_a_page_with_more_than_an_answer_holds_fails(
    *, limit: str, text: str, blocks: tuple[Block, ...], message: str, white: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads(monkeypatch, text, blocks)
    monkeypatch.setattr(tasks, limit, 3)

    with pytest.raises(Unreadable) as caught:
        tasks.read_page(ReadPage(content_type=PNG, page=1, options=Options("eng")), white, LIMITS)

    assert caught.value.failure.code is DocumentErrorCode.UNSUPPORTED
    assert message in caught.value.failure.message


@pytest.mark.parametrize("content_type", [PNG, PDF])
def test_a_searchable_pdf_is_made_of_pictures_and_of_pdfs(content_type: str, white: str, tmp_path: Path) -> None:
    source = tmp_path / "source.pdf"
    source.write_bytes(pdf_pages(1))
    limits = replace(LIMITS, scratch=str(tmp_path))
    request = MakeSearchable(content_type, [read([paragraph("word")])])

    assert tasks.perform(request, str(source) if content_type == PDF else white, limits) == SearchableMade()

    with pikepdf.open(tmp_path / request.result_file) as pdf:
        assert len(pdf.pages) == 1


def test_a_page_whose_text_was_left_out_needs_review(white: str, monkeypatch: pytest.MonkeyPatch) -> None:
    box = (10, 10, 20, 20)
    nonsense = Line(box, (Word("i", box, 90.0),) * 30)
    reads(monkeypatch, "i", (Block(box, (Paragraph(box, (nonsense,)),)),))

    reading = tasks.read_page(ReadPage(content_type=PNG, page=1, options=Options("eng")), white, LIMITS)

    assert (reading.text, reading.needs_review) == ("", True)


@pytest.mark.parametrize(("is_drawn_on", "confidence"), [(False, 100.0), (True, 0.0)])
def test_a_page_without_text_needs_review_if_something_on_it_may_be_letters(
    *, is_drawn_on: bool, confidence: float, white: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads(monkeypatch)
    with Image.open(white) as image:
        ImageDraw.Draw(image).ellipse((60, 60, 120, 120), outline=0 if is_drawn_on else 255, width=3)
        image.save(white)

    reading = tasks.read_page(ReadPage(content_type=PNG, page=1, options=Options("eng")), white, LIMITS)

    assert (reading.text, reading.confidence, reading.needs_review) == ("", confidence, is_drawn_on)
