"""A document whose original is missing or damaged: the same upload heals it, and nothing makes it worse meanwhile."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientPayloadError
from pytest_aiohttp import AiohttpClient

from docserver.caller import DEFAULT_TENANT
from docserver.documents import deletion
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.storage.local import LocalStorage
from docserver.web import downloads, original
from docserver.web.app import make_app
from tests.support import rows
from tests.support.at_work import at_work
from tests.support.client import Client, MakeClient, completed, get, kept_files, upload
from tests.support.samples import png
from tests.support.waiting import until


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of an API that knows documents again."""
    return await make_client(rate_limit=False, deduplicate=True)


def originals(resources: Resources) -> list[Path]:
    return kept_files(resources, "originals")


def remove(original: Path) -> None:
    original.unlink()


def shorten(original: Path) -> None:
    os.truncate(original, 100)


def flip_a_bit(original: Path) -> None:
    data = bytearray(original.read_bytes())
    data[len(data) // 2] ^= 1
    original.write_bytes(data)


def put_a_pipe(original: Path) -> None:
    original.unlink()
    os.mkfifo(original)


def put_a_link(original: Path) -> None:
    elsewhere = original.rename(original.parent.parent / "elsewhere")
    original.symlink_to(elsewhere)


@pytest.mark.parametrize("damage", [remove, shorten, flip_a_bit, put_a_pipe, put_a_link])
async def test_an_original_that_is_missing_or_damaged_is_replaced_by_the_same_upload(
    client: Client, resources: Resources, damage: Callable[[Path], None]
) -> None:
    first = await upload(client)
    (original,) = originals(resources)
    damage(original)

    again = await upload(client)

    assert (again["job_id"], again["attempt"], again["deduplicated"]) == (first["job_id"], 1, True)
    assert original.is_file()
    assert not original.is_symlink()
    assert original.read_bytes() == png()
    assert kept_files(resources, "incoming") == []


async def test_a_sound_original_is_left_as_it_is(client: Client, resources: Resources) -> None:
    await upload(client)
    (original,) = originals(resources)
    before = original.stat()

    await upload(client)

    assert os.path.samestat(original.stat(), before)


async def test_a_completed_job_keeps_its_text_when_its_original_is_replaced(
    client: Client, resources: Resources, worker: Worker
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])
    (original,) = originals(resources)
    flip_a_bit(original)

    again = await upload(client)

    assert (again["status"], again["attempt"], again["deduplicated"]) == ("completed", 1, True)
    async with client.get(f"/v1/documents/{first['document_id']}/file") as response:
        assert await response.read() == png()


async def start_reading(resources: Resources, job: dict[str, Any]) -> None:
    """A worker has opened the document and reads one of its two pages; the other one is read."""
    job_id = UUID(job["job_id"]).hex
    until = "UTC_TIMESTAMP(6) + INTERVAL 1 HOUR"
    await rows.change(resources.db, "UPDATE jobs SET status = 'processing', pages_total = 2, pages_done = 1")
    for number, status, claim, lease in ((1, "done", "NULL", "NULL"), (2, "pending", f"0x{job_id}", until)):
        await rows.change(
            resources.db,
            "INSERT INTO pages (job_id, number, status, claim, lease_until, run_after)"
            f" VALUES (0x{job_id}, {number}, '{status}', {claim}, {lease}, UTC_TIMESTAMP(6))",
        )


async def test_a_document_whose_original_is_replaced_while_it_is_read_is_read_again_from_the_start(
    client: Client, resources: Resources
) -> None:
    first = await upload(client)
    await start_reading(resources, first)
    (original,) = originals(resources)
    flip_a_bit(original)

    again = await upload(client)

    assert (again["job_id"], again["status"], again["attempt"]) == (first["job_id"], "pending", 2)
    assert again["pages"] == {"total": None, "done": 0, "failed": 0}
    assert [(entry["outcome"], entry["code"]) for entry in again["history"]] == [("failed", "storage_missing")]
    async with resources.db.session() as cur:
        assert await cur.execute("SELECT number FROM pages") == 0


async def test_a_document_that_could_not_be_read_because_its_original_was_missing_is_read_after_the_same_upload(
    client: Client, resources: Resources, worker: Worker
) -> None:
    data = png("another text")
    first = await upload(client)
    await completed(client, first["job_id"])
    remove(*originals(resources))
    await rows.change(
        resources.db, "UPDATE jobs SET status = 'failed', error_code = 'storage_missing', error_message = 'x'"
    )

    again = await upload(client)
    other = await upload(client, data)

    assert (again["job_id"], again["attempt"], again["deduplicated"]) == (first["job_id"], 2, True)
    assert (await completed(client, again["job_id"]))["pages"] == {"total": 1, "done": 1, "failed": 0}
    assert other["document_id"] != first["document_id"]


class Interrupted(LocalStorage):
    """Something happens after an original was found to be missing, before another takes its place."""

    def __init__(self, data_dir: Path, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__(data_dir)
        self.happens = happens

    async def _intact(self, document_id: UUID, *, size: int, sha256: bytes) -> Path | None:
        path = await super()._intact(document_id, size=size, sha256=sha256)
        await self.happens()
        return path


async def test_a_job_that_fails_just_before_its_missing_original_is_replaced_is_read_again(
    client: Client, resources: Resources, aiohttp_client: AiohttpClient
) -> None:
    first = await upload(client)
    remove(*originals(resources))

    async def fail_it() -> None:
        await rows.change(resources.db, "UPDATE jobs SET status = 'failed'")

    slow = replace(
        resources,
        settings=replace(resources.settings, deduplicate=True),
        storage=Interrupted(resources.settings.data_dir, fail_it),
    )
    again = await upload(await aiohttp_client(make_app(slow)))

    assert (again["job_id"], again["status"], again["attempt"]) == (first["job_id"], "pending", 2)


async def test_a_document_that_is_deleted_just_before_its_missing_original_is_replaced_becomes_a_new_one(
    client: Client, resources: Resources, aiohttp_client: AiohttpClient, worker: Worker
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])
    remove(*originals(resources))

    async def delete_it() -> None:
        await deletion.delete(resources, UUID(first["document_id"]), tenant=DEFAULT_TENANT, actor="a test")

    slow = replace(
        resources,
        settings=replace(resources.settings, deduplicate=True),
        storage=Interrupted(resources.settings.data_dir, delete_it),
    )
    again = await upload(await aiohttp_client(make_app(slow)))

    assert again["deduplicated"] is False
    assert (await completed(client, again["job_id"]))["document_id"] != first["document_id"]
    assert [path.name for path in originals(resources)] == [again["document_id"]]


async def test_of_several_equal_uploads_at_once_each_gets_the_document_whose_original_was_missing(
    client: Client, resources: Resources, worker: Worker
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])
    remove(*originals(resources))

    jobs = await asyncio.gather(*(upload(client, filename=f"{n}.png") for n in range(5)))

    assert {job["job_id"] for job in jobs} == {first["job_id"]}
    assert [path.read_bytes() for path in originals(resources)] == [png()]
    document = await get(client, f"/v1/documents/{first['document_id']}")
    assert sorted(document["other_filenames"]) == [f"{n}.png" for n in range(5)]


@pytest.mark.parametrize("damage", [remove, flip_a_bit])
async def test_a_job_whose_original_is_missing_or_damaged_cannot_be_retried_and_keeps_its_text(
    client: Client, resources: Resources, worker: Worker, damage: Callable[[Path], None]
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])
    damage(*originals(resources))

    async with client.post(f"/v1/jobs/{first['job_id']}/retry") as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (409, "conflict")
    assert (await get(client, f"/v1/jobs/{first['job_id']}"))["status"] == "completed"
    await upload(client)
    async with client.post(f"/v1/jobs/{first['job_id']}/retry") as response:
        assert response.status == 202


@pytest.mark.parametrize("damage", [remove, shorten, flip_a_bit])
async def test_a_document_whose_original_is_missing_or_damaged_fails_and_is_read_after_the_same_upload(
    client: Client, resources: Resources, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    job = await upload(client)
    damage(*originals(resources))

    async with at_work(resources, tmp_path):
        failed = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)
        again = await upload(client)
        await completed(client, again["job_id"])

    assert (failed["status"], failed["error"]["code"]) == ("failed", "storage_missing")
    assert failed["error"]["message"].endswith("upload it again.")
    assert (again["job_id"], again["attempt"]) == (job["job_id"], 2)


async def test_while_the_data_directory_is_not_mounted_no_job_fails(
    client: Client, resources: Resources, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir = resources.settings.data_dir
    job = await upload(client)
    (data_dir / "originals").rename(data_dir / "elsewhere")

    async with at_work(resources, tmp_path):
        await until(lambda: "work given back" in caplog.messages)
        (data_dir / "elsewhere").rename(data_dir / "originals")
        await completed(client, job["job_id"])


@pytest.mark.parametrize("damage", [remove, shorten, flip_a_bit])
async def test_an_original_that_is_missing_or_damaged_is_not_served(
    client: Client, resources: Resources, damage: Callable[[Path], None]
) -> None:
    document = (await upload(client))["document_id"]
    (original,) = originals(resources)
    damage(original)

    async with client.get(f"/v1/documents/{document}/file") as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (404, "not_found")
    assert problem["detail"].endswith("upload it again.")


async def test_a_large_original_that_is_damaged_is_not_served_to_its_end(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(original, "COMPARED_BYTES", 0)
    data = png() + bytes(3 * downloads.PIECE_BYTES)
    document = (await upload(client, data))["document_id"]
    path = f"/v1/documents/{document}/file"
    async with client.get(path) as response:
        assert await response.read() == data
    flip_a_bit(*originals(resources))

    async with client.get(path) as response:
        with pytest.raises(ClientPayloadError):
            await response.read()

    assert [record.__dict__["document_id"] for record in caplog.records if record.message == "original damaged"] == [
        document
    ]
