"""Originals that come from a bucket with other bytes than were uploaded: the way is at fault, or else the original."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.doctor import machine
from docserver.doctor.findings import Status
from docserver.errors import StorageUnavailable
from docserver.jobs import pipeline
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.support.at_work import at_work
from tests.support.client import completed, get, upload
from tests.support.rows import change, value
from tests.support.s3_server import FaultyBucket, by_kms
from tests.support.samples import png, tiff_pages
from tests.support.service import form
from tests.support.waiting import until

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a wrong bit": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "too short": lambda data: data[:-1],
    "too long": lambda data: data + b"\n",
}

FLIP = DAMAGES["a wrong bit"]

OF_ALL, OF_ORIGINALS = "/bucket/", "/originals/"
"""The objects that come damaged."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An original that comes damaged is looked at again at once."""
    monkeypatch.setattr(pipeline, "LOOK_AGAIN_S", 0.01)


async def looks(resources: Resources) -> int:
    return int(await value(resources.db, "SELECT SUM(tries) FROM jobs"))


@pytest.mark.parametrize("place", [OF_ALL, OF_ORIGINALS])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_documents_wait_while_all_that_comes_is_damaged_in_the_same_way(
    in_bucket: Resources,
    faulty: FaultyBucket,
    aiohttp_client: AiohttpClient,
    tmp_path: Path,
    soon: None,
    damage: str,
    place: str,
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    job = await upload(client)
    faulty.damage(DAMAGES[damage], place=place)

    async with at_work(in_bucket, tmp_path):
        faulty.requests.clear()
        while faulty.requests.count("GET") < 20:
            await faulty.asked()
        looked = await looks(in_bucket)
        async with client.get(f"/v1/documents/{job['document_id']}/file") as response:
            refused = response.status
        faulty.heal()
        await completed(client, job["job_id"])

    assert (looked > 0) == (place == OF_ORIGINALS)
    assert refused == 503


async def test_a_document_waits_while_another_object_comes_in_place_of_its_original(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, tmp_path: Path, soon: None
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    job, other = await upload(client), tiff_pages(["other"])
    faulty.exchange(other, place=OF_ORIGINALS)

    async def looked_twice() -> bool:
        return await looks(in_bucket) >= 2

    async with at_work(in_bucket, tmp_path):
        await until(looked_twice)
        faulty.heal()
        await completed(client, job["job_id"])


@pytest.mark.parametrize("comes", ["damaged", "as another object", "from a bucket that encrypts"])
async def test_an_original_becomes_a_document_again_only_with_the_bytes_that_the_bucket_has(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, comes: str
) -> None:
    job = await upload(await aiohttp_client(make_app(in_bucket)))
    if comes == "from a bucket that encrypts":
        faulty.rewrite(by_kms(png()))
    else:
        if comes == "damaged":
            faulty.damage(FLIP, place=OF_ORIGINALS)
        else:
            faulty.exchange(tiff_pages(["other"]), place=OF_ORIGINALS)
        with pytest.raises(StorageUnavailable):
            await in_bucket.storage.examine(job["document_id"])
        faulty.heal()

    assert (await in_bucket.storage.examine(job["document_id"])).sha256 == sha256(png()).digest()


async def test_an_original_that_comes_damaged_for_too_long_ends_its_job_which_can_be_retried(
    in_bucket: Resources,
    faulty: FaultyBucket,
    aiohttp_client: AiohttpClient,
    tmp_path: Path,
    soon: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "LOOKS", 3)
    client = await aiohttp_client(make_app(in_bucket))
    job = await upload(client)
    faulty.damage(FLIP, place=OF_ORIGINALS)

    async with at_work(in_bucket, tmp_path):

        async def ended() -> bool:
            return bool((await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "failed")

        await until(ended)
        failed = await get(client, f"/v1/jobs/{job['job_id']}")
        faulty.heal()
        async with client.post(f"/v1/jobs/{job['job_id']}/retry") as response:
            assert response.status == 202
        await completed(client, job["job_id"])

    codes = [(step["step"], step["code"]) for step in failed["history"]]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "storage_missing")
    assert codes == [("opening", "storage_missing")] * 3 + [("job", "storage_missing")]


async def test_all_pages_of_an_open_document_wait_together(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, tmp_path: Path, soon: None
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    job = await upload(client, tiff_pages(["one", "two", "three"]))
    await change(in_bucket.db, "UPDATE jobs SET status = 'processing', pages_total = 3")
    for number in (1, 2, 3):
        insert = "INSERT INTO pages (job_id, number, run_after) SELECT id, {}, UTC_TIMESTAMP(6) FROM jobs"
        await change(in_bucket.db, insert.format(number))
    faulty.damage(FLIP, place=OF_ORIGINALS)

    async def all_waited() -> bool:
        return int(await value(in_bucket.db, "SELECT MIN(tries) FROM pages")) >= 2

    async with at_work(in_bucket, tmp_path, chunk_pages=1):
        await until(all_waited)
        spread = await value(in_bucket.db, "SELECT MAX(tries) - MIN(tries) FROM pages")
        faulty.heal()
        await completed(client, job["job_id"])

    assert spread == 0


async def test_an_equal_upload_takes_the_place_of_an_original_that_comes_damaged(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(replace(in_bucket, settings=replace(in_bucket.settings, deduplicate=True))))
    first = await upload(client)
    faulty.damage(FLIP, place=OF_ORIGINALS)

    async with client.post("/v1/documents/upload-document", data=form(png(), "b.png")) as response:
        again = await response.json()

    assert (again["job_id"], again["deduplicated"]) == (first["job_id"], True)


@pytest.mark.parametrize("fault", ["refused", *DAMAGES])
async def test_a_bucket_that_takes_objects_and_does_not_give_them_is_told_by_readyz_and_doctor(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient, fault: str
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    if fault == "refused":
        faulty.answer(403, "AccessDenied", only=("GET",))
    else:
        faulty.damage(DAMAGES[fault], place=OF_ALL)

    async with client.get("/readyz") as response:
        answer = response.status, (await response.json())["checks"]["storage"]
    finding, _ = [finding async for finding in machine.check_storage(in_bucket.settings)]
    faulty.heal()
    ready = await get(client, "/readyz")

    assert answer == (503, {"status": "unavailable"})
    assert finding.status == Status.PROBLEM
    assert "cannot be used" in str(finding)
    assert ready["checks"]["storage"]["status"] == "ok"
