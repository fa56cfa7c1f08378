"""Answers of OCR processes: what is checked of them, and how the check ends when nobody waits for it."""

import errno
import os
import zlib
from dataclasses import replace
from multiprocessing import get_context
from types import SimpleNamespace
from unittest.mock import Mock

import msgspec
import orjson
import pytest

from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.answer_checks import MAX_DETAIL, WORDS_AT_ONCE, InvalidAnswer, check
from docserver.ocr.child import tasks
from docserver.ocr.limits import MAX_LAYOUT_BYTES
from docserver.ocr.pdf import text_layer
from docserver.ocr.protocol import MAX_ANSWER_BYTES, AnswerQueue, ChildFault
from docserver.ocr.requests import Failed, OwnTexts, PageRead, ReadOwnTexts
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


def test_a_long_line_is_checked_in_steps() -> None:
    asked = Mock(return_value=False)

    check(PageRead(LONG_LINE), abandoned=asked)

    assert asked.call_count == STEPS


def test_a_check_ends_when_nobody_waits_for_the_answer() -> None:
    asked = Mock(side_effect=[False, False, True])

    with pytest.raises(InvalidAnswer, match="nobody waits"):
        check(PageRead(LONG_LINE), abandoned=asked)


def test_the_sum_of_all_layouts_is_bounded() -> None:
    half = replace(READING, layout=zlib.compress(b" " * (MAX_LAYOUT_BYTES // 2 - 2) + b"[]"))
    check(OwnTexts((half, half)), abandoned=lambda: False)

    with pytest.raises(InvalidAnswer, match="too long"):
        check(OwnTexts((half, half, READING)), abandoned=lambda: False)


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
