"""An original is missing only if the bucket itself says so, and damaged only if it comes more than once as it is."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.errors import StorageUnavailable
from docserver.resources import Resources
from docserver.settings import Settings
from docserver.storage import BucketError
from docserver.storage.identity import IdentityError
from docserver.storage.object_identity import ObjectIdentities
from docserver.storage.object_records import original_key
from docserver.storage.objects import ObjectStorage
from docserver.web.app import make_app
from tests.support.at_work import at_work
from tests.support.client import completed, upload
from tests.support.originals import original
from tests.support.rows import value
from tests.support.s3_server import FaultyBucket, S3Server

HTML = "<html><body>nothing here</body></html>"

NO_PROOFS = {
    "no bucket": lambda faulty: faulty.answer(404, "NoSuchBucket"),
    "another code": lambda faulty: faulty.answer(404, "NoSuchUpload"),
    "a page of a proxy": lambda faulty: faulty.answer(404, "", body=HTML),
    "an empty 404": lambda faulty: faulty.answer(404, "", body=""),
    "an empty 200": lambda faulty: faulty.answer(200, "", body=""),
    "another page": lambda faulty: faulty.answer(200, "", body=HTML),
}

CONTENT = b"content"


@pytest.fixture
async def storage(faulty: FaultyBucket, bucket_settings: Settings, s3: S3Server, tmp_path: Path) -> ObjectStorage:
    """A storage whose bucket is behind what can go wrong."""
    storage = ObjectStorage(replace(bucket_settings, storage_url=s3.url(tmp_path.name, port=faulty.port)))
    await storage.prepare()
    return storage


async def _chunks() -> AsyncIterator[bytes]:
    yield CONTENT


async def kept(storage: ObjectStorage) -> UUID:
    received = await storage.receive(_chunks(), max_bytes=100)
    assert received.document_id
    await storage.keep(received, received.document_id)
    return received.document_id


async def read(storage: ObjectStorage, document_id: UUID) -> bytes | None:
    async with storage.intact(document_id, size=len(CONTENT), sha256=sha256(CONTENT).digest()) as path:
        return path.read_bytes() if path else None


@pytest.mark.parametrize("answer", NO_PROOFS)
async def test_no_answer_but_that_of_the_bucket_proves_that_an_original_is_missing(
    storage: ObjectStorage, faulty: FaultyBucket, answer: str
) -> None:
    document_id = await kept(storage)
    NO_PROOFS[answer](faulty)

    with pytest.raises(StorageUnavailable):
        await read(storage, document_id)
    with pytest.raises(StorageUnavailable):
        await storage.remote(document_id)
    with pytest.raises(BucketError):
        await storage.missing([document_id])

    faulty.heal()
    assert await read(storage, document_id) == CONTENT


@pytest.mark.parametrize("answer", NO_PROOFS)
async def test_no_such_answer_is_a_list_of_no_objects(
    storage: ObjectStorage, faulty: FaultyBucket, answer: str
) -> None:
    document_id = await kept(storage)
    assert storage.links
    NO_PROOFS[answer](faulty)

    with pytest.raises(BucketError):
        await storage.is_empty()
    with pytest.raises(BucketError):
        await storage.quarantine.files()
    with pytest.raises(StorageUnavailable):
        await storage.links.find_upload("tenant", document_id)


@pytest.mark.parametrize("answer", ["no bucket", "another code", "a page of a proxy", "an empty 404"])
async def test_a_deletion_is_done_only_if_the_bucket_says_so(
    storage: ObjectStorage, faulty: FaultyBucket, answer: str
) -> None:
    document_id = await kept(storage)
    NO_PROOFS[answer](faulty)

    with pytest.raises(BucketError):
        await storage.delete(document_id)

    faulty.heal()
    await storage.delete(document_id)
    assert await storage.missing([document_id]) == [document_id]


@pytest.mark.parametrize("answer", NO_PROOFS)
async def test_no_such_answer_makes_a_bucket_one_without_an_identity(
    bucket_settings: Settings, faulty: FaultyBucket, s3: S3Server, tmp_path: Path, answer: str
) -> None:
    settings = replace(bucket_settings, storage_url=s3.url(tmp_path.name, port=faulty.port))
    identities = ObjectIdentities(settings)
    identity = await asyncio.to_thread(identities.claim_directory)
    NO_PROOFS[answer](faulty)

    with pytest.raises((StorageUnavailable, IdentityError)):
        await asyncio.to_thread(identities.directory)

    faulty.heal()
    assert await asyncio.to_thread(identities.directory) == identity


async def test_what_the_bucket_says_is_missing_or_empty_is(storage: ObjectStorage) -> None:
    missing, empty = await kept(storage), await kept(storage)
    await storage._bucket.run(storage._bucket.delete, original_key(missing))
    await storage._bucket.run(storage._bucket.put, original_key(empty), b"")

    assert await read(storage, missing) is None
    assert await read(storage, empty) is None
    assert await storage.missing([missing, empty]) == [missing]


async def test_a_list_that_ended_too_early_goes_on(storage: ObjectStorage) -> None:
    bucket = storage._bucket
    await bucket.run(bucket.put, "place/a", b"")

    keys = []
    async for part in bucket.parts("place"):
        keys += [each.key for each in part]
        if len(keys) == 1:
            await bucket.run(bucket.put, "place/b", b"")

    assert keys == ["place/a", "place/b"]


async def test_an_original_that_comes_once_with_a_wrong_bit_is_fetched_again(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = await kept(storage)
    answers = [b"Content", CONTENT]
    monkeypatch.setattr(storage._bucket, "get", lambda *_, **__: answers.pop(0))

    assert await read(storage, document_id) == CONTENT


async def test_an_original_that_comes_each_time_with_other_bytes_is_not_damaged(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = await kept(storage)
    with monkeypatch.context() as patch:
        patch.setattr(storage._bucket, "get", lambda *_, **__: os.urandom(len(CONTENT)))
        with pytest.raises(StorageUnavailable):
            await read(storage, document_id)

    assert await read(storage, document_id) == CONTENT


async def test_local_copies_that_somebody_deletes_make_no_original_missing(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_id = await kept(storage)
    (await original(storage, document_id)).unlink()
    add = storage._cache.add

    def vanish(*arguments: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(storage._cache, "add", vanish)
    with pytest.raises(StorageUnavailable):
        await read(storage, document_id)
    monkeypatch.setattr(storage._cache, "add", add)

    assert await read(storage, document_id) == CONTENT


@pytest.mark.parametrize("answer", NO_PROOFS)
async def test_pages_wait_while_such_answers_come_and_no_try_counts(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, tmp_path: Path, answer: str
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    job = await upload(client)
    NO_PROOFS[answer](faulty)

    async with at_work(in_bucket, tmp_path):
        faulty.requests.clear()
        while faulty.requests.count("GET") < 3:
            await faulty.asked()
        faulty.heal()
        await completed(client, job["job_id"])

    assert await value(in_bucket.db, "SELECT SUM(tries + lost_leases) FROM pages") == 0
