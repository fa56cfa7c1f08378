"""Originals in a bucket of a real S3 server: what they have in common with originals in a directory is tested there."""

import asyncio
import errno
import os
import threading
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import FileIO
from mmap import mmap
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from docserver.errors import StorageFull, StorageUnavailable
from docserver.settings import Settings
from docserver.storage import BucketError, object_records, object_upload
from docserver.storage.deleted import KEPT_DAYS
from docserver.storage.identity import IdentityError
from docserver.storage.object_identity import ObjectIdentities
from docserver.storage.object_upload import FREE_BYTES, PART_BYTES, PARTS_AT_ONCE
from docserver.storage.objects import LOOKUPS, ObjectStorage
from tests.support.originals import original
from tests.support.s3_server import FaultyBucket, S3Server
from tests.support.waiting import until

LIMIT = 100_000_000

LARGE = 2 * PART_BYTES + 1


@pytest.fixture
async def storage(bucket_settings: Settings) -> ObjectStorage:
    return await opened(bucket_settings)


@pytest.fixture
async def behind(faulty: FaultyBucket, bucket_settings: Settings, s3: S3Server, tmp_path: Path) -> ObjectStorage:
    """The same storage, behind what can go wrong."""
    url = s3.url(tmp_path.name, port=faulty.port)
    return await opened(replace(bucket_settings, storage_url=url, storage_timeout_s=3.0, data_dir=tmp_path / "behind"))


async def opened(settings: Settings) -> ObjectStorage:
    storage = ObjectStorage(settings)
    await storage.prepare()
    return storage


async def chunks(data: bytes, *, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1 << 18):
        yield data[start : start + (1 << 18)]
    if then:
        raise then


async def kept(storage: ObjectStorage, data: bytes = b"content") -> UUID:
    received = await storage.receive(chunks(data), max_bytes=LIMIT)
    assert received.document_id
    await storage.keep(received, received.document_id)
    await storage.discard(received)
    return received.document_id


async def keys(storage: ObjectStorage, prefix: str = "originals") -> list[str]:
    return [each.key async for part in storage._bucket.parts(prefix) for each in part]


async def read(storage: ObjectStorage, document_id: UUID, data: bytes) -> bytes | None:
    """What a worker reads of an original that had these bytes when it was uploaded."""
    async with storage.intact(document_id, size=len(data), sha256=sha256(data).digest()) as path:
        return path.read_bytes() if path else None


async def test_an_upload_in_parts_is_read_by_another_machine_as_it_was(
    storage: ObjectStorage, bucket_settings: Settings, tmp_path: Path
) -> None:
    data = os.urandom(LARGE)
    document_id = await kept(storage, data)
    other = await opened(replace(bucket_settings, data_dir=tmp_path / "other"))

    assert await read(other, document_id, data) == data
    assert (await other.examine(document_id)).sha256 == sha256(data).digest()
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize("size", [1000, LARGE])
async def test_the_bucket_is_asked_to_encrypt_uploads(
    bucket_settings: Settings, faulty: FaultyBucket, s3: S3Server, tmp_path: Path, size: int
) -> None:
    url = f"{s3.url(tmp_path.name, port=faulty.port)}&server_side_encryption=aws:kms&sse_kms_key_id=key"
    storage = await opened(replace(bucket_settings, storage_url=url))

    # The server of the tests encrypts nothing, and says so.
    with pytest.raises(StorageUnavailable):
        await storage.receive(chunks(os.urandom(size)), max_bytes=LIMIT)

    assert "x-amz-server-side-encryption: aws:kms\r\n" in faulty.heads[0]
    assert "x-amz-server-side-encryption-aws-kms-key-id: key\r\n" in faulty.heads[0]


@pytest.mark.parametrize("size", [1000, LARGE])
async def test_an_upload_that_breaks_off_leaves_nothing_in_the_bucket(
    storage: ObjectStorage, s3: S3Server, tmp_path: Path, size: int
) -> None:
    with pytest.raises(ConnectionResetError):
        await storage.receive(chunks(os.urandom(size), then=ConnectionResetError()), max_bytes=LIMIT)

    assert await keys(storage) == []
    assert list(s3.uploads(tmp_path.name).list()) == []


async def test_many_uploads_at_once_hold_few_parts_in_memory(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents, alive, counts = object_upload._contents, weakref.WeakSet[mmap](), []

    def counted(part: FileIO) -> mmap:
        alive.add(in_memory := contents(part))
        counts.append(len(alive))
        return in_memory

    monkeypatch.setattr(object_upload, "_contents", counted)
    data = bytes(PART_BYTES + FREE_BYTES)
    uploads = await asyncio.gather(*(storage.receive(chunks(data), max_bytes=LIMIT) for _ in range(8)))

    assert [upload.size for upload in uploads] == [len(data)] * 8
    # The library may still hold a part whose turn has just ended.
    assert 0 < max(counts) <= PARTS_AT_ONCE + 1, counts


async def test_an_upload_that_breaks_off_while_it_waits_for_its_turn_leaves_nothing(
    storage: ObjectStorage, s3: S3Server, tmp_path: Path
) -> None:
    for _ in range(PARTS_AT_ONCE):
        await storage._turns.acquire()
    receiving = asyncio.create_task(storage.receive(chunks(os.urandom(LARGE)), max_bytes=LIMIT))
    await until(lambda: bool(storage._turns._waiters))
    receiving.cancel()
    storage._turns.release()

    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert await keys(storage) == []
    assert list(s3.uploads(tmp_path.name).list()) == []


async def test_an_upload_waits_for_its_turn_for_a_bounded_time(bucket_settings: Settings) -> None:
    storage = await opened(replace(bucket_settings, storage_timeout_s=1.0))
    for _ in range(PARTS_AT_ONCE):
        await storage._turns.acquire()

    with pytest.raises(StorageUnavailable):
        await storage.receive(chunks(os.urandom(LARGE)), max_bytes=LIMIT)
    assert (await storage.receive(chunks(b"small"), max_bytes=LIMIT)).size == 5


async def test_an_upload_whose_process_was_killed_is_aborted_when_it_is_old(
    storage: ObjectStorage, s3: S3Server, tmp_path: Path
) -> None:
    s3.uploads(tmp_path.name).send("POST", f"{tmp_path.name}/originals/aa/{uuid4()}", query={"uploads": ""})

    assert await storage.discard_abandoned(0) == 0
    assert await storage.discard_abandoned(-storage._longest_upload_s - 60) == 1

    assert list(s3.uploads(tmp_path.name).list()) == []


async def test_pages_of_one_document_fetch_it_once(behind: ObjectStorage, faulty: FaultyBucket) -> None:
    document_id = await kept(behind)
    faulty.requests.clear()

    await asyncio.gather(*(read(behind, document_id, b"content") for _ in range(5)))
    await read(behind, document_id, b"content")

    assert faulty.requests == ["GET", "GET"]


async def test_the_cache_keeps_what_was_used_last_and_what_is_being_read(bucket_settings: Settings) -> None:
    storage = await opened(replace(bucket_settings, storage_cache_mb=0.002))
    first, second, third, fourth = [await kept(storage, bytes([number]) * 900) for number in range(4)]

    async with storage.file(first) as path:
        # Before the others: reading it may count as its last use.
        assert path.read_bytes() == bytes([0]) * 900
        for document_id in (second, third, fourth):
            await original(storage, document_id)
        left = {each.name for each in path.parent.iterdir()}
        assert left == {str(first), str(fourth)}
    await original(storage, second)
    assert not path.exists()


async def test_a_damaged_copy_is_fetched_again_and_a_damaged_original_is_not_read(
    storage: ObjectStorage, tmp_path: Path
) -> None:
    document_id = await kept(storage)
    copy = await original(storage, document_id)
    copy.write_bytes(b"CONTENT")
    again = await read(storage, document_id, b"content")
    storage._bucket.put(f"originals/{str(document_id)[-2:]}/{document_id}", b"CONTENT")
    copy.unlink()

    assert again == b"content"
    assert await read(storage, document_id, b"content") is None
    assert await read(storage, uuid4(), b"content") is None


async def test_an_original_takes_the_place_of_another(storage: ObjectStorage) -> None:
    document_id = await kept(storage, b"damaged")
    await original(storage, document_id)

    await storage.keep(await storage.receive(chunks(b"content"), max_bytes=LIMIT), document_id)

    assert await read(storage, document_id, b"content") == b"content"
    assert len(await keys(storage)) == 1


async def test_the_quarantine_takes_originals_and_gives_them_back(storage: ObjectStorage) -> None:
    returning, staying, deleted = [await kept(storage) for _ in range(3)]

    await storage.quarantine.put([returning, staying, deleted, uuid4()])
    (file, *_) = (await storage.quarantine.files()).values()
    await storage.quarantine.delete([deleted, uuid4()])
    missing = await storage.missing([returning, staying])

    assert (file.size, -60 < file.age_s < 60) == (7, True)
    assert set(missing) == {returning, staying}
    assert await read(storage, returning, b"content") == b"content"
    assert set(await storage.quarantine.files()) == {staying}
    assert not await storage.is_empty()


async def test_deletions_are_remembered_and_forgotten_in_time(storage: ObjectStorage) -> None:
    document_ids = {uuid4(), uuid4()}
    await storage.deleted.remember(*document_ids)
    long_ago = datetime.now(UTC).date() - timedelta(days=KEPT_DAYS + 1)
    storage._bucket.put(f"deleted/{long_ago}/{uuid4()}", b"")
    storage._bucket.put("deleted/by hand/note", b"")

    await storage.deleted.forget_old()

    assert {document_id async for part in storage.deleted.ids() for document_id in part} == document_ids


async def test_records_of_days_that_have_ended_are_packed_into_few_objects(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_records, "PACKED", 4)
    monkeypatch.setattr(object_records, "READ_AT_ONCE", 3)
    today = datetime.now(UTC).date()
    recorded = {uuid4() for _ in range(10)}
    for number, document_id in enumerate(recorded):
        storage._bucket.put(f"deleted/{today - timedelta(days=2 + number % 2)}/{document_id}", b"")
    await storage.deleted.remember(new := uuid4())

    for _ in range(2):
        await storage.deleted.forget_old()
    packed = await keys(storage, "deleted")
    read_back = [document_id async for part in storage.deleted.ids() for document_id in part]

    assert (len(packed), packed[-1]) == (4, f"deleted/{today}/{new}")
    assert len(read_back) == 11
    assert set(read_back) == {*recorded, new}


async def test_processes_that_start_for_the_first_time_agree_on_the_identities(bucket_settings: Settings) -> None:
    one, other = ObjectIdentities(bucket_settings), ObjectIdentities(bucket_settings)
    assert (one.directory(), one.database()) == (None, None)

    database = one.claim_database(uuid4())

    assert other.claim_database(uuid4()) == database
    assert one.claim_directory() == other.claim_directory()
    other.replace_database(new := uuid4())
    assert one.database() == new


@pytest.mark.parametrize("wrong", [{"bucket": "nothing"}, {"secret": "nothing"}])
async def test_a_bucket_that_is_missing_or_refuses_is_said_at_the_start_and_loses_no_original(
    s3: S3Server, bucket_settings: Settings, tmp_path: Path, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings = replace(bucket_settings, storage_url=s3.url(tmp_path.name, **wrong))
    storage = await opened(settings)

    with pytest.raises(IdentityError, match="correct DOCSERVER_STORAGE_URL"):
        ObjectIdentities(settings).directory()
    with pytest.raises(StorageUnavailable):
        await read(storage, uuid4(), b"content")
    with pytest.raises(BucketError):
        await storage.missing([uuid4()])
    with pytest.raises(OSError):
        await storage.check()
    assert "Signature" not in caplog.text


FAULTS = {
    "throttled": lambda faulty: faulty.answer(503, "SlowDown"),
    "failing": lambda faulty: faulty.answer(500, "InternalError"),
    "read-only": lambda faulty: faulty.answer(403, "AccessDenied"),
    "cut off": lambda faulty: faulty.cut(0),
    "silent": lambda faulty: faulty.stall(),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_bucket_that_fails_is_a_clear_error_in_bounded_time_and_all_is_well_after_it(
    behind: ObjectStorage, faulty: FaultyBucket, fault: str
) -> None:
    data = os.urandom(1_000_000)
    document_id = await kept(behind, data)
    FAULTS[fault](faulty)

    with pytest.raises(StorageUnavailable) as refused:
        await behind.receive(chunks(os.urandom(LARGE)), max_bytes=LIMIT)
    with pytest.raises(StorageUnavailable):
        await read(behind, document_id, data)
    faulty.heal()

    assert refused.value.headers["Retry-After"]
    await until(lambda: not any(thread.name == "bucket upload" for thread in threading.enumerate()))
    assert await read(behind, document_id, data) == data
    assert await kept(behind, data)


async def test_of_many_originals_few_are_looked_for_in_a_bucket_that_fails(
    behind: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[str] = []

    def fail(key: str) -> bool:
        looked_for.append(key)
        raise BucketError(errno.EIO, "forced")

    monkeypatch.setattr(behind._bucket, "exists", fail)
    others = asyncio.all_tasks()
    with pytest.raises(BucketError):
        await behind.missing([uuid4() for _ in range(5 * LOOKUPS)])

    await until(lambda: asyncio.all_tasks() <= others)
    assert len(looked_for) <= LOOKUPS


async def test_an_original_of_which_each_answer_is_cut_off_is_fetched_piece_by_piece_and_an_upload_fails(
    behind: ObjectStorage, faulty: FaultyBucket
) -> None:
    data = os.urandom(1_000_000)
    document_id = await kept(behind, data)
    faulty.cut(500_000)

    with pytest.raises(StorageUnavailable):
        await behind.receive(chunks(os.urandom(LARGE)), max_bytes=LIMIT)
    assert await read(behind, document_id, data) == data


@pytest.mark.parametrize(
    ("status", "code"),
    [(507, "XMinioStorageFull"), (400, "XMinioAdminBucketQuotaExceeded"), (403, "QuotaExceeded"), (507, "")],
)
async def test_a_bucket_that_is_full_takes_no_uploads_and_still_gives_originals(
    status: int, code: str, behind: ObjectStorage, faulty: FaultyBucket
) -> None:
    document_id = await kept(behind)
    faulty.answer(status, code, only=("PUT", "POST"))

    for refused in (behind.receive(chunks(b"more"), max_bytes=LIMIT), behind.check()):
        with pytest.raises(StorageFull):
            await refused
    assert await read(behind, document_id, b"content") == b"content"


async def test_a_bucket_that_throttles_for_a_moment_is_asked_again(
    behind: ObjectStorage, faulty: FaultyBucket, bucket_settings: Settings, s3: S3Server, tmp_path: Path
) -> None:
    patient = await opened(replace(bucket_settings, storage_url=s3.url(tmp_path.name, port=faulty.port)))
    faulty.answer(503, "SlowDown")
    receiving = asyncio.create_task(patient.receive(chunks(b"content"), max_bytes=LIMIT))
    while len(faulty.requests) < 2:
        await faulty.asked()
    faulty.heal()

    assert (await receiving).size == 7
