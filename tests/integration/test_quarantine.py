"""Originals that no document knows: kept in the quarantine, put back, restored as documents, deleted at last."""

import errno
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.commands.quarantine import list_quarantine, restore_from_quarantine
from docserver.database.connection import each
from docserver.database.tables import deletions, documents
from docserver.database.tables.deletions import Deletion
from docserver.documents import deletion
from docserver.documents import originals as module
from docserver.documents.originals import GRACE_S
from docserver.documents.restoration import Outcome, restore
from docserver.maintenance import FILES_EVERY_S, Maintenance
from docserver.resources import Resources
from tests.support.originals import original
from tests.support.redis_state import announced
from tests.support.rows import change, make_job, value
from tests.support.samples import png

LONG_AGO_S = 2 * GRACE_S


async def keep(resources: Resources, document_id: UUID, data: bytes = b"content", *, age_s: float = LONG_AGO_S) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield data

    await resources.storage.keep(await resources.storage.receive(chunks(), max_bytes=10**6), document_id)
    path = await original(resources.storage, document_id)
    then = time.time() - age_s
    os.utime(path, (then, then))


async def quarantine(resources: Resources, document_id: UUID, data: bytes = b"content", *, age_s: float = 0.0) -> None:
    await keep(resources, document_id, data)
    await resources.storage.quarantine.put([document_id])
    path = resources.settings.data_dir / "quarantine" / str(document_id)
    then = time.time() - age_s
    os.utime(path, (then, then))


async def quarantined(resources: Resources) -> set[UUID]:
    return set(await resources.storage.quarantine.files())


Check = Callable[[], Awaitable[None]]


@pytest.fixture
def check(maintenance: Maintenance, clock: SimpleNamespace) -> Check:
    """Compare all originals with the documents."""

    async def once() -> None:
        clock.now += FILES_EVERY_S + 1
        await maintenance.check_files()

    return once


async def test_the_time_in_the_quarantine_begins_when_an_original_is_put_there(resources: Resources) -> None:
    document_id = uuid4()
    await keep(resources, document_id, age_s=10**9)

    await resources.storage.quarantine.put([document_id, uuid4()])

    (file,) = (await resources.storage.quarantine.files()).values()
    assert abs(file.age_s) < GRACE_S
    assert file.size == len(b"content")


async def test_an_original_comes_back_when_its_document_does(resources: Resources, check: Check) -> None:
    document_id, _ = await make_job(resources.db)
    await quarantine(resources, document_id)

    await check()

    assert await quarantined(resources) == set()
    assert await resources.storage.missing([document_id]) == []


async def test_an_original_in_the_quarantine_is_read_if_its_document_is_there(resources: Resources) -> None:
    document_id, _ = await make_job(resources.db)
    await quarantine(resources, document_id)

    assert (await original(resources.storage, document_id)).read_bytes() == b"content"


async def test_an_original_is_deleted_only_after_its_time_and_only_while_most_are_known(
    resources: Resources, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    expired, waiting = uuid4(), uuid4()
    limit_s = resources.settings.quarantine_s
    await quarantine(resources, expired, age_s=limit_s + 60)
    await quarantine(resources, waiting, age_s=limit_s - 60)

    for _ in range(3):
        await check()
    assert await quarantined(resources) == {expired, waiting}
    assert sum("the quarantine is not emptied" in message for message in caplog.messages) == 3
    for _ in range(2):
        await keep(resources, (await make_job(resources.db))[0])
    await check()

    assert await quarantined(resources) == {waiting}


async def test_an_original_of_a_deleted_document_is_removed_at_once_wherever_it_is(
    resources: Resources, check: Check
) -> None:
    stored, hidden, deleted_now = [(await make_job(resources.db))[0] for _ in range(3)]
    await quarantine(resources, deleted_now)
    for document_id in (stored, hidden, deleted_now):
        await deletion.delete(resources, document_id, tenant=DEFAULT_TENANT, actor="a test")
    assert await quarantined(resources) == set()
    await keep(resources, stored)
    await quarantine(resources, hidden)

    await check()

    assert await quarantined(resources) == set()
    assert await resources.storage.is_empty()


async def test_what_is_unknown_or_missing_is_reported_in_one_line(
    resources: Resources, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await make_job(resources.db)
        await keep(resources, uuid4(), age_s=2 * module.COMMIT_S)
    await keep(resources, uuid4(), age_s=0)

    for _ in range(2):
        await check()

    (unknown,) = [record for record in caplog.records if "originals without a document" in record.message]
    assert vars(unknown)["files"] == 3
    assert "docserver quarantine restore --all" in unknown.message
    missing = [record for record in caplog.records if "documents without their original" in record.message]
    assert [vars(record)["documents"] for record in missing] == [3, 3]


async def test_missing_originals_are_looked_for_in_parts_from_the_newest_document_to_the_oldest(
    resources: Resources, check: Check, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DOCUMENTS_AT_ONCE", 2)
    ids = [(await make_job(resources.db))[0] for _ in range(5)]
    for document_id in ids[1:]:
        await keep(resources, document_id)
    counts = []
    for _ in range(6):
        caplog.clear()
        await check()
        counts.append(sum("documents without their original" in message for message in caplog.messages))

    assert counts == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("hidden", [True, False])
async def test_an_original_becomes_a_document_with_its_old_id_and_a_new_job(resources: Resources, hidden: bool) -> None:
    document_id = uuid4()
    await (quarantine if hidden else keep)(resources, document_id, png())

    outcomes = [await restore(resources, document_id) for _ in range(2)]

    assert outcomes == [Outcome.RESTORED, Outcome.PRESENT]
    async with resources.db.session() as cur:
        document = await documents.find(cur, document_id, tenant=DEFAULT_TENANT)
    assert document
    assert (document.filename, document.size) == (f"{document_id}.png", len(png()))
    assert await announced(resources) == [UUID(bytes=await value(resources.db, "SELECT id FROM jobs"))]
    assert (await original(resources.storage, document_id)).read_bytes() == png()


async def test_what_cannot_become_a_document_stays_where_it_is(resources: Resources) -> None:
    foreign, deleted = uuid4(), uuid4()
    await quarantine(resources, foreign, b"no document")
    async with resources.db.session() as cur:
        await deletions.remember(cur, Deletion(deleted, DEFAULT_TENANT, []))
    await quarantine(resources, deleted, png())

    outcomes = [await restore(resources, document_id) for document_id in (foreign, deleted, uuid4())]

    assert outcomes == [Outcome.UNSUPPORTED, Outcome.DELETED, Outcome.MISSING]
    assert await quarantined(resources) == {foreign, deleted}
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 0


async def test_two_operators_may_restore_the_same_at_once(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = uuid4()
    await quarantine(resources, document_id, png())
    whole = resources.storage.examine

    async def examine(original: UUID) -> object:
        monkeypatch.undo()
        received = await whole(original)
        assert await restore(resources, original) is Outcome.RESTORED
        return received

    monkeypatch.setattr(resources.storage, "examine", examine)

    assert await restore(resources, document_id) is Outcome.PRESENT
    assert await value(resources.db, "SELECT COUNT(*) FROM jobs") == 1


async def test_a_restored_document_expires_as_if_it_was_just_uploaded(resources: Resources) -> None:
    document_id = uuid4()
    await quarantine(resources, document_id, png())
    kept_for_a_while = replace(resources, settings=replace(resources.settings, retention_s=60))

    await restore(kept_for_a_while, document_id)

    assert await value(resources.db, "SELECT expires_at > UTC_TIMESTAMP() FROM documents") == 1


async def test_the_list_and_the_restoration_say_what_there_is_and_what_became_of_it(
    resources: Resources, capsys: pytest.CaptureFixture[str]
) -> None:
    await list_quarantine(resources)
    assert "has its document" in capsys.readouterr().out
    stored, hidden, foreign, known = uuid4(), uuid4(), uuid4(), (await make_job(resources.db))[0]
    await keep(resources, stored, png())
    await quarantine(resources, hidden, png(), age_s=86400)
    await quarantine(resources, foreign)
    await keep(resources, known)

    await list_quarantine(resources)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == str(stored)
    assert "not in the quarantine yet" in lines[0]
    assert {line.split()[0] for line in lines[1:3]} == {str(hidden), str(foreign)}
    assert sum("deleted in 13.0 days" in line for line in lines) == 1
    assert "Most originals have no document" in lines[-1]
    assert await restore_from_quarantine(resources, None) is False
    assert "2 of 3 originals" in capsys.readouterr().out
    assert await restore_from_quarantine(resources, [stored, hidden]) is True
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 3


async def test_a_document_whose_row_was_lost_and_is_there_again_loses_nothing(
    resources: Resources, check: Check
) -> None:
    document_id, _ = await make_job(resources.db)
    await keep(resources, document_id)
    async with resources.db.session() as cur:
        await cur.execute("SELECT * FROM documents")
        saved = cur.only_row()
        await documents.delete(cur, document_id)
    for _ in range(2):
        await check()
    assert await quarantined(resources) == {document_id}
    async with resources.db.session() as cur:
        await cur.execute(f"INSERT INTO documents ({', '.join(saved)}) VALUES ({each([*saved])})", [*saved.values()])

    await check()

    assert await quarantined(resources) == set()
    assert await resources.storage.missing([document_id]) == []


async def test_a_file_that_the_system_does_not_let_us_touch_stops_no_other(
    check: Check, resources: Resources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept, deleted = [uuid4() for _ in range(2)], uuid4()
    known, _ = await make_job(resources.db)
    for document_id in (*kept, deleted, known):
        await keep(resources, document_id)
    await change(
        resources.db,
        "INSERT INTO deleted_documents (id, deleted_at, job_ids, cleared) VALUES (%s, UTC_TIMESTAMP(6), '[]', TRUE)",
        deleted.bytes,
    )
    stuck = {str(kept[0]), str(deleted)}

    def refuse_for(act: Callable[..., object]) -> Callable[..., object]:
        def acting(path: Path, *arguments: object, **options: object) -> object:
            if path.name in stuck:
                raise PermissionError(errno.EPERM, "Operation not permitted")
            return act(path, *arguments, **options)

        return acting

    monkeypatch.setattr(Path, "rename", refuse_for(Path.rename))
    monkeypatch.setattr(Path, "unlink", refuse_for(Path.unlink))
    for _ in range(2):
        await check()

    assert await quarantined(resources) == {kept[1]}
    assert await original(resources.storage, deleted)
    assert "file not moved or deleted" in caplog.text
    assert "original of a deleted document cannot be deleted" in caplog.text
    assert "unexpected fault" not in caplog.text
