"""The same bytes and options of the same client: the earlier job at once, unless it would not be as good."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.database.tables.documents import MAX_OTHER_FILENAMES
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.support import rows
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


async def fail_a_page(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await rows.change(resources.db, "UPDATE jobs SET pages_total = 2, pages_done = 1, pages_failed = 1")


async def fail(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await rows.change(resources.db, "UPDATE jobs SET status = 'failed'")


async def cancel(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await rows.change(resources.db, "UPDATE jobs SET status = 'cancelled'")


async def retry(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await rows.change(resources.db, "UPDATE jobs SET attempt = 2")


async def take_away(client: Client, resources: Resources, job: dict[str, Any]) -> None:
    await rows.change(resources.db, "UPDATE documents SET client = 'another'")


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


async def test_equal_files_at_the_same_time_are_one_document_for_each_set_of_options(
    client: Client, make_client: MakeClient, resources: Resources
) -> None:
    second = await make_client(rate_limit=False, deduplicate=True)
    options: list[dict[str, Any]] = [{}, {"pages": "1"}]

    answers = await asyncio.gather(
        *(upload(one_of, **given) for _ in range(15) for one_of in (client, second) for given in options)
    )

    for given in range(2):
        equal = answers[given::2]
        assert len({(job["document_id"], job["job_id"]) for job in equal}) == 1
        assert [job["deduplicated"] for job in equal].count(False) == 1
    assert await total(client) == len(originals(resources)) == 2
    assert await rows.value(resources.db, "SELECT COUNT(*) FROM equal_uploads") == 2


async def test_equal_files_at_the_same_time_replace_a_job_that_is_not_as_good_once(
    client: Client, resources: Resources
) -> None:
    first = await upload(client)
    await cancel(client, resources, first)

    again = await asyncio.gather(*(upload(client) for _ in range(10)))

    assert len({job["job_id"] for job in again} - {first["job_id"]}) == 1
    assert await total(client) == len(originals(resources)) == 2


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


async def test_a_document_is_found_by_each_name_it_was_uploaded_under(client: Client) -> None:
    first = await upload(client, filename="invoice.png")
    await upload(client, filename="Rechnung.png")
    await upload(client, filename="../Faktura.png")
    await upload(client, filename="Rechnung.png")
    await upload(client, filename="Ko\u0308ln.png")
    await upload(client, png("another text"), filename="letter.png")

    for name in ("invoice", "rechnung", "FAKTURA", "köln", "KO\u0308LN", "koln"):
        found = await get(client, "/v1/documents/list-document", filename=name)
        assert [item["document_id"] for item in found["items"]] == [first["document_id"]]
        assert found["items"][0]["other_filenames"] == ["Rechnung.png", "Faktura.png", "Köln.png"]
    document = await get(client, f"/v1/documents/{first['document_id']}")
    assert (document["filename"], document["other_filenames"]) == (
        "invoice.png",
        ["Rechnung.png", "Faktura.png", "Köln.png"],
    )


async def test_an_upload_with_one_name_too_many_is_a_document_of_its_own(client: Client, resources: Resources) -> None:
    first = await upload(client, filename="first.png")
    names = "\n".join(f"{n}.png" for n in range(MAX_OTHER_FILENAMES))
    await rows.change(resources.db, f"UPDATE documents SET other_filenames = '{names}'")

    known = await upload(client, filename="7.png")
    another = await upload(client, filename="last.png")
    same = await upload(client, filename="last.png")

    assert known["document_id"] == first["document_id"]
    assert another["document_id"] != first["document_id"]
    assert same["document_id"] == another["document_id"]
    assert len(originals(resources)) == 2
