"""Answers that say that something is stored, and do not come from the bucket: they are believed only with a proof."""

from collections.abc import AsyncIterator
from hashlib import md5
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.errors import StorageUnavailable
from docserver.resources import Resources
from docserver.storage import BucketError
from docserver.storage.bucket import PROBE
from docserver.storage.object_identity import ObjectIdentities
from docserver.storage.object_upload import PART_BYTES
from docserver.storage.objects import ObjectStorage
from docserver.web.app import make_app
from tests.support.client import Client, post, upload
from tests.support.originals import original
from tests.support.rows import value
from tests.support.s3_server import FaultyBucket, by_kms
from tests.support.samples import png
from tests.support.service import form

ANSWERS: dict[str, dict[str, Any]] = {
    "a page of a proxy": {"body": "<html><body>welcome</body></html>", "etag": "6547a1b2-1f3"},
    "nothing, and an ETag like an MD5": {"body": "", "etag": "0123456789abcdef" * 2},
}

ETAG = md5(PROBE, usedforsecurity=False).hexdigest().encode()

COMPLETED = (
    "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key><ETag>e</ETag>"
    "</CompleteMultipartUploadResult>"
)
COPIED = "<CopyObjectResult><LastModified>2026-11-30T00:00:00.000Z</LastModified><ETag>e</ETag></CopyObjectResult>"


@pytest.fixture
async def client(in_bucket: Resources, aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(make_app(in_bucket))


@pytest.fixture
def storage(in_bucket: Resources) -> ObjectStorage:
    assert isinstance(in_bucket.storage, ObjectStorage)
    return in_bucket.storage


async def sent(client: Client, data: bytes) -> int:
    async with client.post("/v1/documents/upload-document", data=form(data, "a.png")) as response:
        return response.status


async def documents(resources: Resources) -> int:
    return int(await value(resources.db, "SELECT COUNT(*) FROM documents"))


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_upload_is_accepted_only_if_the_bucket_has_it(
    client: Client, in_bucket: Resources, faulty: FaultyBucket, answer: str
) -> None:
    faulty.answer(200, "", only=("PUT",), **ANSWERS[answer])

    refused, recorded = await sent(client, png()), await documents(in_bucket)
    faulty.heal()

    assert (refused, recorded) == (503, 0)
    assert await sent(client, png()) == 202


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_upload_by_a_link_is_completed_only_if_the_bucket_has_the_copy(
    client: Client, in_bucket: Resources, faulty: FaultyBucket, answer: str
) -> None:
    _, link = await post(client, "/v1/uploads", json={"size": len(png())})
    async with client.session.put(link["url"], data=png()) as response:
        assert response.status == 200
    faulty.answer(200, "", only=("PUT",), **ANSWERS[answer])

    refused, _ = await post(client, link["links"]["complete"], json={})
    recorded = await documents(in_bucket)
    faulty.heal()

    assert (refused, recorded) == (503, 0)
    assert (await post(client, link["links"]["complete"], json={}))[0] == 202


async def test_an_upload_in_parts_is_accepted_only_if_the_bucket_has_it_whole(
    storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    faulty.answer(200, "", only=("POST",), query="uploadId=", body=COMPLETED)

    with pytest.raises(StorageUnavailable):
        await storage.receive(chunks(bytes(PART_BYTES + 1)), max_bytes=10 * PART_BYTES)


async def test_an_upload_whose_bytes_the_bucket_has_changed_is_refused(
    client: Client, storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    await storage.check()
    etag, other = (md5(data, usedforsecurity=False).hexdigest().encode() for data in (png(), png("other")))
    faulty.rewrite(lambda answer: answer.replace(etag, other))

    assert await sent(client, png()) == 503


async def test_a_bucket_that_changes_all_bytes_is_not_taken_for_one_whose_etags_are_no_md5(
    client: Client, storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    etag, other = (md5(data, usedforsecurity=False).hexdigest().encode() for data in (png(), png("other")))
    faulty.rewrite(lambda answer: answer.replace(etag, other).replace(PROBE, PROBE[::-1]).replace(ETAG, ETAG[::-1]))

    assert [await sent(client, png()) for _ in range(2)] == [503, 503]
    faulty.rewrite(lambda answer: answer.replace(etag, other))
    assert await sent(client, png()) == 503


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_bucket_whose_etags_are_no_md5_is_asked_what_it_has(
    client: Client, in_bucket: Resources, faulty: FaultyBucket
) -> None:
    faulty.rewrite(by_kms(png(), PROBE))

    accepted = await sent(client, png())
    faulty.requests.clear()
    again = await sent(client, png())

    assert (accepted, again, await documents(in_bucket)) == (202, 202, 2)
    assert faulty.requests == ["PUT", "GET"]


async def test_an_original_leaves_its_place_only_if_the_bucket_has_the_copy(
    client: Client, storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    document_id = (await upload(client))["document_id"]
    faulty.answer(200, "", only=("PUT",), body=COPIED)

    with pytest.raises(BucketError):
        await storage.quarantine.put([document_id])
    faulty.heal()

    assert (await original(storage, document_id)).read_bytes() == png()


async def test_the_copy_of_an_original_in_place_of_another_of_its_size_is_confirmed(
    storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    bucket = storage._bucket
    for key, data in (("new", b"right"), ("old", b"wrong")):
        await bucket.run(bucket.put, key, data)
    faulty.answer(200, "", only=("PUT",), body=COPIED)

    with pytest.raises(BucketError):
        await bucket.run(bucket.copy, "new", "old")
    faulty.heal()
    await bucket.run(bucket.copy, "new", "old")

    assert await bucket.run(bucket.get, "old", length=9) == b"right"


async def test_an_identity_is_written_only_if_the_bucket_has_it(in_bucket: Resources, faulty: FaultyBucket) -> None:
    identities = ObjectIdentities(in_bucket.settings)
    faulty.answer(200, "", only=("PUT",), **ANSWERS["a page of a proxy"])

    with pytest.raises(StorageUnavailable):
        await in_bucket.storage._bucket.run(identities.claim_directory)  # type: ignore[attr-defined]
