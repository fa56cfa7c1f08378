"""Documents whose time is over, and deletions that were interrupted."""

import errno
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import deletions, documents, jobs
from docserver.documents import deletion, intake, queries
from docserver.errors import Gone
from docserver.maintenance import DELETED_KEPT_S, Maintenance
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.storage.deleted import KEPT_DAYS, DeletedFiles
from tests.support.originals import original
from tests.support.redis_state import announced
from tests.support.rows import CALLER, change, value
from tests.support.samples import png

PAST = "UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"


async def uploaded(resources: Resources, *, expires_in_s: int | None = None) -> tuple[UUID, UUID]:
    """A document that was uploaded, and its job."""

    async def chunks() -> AsyncIterator[bytes]:
        yield png()

    job, _ = await intake.accept(
        resources,
        await intake.receive(resources, chunks()),
        intake.Upload(
            "a.png",
            Options("eng"),
            caller=replace(CALLER, client=str(uuid4())),
            request_id="r",
            expires_in_s=expires_in_s,
        ),
    )
    return job.document_id, job.id


def originals(resources: Resources) -> list[Path]:
    return [path for path in (resources.settings.data_dir / "originals").rglob("*") if path.is_file()]


async def left_of(resources: Resources, job_id: UUID) -> list[Any]:
    """All that is left of a document and its job, but for the mark that keeps late writers from bringing it back."""
    cached = await resources.cache.job(job_id, stale=True, tenant=DEFAULT_TENANT)
    async with resources.db.session() as cur:
        row = await jobs.find(cur, job_id)
    return [trace for trace in (cached, row, *originals(resources), *await announced(resources)) if trace]


async def test_a_document_is_removed_with_all_it_left_when_its_time_is_over(
    maintenance: Maintenance, resources: Resources
) -> None:
    _, kept_job = await uploaded(resources)
    _, later_job = await uploaded(resources, expires_in_s=3600)
    kept_files = set(originals(resources))
    document_id, job_id = await uploaded(resources, expires_in_s=60)
    await change(resources.db, f"UPDATE documents SET expires_at = {PAST} WHERE id = %s", document_id.bytes)

    await maintenance.round()

    assert set(originals(resources)) == kept_files
    assert set(await announced(resources)) == {kept_job, later_job}
    assert await resources.cache.job(job_id, stale=True, tenant=DEFAULT_TENANT) is None
    with pytest.raises(Gone):
        await queries.document(resources, document_id, tenant=DEFAULT_TENANT)


async def test_a_document_that_was_uploaded_again_is_kept_as_long_as_either_upload_asks(
    maintenance: Maintenance, resources: Resources
) -> None:
    document_id, _ = await uploaded(resources, expires_in_s=60)

    async def left_s(asked_s: int | None) -> Any:
        async with resources.db.session() as cur:
            assert await documents.prolong(cur, document_id, expires_in_s=asked_s)
        return await value(resources.db, "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), expires_at) FROM documents")

    assert await left_s(30) == pytest.approx(60, abs=10)
    await change(resources.db, f"UPDATE documents SET expires_at = {PAST}")
    assert await left_s(600) == pytest.approx(600, abs=10)
    await deletion.expire(resources, document_id)
    assert [await left_s(asked_s) for asked_s in (None, 60)] == [None, None]
    async with resources.db.session() as cur:
        assert await documents.prolong(cur, uuid4(), expires_in_s=60) is False


async def test_what_a_deletion_could_not_clear_while_redis_was_away_is_cleared_later(
    maintenance: Maintenance, resources: Resources, without_redis: Resources
) -> None:
    document_id, job_id = await uploaded(resources)

    await deletion.delete(without_redis, document_id, tenant=DEFAULT_TENANT, actor="a test")
    left = await left_of(resources, job_id)
    await maintenance.round()

    assert left != []
    assert await left_of(resources, job_id) == []
    async with resources.db.session() as cur:
        assert await deletions.uncleared(cur, limit=10) == []


async def test_a_deletion_whose_process_died_half_way_is_carried_through(
    maintenance: Maintenance, resources: Resources
) -> None:
    document_id, job_id = await uploaded(resources)
    await deletion._delete_rows(resources, document_id, tenant=DEFAULT_TENANT, actor="a test")

    await maintenance.round()

    assert await left_of(resources, job_id) == []


async def test_an_original_that_the_system_does_not_delete_stops_no_other_deletion(
    maintenance: Maintenance, resources: Resources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, other = [(await uploaded(resources))[0] for _ in range(2)]
    for document_id in (stuck, other):
        await deletion._delete_rows(resources, document_id, tenant=DEFAULT_TENANT, actor="a test")
    path, unlink = await original(resources.storage, stuck), Path.unlink

    def refuse(self: Path, *, missing_ok: bool = False) -> None:
        if self == path:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(self, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        for _ in range(3):
            await maintenance.round()
        left = originals(resources)
    await maintenance.round()

    assert left == [path]
    assert originals(resources) == []
    assert caplog.text.count("original of a deleted document cannot be deleted yet") == 1
    assert "unexpected fault" not in caplog.text


async def deleted_ids(resources: Resources) -> list[UUID]:
    return [each async for part in resources.storage.deleted.ids() for each in part]


async def test_documents_that_a_restored_database_brings_back_are_deleted_again(
    resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    kept, back, gone = [(await uploaded(resources))[0] for _ in range(3)]
    await deletion.delete(resources, gone, tenant=DEFAULT_TENANT, actor="a test")
    # As if it had been deleted since the backup: the storage knows it, and the database does not.
    await resources.storage.deleted.remember(back)

    await deletion.repeat(resources)
    await deletion.repeat(resources)

    with pytest.raises(Gone):
        await queries.document(resources, back, tenant=DEFAULT_TENANT)
    assert [UUID(path.name) for path in originals(resources)] == [kept]
    assert set(await deleted_ids(resources)) == {back, gone}
    assert [record.__dict__["documents"] for record in caplog.records if "deleted again" in record.message] == [1]


async def test_a_deletion_that_the_disk_had_no_room_to_record_is_recorded_later(
    maintenance: Maintenance, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id, job_id = await uploaded(resources)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "forced")

    with monkeypatch.context() as patch:
        patch.setattr(DeletedFiles, "_remember", full)
        await deletion.delete(resources, document_id, tenant=DEFAULT_TENANT, actor="a test")
        left = originals(resources)
    await maintenance.round()

    assert left == []
    assert await deleted_ids(resources) == [document_id]
    assert await left_of(resources, job_id) == []


@pytest.mark.usefixtures("clock")
async def test_deletions_are_recorded_in_the_storage_for_a_month_and_what_is_damaged_is_left_out(
    maintenance: Maintenance, resources: Resources
) -> None:
    young, old = uuid4(), uuid4()
    directory = resources.settings.data_dir / "deleted"
    today = datetime.now(UTC).date()
    for document_id, days in ((young, KEPT_DAYS - 1), (old, KEPT_DAYS + 1)):
        (directory / f"{today - timedelta(days=days)}.x").write_text(f"\n0123\n{document_id}\n{str(uuid4())[:20]}")
    (directory / "lost+found").mkdir()

    await maintenance.check_files()

    assert await deleted_ids(resources) == [young]


async def test_that_a_document_was_deleted_is_told_for_a_month_and_longer_while_something_is_left(
    maintenance: Maintenance, resources: Resources, without_redis: Resources
) -> None:
    old, young, uncleared = [(await uploaded(resources))[0] for _ in range(3)]
    for document_id in (old, young):
        await deletion.delete(resources, document_id, tenant=DEFAULT_TENANT, actor="a test")
    await deletion.delete(without_redis, uncleared, tenant=DEFAULT_TENANT, actor="a test")
    for document_id, age in ((old, DELETED_KEPT_S + 60), (young, DELETED_KEPT_S - 60), (uncleared, 2 * DELETED_KEPT_S)):
        await change(
            resources.db,
            "UPDATE deleted_documents SET deleted_at = UTC_TIMESTAMP(6) - INTERVAL %s SECOND WHERE id = %s",
            int(age),
            document_id.bytes,
        )

    await Maintenance(without_redis).round()

    async with resources.db.session() as cur:
        deleted = [
            await deletions.was_deleted(cur, document_id, tenant=DEFAULT_TENANT)
            for document_id in (old, young, uncleared)
        ]
    assert deleted == [False, True, True]
