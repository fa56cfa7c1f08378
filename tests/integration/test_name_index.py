"""Lists narrowed by file name with the index of names: they are the same as without it, whatever is in it by then."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.database.connection import each as each_of
from docserver.database.tables import document_lists, documents, name_index, named_documents
from docserver.database.tables.document_lists import Filter, Position
from docserver.documents import name_indexing
from docserver.model import Status
from docserver.resources import Resources
from tests.support.rows import change, make_job, value

WORDS = ("Invoice", "scan", "Übersicht", "报告", "re\u0301sume\u0301", "straße", "100%", "a_b", "x", "😀")
TYPES = ("application/pdf", "image/png")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few documents, which are numbered at once."""
    monkeypatch.setattr(name_index, "BLOCK", 16)
    monkeypatch.setattr(name_index, "_BITS_BYTES", 2)
    monkeypatch.setattr(name_index, "SETTLED_S", -1)
    monkeypatch.setattr(named_documents, "COMPARED_AT_ONCE", 5)
    monkeypatch.setattr(named_documents, "BLOCKS_AT_ONCE", (1, 2))


async def fill(db: Database, count: int) -> list[Any]:
    """Documents with names of some words, of two types and two statuses, some of them with further names."""
    choose = random.Random(7)
    ids = []
    for number in range(count):
        name = "-".join(choose.sample(WORDS, 2)) + f"{number % 7}.pdf"
        document_id, job_id = await make_job(db, filename=name, content_type=TYPES[number % 2])
        if number % 3 == 0:
            await change(db, "UPDATE jobs SET status = 'failed' WHERE id = %s", job_id.bytes)
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
    yield Filter(DEFAULT_TENANT, filename=".pdf", status=Status.FAILED)
    yield Filter(DEFAULT_TENANT, filename="straße", content_type=TYPES[0])
    yield Filter(
        DEFAULT_TENANT,
        filename="a_b",
        created_from=now + timedelta(days=9),
        created_before=now + timedelta(days=55),
    )


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
    await change(
        db, f"DELETE FROM documents WHERE id IN ({each_of(gone)})", *(document_id.bytes for document_id in gone)
    )
    left = [[each for each in seen if each not in gone] for _, seen in expected]
    assert await everything(db) == [(len(seen), seen) for seen in left]
    await name_indexing.run(resources)
    assert await value(db, "SELECT MIN(block) FROM name_parts") == 1
    assert await everything(db) == [(len(seen), seen) for seen in left]


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
    blocks = named_documents._blocks

    async def blocks_after_another_is_numbered(*arguments: Any) -> range:
        await name_indexing._build(resources, DEFAULT_TENANT)
        before = await blocks(*arguments)
        await name_indexing._build(resources, DEFAULT_TENANT)
        return before

    monkeypatch.setattr(named_documents, "_blocks", blocks_after_another_is_numbered)
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
