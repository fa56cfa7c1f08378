"""Answers of OCR processes: what is checked of them, and how the check ends when nobody waits for it."""

import zlib
from dataclasses import replace
from unittest.mock import Mock

import msgspec
import orjson
import pytest

from docserver.layout import Block, Line, Paragraph, Word, pack_blocks
from docserver.model import Options, Reading, Source
from docserver.ocr.answer_checks import WORDS_AT_ONCE, InvalidAnswer, check
from docserver.ocr.child import tasks
from docserver.ocr.limits import MAX_LAYOUT_BYTES
from docserver.ocr.pdf import text_layer
from docserver.ocr.protocol import MAX_ANSWER_BYTES
from docserver.ocr.requests import OwnTexts, PageRead, ReadOwnTexts
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
