"""Uploads by a link to the bucket: begun, sent, completed; and what clients do wrong or on purpose."""

import asyncio
from dataclasses import replace
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession
from pytest_aiohttp import AiohttpClient

from docserver.database.tables import idempotency_keys
from docserver.documents import link_uploads, tenant_deletion
from docserver.errors import QuotaExceeded
from docserver.resources import Resources
from docserver.storage import Received
from docserver.storage.links import READ_BYTES
from docserver.storage.objects import ObjectStorage
from docserver.tenants import administration
from docserver.web.app import make_app
from tests.support.client import Client, post, upload
from tests.support.originals import original
from tests.support.rows import change, value
from tests.support.s3_server import FaultyBucket
from tests.support.samples import png


@pytest.fixture
async def client(in_bucket: Resources, aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(make_app(in_bucket))


@pytest.fixture
def storage(in_bucket: Resources) -> ObjectStorage:
    assert isinstance(in_bucket.storage, ObjectStorage)
    return in_bucket.storage


async def begun(client: Client, size: int) -> dict[str, Any]:
    status, link = await post(client, "/v1/uploads", json={"size": size})
    assert status == 201, link
    body: dict[str, Any] = link
    return body


async def put(link: dict[str, Any], data: bytes, *, method: str = "PUT") -> int:
    """Send a file as any client does, without a key of ours; returns the bucket's status."""
    async with ClientSession() as http, http.request(method, link["url"], data=BytesIO(data)) as response:
        return response.status


async def complete(client: Client, link: dict[str, Any], **options: Any) -> tuple[int, Any]:
    return await post(client, link["links"]["complete"], json=options)


async def delete(client: Client, job: dict[str, Any]) -> None:
    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204


async def keys(storage: ObjectStorage, prefix: str) -> list[str]:
    return [each.key async for part in storage._bucket.parts(prefix) for each in part]


async def test_a_file_that_is_sent_to_a_link_becomes_a_document_like_any_other(
    client: Client, storage: ObjectStorage
) -> None:
    data = png() + bytes(READ_BYTES)
    link = await begun(client, len(data))

    sent = await put(link, data)
    status, job = await complete(client, link, filename="große Akte.png", pages="1")
    again = await complete(client, link)
    async with client.get(f"/v1/documents/{job['document_id']}") as response:
        document = await response.json()

    assert (sent, status, again) == (200, 202, (202, job))
    assert (document["filename"], document["size"], document["content_type"]) == (
        "große Akte.png",
        len(data),
        "image/png",
    )
    assert job["options"]["pages"] == "1"
    assert (await original(storage, UUID(job["document_id"]))).read_bytes() == data
    assert await keys(storage, "uploads") == []


@pytest.mark.parametrize("deduplicate", [False, True])
async def test_requests_that_complete_the_same_upload_at_once_or_later_lead_to_one_job(
    in_bucket: Resources, storage: ObjectStorage, aiohttp_client: AiohttpClient, *, deduplicate: bool
) -> None:
    settings = replace(in_bucket.settings, deduplicate=deduplicate)
    client = await aiohttp_client(make_app(replace(in_bucket, settings=settings)))
    data = png()
    link = await begun(client, len(data))
    await put(link, data)

    answers = await asyncio.gather(*(complete(client, link) for _ in range(3)))
    answers.append(await complete(client, link))

    assert [status for status, _ in answers] == [202] * 4
    assert {job["job_id"] for _, job in answers} == {link["upload_id"]}
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 1
    assert len(await keys(storage, "originals")) == 1
    assert (await post(client, f"/v1/uploads/{uuid4()}/complete"))[0] == 404


async def test_an_upload_of_known_bytes_is_completed_again_with_the_earlier_job_until_that_is_deleted(
    in_bucket: Resources, storage: ObjectStorage, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(replace(in_bucket, settings=replace(in_bucket.settings, deduplicate=True))))
    earlier = await upload(client, png())
    link = await begun(client, len(png()))
    await put(link, png())

    first, second = await complete(client, link), await complete(client, link)
    await storage.discard_abandoned(-storage._longest_upload_s - 60)
    third = await complete(client, link)
    await delete(client, earlier)
    sent = await put(link, png())

    assert first == second == third
    assert (first[0], first[1]["job_id"], first[1]["deduplicated"]) == (202, earlier["job_id"], True)
    assert (sent, (await complete(client, link))[0]) == (200, 404)
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 0


async def test_an_upload_whose_document_was_deleted_makes_no_other_of_what_is_sent_to_its_link_then(
    client: Client, in_bucket: Resources, storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    link = await begun(client, len(png()))
    await put(link, png())
    _, job = await complete(client, link)
    await delete(client, job)
    sent = await put(link, png()[::-1])

    status, refused = await complete(client, link)
    faulty.answer(503, "SlowDown")
    while_bucket_fails, _ = await complete(client, link)
    faulty.heal()
    await storage.discard_abandoned(-storage._longest_upload_s - 60)

    assert (sent, status, refused["code"], while_bucket_fails) == (200, 404, "not_found", 404)
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 0
    assert (await keys(storage, "originals"), await keys(storage, "uploads")) == ([], [])


async def test_a_completion_that_lasts_until_the_document_of_another_was_deleted_makes_no_document(
    client: Client, in_bucket: Resources, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await begun(client, len(png()))
    await put(link, png())
    is_received, may_go_on = asyncio.Event(), asyncio.Event()
    receive = link_uploads.receive

    async def receive_slowly(*arguments: Any) -> Received:
        received = await receive(*arguments)
        is_received.set()
        await may_go_on.wait()
        return received

    with monkeypatch.context() as patch:
        patch.setattr(link_uploads, "receive", receive_slowly)
        slow = asyncio.create_task(complete(client, link))
        await is_received.wait()
    _, job = await complete(client, link)
    await delete(client, job)
    may_go_on.set()
    status, refused = await slow

    assert (status, refused["code"]) == (404, "not_found")
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 0
    assert await keys(storage, "originals") == []


async def test_records_of_completions_outlive_links_and_what_is_sent_to_them_and_are_removed(
    client: Client, in_bucket: Resources
) -> None:
    link = await begun(client, len(png()))
    await put(link, png())
    await complete(client, link)
    timeout_s = int(in_bucket.settings.upload_timeout_s)
    outlives = "SELECT COUNT(*) FROM idempotency_keys WHERE expires_at > UTC_TIMESTAMP(6) + INTERVAL %s SECOND"

    assert await value(in_bucket.db, outlives, 2 * timeout_s + 86_400) == 1
    await change(in_bucket.db, "UPDATE idempotency_keys SET expires_at = UTC_TIMESTAMP(6)")
    async with in_bucket.db.session() as cur:
        assert await idempotency_keys.delete_expired(cur, limit=10) == 1


async def test_what_a_deleted_tenant_has_begun_is_removed_with_it(
    in_bucket: Resources, storage: ObjectStorage, faulty: FaultyBucket
) -> None:
    await administration.set_tenant(in_bucket.db, "acme", actor="a test")
    for tenant in ("acme", "acme", "default"):
        await link_uploads.begin(in_bucket, tenant, size=7)
    await tenant_deletion.begin(in_bucket, "acme", actor="a test")

    faulty.answer(503, "SlowDown")
    unfinished = await tenant_deletion.advance(in_bucket, "acme", limit=10)
    faulty.heal()
    finished = await tenant_deletion.advance(in_bucket, "acme", limit=10)

    assert (unfinished.finished_at, finished.finished_at is None, finished.bytes) == (None, False, 0)
    assert [key.split("/")[1] for key in await keys(storage, "uploads")] == ["default"]


async def test_objects_that_others_have_put_between_uploads_are_passed_over(
    client: Client, in_bucket: Resources, storage: ObjectStorage
) -> None:
    await administration.set_tenant(in_bucket.db, "acme", actor="a test")
    await link_uploads.begin(in_bucket, "acme", size=7)
    data = png()
    link = await begun(client, len(data))
    await put(link, data)
    foreign = ["acme/notes.txt", "default/notes.txt", f"default/{uuid4()}/1e3", f"default/{link['upload_id']}/0-part"]
    for name in foreign:
        await storage._bucket.run(storage._bucket.put, f"uploads/{name}", b"")

    begun_later, (status, _) = await begun(client, 7), await complete(client, link)
    await tenant_deletion.begin(in_bucket, "acme", actor="a test")
    await tenant_deletion.advance(in_bucket, "acme", limit=10)

    assert status == 202
    left = [*foreign, f"default/{begun_later['upload_id']}/7"]
    assert sorted(await keys(storage, "uploads")) == sorted(f"uploads/{name}" for name in left)


async def test_a_file_that_has_not_arrived_or_is_no_document_is_refused_and_leaves_no_original(
    client: Client, in_bucket: Resources, storage: ObjectStorage
) -> None:
    early = await begun(client, 7)
    text = await begun(client, 7)
    await put(text, b"no file")

    answers = [
        await complete(client, early),
        await complete(client, text),
        await complete(client, text, languages="klingon"),
        await complete(client, text, colour="red"),
        await post(client, f"/v1/uploads/{uuid4()}/complete"),
    ]

    assert [(status, body["code"]) for status, body in answers] == [
        (409, "conflict"),
        (415, "unsupported_media_type"),
        (422, "invalid"),
        (422, "invalid"),
        (404, "not_found"),
    ]
    assert await keys(storage, "originals") == []
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 0


async def test_a_link_takes_this_object_this_method_and_this_size_alone(client: Client) -> None:
    link = await begun(client, 7)
    other = {"url": link["url"].replace(link["upload_id"], str(uuid4()))}

    refused = [await put(link, b"12345678"), await put(link, b"123456"), await put(other, b"1234567")]

    assert refused == [403, 403, 403]
    assert await put(link, b"", method="GET") == 403
    assert await put(link, b"1234567") == 200


async def test_what_is_sent_after_completion_changes_no_document_and_is_removed_when_it_is_old(
    client: Client, storage: ObjectStorage
) -> None:
    data = png()
    link = await begun(client, len(data))
    await put(link, b"x" * len(data))
    await put(link, data)
    _, job = await complete(client, link)

    replaced = await put(link, b"y" * len(data))
    removed_early = await storage.discard_abandoned(0)
    removed = await storage.discard_abandoned(-storage._longest_upload_s - 60)

    assert replaced == 200
    assert (await original(storage, UUID(job["document_id"]))).read_bytes() == data
    assert (removed_early, removed, await keys(storage, "uploads")) == (0, 1, [])


async def test_sizes_are_checked_before_a_link_is_given(client: Client, in_bucket: Resources) -> None:
    answers = [
        await post(client, "/v1/uploads", json=given)
        for given in ({}, {"size": 0}, {"size": "7"}, {"size": in_bucket.settings.max_upload_bytes + 1})
    ]

    assert [status for status, _ in answers] == [422, 422, 422, 413]
    assert "at most 100 MB are accepted (DOCSERVER_MAX_UPLOAD_MB, and 5 GB)" in answers[-1][1]["detail"]


async def test_what_is_begun_counts_in_the_quota_of_its_tenant_alone(
    in_bucket: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = replace(in_bucket, settings=replace(in_bucket.settings, quota_max_bytes=100))
    async with in_bucket.db.session() as cur:
        await cur.execute("INSERT INTO tenants (name, created_at) VALUES ('other', UTC_TIMESTAMP(6))")
    begun = await link_uploads.begin(limited, "default", size=60)

    with pytest.raises(QuotaExceeded):
        await link_uploads.begin(limited, "default", size=60)
    await link_uploads.begin(limited, "other", size=60)
    assert await limited.storage.links.find_upload("other", begun.id) is None  # type: ignore[union-attr]
    monkeypatch.setattr(link_uploads, "MAX_BEGUN", 1)
    with pytest.raises(QuotaExceeded):
        await link_uploads.begin(in_bucket, "default", size=1)


async def test_while_the_bucket_fails_nothing_is_lost(client: Client, faulty: FaultyBucket) -> None:
    data = png()
    link = await begun(client, len(data))
    await put(link, data)
    faulty.answer(503, "SlowDown")

    refused = [(await post(client, "/v1/uploads", json={"size": 7}))[0], (await complete(client, link))[0]]
    faulty.heal()

    assert refused == [503, 503]
    assert (await complete(client, link))[0] == 202


async def test_without_a_bucket_there_are_no_links(resources: Resources, aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(resources))

    status, refused = await post(client, "/v1/uploads", json={"size": 7})

    assert (status, "/v1/documents/upload-document" in refused["detail"]) == (409, True)
