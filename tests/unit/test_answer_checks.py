"""Answers of OCR processes: what is checked of them, and how the check ends when nobody waits for it."""

import errno
import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import msgspec
import orjson
import pytest

from docserver.elements import (
    MAX_BARCODE_TEXT,
    MAX_BARCODES,
    MAX_SELECTION_MARKS,
    MAX_TABLE_PLACES,
    MAX_TABLES,
    Barcode,
    Elements,
    SelectionMark,
    Table,
    TableCell,
    pack_elements,
)
from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.answer_checks import MAX_DETAIL, WORDS_AT_ONCE, InvalidAnswer, check
from docserver.ocr.child import tasks
from docserver.ocr.limits import MAX_ELEMENTS_BYTES, MAX_LAYOUT_BYTES
from docserver.ocr.pdf import text_layer
from docserver.ocr.protocol import MAX_ANSWER_BYTES, AnswerQueue, ChildFault
from docserver.ocr.requests import Failed, Opened, OwnTexts, PageRead, ReadOwnTexts, Ready
from docserver.reading_options import Options
from tests.support.limits import LIMITS

STEPS = 5
BOX = (0, 0, 1, 1)
LINE = Line(BOX, (Word("a", BOX, 90.0),) * WORDS_AT_ONCE * STEPS)
READING = Reading(
    width=10,
    height=10,
    dpi=None,
    rotation=0,
    source=Source.OCR,
    confidence=50.0,
    text="a",
    layout=pack_blocks(()),
)
LONG_LINE = replace(READING, layout=pack_blocks([Block(BOX, (Paragraph(BOX, (LINE,)),))]))

WORD = b'["a",[0,0,1,1],90.0]'
LAYOUT = b"[[[0,0,1,1],[[[0,0,1,1],[[[0,0,1,1],[%b]]]]]]]" % WORD
"""One block of one paragraph of one line of one word."""

BROKEN = Failure(DocumentErrorCode.CORRUPT, "It is broken.")


def packed(layout: bytes) -> Reading:
    return replace(READING, layout=zlib.compress(layout))


def with_box(coordinate: bytes) -> Reading:
    return packed(LAYOUT.replace(b"0", coordinate, 1))


def with_confidence(confidence: bytes) -> Reading:
    return packed(LAYOUT.replace(b"90.0", confidence))


def elements_json(barcodes: Sequence[Barcode]) -> bytes:
    return orjson.dumps({"barcodes": barcodes})


BARCODE = Barcode("QRCode", "7", None, (0, 0, 10, 10), 359)
BARCODES = elements_json([BARCODE])
ELEMENTS = zlib.compress(BARCODES)


def with_elements(text: bytes) -> Reading:
    return replace(READING, packed_elements=zlib.compress(text))


def with_barcode(**changes: Any) -> Reading:
    return with_elements(elements_json([replace(BARCODE, **changes)]))


CELLS = (
    TableCell(0, 0, 2, 1, (0, 0, 5, 10), "7", True, (0,)),
    TableCell(0, 1, 1, 1, (5, 0, 10, 5), "", False, ()),
    TableCell(1, 1, 1, 1, (5, 5, 10, 10), "", False, ()),
)
TABLE = Table((0, 0, 10, 10), 2, 2, CELLS)


def with_tables(*tables: Table) -> Reading:
    return replace(READING, packed_elements=pack_elements(Elements(tables=tables)))


def with_table(**changes: Any) -> Reading:
    return with_tables(replace(TABLE, **changes))


def with_cell(**changes: Any) -> Reading:
    return with_table(cells=(CELLS[0], CELLS[1], replace(CELLS[2], **changes)))


MARK = SelectionMark("selected", (0, 0, 10, 10), 95.0)
MARKS = orjson.dumps({"selection_marks": [MARK]})


def with_mark(**changes: Any) -> Reading:
    return with_elements(orjson.dumps({"selection_marks": [replace(MARK, **changes)]}))


FORGED_PAGES: dict[str, Any] = {
    "a page without a size": replace(READING, width=0),
    "a page that no column holds": replace(READING, height=2**31),
    "a resolution below zero": replace(READING, dpi=-1),
    "a page that stands aslant": replace(READING, rotation=45),
    "a source that nobody knows": replace(READING, source=cast("Any", "magic")),
    "a confidence that is no number": replace(READING, confidence=float("nan")),
    "a confidence above all": replace(READING, confidence=101.0),
    "languages of another kind": replace(READING, languages=cast("Any", 7)),
    "languages that no model is called": replace(READING, languages="../eng"),
    "languages without an end": replace(READING, languages="eng+" * 200 + "eng"),
    "a text of another kind": replace(READING, text=cast("Any", 7)),
    "a text without an end": replace(READING, text="x" * 300_000),
    "a layout that is not compressed": replace(READING, layout=b"[]"),
    "half a layout": replace(READING, layout=READING.layout[:-5]),
    "a layout that explodes": packed(b" " * MAX_LAYOUT_BYTES + b"[]"),
    "a layout with more behind it": replace(READING, layout=READING.layout + b"more"),
    "a box of no page": with_box(b"-9999999999"),
    "a box with a fraction": with_box(b"0.5"),
    "a box of ten thousand digits": with_box(b"9" * 10_000),
    "a box of a million digits": with_box(b"9" * 1_000_000),
    "a box that is no number": with_box(b"NaN"),
    "a word's confidence below zero": with_confidence(b"-0.5"),
    "a word's confidence without end": with_confidence(b"1e308"),
    "a word's confidence that is no number": with_confidence(b"NaN"),
    "lists in lists in a layout": packed(b"[" * 1_000_000),
    "lists in the place of words": packed(LAYOUT.replace(WORD, b"[" * 100_000)),
    "a layout that is no JSON": packed(b"words"),
    "a layout of another shape": packed(b"[[1, 2]]"),
    "a line without words": packed(LAYOUT.replace(WORD, b"")),
    "half a character": packed(LAYOUT.replace(b"a", b"\\ud800")),
    "elements that are not compressed": replace(READING, packed_elements=b"{}"),
    "half of the elements": replace(READING, packed_elements=ELEMENTS[:-5]),
    "elements with more behind them": replace(READING, packed_elements=ELEMENTS + b"more"),
    "elements that explode": with_elements(b" " * MAX_ELEMENTS_BYTES + b'{"barcodes":[]}'),
    "elements without any": with_elements(b"{}"),
    "elements that nobody knows": with_elements(b'{"barcodes":[],"spells":[]}'),
    "elements of another kind": with_elements(b"7"),
    "lists in lists of elements": with_elements(b'{"barcodes":' + b"[" * 100_000),
    "a barcode of a kind that nobody knows": with_barcode(kind="magic"),
    "a barcode that says nothing": with_barcode(text=None),
    "a barcode that says two things": with_barcode(data="YQ=="),
    "a barcode whose data is no base64": with_barcode(text=None, data="?"),
    "a barcode without an end": with_barcode(text="x" * (MAX_BARCODE_TEXT + 1)),
    "a barcode that says half a character": with_elements(BARCODES.replace(b'"7"', b'"\\ud800"')),
    "a barcode beside the page": with_barcode(box=(0, 0, 11, 1)),
    "a barcode before the page": with_barcode(box=(-1, 0, 1, 1)),
    "a barcode without a size": with_barcode(box=(3, 3, 3, 4)),
    "a barcode with half a pixel": with_barcode(box=cast("Any", (0, 0, 1, 1.5))),
    "a barcode that is turned too far": with_barcode(rotation=360),
    "a table beside the page": with_table(box=(0, 0, 11, 10)),
    "a table without rows": with_table(rows=0, cells=()),
    "a table whose cells do not fill it": with_table(cells=CELLS[:2]),
    "a table larger than any": with_tables(replace(TABLE, rows=1, columns=MAX_TABLE_PLACES + 1)),
    "a cell behind its table": with_cell(column=2),
    "a cell before its table": with_cell(row=-1),
    "a cell of two others": with_cell(row=0, column=0),
    "cells out of order": with_table(cells=CELLS[::-1]),
    "a cell that spans less than nothing": with_cell(row_span=-1, column_span=-1),
    "a cell that spans more than anybody counts": with_cell(row_span=2**62),
    "a cell beside the page": with_cell(box=(5, 5, 11, 10)),
    "a word in two cells": with_cell(words=(0,)),
    "a word before the page": with_cell(words=(-1,)),
    "a word behind the page": with_cell(words=(len(READING.text),)),
    "too many tables": with_tables(*[replace(TABLE, rows=1, columns=1, cells=CELLS[:0])] * (MAX_TABLES + 1)),
    "too many barcodes": with_elements(elements_json([BARCODE] * (MAX_BARCODES + 1))),
    "a box in a state that nobody knows": with_mark(state="perhaps"),
    "a box that is surer than sure": with_mark(confidence=100.5),
    "a box whose confidence is no number": with_elements(MARKS.replace(b"95.0", b"NaN")),
    "a box beside the page, to tick": with_mark(box=(0, 0, 1, 11)),
    "too many boxes": with_elements(orjson.dumps({"selection_marks": [MARK] * (MAX_SELECTION_MARKS + 1)})),
    "no page": None,
}

FORGED_ANSWERS: dict[str, Any] = {
    "of another kind": Ready(),
    "own texts in the place of a document": OwnTexts((READING,)),
    "a message without an end": Opened(1, (), Failure(DocumentErrorCode.CORRUPT, "x" * 600)),
    "a failure of a page of its choice": Opened(1, (), replace(BROKEN, page=2)),
    "a failure with a message without an end": Failed(Failure(DocumentErrorCode.CORRUPT, "x" * 600), ""),
    "a failure that nobody knows": Failed(Failure(cast("Any", "unheard of"), "x"), ""),
}


def assert_refused(answer: Any, *, expected: type[Opened | PageRead], abandoned: bool = False) -> None:
    """Send an answer as an OCR process would, to a server that expects one of this kind."""
    queue = AnswerQueue(get_context("spawn"))
    if abandoned:
        queue.abandon()
    queue.expect(expected)
    queue.answers_to(lambda _: True)
    # A long answer takes more room than a pipe has.
    with ThreadPoolExecutor(1) as process:
        process.submit(queue.put, SimpleNamespace(work_id=7, result=answer, exception=None))
        with pytest.raises((InvalidAnswer, msgspec.MsgspecError, zlib.error, RecursionError)):
            queue._reader.recv()
    assert queue.invalid
    queue.close()


@pytest.mark.parametrize("page", FORGED_PAGES)
def test_a_forged_page_is_refused(page: str) -> None:
    forged = FORGED_PAGES[page]

    assert_refused(PageRead(forged) if forged else None, expected=PageRead)


@pytest.mark.parametrize("answer", FORGED_ANSWERS)
def test_an_answer_that_does_not_fit_its_request_is_refused(answer: str) -> None:
    assert_refused(FORGED_ANSWERS[answer], expected=Opened)


def test_what_is_forged_within_all_bounds_is_accepted() -> None:
    check(PageRead(packed(LAYOUT)), abandoned=lambda: False)
    check(PageRead(with_elements(BARCODES)), abandoned=lambda: False)
    check(PageRead(with_elements(MARKS)), abandoned=lambda: False)
    check(PageRead(with_barcode(text=None, data="YQ==")), abandoned=lambda: False)
    check(PageRead(with_tables(TABLE)), abandoned=lambda: False)


def test_a_long_line_is_checked_in_steps() -> None:
    asked = Mock(return_value=False)

    check(PageRead(LONG_LINE), abandoned=asked)

    assert asked.call_count == STEPS


def test_a_check_ends_when_nobody_waits_for_the_answer() -> None:
    asked = Mock(side_effect=[False, False, True])

    with pytest.raises(InvalidAnswer, match="nobody waits"):
        check(PageRead(LONG_LINE), abandoned=asked)


def test_the_log_accuses_no_process_of_an_answer_that_nobody_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    assert_refused(PageRead(LONG_LINE), expected=PageRead, abandoned=True)
    assert caplog.messages == []

    assert_refused(Ready(), expected=PageRead)
    assert caplog.messages == ["OCR process gave an invalid answer"]


def test_the_sum_of_all_layouts_is_bounded() -> None:
    half = replace(READING, layout=zlib.compress(b" " * (MAX_LAYOUT_BYTES // 2 - 2) + b"[]"))
    check(OwnTexts((half, half)), abandoned=lambda: False)

    with pytest.raises(InvalidAnswer, match="too long"):
        check(OwnTexts((half, half, READING)), abandoned=lambda: False)


def test_the_sum_of_all_elements_is_bounded() -> None:
    barcodes = [replace(BARCODE, text="x" * MAX_BARCODE_TEXT)] * (MAX_ELEMENTS_BYTES // 2 // (MAX_BARCODE_TEXT + 100))
    half = with_elements(elements_json(barcodes))
    check(OwnTexts((half, half)), abandoned=lambda: False)

    with pytest.raises(InvalidAnswer, match="beside its text"):
        check(OwnTexts((half, half, half)), abandoned=lambda: False)


def test_nothing_is_decoded_after_the_layouts_are_too_long() -> None:
    full = zlib.compress(orjson.dumps([]) + b" " * (MAX_LAYOUT_BYTES - 2))
    no_json = zlib.compress(b"no json")

    with pytest.raises(InvalidAnswer, match="too long"):
        check(OwnTexts((replace(READING, layout=full), replace(READING, layout=no_json))), abandoned=lambda: False)


def test_an_ocr_process_sends_no_more_text_layers_than_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    half = replace(READING, layout=zlib.compress(b" " * (MAX_LAYOUT_BYTES // 2 - 2) + b"[]"))
    monkeypatch.setattr(text_layer, "readings", lambda *_, **__: iter([half] * 3))
    request = ReadOwnTexts(content_type="application/pdf", pages=[1, 2, 3], options=Options("eng"))

    readings = tasks.own_texts(request, "", LIMITS)

    assert len(readings) == 2
    check(OwnTexts(readings), abandoned=lambda: False)
    assert len(msgspec.msgpack.encode(OwnTexts(readings))) < MAX_ANSWER_BYTES


def test_a_detail_that_is_too_long_is_refused() -> None:
    failure = Failure(DocumentErrorCode.CORRUPT, "It is broken.")
    check(Failed(failure, "x" * MAX_DETAIL), abandoned=lambda: False)

    with pytest.raises(InvalidAnswer, match="detail"):
        check(Failed(failure, "x" * (MAX_DETAIL + 1)), abandoned=lambda: False)


@pytest.mark.parametrize(
    ("error", "number"), [(OSError(errno.ENOSPC, "full"), errno.ENOSPC), (ValueError("full"), None)]
)
def test_an_exception_of_an_ocr_process_is_a_fault_with_its_number(error: Exception, number: int | None) -> None:
    queue = AnswerQueue(get_context("spawn"))
    queue.expect(PageRead)
    queue._reader.is_running = lambda _: True

    queue.put(SimpleNamespace(work_id=7, result=None, exception=SimpleNamespace(exc=error)))
    item = queue._reader.recv()
    queue.close()

    assert item.work_id == 7
    assert isinstance(item.exception, ChildFault)
    assert item.exception.errno == number
    assert str(item.exception).startswith(type(error).__name__)


def test_the_end_of_an_executor_is_no_answer() -> None:
    queue = AnswerQueue(get_context("spawn"))

    queue.put(os.getpid())

    assert not queue._reader._connection.poll()
    queue.close()
