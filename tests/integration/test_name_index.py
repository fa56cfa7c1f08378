"""Lists narrowed by file name with the index of names: they are the same as without it, whatever is in it by then."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.database.connection import each as each_of
from docserver.database.tables import document_lists, documents, jobs, name_index, name_parts, named_documents
from docserver.database.tables.document_lists import Filter, Position
from docserver.documents import name_indexing
from docserver.model import Status, new_id
from docserver.reading_options import Options
from docserver.resources import Resources
from tests.support.rows import CLIENT, change, make_job, rows_read, value

WORDS = ("Invoice", "scan", "Übersicht", "报告", "re\u0301sume\u0301", "straße", "Ærobic", "100%", "a_b", "x", "😀")
REPEATING = ("bananana", "anabanan")
"""Names with pairs of letters that are there several times."""
TYPES = ("application/pdf", "image/png")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few documents, which are numbered at once."""
    monkeypatch.setattr(name_parts, "BLOCK", 16)
    monkeypatch.setattr(name_index, "SETTLED_S", -1)
    monkeypatch.setattr(name_index, "PARTS_AT_ONCE", 30)
    monkeypatch.setattr(named_documents, "COMPARED_AT_ONCE", 5)
    monkeypatch.setattr(named_documents, "FEW", 1)
    monkeypatch.setattr(named_documents, "BLOCKS_AT_ONCE", (1, 2))


async def fill(db: Database, count: int) -> list[Any]:
    """Documents with names of some words, of two types and two statuses, some of them with further names."""
    choose = random.Random(7)
    ids = []
    for number in range(count):
        name = "-".join(choose.sample((*WORDS, *REPEATING), 2)) + f"{number % 7}.pdf"
        document_id, job_id = await make_job(db, filename=name, content_type=TYPES[number % 2])
        if number % 3 != 1:
            status = "failed" if number % 3 == 0 else "completed"
            await change(db, "UPDATE jobs SET status = %s WHERE id = %s", status, job_id.bytes)
        if number % 5 == 0:
            async with db.transaction() as cur:
                assert await documents.add_filename(cur, document_id, choose.choice(WORDS))
        ids.append(document_id)
    return ids


def filters() -> Iterator[Filter]:
    now = datetime(2020, 1, 1)  # noqa: DTZ001 - as the database gives it
    for part in ("INVOICE", "icht", "re\u0301su", "报", "-", "5.pdf", "100%", "nothing like it", "\u0301", "😀"):
        yield Filter(DEFAULT_TENANT, filename=part)
    yield Filter(DEFAULT_TENANT, filename="scan", status=Status.FAILED)
    yield Filter(DEFAULT_TENANT, filename="scan", status=Status.PENDING)
    yield Filter(DEFAULT_TENANT, filename="x", status=Status.FAILED, content_type=TYPES[1])
    yield Filter(DEFAULT_TENANT, filename=".pdf", status=Status.FAILED)
    yield Filter(DEFAULT_TENANT, filename="straße", content_type=TYPES[0])
    yield Filter(DEFAULT_TENANT, filename="STRASSE")
    yield Filter(DEFAULT_TENANT, filename="aerobic")
    yield Filter(DEFAULT_TENANT, filename="Invoice", status=Status.COMPLETED)
    yield Filter(DEFAULT_TENANT, filename="banana")
    yield Filter(
        DEFAULT_TENANT,
        filename="a_b",
        created_from=now + timedelta(days=9),
        created_before=now + timedelta(days=55),
    )


async def delete(db: Database, ids: Iterable[UUID]) -> None:
    async with db.transaction() as cur:
        for document_id in ids:
            await name_index.record_deletion(cur, document_id)
            await documents.delete(cur, document_id)


async def delete_as_an_earlier_release(db: Database, ids: Sequence[UUID]) -> None:
    await change(db, f"DELETE FROM documents WHERE id IN ({each_of(ids)})", *(each.bytes for each in ids))


async def listed(db: Database, narrowed: Filter, *, newest_first: bool) -> tuple[int, list[Any]]:
    """How many documents pass, and their ids, going by cursor."""
    seen: list[Any] = []
    after = None
    async with db.session() as cur:
        total = await document_lists.count(cur, narrowed)
        while part := await document_lists.part(
            cur, narrowed, newest_first=newest_first, after=after, limit=7, offset=0
        ):
            seen += [item.document.id for item in part]
            after = Position(part[-1].document.created_at, part[-1].document.id)
        if len(seen) > 7:
            rest = await document_lists.part(cur, narrowed, newest_first=newest_first, after=None, limit=100, offset=3)
            assert [item.document.id for item in rest] == seen[3:]
    return total, seen


async def everything(db: Database) -> list[tuple[int, list[Any]]]:
    return [
        await listed(db, narrowed, newest_first=newest_first)
        for narrowed in filters()
        for newest_first in (True, False)
    ]


async def test_lists_are_the_same_while_the_index_is_built_and_after_documents_are_deleted(
    resources: Resources, db: Database
) -> None:
    ids = await fill(db, 50)
    # Two documents are created at each moment.
    cases = " ".join(["WHEN %s THEN %s"] * len(ids))
    days = [value for number, each in enumerate(ids) for value in (each.bytes, number - number % 2)]
    await change(db, f"UPDATE documents SET created_at = '2020-01-01' + INTERVAL CASE id {cases} END DAY", *days)
    await change(db, "UPDATE jobs j JOIN documents d ON d.id = j.document_id SET j.listed_at = d.created_at")
    expected = await everything(db)
    assert all(total == len(seen) for total, seen in expected)

    await name_indexing._build(resources, DEFAULT_TENANT)
    assert await everything(db) == expected
    await name_indexing.run(resources)
    assert await value(db, "SELECT COUNT(*) FROM documents WHERE name_number IS NULL") < 16
    assert await everything(db) == expected

    gone = [*ids[:20], ids[40]]
    await delete(db, gone)
    left = [[each for each in seen if each not in gone] for _, seen in expected]
    assert await everything(db) == [(len(seen), seen) for seen in left]
    await name_indexing.run(resources)
    assert await value(db, "SELECT MIN(block) FROM name_parts") == 1
    assert await everything(db) == [(len(seen), seen) for seen in left]


async def test_lists_are_the_same_with_what_an_earlier_release_has_recorded_and_deleted(
    resources: Resources, db: Database
) -> None:
    ids = await fill(db, 40)
    expected = await everything(db)
    await name_indexing.run(resources)
    # Earlier releases record neither deleted documents nor pairs of letters that a name has twice.
    await change(db, "DELETE FROM name_parts WHERE LENGTH(part) IN (1, 5)")
    assert await everything(db) == expected

    gone = [*ids[3:25:5], ids[38]]
    await delete(db, gone[:2])
    await delete_as_an_earlier_release(db, gone[2:])
    left = [[each for each in seen if each not in gone] for _, seen in expected]
    assert await everything(db) == [(len(seen), seen) for seen in left]

    await name_indexing.run(resources)
    assert await value(db, "SELECT COUNT(*) FROM name_parts WHERE LENGTH(part) = 1") == 2
    assert await everything(db) == [(len(seen), seen) for seen in left]


async def test_a_total_is_exact_again_after_the_next_check_if_an_earlier_release_deletes_documents(
    resources: Resources, db: Database
) -> None:
    ids = await fill(db, 16)
    await name_indexing.run(resources)
    await delete(db, ids[:1])
    await delete_as_an_earlier_release(db, ids[1:4])
    await name_indexing.run(resources)

    assert await listed(db, Filter(DEFAULT_TENANT, filename=".pdf"), newest_first=False) == (12, ids[4:])


async def test_a_total_by_name_reads_no_rows_of_documents_that_the_index_tells_all_about(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_parts, "BLOCK", 256)
    monkeypatch.setattr(named_documents, "FEW", 8)
    for number in range(256):
        await make_job(db, filename=f"invoice-{number:03}.pdf")
    await change(db, "UPDATE jobs SET status = 'completed' WHERE ORD(RIGHT(id, 1)) MOD 16 > 0")
    completed = await value(db, "SELECT COUNT(*) FROM jobs WHERE status = 'completed'")
    await name_indexing.run(resources)
    narrowed = Filter(DEFAULT_TENANT, filename="Invoice")

    async with db.session() as cur:
        # The server estimates by what an index has of earlier versions of rows too, until it has removed these.
        await cur.execute("ALTER TABLE documents FORCE")
        before = await rows_read(cur)
        assert await document_lists.count(cur, narrowed) == 256
        of_name = await rows_read(cur) - before
        assert await document_lists.count(cur, replace(narrowed, status=Status.COMPLETED)) == completed
        of_status = await rows_read(cur) - before - of_name
        await document_lists.part(cur, narrowed, newest_first=True, after=None, limit=10, offset=0)
        of_part = await rows_read(cur) - before - of_name - of_status

    assert of_name < 64
    assert of_status < 64 + 2 * (256 - completed)
    assert of_part < 256


async def test_no_statement_of_a_long_part_of_a_list_compares_many_documents(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await fill(db, 32)
    await name_indexing.run(resources)
    compared = named_documents._compared
    counts = []

    def counted(search: named_documents.Search, some: Sequence[int]) -> str:
        counts.append(len(some))
        return compared(search, some)

    monkeypatch.setattr(named_documents, "_compared", counted)
    async with db.session() as cur:
        part = await document_lists.part(
            cur, Filter(DEFAULT_TENANT, filename=".pdf"), newest_first=False, after=None, limit=100, offset=0
        )

    assert [item.document.id for item in part] == ids
    assert max(counts) <= named_documents.COMPARED_AT_ONCE


async def test_a_document_that_is_committed_late_is_listed_in_its_place(resources: Resources, db: Database) -> None:
    await fill(db, 32)
    await change(db, "UPDATE documents SET created_at = created_at - INTERVAL 1 DAY")
    await name_indexing.run(resources)
    late, _ = await make_job(db, filename="Invoice-late.pdf")
    await change(db, "UPDATE documents SET created_at = '2020-01-01' WHERE id = %s", late.bytes)
    await fill(db, 32)
    await name_indexing.run(resources)

    _, seen = await listed(db, Filter(DEFAULT_TENANT, filename="invoice"), newest_first=False)

    assert seen[0] == late
    assert await value(db, "SELECT name_number IS NULL FROM documents WHERE id = %s", late.bytes)


async def test_documents_that_are_numbered_while_a_list_is_made_are_listed_once(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await fill(db, 64)
    await name_indexing._build(resources, DEFAULT_TENANT)
    narrowed = Filter(DEFAULT_TENANT, filename=".pdf")
    look_up = name_index.look_up

    async def looked_up_while_others_are_numbered(*arguments: Any) -> Any:
        await name_indexing._build(resources, DEFAULT_TENANT)
        before = await look_up(*arguments)
        await name_indexing._build(resources, DEFAULT_TENANT)
        return before

    monkeypatch.setattr(name_index, "look_up", looked_up_while_others_are_numbered)
    async with db.session() as cur:
        part = await document_lists.part(cur, narrowed, newest_first=False, after=None, limit=100, offset=0)
    assert await value(db, "SELECT COUNT(*) FROM documents WHERE name_number IS NULL") < 32
    assert [item.document.id for item in part] == ids


async def test_a_count_has_documents_once_that_are_numbered_meanwhile(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(db, 64)
    await name_indexing._build(resources, DEFAULT_TENANT)
    count = named_documents.count

    async def counted_before_another_is_numbered(*arguments: Any, **options: Any) -> int:
        await name_indexing._build(resources, DEFAULT_TENANT)
        total = await count(*arguments, **options)
        await name_indexing._build(resources, DEFAULT_TENANT)
        return total

    monkeypatch.setattr(named_documents, "count", counted_before_another_is_numbered)
    async with db.session() as cur:
        assert await document_lists.count(cur, Filter(DEFAULT_TENANT, filename=".pdf")) == 64


async def test_lists_are_the_same_while_jobs_have_no_numbers_yet(resources: Resources, db: Database) -> None:
    ids = await fill(db, 50)
    await change(db, "UPDATE documents SET created_at = created_at - INTERVAL 1 DAY")
    await change(db, "UPDATE jobs j JOIN documents d ON d.id = j.document_id SET j.listed_at = d.created_at")
    expected = await everything(db)
    await name_indexing.run(resources)
    numberless = "SELECT COUNT(*) FROM jobs j JOIN documents d ON d.id = j.document_id WHERE j.name_number IS NULL"
    assert await value(db, f"{numberless} AND d.name_number IS NOT NULL") == 0
    assert await everything(db) == expected

    # As a process of an earlier release makes jobs of documents that have numbers.
    some = ids[1:30:4]
    await change(
        db,
        f"UPDATE jobs SET name_number = NULL WHERE document_id IN ({each_of(some)})",
        *(document_id.bytes for document_id in some),
    )
    assert await everything(db) == expected

    await name_indexing.run(resources)
    assert await value(db, f"{numberless} AND d.name_number IS NOT NULL") == 0
    assert await everything(db) == expected


async def test_a_document_in_the_index_is_listed_by_the_status_of_its_latest_job_alone(
    resources: Resources, db: Database
) -> None:
    ids = await fill(db, 48)
    await change(db, "UPDATE jobs SET status = 'completed'")
    await name_indexing.run(resources)
    later = new_id()
    async with db.transaction() as cur:
        await jobs.leave_list(cur, ids[5])
        await jobs.insert(
            cur,
            job_id=later,
            document_id=ids[5],
            tenant=DEFAULT_TENANT,
            client=CLIENT,
            options=Options("deu"),
            request_id="r",
        )
        await documents.set_latest_job(cur, ids[5], job_id=later)

    of_status = {
        status: (await listed(db, Filter(DEFAULT_TENANT, filename=".pdf", status=status), newest_first=True))
        for status in (Status.PENDING, Status.COMPLETED)
    }

    assert of_status[Status.PENDING] == (1, [ids[5]])
    assert of_status[Status.COMPLETED] == (47, [each for each in ids[::-1] if each != ids[5]])
    number = "SELECT name_number FROM {} WHERE id = %s"
    assert await value(db, number.format("jobs"), later.bytes) == await value(
        db, number.format("documents"), ids[5].bytes
    )


async def test_a_list_by_name_and_a_rare_status_reads_few_of_the_documents_with_the_name(
    resources: Resources, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_parts, "BLOCK", 512)
    for number in range(512):
        await make_job(db, filename=f"invoice-{number}.pdf" if number % 6 == 0 else f"scan-{number}.pdf")
    named = 512 // 6 + 1
    for number in range(named):
        await make_job(db, filename=f"not-numbered-invoice-{number}.pdf")
    await change(
        db,
        "UPDATE jobs j JOIN documents d ON d.id = j.document_id SET j.status = 'failed' "
        "WHERE d.filename IN ('invoice-60.pdf', 'scan-61.pdf')",
    )
    await name_indexing.run(resources)
    narrowed = Filter(DEFAULT_TENANT, filename="INVOICE", status=Status.FAILED)

    async with db.session() as cur:
        before = await rows_read(cur)
        assert await document_lists.count(cur, narrowed) == 1
        counted = await rows_read(cur)
        (item,) = await document_lists.part(cur, narrowed, newest_first=True, after=None, limit=10, offset=0)
        shown = await rows_read(cur)

    assert item.document.filename == "invoice-60.pdf"
    assert counted - before < named
    assert shown - counted < named
