"""Results as text and JSON, and which of all formats a client gets."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest

from docserver.elements import Barcode, Elements, SelectionMark, pack_elements
from docserver.errors import DocumentErrorCode, Failure
from docserver.formats import TEXT_FORMATS
from docserver.formats.negotiation import negotiate
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.model import Page, PageStatus, Reading, Source
from tests.support.pages import JOB

BLOCK = Block(
    (1, 2, 30, 40),
    (
        Paragraph((1, 2, 30, 10), (Line((1, 2, 30, 10), (Word("Größe", (1, 2, 30, 10), 96.5),)),)),
        Paragraph((1, 20, 30, 40), (Line((1, 20, 30, 40), (Word("two", (1, 20, 30, 40), 90.0),)),)),
    ),
)
READ = Page(
    1,
    PageStatus.DONE,
    Reading(
        width=100,
        height=200,
        dpi=None,
        rotation=90,
        source=Source.OCR,
        confidence=94.1,
        text="Größe\n\ntwo",
        layout=pack_blocks([BLOCK]),
        languages="deu",
    ),
    None,
)
FAILED = Page(2, PageStatus.FAILED, None, Failure(DocumentErrorCode.PAGE_TIMEOUT, "Too slow."))
THIRD = Page(3, READ.status, READ.reading, None)


def rendered(name: str, pages: Sequence[Page]) -> bytes:
    return b"".join(TEXT_FORMATS[name].write(JOB, pages))


def test_text_has_a_form_feed_between_pages_and_nothing_for_a_failed_one() -> None:
    assert rendered("txt", [READ, FAILED, THIRD]).decode() == "Größe\n\ntwo\f\fGröße\n\ntwo"


def test_text_has_no_form_feed_in_a_page_and_nothing_that_a_terminal_obeys() -> None:
    assert READ.reading
    page = replace(READ, reading=replace(READ.reading, text="a\x1b[2Jb\x9b1m\n\x00c\fd\te"))

    assert rendered("txt", [page, THIRD]).decode() == "a[2Jb1m\nc d e\fGröße\n\ntwo"


def test_json_has_the_barcodes_and_null_if_they_were_not_looked_for() -> None:
    text = Barcode("QRCode", "Größe", None, (1, 2, 30, 40), 90)
    data = Barcode("Aztec", None, "AAH/", (1, 50, 30, 80), 0)
    assert READ.reading
    reading = replace(READ.reading, packed_elements=pack_elements(Elements(barcodes=(text, data))))

    pages = orjson.loads(rendered("json", [replace(READ, reading=reading), THIRD]))["pages"]

    assert pages[0]["barcodes"] == [
        {"kind": "QRCode", "text": "Größe", "data": None, "box": [1, 2, 30, 40], "rotation": 90},
        {"kind": "Aztec", "text": None, "data": "AAH/", "box": [1, 50, 30, 80], "rotation": 0},
    ]
    assert pages[1]["barcodes"] is None


def test_json_has_the_boxes_to_tick() -> None:
    marks = (SelectionMark("selected", (1, 2, 30, 40), 95.0), SelectionMark("unselected", (1, 50, 30, 80), 60.5))
    assert READ.reading
    reading = replace(READ.reading, packed_elements=pack_elements(Elements(selection_marks=marks)))

    (page,) = orjson.loads(rendered("json", [replace(READ, reading=reading)]))["pages"]

    assert page["barcodes"] is None
    assert page["selection_marks"] == [
        {"state": "selected", "box": [1, 2, 30, 40], "confidence": 95.0},
        {"state": "unselected", "box": [1, 50, 30, 80], "confidence": 60.5},
    ]


def test_a_newer_versions_kinds_of_elements_are_passed_over() -> None:
    assert READ.reading
    newer = zlib.compress(b'{"barcodes":[],"spells":[{"text":"x"}]}')

    assert replace(READ.reading, packed_elements=newer).elements == Elements(barcodes=())


def test_json_has_every_word_with_its_place_and_confidence() -> None:
    result = orjson.loads(rendered("json", [READ]))

    assert result["job_id"] == str(JOB.id)
    assert result["document_id"] == str(JOB.document_id)
    assert result["engine"] == JOB.engine
    (page,) = result["pages"]
    names = ("number", "width", "height", "rotation", "source", "languages", "confidence")
    assert {key: page[key] for key in names} == {
        "number": 1,
        "width": 100,
        "height": 200,
        "rotation": 90,
        "source": "ocr",
        "languages": "deu",
        "confidence": 94.1,
    }
    (block,) = page["blocks"]
    assert block["source"] == "ocr"
    assert block["lines"] == [
        {
            "box": [1, 2, 30, 10],
            "paragraph": 1,
            "confidence": 96.5,
            "words": [{"text": "Größe", "box": [1, 2, 30, 10], "confidence": 96.5}],
        },
        {
            "box": [1, 20, 30, 40],
            "paragraph": 2,
            "confidence": 90.0,
            "words": [{"text": "two", "box": [1, 20, 30, 40], "confidence": 90.0}],
        },
    ]


def test_an_unknown_resolution_is_null_in_json() -> None:
    assert orjson.loads(rendered("json", [READ]))["pages"][0]["dpi"] is None


def test_a_failed_page_is_its_error_in_json() -> None:
    assert orjson.loads(rendered("json", [FAILED]))["pages"] == [
        {
            "number": 2,
            "error": {"code": "page_timeout", "message": "Too slow.", "page": 2, "retryable": True},
        }
    ]


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_the_same_input_renders_to_the_same_bytes(name: str) -> None:
    assert rendered(name, [READ, FAILED]) == rendered(name, [READ, FAILED])


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "txt"),
        ("*/*", "txt"),
        ("text/*", "txt"),
        ("text/plain; charset=utf-8", "txt"),
        ("application/json", "json"),
        ("APPLICATION/JSON", "json"),
        ("application/*", "json"),
        ("application/json, */*", "json"),
        ("text/plain;q=0.5, application/json", "json"),
        ("text/plain;q=0.5, application/json;q=0.4", "txt"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "hocr"),
        ("text/markdown", "md"),
        ("text/tab-separated-values", "tsv"),
        ("application/alto+xml, application/json;q=0.9", "alto"),
        ("text/plain;q=0, */*", "json"),
        ("*/*;q=0.1, text/*;q=0, application/json;q=0.001", "alto"),
        ("nonsense, application/json", "json"),
    ],
)
def test_a_client_gets_the_format_that_it_likes_best(accept: str, name: str) -> None:
    chosen = negotiate(accept)

    assert chosen is not None
    assert chosen.name == name


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "text/plain;q=0", "*/json", "application/json;q=2"])
def test_a_client_that_takes_none_of_our_formats_gets_none(accept: str) -> None:
    assert negotiate(accept) is None
