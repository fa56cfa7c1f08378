"""The same bytes and options of the same client: the earlier job at once, unless it would not be as good."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.database.tables.documents import MAX_OTHER_FILENAMES
from docserver.documents import deletion
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.storage.local import LocalStorage
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, completed, get, kept_files, upload
from tests.support.raw_http import UPLOAD
from tests.support.samples import png
from tests.support.service import form

BROKEN_PNG = png()[:200]


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of an API that knows documents again."""
    return await make_client(rate_limit=False, deduplicate=True)


async def total(client: Client) -> int:
    return int((await get(client, "/v1/documents/list-document"))["total"])


def originals(resources: Resources) -> list[Path]:
    return kept_files(resources, "originals")


async def test_the_same_document_again_is_answered_with_the_finished_job(
    client: Client, resources: Resources, worker: Worker
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])

    again = await upload(client, filename="another name.png")

    assert first["deduplicated"] is False
    assert again["deduplicated"] is True
    assert (again["job_id"], again["document_id"]) == (first["job_id"], first["document_id"])
    assert again["status"] == "completed"
    assert again["engine"]["models"].keys() == {"eng"}
    assert (await get(client, f"/v1/jobs/{first['job_id']}"))["deduplicated"] is False
    assert await total(client) == 1
    assert len(originals(resources)) == 1


async def test_one_that_prefers_to_wait_is_answered_with_200_and_the_finished_job(
    client: Client, worker: Worker
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])

    async with client.post(UPLOAD, data=form(png()), headers={"Prefer": "wait=30"}) as response:
        again = await response.json()

    assert response.status == 200
    assert response.headers["Location"] == f"/v1/jobs/{first['job_id']}"
    assert (again["job_id"], again["deduplicated"]) == (first["job_id"], True)


async def test_while_the_first_is_still_unread_the_second_is_answered_with_its_job(
    client: Client, resources: Resources
) -> None:
    first = await upload(client)

    async with client.post(UPLOAD, data=form(png())) as response:
        again = await response.json()

    assert response.status == 202
    assert response.headers["Location"] == f"/v1/jobs/{first['job_id']}"
    assert (again["status"], again["deduplicated"]) == ("pending", True)
    assert len(originals(resources)) == 1


Change = Callable[[Client, Resources, dict[str, Any]], Awaitable[object]]


async def delete(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    async with client.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204


async def execute(resources: Resources, sql: str) -> None:
    async with resources.db.session() as cur:
        assert await cur.execute(sql) == 1


async def fail_a_page(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await execute(resources, "UPDATE jobs SET pages_total = 2, pages_done = 1, pages_failed = 1")


async def fail(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await execute(resources, "UPDATE jobs SET status = 'failed'")


async def cancel(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await execute(resources, "UPDATE jobs SET status = 'cancelled'")


async def retry(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await execute(resources, "UPDATE jobs SET attempt = 2")


async def take_away(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await execute(resources, "UPDATE documents SET client = 'another'")


@pytest.mark.parametrize("change", [delete, fail_a_page, fail, cancel, retry, take_away])
async def test_a_job_that_is_gone_is_no_plain_success_or_is_another_clients_is_not_given_again(
    client: Client, resources: Resources, change: Change
) -> None:
    first = await upload(client)
    await change(client, resources, first)

    again = await upload(client)

    assert again["job_id"] != first["job_id"]
    assert again["deduplicated"] is False


@pytest.mark.parametrize("options", [{"pages": "1"}, {"languages": "eng+eng"}])
async def test_with_other_options_it_is_read_anew(client: Client, options: dict[str, Any]) -> None:
    first = await upload(client)

    again = await upload(client, **options)
    once_more = await upload(client, **options)

    assert again["job_id"] != first["job_id"]
    assert once_more["job_id"] == again["job_id"]


async def test_other_bytes_are_another_document(client: Client) -> None:
    first = await upload(client)

    other = await upload(client, png("another text"))

    assert other["document_id"] != first["document_id"]


@pytest.mark.parametrize("change", [{"version": "9.9"}, {"models": {"eng": "sha256:0"}}, {"name": "other"}])
async def test_with_another_engine_or_model_it_is_read_anew(
    client: Client, resources: Resources, worker: Worker, aiohttp_client: AiohttpClient, change: dict[str, Any]
) -> None:
    first = await upload(client)
    await completed(client, first["job_id"])
    updated = replace(
        resources,
        settings=replace(resources.settings, deduplicate=True),
        engine=replace(resources.engine, **change),
    )

    again = await upload(await aiohttp_client(make_app(updated)))

    assert again["job_id"] != first["job_id"]


async def test_where_it_is_turned_off_each_upload_is_a_document(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False, deduplicate=False)

    first, again = await upload(client), await upload(client)

    assert first["document_id"] != again["document_id"]
    assert await total(client) == 2


async def test_a_document_that_cannot_be_read_is_tried_again(client: Client, worker: Worker) -> None:
    first = await upload(client, BROKEN_PNG)
    assert (await get(client, f"/v1/jobs/{first['job_id']}", wait=30))["status"] == "failed"

    again = await upload(client, BROKEN_PNG)

    assert again["job_id"] != first["job_id"]


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
    await execute(resources, "UPDATE jobs SET status = 'processing', pages_total = 2, pages_done = 1")
    for number, status, claim, lease in ((1, "done", "NULL", "NULL"), (2, "pending", f"0x{job_id}", until)):
        await execute(
            resources,
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
    await execute(resources, "UPDATE jobs SET status = 'failed', error_code = 'storage_missing', error_message = 'x'")

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

    async def has(self, document_id: UUID, *, size: int, sha256: bytes) -> bool:
        present = await super().has(document_id, size=size, sha256=sha256)
        await self.happens()
        return present


async def test_a_job_that_fails_just_before_its_missing_original_is_replaced_is_read_again(
    client: Client, resources: Resources, aiohttp_client: AiohttpClient
) -> None:
    first = await upload(client)
    remove(*originals(resources))

    async def fail_it() -> None:
        await fail(client, resources, first)

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
        await deletion.delete(resources, UUID(first["document_id"]))

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


async def test_a_document_is_found_by_each_name_it_was_uploaded_under(client: Client) -> None:
    first = await upload(client, filename="invoice.png")
    await upload(client, filename="Rechnung.png")
    await upload(client, filename="../Faktura.png")
    await upload(client, filename="Rechnung.png")
    await upload(client, png("another text"), filename="letter.png")

    for name in ("invoice", "rechnung", "FAKTURA"):
        found = await get(client, "/v1/documents/list-document", filename=name)
        assert [item["document_id"] for item in found["items"]] == [first["document_id"]]
        assert found["items"][0]["other_filenames"] == ["Rechnung.png", "Faktura.png"]
    document = await get(client, f"/v1/documents/{first['document_id']}")
    assert (document["filename"], document["other_filenames"]) == ("invoice.png", ["Rechnung.png", "Faktura.png"])


async def test_an_upload_with_one_name_too_many_is_a_document_of_its_own(client: Client, resources: Resources) -> None:
    first = await upload(client, filename="first.png")
    names = "\n".join(f"{n}.png" for n in range(MAX_OTHER_FILENAMES))
    await execute(resources, f"UPDATE documents SET other_filenames = '{names}'")

    known = await upload(client, filename="7.png")
    another = await upload(client, filename="last.png")
    same = await upload(client, filename="last.png")

    assert known["document_id"] == first["document_id"]
    assert another["document_id"] != first["document_id"]
    assert same["document_id"] == another["document_id"]
    assert len(originals(resources)) == 2


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


async def test_languages_are_those_installed_with_the_default(client: Client) -> None:
    languages = await get(client, "/v1/languages")

    assert languages["default"] == "eng"
    assert "eng" in languages["installed"]
    assert languages["installed"] == sorted(languages["installed"])
