"""The values of the service: status and its moves, packed layouts, and the JSON that clients see."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docserver.caller import DEFAULT_TENANT
from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import Block, Line, Paragraph, Word, lines_of, pack_blocks, unpack_blocks
from docserver.model import FINAL, Document, IllegalMove, Job, Status, new_id, parse_id
from docserver.reading_options import EngineChoice, Mode, Options, Rotate
from docserver.timestamps import rfc3339
from docserver.web import response_schemas

CREATED = datetime(2026, 11, 23, 20, 1, 2, 123456)  # noqa: DTZ001 - as the database gives it
JOB = Job(
    id=UUID("01a20ad8-2046-729e-bbd1-5bce8a788392"),
    document_id=UUID("01a20ad8-2046-729e-bbd1-5bce8a788393"),
    client="10.0.0.1",
    status=Status.PROCESSING,
    version=3,
    options=Options("eng+deu", "1-3"),
    request_id="r",
    pages_total=3,
    pages_done=1,
    pages_failed=1,
    eta_s=11.26,
    attempt=2,
    failure=None,
    engine={"name": "tesseract", "version": "5.3.0", "models": {"eng": "sha256:00"}},
    created_at=CREATED,
    started_at=CREATED,
    finished_at=None,
    tenant=DEFAULT_TENANT,
)
DOCUMENT = Document(
    id=JOB.document_id,
    filename="übung.pdf",
    content_type="application/pdf",
    size=1234,
    sha256=bytes(range(32)),
    created_at=CREATED,
    tenant=DEFAULT_TENANT,
)

MOVES = {
    ("pending", "processing"),
    ("pending", "cancelled"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("processing", "cancelled"),
    ("completed", "pending"),
    ("failed", "pending"),
    ("cancelled", "pending"),
}


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("new", Status)
def test_a_job_moves_only_forward_or_all_the_way_back_for_another_attempt(old: Status, new: Status) -> None:
    if (old.value, new.value) in MOVES:
        assert old.to(new) is new
    else:
        with pytest.raises(IllegalMove, match=f"{old} to {new}"):
            old.to(new)


def test_a_final_status_is_one_without_a_way_on_but_another_attempt() -> None:
    assert {status.value for status in Status if status.final} == {"completed", "failed", "cancelled"} == set(FINAL)


boxes = st.tuples(*[st.integers(0, 100_000)] * 4)
words = st.builds(
    Word,
    # What was read is text: no lone surrogates.
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    boxes,
    st.floats(0, 100, allow_nan=False),
)
blocks = st.lists(
    st.builds(
        Block,
        boxes,
        st.lists(
            st.builds(
                Paragraph,
                boxes,
                st.lists(
                    st.builds(Line, boxes, st.lists(words, max_size=3).map(tuple)),
                    max_size=2,
                ).map(tuple),
            ),
            max_size=2,
        ).map(tuple),
    ),
    max_size=2,
).map(tuple)


@given(blocks)
def test_a_layout_survives_packing_word_by_word(layout: tuple[Block, ...]) -> None:
    assert unpack_blocks(pack_blocks(layout)) == layout


def test_lines_come_in_reading_order() -> None:
    box = (0, 0, 1, 1)
    lines = [Line(box, (Word(text, box, 1.0),)) for text in "abcd"]
    layout = [
        Block(box, (Paragraph(box, (lines[0], lines[1])), Paragraph(box, (lines[2],)))),
        Block(box, (Paragraph(box, (lines[3],)),)),
    ]

    assert list(lines_of(layout)) == lines


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (CREATED, "2026-11-23T20:01:02.123456Z"),
        (CREATED.replace(microsecond=0), "2026-11-23T20:01:02.000000Z"),
        (None, None),
    ],
)
def test_a_time_is_told_with_its_microseconds_and_zone(moment: datetime | None, text: str | None) -> None:
    assert rfc3339(moment) == text


@pytest.mark.parametrize(
    ("status", "total", "done", "failed", "progress"),
    [
        (Status.PENDING, None, 0, 0, 0.0),
        (Status.PROCESSING, None, 0, 0, 0.0),
        (Status.PROCESSING, 20, 6, 1, 0.35),
        (Status.PROCESSING, 3, 1, 0, 0.3333),
        (Status.COMPLETED, 2, 1, 1, 1.0),
        (Status.FAILED, None, 0, 0, 0.0),
        (Status.FAILED, 2, 0, 2, 1.0),
        (Status.CANCELLED, 4, 1, 0, 0.25),
    ],
)
def test_progress_is_the_share_of_pages_that_are_settled(
    status: Status, total: int | None, done: int, failed: int, progress: float
) -> None:
    job = replace(JOB, status=status, pages_total=total, pages_done=done, pages_failed=failed)

    assert job.progress == progress


def test_an_id_is_known_by_its_canonical_form_alone() -> None:
    text = "01a20ad8-2046-729e-bbd1-5bce8a788392"

    assert parse_id(text) == UUID(text)
    for other in (
        text.upper(),
        text.replace("-", ""),
        f"{{{text}}}",
        f"urn:uuid:{text}",
        f" {text}",
        text[:-1],
        "",
        "x",
    ):
        assert parse_id(other) is None


def test_new_ids_are_of_version_7_and_sort_by_their_making() -> None:
    ids = [new_id() for _ in range(1000)]

    assert ids == sorted(set(ids))
    assert {(made.version, made.variant) for made in ids} == {(7, "specified in RFC 4122")}


def as_sent(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def test_a_job_is_shown_as_the_contract_has_it() -> None:
    shown = as_sent(JOB.as_json())

    assert response_schemas.Job().validate(shown) == {}
    assert shown["pages"] == {"total": 3, "done": 1, "failed": 1}
    assert shown["progress"] == 0.6667
    assert shown["eta_seconds"] == 11.3
    assert shown["attempt"] == 2
    assert shown["options"] == {
        "languages": "eng+deu",
        "mode": "auto",
        "pages": "1-3",
        "rotate": "auto",
        "barcodes": True,
        "engine": "auto",
    }
    assert shown["created_at"] == "2026-11-23T20:01:02.123456Z"
    assert shown["finished_at"] is None
    assert shown["error"] is None
    assert shown["links"] == {
        "self": f"/v1/jobs/{JOB.id}",
        "document": f"/v1/documents/{JOB.document_id}",
        "result": f"/v1/jobs/{JOB.id}/result",
        "events": f"/v1/jobs/{JOB.id}/events",
    }


def test_a_job_that_has_only_begun_is_shown_as_the_contract_has_it() -> None:
    begun = replace(JOB, status=Status.PENDING, pages_total=None, engine=None, started_at=None, eta_s=None)
    shown = as_sent(begun.as_json())

    assert response_schemas.Job().validate(shown) == {}
    assert (shown["engine"], shown["eta_seconds"], shown["queue_position"]) == (None, None, None)


def test_a_failed_job_shows_why() -> None:
    failure = Failure(DocumentErrorCode.PAGE_TIMEOUT, "It took too long.", 2)
    shown = as_sent(replace(JOB, status=Status.FAILED, failure=failure).as_json())

    assert response_schemas.Job().validate(shown) == {}
    assert shown["error"] == {"code": "page_timeout", "message": "It took too long.", "page": 2, "retryable": True}


def test_a_document_is_shown_as_the_contract_has_it() -> None:
    shown = as_sent(DOCUMENT.as_json())

    assert response_schemas.DocumentFacts().validate(shown) == {}
    assert shown["sha256"] == bytes(range(32)).hex()
    assert shown["links"] == {"self": f"/v1/documents/{DOCUMENT.id}", "file": f"/v1/documents/{DOCUMENT.id}/file"}


@pytest.mark.parametrize(
    "options",
    [
        Options("eng"),
        Options("auto", "1-3,7", Mode.FORCE, Rotate.OFF),
        Options("eng+deu", rotate=Rotate.OFF, barcodes=False, engine=EngineChoice.PPOCR),
    ],
)
def test_options_survive_being_stored(options: Options) -> None:
    stored = orjson.loads(orjson.dumps(options.as_json()))

    restored = Options.from_json(stored)

    assert restored == options
    assert restored.mode is options.mode
    assert restored.rotate is options.rotate
    assert restored.engine is options.engine


def test_a_job_names_both_engines_that_have_read_it() -> None:
    second = {"name": "ppocr", "version": "6", "models": {}}

    assert JOB.engine and JOB.engine_name == "tesseract 5.3.0"
    assert replace(JOB, engine={**JOB.engine, "second": second}).engine_name == "tesseract 5.3.0, ppocr 6"
    assert replace(JOB, engine=None).engine_name == "unknown"
