"""Whatever bytes an OCR process sends: a valid answer within its bounds, or the fault that ends its process."""

import json
import math
import zlib
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import words_of
from docserver.model import Reading
from docserver.ocr.answer_checks import MAX_DETAIL, MAX_MESSAGE, MAX_NUMBER, InvalidAnswer
from docserver.ocr.limits import MAX_LAYOUT_BYTES, MAX_TEXT, PAGES_AT_ONCE
from docserver.ocr.protocol import AnswerQueue, ChildFault, PrivateContext, ResultItem
from docserver.ocr.requests import (
    MAX_PAGE_SIZES,
    MAX_PROBLEMS,
    Answer,
    Failed,
    Inspected,
    Opened,
    OwnTexts,
    PageDrawn,
    PageRead,
    PageSize,
    Raised,
    Ready,
    SearchableMade,
)
from tests.fuzz.effort import tries
from tests.fuzz.values import damaged, readings

KINDS = (Ready, Opened, OwnTexts, PageRead, SearchableMade, PageDrawn, Inspected)
REFUSALS = (InvalidAnswer, msgspec.MsgspecError, UnicodeDecodeError, zlib.error)
"""The documented faults of `recv` for bytes that arrived whole."""

numbers = st.integers(-(2**63), 2**64 - 1)
"""All that MessagePack can write."""

failures = st.builds(Failure, st.sampled_from(DocumentErrorCode), st.text(max_size=20), st.none() | numbers)
answers: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Ready),
    st.builds(Opened, numbers, st.lists(readings, max_size=2).map(tuple), st.none() | failures),
    st.builds(OwnTexts, st.lists(readings, max_size=2).map(tuple)),
    st.builds(PageRead, readings),
    st.builds(SearchableMade),
    st.builds(PageDrawn),
    st.builds(
        Inspected,
        st.none() | numbers,
        st.lists(st.builds(PageSize, st.floats(), st.floats(), st.booleans()), max_size=2).map(tuple),
        st.lists(failures, max_size=2).map(tuple),
    ),
    st.builds(Failed, failures, st.text(max_size=20), st.booleans()),
    st.builds(Raised, st.text(max_size=20), st.none() | numbers),
)

values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=20,
)
layouts = st.recursive(
    st.sampled_from(
        (0, 1, -1, 1.0, 1e300, 2**31, 2**70, "a", "", None, True, 90.5, [0, 0, 1, 1], ["a", [0, 0, 1, 1], 90.0])
    ),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(st.just([0, 0, 1, 1]), st.lists(inner, max_size=2)),
    max_leaves=12,
)

JSON_TRICKS = (b"[", b"]", b",", b'"', b"1e5", b"1.0", b"-0.0", b"\\ud800", b"\\u0000", b"\x00", b"\xff", b"null", b" ")


def received(body: bytes, *, expected: type[Any]) -> ResultItem | None:
    """What the server makes of these bytes; None if it refuses them in the documented way."""
    queue = AnswerQueue(PrivateContext())
    try:
        queue.expect(expected)
        queue.answers_to(lambda _: True)
        queue._sending.send_bytes(body)
        try:
            return queue._reader.recv()
        except REFUSALS:
            assert queue.ended
            assert queue.invalid
            return None
    finally:
        queue.close()


def assert_within_bounds(item: ResultItem, *, expected: type[Any]) -> None:
    if item.exception is not None:
        assert isinstance(item.exception, ChildFault)
        assert len(str(item.exception)) <= MAX_MESSAGE
        return
    match item.result:
        case Failed(failure=failure, detail=detail):
            assert_failure(failure)
            assert len(detail) <= MAX_DETAIL
            return
        case Opened(readings=given, failure=failure):
            if failure is not None:
                assert_failure(failure)
        case OwnTexts(readings=given):
            pass
        case PageRead(reading=reading):
            given = (reading,)
        case Inspected():
            given = ()
            assert_inspected(item.result)
        case _:
            given = ()
    assert type(item.result) is expected
    assert len(given) <= PAGES_AT_ONCE
    for reading in given:
        assert_reading(reading)


def assert_inspected(inspected: Inspected) -> None:
    assert inspected.pages is None or 1 <= inspected.pages <= MAX_NUMBER
    assert len(inspected.sizes) <= MAX_PAGE_SIZES
    assert all(side >= 0 and math.isfinite(side) for size in inspected.sizes for side in (size.width, size.height))
    assert len(inspected.problems) <= MAX_PROBLEMS
    for problem in inspected.problems:
        assert_failure(replace(problem, page=None))
        assert problem.page is None or 1 <= problem.page <= MAX_NUMBER


def assert_failure(failure: Failure) -> None:
    assert len(failure.message) <= MAX_MESSAGE
    assert failure.page is None
    failure.message.encode()


def assert_reading(reading: Reading) -> None:
    """Everything that stores, sends or renders a reading can rely on this."""
    assert min(reading.width, reading.height) >= 1
    assert max(reading.width, reading.height) <= MAX_NUMBER
    assert len(reading.text.encode()) <= 4 * MAX_TEXT
    assert len(zlib.decompress(reading.layout)) <= MAX_LAYOUT_BYTES
    for block in reading.blocks:
        assert_box(block.box)
        for paragraph in block.paragraphs:
            assert_box(paragraph.box)
    for word in words_of(reading.blocks):
        assert_box(word.box)
        assert 0 <= word.confidence <= 100
        word.text.encode()


def assert_box(box: tuple[int, ...]) -> None:
    assert len(box) == 4
    assert all(type(value) is int and abs(value) <= MAX_NUMBER for value in box)


def check(body: bytes, expected: type[Any]) -> None:
    item = received(body, expected=expected)
    if item is not None:
        assert_within_bounds(item, expected=expected)


@tries(30)
@given(body=st.binary(max_size=400) | values.map(msgspec.msgpack.encode), expected=st.sampled_from(KINDS))
def test_bytes_are_an_answer_within_its_bounds_or_refused(body: bytes, expected: type[Any]) -> None:
    check(body, expected)


@tries(30)
@given(kind=st.sampled_from((*KINDS, Failed, Raised)), fields=st.lists(values, max_size=5), data=st.data())
def test_values_in_the_shape_of_an_answer_are_within_its_bounds_or_refused(
    kind: type[Any], fields: list[Any], data: st.DataObject
) -> None:
    expected = kind if kind in KINDS else data.draw(st.sampled_from(KINDS))
    check(msgspec.msgpack.encode((1, [kind.__name__, *fields])), expected)


@tries(30)
@given(answer=answers, data=st.data())
def test_a_damaged_answer_is_within_its_bounds_or_refused(answer: Answer, data: st.DataObject) -> None:
    expected = type(answer) if isinstance(answer, KINDS) else Ready
    check(data.draw(damaged(msgspec.msgpack.encode((1, answer)))), expected)


@tries(30)
@given(reading=readings, layout=layouts, data=st.data())
def test_json_as_a_layout_is_within_its_bounds_or_refused(reading: Reading, layout: Any, data: st.DataObject) -> None:
    text = data.draw(damaged(json.dumps([layout]).encode(), pieces=JSON_TRICKS))
    changed = replace(reading, layout=zlib.compress(text))
    check(msgspec.msgpack.encode((1, PageRead(changed))), PageRead)


@tries(30)
@given(reading=readings, data=st.data())
def test_a_damaged_layout_is_within_its_bounds_or_refused(reading: Reading, data: st.DataObject) -> None:
    text = data.draw(damaged(zlib.decompress(reading.layout), pieces=JSON_TRICKS))
    changed = replace(reading, layout=zlib.compress(text))
    check(msgspec.msgpack.encode((1, PageRead(changed))), PageRead)
