"""How it is told that a bucket, or this machine, has no room or place for uploads."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.doctor import machine
from docserver.doctor.findings import Status
from docserver.errors import StorageFull
from docserver.resources import Resources
from docserver.settings import Settings
from docserver.storage.object_upload import PART_BYTES
from docserver.storage.objects import ObjectStorage
from docserver.web.app import make_app
from tests.support.client import get, upload
from tests.support.s3_server import FaultyBucket
from tests.support.samples import png
from tests.support.service import form


async def test_a_bucket_that_has_no_room_for_an_upload_but_for_an_empty_object_is_full_until_it_takes_one(
    in_bucket: Resources, faulty: FaultyBucket, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    faulty.answer(413, "EntityTooLarge", only=("POST",))

    large = form(png() + os.urandom(PART_BYTES), "large.png")
    async with client.post("/v1/documents/upload-document", data=large) as response:
        refused = (response.status, (await response.json())["code"])
    full = await get(client, "/readyz")
    await upload(client)
    ready = await get(client, "/readyz")

    assert refused == (507, "storage_full")
    assert (full["status"], full["checks"]["storage"]["status"]) == ("degraded", "full")
    assert ready["checks"]["storage"]["status"] == "ok"


@pytest.mark.parametrize("way", ["file", "link"])
@pytest.mark.parametrize("name", ["incoming", "cache"])
async def test_what_is_in_the_place_of_a_local_directory_is_told_by_readyz_and_doctor(
    in_bucket: Resources, aiohttp_client: AiohttpClient, name: str, way: str
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    directory = in_bucket.settings.data_dir / name
    directory.rmdir()
    if way == "file":
        directory.write_text("in the way")
    else:
        directory.symlink_to(in_bucket.settings.data_dir / "nowhere")

    async with client.get("/readyz") as response:
        answer = response.status, (await response.json())["checks"]["storage"]
    storage, _ = [finding async for finding in machine.check_storage(in_bucket.settings)]

    assert answer == (503, {"status": "unavailable"})
    assert (storage.subject, storage.status) == ("storage", Status.PROBLEM)
    assert f"{directory} cannot be written" in str(storage)


async def test_looking_at_a_bucket_makes_no_local_directory(bucket_settings: Settings, tmp_path: Path) -> None:
    await ObjectStorage(replace(bucket_settings, data_dir=tmp_path / "data")).check()

    assert list(tmp_path.iterdir()) == []


async def test_a_full_bucket_is_full_for_uploads_by_links_too(in_bucket: Resources, faulty: FaultyBucket) -> None:
    faulty.answer(403, "StorageQuotaExceeded")
    assert in_bucket.storage.links is not None

    with pytest.raises(StorageFull):
        await in_bucket.storage.links.begin_upload("tenant", size=10, valid_s=60)


async def test_a_file_in_the_place_of_the_scratch_directory_is_told_by_readyz(
    in_bucket: Resources, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(in_bucket))
    directory = in_bucket.settings.data_dir / "scratch"
    aside = directory.rename(directory.with_name("aside"))
    directory.write_text("in the way")

    async with client.get("/readyz") as response:
        answer = response.status, (await response.json())["checks"]["storage"]
    directory.unlink()
    aside.rename(directory)
    ready = await get(client, "/readyz")

    assert answer == (503, {"status": "unavailable"})
    assert ready["checks"]["storage"]["status"] == "ok"
