"""The SQL of lists: what filters find, in which order, and what cursors and offsets show."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.database.tables import document_lists, documents, jobs
from docserver.database.tables.document_lists import Filter, Position
from docserver.documents import list_columns
from docserver.model import Status, new_id
from docserver.reading_options import Options
from docserver.resources import Resources
from tests.support.rows import CLIENT, change, finish_job, make_job


async def names(db: Database, narrowed: Filter | None = None) -> list[str]:
    """The file names that pass the filter, oldest first; `count` must say as many."""
    narrowed = narrowed or Filter(tenant=DEFAULT_TENANT)
    async with db.session() as cur:
        items = await document_lists.part(cur, narrowed, newest_first=False, after=None, limit=100, offset=0)
        reverse = await document_lists.part(cur, narrowed, newest_first=True, after=None, limit=100, offset=0)
        assert await document_lists.count(cur, narrowed) == len(items)
    assert reverse == items[::-1]
    return [item.document.filename for item in items]


async def make_documents(db: Database, filenames: Iterable[str]) -> list[UUID]:
    return [(await make_job(db, filename=filename))[0] for filename in filenames]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("100%", ["100%.png"]),
        ("%", ["100%.png"]),
        ("_", ["a_b.png"]),
        ("a_b", ["a_b.png"]),
        ("\\", ["back\\slash.png"]),
        ("\\slash", ["back\\slash.png"]),
        ("'", ["it's.png"]),
        ("AXB", ["axb.png"]),
        ("übung", ["ÜBUNG.png"]),
        ("ОТЧЁТ", ["отчёт.png"]),
        ("😀", ["😀.png"]),
        ("报告", ["年度报告.png"]),
        ("nothing like it", []),
        ("' OR 1=1 -- ", []),
    ],
)
async def test_a_part_of_a_name_is_found_as_it_is_written_in_any_case(
    db: Database, part: str, expected: list[str]
) -> None:
    everything = [
        "100%.png",
        "1000.png",
        "a_b.png",
        "axb.png",
        "back\\slash.png",
        "it's.png",
        "ÜBUNG.png",
        "отчёт.png",
        "😀.png",
        "😎.png",
        "年度报告.png",
    ]
    await make_documents(db, everything)

    assert await names(db, Filter(filename=part, tenant=DEFAULT_TENANT)) == expected
    assert await names(db) == everything


@pytest.mark.parametrize("part", ["Köln", "Ko\u0308ln", "KÖLN", "KO\u0308LN"])
async def test_a_name_is_found_in_any_unicode_form_also_one_that_an_earlier_version_stored_decomposed(
    db: Database, part: str
) -> None:
    ids = await make_documents(db, ["Köln.png", "Ko\u0308ln.png", "a.png", "b.png"])
    await change(db, "UPDATE documents SET other_filenames = 'x\nKo\u0308ln' WHERE id = %s", ids[2].bytes)

    assert await names(db, Filter(filename=part, tenant=DEFAULT_TENANT)) == ["Köln.png", "Ko\u0308ln.png", "a.png"]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("strasse", ["Straße.png", "STRASSE.png"]),
        ("Straße", ["Straße.png", "STRASSE.png"]),
        ("as", ["Straße.png", "STRASSE.png"]),
        ("aero", ["Ærø.png", "aeroplane.png"]),
        ("ærø", ["Ærø.png", "aeroplane.png"]),
        ("coeur", ["cœur.png"]),
    ],
)
async def test_letters_that_are_written_as_one_or_as_two_are_found_either_way(
    db: Database, part: str, expected: list[str]
) -> None:
    ids = await make_documents(db, ["Straße.png", "STRASSE.png", "Ærø.png", "aeroplane.png", "cœur.png", "other.png"])
    await change(db, "UPDATE documents SET other_filenames = 'x\nWeißer Tag' WHERE id = %s", ids[5].bytes)

    assert await names(db, Filter(filename=part, tenant=DEFAULT_TENANT)) == expected
    assert await names(db, Filter(filename="weisser", tenant=DEFAULT_TENANT)) == ["other.png"]


async def test_a_list_is_narrowed_by_kind_and_status_of_the_latest_job(db: Database) -> None:
    await make_job(db, filename="pending.png")
    await make_job(db, filename="pending.pdf", content_type="application/pdf")
    _, done = await make_job(db, filename="done.pdf", content_type="application/pdf", total=0)
    await finish_job(db, done)

    assert await names(db, Filter(content_type="application/pdf", tenant=DEFAULT_TENANT)) == ["pending.pdf", "done.pdf"]
    assert await names(db, Filter(status=Status.COMPLETED, tenant=DEFAULT_TENANT)) == ["done.pdf"]
    assert await names(db, Filter(status=Status.PENDING, content_type="application/pdf", tenant=DEFAULT_TENANT)) == [
        "pending.pdf"
    ]
    assert await names(db, Filter(status=Status.FAILED, tenant=DEFAULT_TENANT)) == []


async def test_jobs_of_an_earlier_release_are_listed_before_and_after_their_columns_are_filled_in(
    resources: Resources, db: Database
) -> None:
    await make_job(db, filename="pending.png")
    await make_job(db, filename="early.pdf", content_type="application/pdf")
    _, done = await make_job(db, filename="done.pdf", content_type="application/pdf", total=0)
    await finish_job(db, done)
    narrowed = [
        Filter(content_type="application/pdf", tenant=DEFAULT_TENANT),
        Filter(status=Status.COMPLETED, tenant=DEFAULT_TENANT),
        Filter(status=Status.PENDING, content_type="image/png", tenant=DEFAULT_TENANT),
        Filter(status=Status.PENDING, filename="EARLY", tenant=DEFAULT_TENANT),
    ]
    expected = [["early.pdf", "done.pdf"], ["done.pdf"], ["pending.png"], ["early.pdf"]]
    assert [await names(db, each) for each in narrowed] == expected

    await change(db, "UPDATE jobs SET content_type = NULL, listed_at = NULL WHERE status = 'pending'")
    assert [await names(db, each) for each in narrowed] == expected

    await list_columns.fill(resources)
    assert [await names(db, each) for each in narrowed] == expected
    async with db.session() as cur:
        assert await document_lists.unfilled(cur, limit=1) == []


async def test_a_list_is_narrowed_by_time_from_and_including_up_to_and_excluding(db: Database) -> None:
    noon = datetime(2026, 5, 1, 12, 0, 0, 123456)  # noqa: DTZ001 - as the database gives it
    for document_id, moment in zip(
        await make_documents(db, ["before", "at", "after"]),
        (noon - timedelta(microseconds=1), noon, noon + timedelta(microseconds=1)),
        strict=True,
    ):
        await change(db, "UPDATE documents SET created_at = %s WHERE id = %s", moment, document_id.bytes)

    assert await names(db, Filter(created_from=noon, tenant=DEFAULT_TENANT)) == ["at", "after"]
    assert await names(db, Filter(created_before=noon, tenant=DEFAULT_TENANT)) == ["before"]
    assert await names(
        db, Filter(created_from=noon, created_before=noon + timedelta(microseconds=1), tenant=DEFAULT_TENANT)
    ) == ["at"]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_all_is_seen_once_going_by_cursor_also_among_documents_of_one_moment(
    db: Database, *, newest_first: bool
) -> None:
    ids = await make_documents(db, [f"{number}.png" for number in range(7)])
    await change(db, "UPDATE documents SET created_at = '2026-05-01 12:00:00.000001'")
    await change(db, "UPDATE documents SET created_at = '2026-05-01 11:00:00' WHERE id = %s", ids[3].bytes)
    seen: list[UUID] = []
    after = None

    while len(seen) < 100:
        async with db.session() as cur:
            part = await document_lists.part(
                cur, Filter(tenant=DEFAULT_TENANT), newest_first=newest_first, after=after, limit=2, offset=0
            )
        if not part:
            break
        seen += [item.document.id for item in part]
        after = Position(part[-1].document.created_at, part[-1].document.id)

    oldest_first = [ids[3], *(document_id for document_id in ids if document_id != ids[3])]
    assert seen == (oldest_first[::-1] if newest_first else oldest_first)


async def test_a_cursor_keeps_its_place_while_documents_come(db: Database) -> None:
    ids = await make_documents(db, "abcd")
    async with db.session() as cur:
        first = await document_lists.part(
            cur, Filter(tenant=DEFAULT_TENANT), newest_first=True, after=None, limit=2, offset=0
        )
    await make_documents(db, "ef")

    async with db.session() as cur:
        place = Position(first[-1].document.created_at, first[-1].document.id)
        rest = await document_lists.part(
            cur, Filter(tenant=DEFAULT_TENANT), newest_first=True, after=place, limit=10, offset=0
        )

    assert [item.document.id for item in rest] == [ids[1], ids[0]]


async def test_a_list_is_paged_by_limit_and_offset(db: Database) -> None:
    ids = await make_documents(db, "abcde")

    async with db.session() as cur:
        part = await document_lists.part(
            cur, Filter(tenant=DEFAULT_TENANT), newest_first=True, after=None, limit=2, offset=1
        )
        beyond = await document_lists.part(
            cur, Filter(tenant=DEFAULT_TENANT), newest_first=True, after=None, limit=2, offset=9
        )

    assert [item.document.id for item in part] == [ids[3], ids[2]]
    assert beyond == []


async def test_a_listed_document_comes_with_its_latest_job(db: Database) -> None:
    document_id, job_id = await make_job(db, total=3)

    async with db.session() as cur:
        (item,) = await document_lists.part(
            cur, Filter(tenant=DEFAULT_TENANT), newest_first=True, after=None, limit=2, offset=0
        )
        document = await documents.find(cur, document_id, tenant=DEFAULT_TENANT)

    assert item.document == document
    assert (item.job_id, item.status, item.pages_total) == (job_id, Status.PROCESSING, 3)


async def test_the_jobs_of_a_document_come_latest_first(db: Database) -> None:
    document_id, first = await make_job(db)
    second = new_id()
    async with db.session() as cur:
        await jobs.insert(
            cur,
            job_id=second,
            document_id=document_id,
            client=CLIENT,
            options=Options("deu"),
            request_id="r",
            tenant=DEFAULT_TENANT,
        )

        found_jobs = await jobs.of_document(cur, document_id)

    assert [job.id for job in found_jobs] == [second, first]
