"""Documents whose originals are in a bucket: on machines that share no directory, and while the bucket fails."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from aiohttp import ClientPayloadError
from pytest_aiohttp import AiohttpClient

from docserver.documents import deletion, originals
from docserver.errors import StorageUnavailable
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from docserver.storage import BucketError
from docserver.storage.objects import ObjectStorage
from docserver.storage.remote_file import READ_BYTES
from docserver.web import original
from docserver.web.app import make_app
from tests.support.at_work import at_work
from tests.support.client import completed, get, upload
from tests.support.rows import value
from tests.support.s3_server import FaultyBucket, S3Server
from tests.support.samples import png, words
from tests.support.servers import Servers
from tests.support.service import Service, environment_of, form


async def test_machines_that_share_only_a_bucket_lose_nothing_when_they_and_their_disks_are_gone(
    empty_servers: Servers, s3: S3Server, tmp_path: Path
) -> None:
    url = s3.url(tmp_path.name).partition("&access_key_id")[0]
    keys = {"AWS_ACCESS_KEY_ID": "test:tester", "AWS_SECRET_ACCESS_KEY": "testing"}
    common = {"mysql_url": empty_servers.mysql_url, "redis_url": empty_servers.redis_url, "storage_url": url}

    def machine(name: str, *arguments: str, slots: str) -> Service:
        own = environment_of(
            **common, data_dir=tmp_path / name, slots=slots, lease_s="2", maintenance_s="0.3", secret_key="k" * 32
        )
        return Service(own | keys, arguments=arguments)

    async def lose(service: Service, name: str) -> None:
        await service.stop(signal.SIGKILL)
        shutil.rmtree(tmp_path / name)

    api = await machine("api", slots="0").start()
    worker = await machine("worker", "--worker-only", slots="1").start()
    first = await api.upload(png())
    await api.finished(first["job_id"])
    second = await api.upload(png("waits"))
    await lose(api, "api")
    await lose(worker, "worker")
    api = await machine("other-api", slots="0").start()
    worker = await machine("other-worker", "--worker-only", slots="1").start()

    finals = [await api.finished(job["job_id"]) for job in (first, second)]
    text = await api.text(first["job_id"])
    async with api.http.get(f"/v1/documents/{first['document_id']}/file") as response:
        file = await response.read()
    async with api.http.get(f"/v1/jobs/{first['job_id']}/result", params={"format": "pdf"}) as response:
        pdf = await response.read()
    for job in (first, second):
        async with api.http.delete(f"/v1/documents/{job['document_id']}") as response:
            assert response.status == 204
    exits = [await service.stop() for service in (worker, api)]

    assert [final["status"] for final in finals] == ["completed"] * 2
    assert words(text) == words("The quick brown fox jumps over the lazy dog")
    assert file == png()
    assert pdf.startswith(b"%PDF")
    assert exits == [0, 0]
    assert "originals" not in s3.uploads("").send("GET", query={"list-type": "2", "prefix": tmp_path.name})
    assert list(tmp_path.glob("*/originals")) == []


async def test_while_the_bucket_fails_uploads_are_refused_pages_wait_and_no_try_counts(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    job = await upload(client)
    faulty.answer(503, "SlowDown")

    async with client.post("/v1/documents/upload-document", data=form(png(), "b.png")) as response:
        refused = (response.status, (await response.json())["code"], "Retry-After" in response.headers)
    async with at_work(in_bucket, tmp_path):
        faulty.requests.clear()
        while "GET" not in faulty.requests:
            await faulty.asked()
        faulty.heal()
        await completed(client, job["job_id"])

    assert refused == (503, "storage_unavailable", True)
    assert await value(in_bucket.db, "SELECT SUM(tries + lost_leases) FROM pages") == 0
    assert await value(in_bucket.db, "SELECT COUNT(*) FROM documents") == 1


async def test_a_large_original_is_sent_while_it_is_read_from_the_bucket(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original, "COMPARED_BYTES", 1000)
    data = png() + os.urandom(3 * READ_BYTES)
    client = await aiohttp_client(make_app(in_bucket))
    document_id = (await upload(client, data))["document_id"]
    path, cache = f"/v1/documents/{document_id}/file", in_bucket.settings.data_dir / "cache"

    async with client.get(path) as response:
        whole = await response.read()
    async with client.get(path, headers={"Range": f"bytes={READ_BYTES - 5}-{READ_BYTES + 4}"}) as response:
        part = response.status, await response.read()
    copies = list(cache.iterdir())
    storage = in_bucket.storage
    assert isinstance(storage, ObjectStorage)
    await storage._bucket.run(storage._bucket.put, _key(document_id), data[:-1] + b"x")
    with pytest.raises(ClientPayloadError):
        async with client.get(path) as response:
            await response.read()
    faulty.answer(503, "SlowDown")
    async with client.get(path) as response:
        refused = response.status

    assert whole == data
    assert part == (206, data[READ_BYTES - 5 : READ_BYTES + 5])
    assert (copies, refused) == ([], 503)


async def test_a_bucket_that_fails_in_the_middle_of_a_download_ends_it(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original, "COMPARED_BYTES", 1000)
    client = await aiohttp_client(make_app(in_bucket))
    document_id = (await upload(client, png() + os.urandom(2 * READ_BYTES)))["document_id"]
    # Enough to tell its size, and too little of its bytes, however often they are asked for.
    faulty.cut(10_000)

    with pytest.raises(ClientPayloadError):
        async with client.get(f"/v1/documents/{document_id}/file") as response:
            await response.read()
    assert response.status == 200


async def test_maintenance_goes_on_with_what_needs_no_bucket(
    in_bucket: Resources, faulty: FaultyBucket, caplog: pytest.LogCaptureFixture
) -> None:
    maintenance = Maintenance(in_bucket)
    faulty.answer(503, "SlowDown")

    assert await maintenance._sides_agree()
    with pytest.raises(BucketError):
        await maintenance.check_files()
    assert "do not belong together" not in caplog.text


async def test_a_start_during_which_the_bucket_fails_can_ask_again_for_the_deleted_documents(
    in_bucket: Resources, faulty: FaultyBucket
) -> None:
    faulty.answer(503, "SlowDown")

    with pytest.raises(StorageUnavailable):
        await deletion.repeat(in_bucket)


async def test_originals_without_a_document_go_to_the_quarantine_and_come_back(
    in_bucket: Resources, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    known = UUID((await upload(client))["document_id"])
    unknown = (await in_bucket.storage.receive(_content(), max_bytes=100)).document_id
    assert unknown
    monkeypatch.setattr(originals, "COMMIT_S", -60.0)
    monkeypatch.setattr(originals, "GRACE_S", -60.0)
    check = originals.OriginalsCheck(in_bucket)

    for _ in range(2):
        await check.run()
    found = await originals.find_unknown(in_bucket)
    await in_bucket.storage.quarantine.put([known])
    await originals.find_unknown(in_bucket)

    assert set(found.quarantined) == {unknown}
    assert found.known == 1
    assert await in_bucket.storage.missing([known]) == []
    assert (await get(client, f"/v1/documents/{known}"))["document_id"] == str(known)


async def test_the_copy_of_an_equal_upload_that_could_not_be_deleted_is_deleted_later(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = replace(in_bucket, settings=replace(in_bucket.settings, deduplicate=True, quarantine_s=-60))
    client = await aiohttp_client(make_app(resources))
    first = await upload(client)
    faulty.answer(503, "SlowDown", only=("POST", "DELETE"))
    async with client.post("/v1/documents/upload-document", data=form(png(), "again.png")) as response:
        again = await response.json()
    faulty.heal()
    monkeypatch.setattr(originals, "COMMIT_S", -60.0)
    monkeypatch.setattr(originals, "GRACE_S", -60.0)
    check = originals.OriginalsCheck(resources)
    left = await _stored(resources)

    for _ in range(3):
        await check.run()

    assert (again["job_id"], again["deduplicated"]) == (first["job_id"], True)
    assert len(left) == 2
    assert await _stored(resources) == {UUID(first["document_id"])}


async def _stored(resources: Resources) -> set[UUID]:
    """The documents that have an original, in its place or in the quarantine."""
    stored = set(await resources.storage.quarantine.files())
    async for files in resources.storage.older_than(-60.0):
        stored |= set(files)
    return stored


def _key(document_id: str) -> str:
    return f"originals/{document_id[-2:]}/{document_id}"


async def _content() -> AsyncIterator[bytes]:
    yield b"content"
