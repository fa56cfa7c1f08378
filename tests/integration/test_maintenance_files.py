"""Files without a document, and uploads that were abandoned."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.database.tables import documents
from docserver.documents import originals as module
from docserver.documents.originals import GRACE_S
from docserver.errors import DatabaseUnavailable
from docserver.maintenance import ABANDONED_S, FILES_EVERY_S, Maintenance
from docserver.model import NewDocument, new_id
from docserver.resources import Resources
from tests.support.connections import with_databases
from tests.support.originals import original
from tests.support.rows import make_job
from tests.support.waiting import in_time, until


class Files:
    """Originals in the storage, with the age that a test wants."""

    def __init__(self, resources: Resources) -> None:
        self._storage = resources.storage

    async def keep(self, document_id: UUID, *, age_s: float) -> Path:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"content"

        await self._storage.keep(await self._storage.receive(chunks(), max_bytes=100), document_id)
        path = await original(self._storage, document_id)
        then = time.time() - age_s
        os.utime(path, (then, then))
        return path


@pytest.fixture
def files(resources: Resources) -> Files:
    return Files(resources)


async def look_twice(maintenance: Maintenance, clock: SimpleNamespace) -> None:
    """Let maintenance look at the files, and again at the next time."""
    for _ in range(2):
        clock.now += FILES_EVERY_S + 1
        await maintenance.check_files()


async def test_a_file_is_put_into_the_quarantine_only_without_a_row_and_only_after_the_grace(
    maintenance: Maintenance, resources: Resources, files: Files, clock: SimpleNamespace
) -> None:
    document_id, _ = await make_job(resources.db)
    young = [
        await files.keep(document_id, age_s=GRACE_S * 100),
        await files.keep(uuid4(), age_s=GRACE_S - 60),
    ]
    orphan = await files.keep(uuid4(), age_s=GRACE_S + 60)

    await look_twice(maintenance, clock)

    assert [path.exists() for path in young] == [True, True]
    assert not orphan.exists()
    assert (resources.settings.data_dir / "quarantine" / orphan.name).read_bytes() == b"content"


async def test_a_file_that_only_seems_old_is_kept_while_its_commit_is_under_way(
    maintenance: Maintenance, resources: Resources, files: Files, clock: SimpleNamespace
) -> None:
    document_id, job_id = new_id(), new_id()
    path = await files.keep(document_id, age_s=2 * GRACE_S)
    await maintenance.check_files()
    new = NewDocument(
        id=document_id, filename="a.png", content_type="image/png", size=5, sha256=bytes(32), tenant=DEFAULT_TENANT
    )
    async with resources.db.session() as cur:
        await documents.insert(cur, new, job_id=job_id, client="c")

    await look_twice(maintenance, clock)

    assert path.exists()


async def test_all_orphans_are_put_into_the_quarantine_however_many_there_are(
    maintenance: Maintenance,
    resources: Resources,
    files: Files,
    clock: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FILES_AT_ONCE", 2)
    document_ids = [(await make_job(resources.db))[0] for _ in range(2)]
    old = [await files.keep(document_id, age_s=2 * GRACE_S) for document_id in document_ids]
    orphans = [await files.keep(uuid4(), age_s=2 * GRACE_S) for _ in range(5)]

    await look_twice(maintenance, clock)

    assert all(path.exists() for path in old)
    assert not any(path.exists() for path in orphans)
    assert set(await resources.storage.quarantine.files()) == {UUID(path.name) for path in orphans}


async def test_files_are_looked_through_only_now_and_then(
    maintenance: Maintenance, files: Files, clock: SimpleNamespace
) -> None:
    orphan = await files.keep(uuid4(), age_s=2 * GRACE_S)
    await maintenance.check_files()

    clock.now += FILES_EVERY_S - 1
    await maintenance.check_files()
    still_there = orphan.exists()
    clock.now += 2
    await maintenance.check_files()

    assert still_there
    assert not orphan.exists()


@pytest.mark.usefixtures("clock")
async def test_an_upload_that_was_abandoned_is_removed_after_the_grace(
    maintenance: Maintenance, resources: Resources
) -> None:
    incoming = resources.settings.data_dir / "incoming"
    old, young = incoming / "old.part", incoming / "young.part"
    for path, age_s in ((old, ABANDONED_S + 60), (young, ABANDONED_S - 60)):
        path.write_bytes(b"x")
        then = time.time() - age_s
        os.utime(path, (then, then))

    await maintenance.check_files()

    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.usefixtures("clock")
async def test_while_the_database_is_away_no_file_is_taken_for_an_orphan(
    resources: Resources, files: Files, tmp_path: Path
) -> None:
    away = Database(f"mysql:///x?unix_socket={quote(str(tmp_path / 'nothing'))}", size=2, timeout_s=1)
    path = await files.keep(uuid4(), age_s=2 * GRACE_S)
    maintenance = Maintenance(with_databases(resources, away))

    with pytest.raises(DatabaseUnavailable):
        await maintenance.check_files()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await maintenance.check_files()

    assert path.exists()


async def test_jobs_are_announced_while_files_are_compared_however_long_that_takes(
    maintenance: Maintenance, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparing = asyncio.Event()

    async def endless() -> None:
        comparing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(maintenance._originals, "run", endless)
    running = asyncio.create_task(maintenance.run())
    async with in_time():
        await comparing.wait()
    _, job_id = await make_job(resources.db)

    async def is_announced() -> bool:
        return await resources.queue.position(job_id) is not None

    await until(is_announced)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
