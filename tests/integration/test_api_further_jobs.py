"""Further jobs of a document over HTTP: read once more with other options, beside the jobs that are there."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from docserver.documents import further_jobs
from docserver.documents.further_jobs import FurtherJob
from docserver.jobs.worker import Worker
from docserver.model import new_id
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.setting_types import Auth
from tests.support.client import Client, MakeClient, completed, get, kept_files, post, upload
from tests.support.faulty_database import Unanswered
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import CALLER, change, finish_job, value
from tests.support.samples import PAGES, pdf_scanned, words
from tests.support.tenants import key_of, limit
from tests.support.webhooks import LOCAL, StartSender

READ = [words(page) for page in PAGES]

FORCED = {"mode": "force"}


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of an API that knows documents again."""
    return await make_client(rate_limit=False, deduplicate=True)


def path_of(job: dict[str, Any]) -> str:
    """Where further jobs of a job's document are made."""
    return f"/v1/documents/{job['document_id']}/jobs"


async def text(client: Client, job_id: str) -> list[list[str]]:
    async with client.get(f"/v1/jobs/{job_id}/result") as response:
        assert response.status == 200
        return [words(page) for page in (await response.text()).split("\f")]


async def jobs_of(client: Client, job: dict[str, Any]) -> list[str]:
    """The jobs that the document shows, latest first."""
    document = await get(client, f"/v1/documents/{job['document_id']}")
    return [each["job_id"] for each in document["jobs"]]


async def total(client: Client, **query: str) -> int:
    return int((await get(client, "/v1/documents/list-document", **query))["total"])


async def test_a_further_job_reads_the_document_beside_the_earlier_one_whose_result_stays(
    client: Client, worker: Worker
) -> None:
    first = await upload(client, pdf_scanned(PAGES), "long.pdf")
    await completed(client, first["job_id"])

    async with client.post(path_of(first), json={"pages": "2-3"}, params=FORCED) as response:
        second = await response.json()
        assert response.status == 202
        assert response.headers["Location"] == f"/v1/jobs/{second['job_id']}"
        assert int(response.headers["Retry-After"]) >= 1
    await completed(client, second["job_id"])

    assert (second["status"], second["attempt"], second["deduplicated"]) == ("pending", 1, False)
    assert second["document_id"] == first["document_id"]
    assert second["options"] == {
        "languages": "eng",
        "mode": "force",
        "pages": "2-3",
        "rotate": "auto",
        "barcodes": True,
        "engine": "auto",
    }
    assert await jobs_of(client, first) == [second["job_id"], first["job_id"]]
    assert await text(client, first["job_id"]) == READ
    assert await text(client, second["job_id"]) == READ[1:]


async def test_one_that_prefers_to_wait_is_answered_with_the_finished_job(client: Client, worker: Worker) -> None:
    first = await upload(client)

    async with client.post(path_of(first), json=FORCED, headers={"Prefer": "wait=30"}) as response:
        second = await response.json()

    assert (response.status, response.headers["Preference-Applied"]) == (200, "wait")
    assert second["status"] == "completed"


async def test_options_that_are_not_given_are_those_of_an_upload_and_not_of_an_earlier_job(client: Client) -> None:
    first = await upload(client, pages="1", rotate="off")

    _, second = await post(client, path_of(first), json=FORCED)

    assert second["options"] == {
        "languages": "eng",
        "mode": "force",
        "pages": None,
        "rotate": "auto",
        "barcodes": True,
        "engine": "auto",
    }


async def test_an_equal_job_that_is_unfinished_or_completed_is_given_again(client: Client, worker: Worker) -> None:
    first = await upload(client)
    pending = await post(client, path_of(first))
    await completed(client, first["job_id"])

    status, done = await post(client, path_of(first), json={"mode": "auto", "languages": "eng"})

    assert [pending[0], status] == [202, 202]
    assert [each["job_id"] for each in (pending[1], done)] == [first["job_id"]] * 2
    assert [each["deduplicated"] for each in (pending[1], done)] == [True, True]
    assert done["status"] == "completed"
    assert len(await jobs_of(client, first)) == 1


@pytest.mark.parametrize(
    "changed",
    ["status = 'failed'", "status = 'cancelled'", "attempt = 2", "pages_total = 2, pages_done = 1, pages_failed = 1"],
)
async def test_an_equal_job_that_is_not_as_good_stays_beside_a_new_one(
    client: Client, resources: Resources, changed: str
) -> None:
    first = await upload(client)
    await change(resources.db, f"UPDATE jobs SET {changed}")

    _, second = await post(client, path_of(first))

    assert second["deduplicated"] is False
    assert await jobs_of(client, first) == [second["job_id"], first["job_id"]]


async def test_where_uploads_are_not_known_again_each_request_makes_a_job(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False, deduplicate=False)
    first = await upload(client)

    _, second = await post(client, path_of(first))

    assert (second["job_id"] != first["job_id"], second["deduplicated"]) == (True, False)


async def test_equal_requests_at_the_same_time_make_one_job(client: Client, make_client: MakeClient) -> None:
    another = await make_client(rate_limit=False, deduplicate=True)
    first = await upload(client)

    answers = await asyncio.gather(
        *(post(each, path_of(first), json=FORCED) for _ in range(5) for each in (client, another))
    )

    assert {status for status, _ in answers} == {202}
    assert len({job["job_id"] for _, job in answers}) == 1
    assert sorted(job["deduplicated"] for _, job in answers) == [False, *[True] * 9]


async def test_an_upload_of_the_same_file_gets_the_job_with_its_options(client: Client) -> None:
    first = await upload(client)
    _, second = await post(client, path_of(first), json=FORCED)

    assert (await upload(client))["job_id"] == first["job_id"]
    assert (await upload(client, mode="force"))["job_id"] == second["job_id"]
    assert await total(client) == 1


async def test_the_list_shows_the_document_once_with_its_latest_job(client: Client, resources: Resources) -> None:
    first = await upload(client)
    await finish_job(resources.db, UUID(first["job_id"]))
    assert await total(client, status="completed") == 1

    _, second = await post(client, path_of(first), json=FORCED)

    for query in ({}, {"status": "pending"}, {"content_type": "image/png"}, {"status": "pending", "filename": "note"}):
        listed = await get(client, "/v1/documents/list-document", **query)
        assert listed["total"] == 1, query
        assert [(each["job_id"], each["status"]) for each in listed["items"]] == [(second["job_id"], "pending")], query
    assert await total(client, status="completed") == 0
    await finish_job(resources.db, UUID(second["job_id"]))
    assert await total(client, status="completed") == 1


async def test_cancelling_a_further_job_leaves_the_earlier_result(client: Client, worker: Worker) -> None:
    first = await upload(client, pdf_scanned(PAGES), "long.pdf")
    await completed(client, first["job_id"])
    await worker.stop(grace_s=10)
    _, second = await post(client, path_of(first), json=FORCED)

    status, cancelled = await post(client, f"/v1/jobs/{second['job_id']}/cancel")

    assert (status, cancelled["status"]) == (200, "cancelled")
    assert await text(client, first["job_id"]) == READ


async def test_deleting_the_document_deletes_all_its_jobs_and_then_none_can_be_made(
    client: Client, resources: Resources
) -> None:
    first = await upload(client)
    _, second = await post(client, path_of(first), json=FORCED)

    async with client.delete(f"/v1/documents/{first['document_id']}") as response:
        assert response.status == 204

    for job in (first, second):
        async with client.get(f"/v1/jobs/{job['job_id']}") as response:
            assert response.status == 404
    assert await value(resources.db, "SELECT COUNT(*) FROM jobs") == 0
    status, problem = await post(client, path_of(first), json=FORCED)
    assert (status, problem["code"]) == (410, "deleted")


async def test_without_its_file_a_document_gets_no_further_job(client: Client, resources: Resources) -> None:
    first = await upload(client)
    for original in kept_files(resources, "originals"):
        original.unlink()

    status, problem = await post(client, path_of(first), json=FORCED)

    assert (status, problem["code"]) == (409, "conflict")
    assert await jobs_of(client, first) == [first["job_id"]]


async def test_a_document_has_no_more_jobs_than_are_shown_with_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(further_jobs, "MAX_JOBS", 2)
    first = await upload(client)
    assert (await post(client, path_of(first), json=FORCED))[0] == 202

    status, problem = await post(client, path_of(first), json={"rotate": "off"})

    assert (status, problem["code"]) == (409, "conflict")
    assert len(await jobs_of(client, first)) == 2


@pytest.mark.parametrize(
    ("sent", "status", "named"),
    [
        ({"json": {"colour": "red"}}, 422, "/colour"),
        ({"json": {"expires_in": 60}}, 422, "/expires_in"),
        ({"json": {"languages": "xyz"}}, 422, "/languages"),
        ({"json": {"pages": "needs_review"}}, 422, "/pages"),
        ({"json": {"mode": "auto"}, "params": {"mode": "force"}}, 422, "mode"),
        ({"json": {"callback_url": "https://example.org/"}}, 422, "/callback_secret"),
        ({"json": ["pages"]}, 422, None),
        ({"params": {"languages": "xyz"}}, 422, "languages"),
        ({"data": b'{"mode": "auto", "mode": "force"}', "headers": {"Content-Type": "application/json"}}, 422, "/mode"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"data": {"pages": "1"}}, 415, None),
    ],
)
async def test_what_cannot_be_is_refused_and_makes_no_job(
    client: Client, sent: dict[str, Any], status: int, named: str | None
) -> None:
    first = await upload(client)

    refused, problem = await post(client, path_of(first), **sent)

    assert (refused, problem["status"]) == (status, status)
    assert [error.get("pointer") or error["parameter"] for error in problem["errors"]] == ([named] if named else [])
    assert len(await jobs_of(client, first)) == 1


async def test_quotas_hold_for_further_jobs(client: Client, resources: Resources) -> None:
    first = await upload(client)
    await limit(resources.db, max_unfinished_jobs=1)
    unfinished, problem = await post(client, path_of(first), json=FORCED)
    await finish_job(resources.db, UUID(first["job_id"]))
    await limit(resources.db, max_unfinished_jobs=5, pages_per_day=0)
    pages, _ = await post(client, path_of(first), json=FORCED)

    assert (unfinished, problem["code"], pages) == (429, "quota_exceeded", 429)
    assert len(await jobs_of(client, first)) == 1
    await limit(resources.db, max_unfinished_jobs=5, pages_per_day=10)
    assert (await post(client, path_of(first), json=FORCED))[0] == 202


async def test_only_the_tenant_of_a_document_can_have_it_read_once_more(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    acme, other = await key_of(resources, "acme"), await key_of(resources, "other")
    client.session.headers.update(acme)
    first = await upload(client)

    client.session.headers.update(other)
    assert (await post(client, path_of(first), json=FORCED))[0] == 404
    client.session.headers.update(acme)
    assert (await post(client, path_of(first), json=FORCED))[0] == 202


async def test_a_callback_is_told_of_the_end_of_the_further_job_and_an_equal_request_adds_its_own(
    make_client: MakeClient, receiver: Receiver, start_sender: StartSender
) -> None:
    client = await make_client(
        rate_limit=False, deduplicate=True, webhook_networks=LOCAL, webhook_ports=(receiver.port,)
    )
    first = await upload(client)
    callback = {**FORCED, "callback_url": receiver.url(), "callback_secret": SECRET}
    _, second = await post(client, path_of(first), json=callback)
    _, equal = await post(client, path_of(first), json={**callback, "callback_url": receiver.url("/another")})

    await post(client, f"/v1/jobs/{second['job_id']}/cancel")
    await start_sender()
    told = await receiver.arrived(2)

    assert equal["job_id"] == second["job_id"]
    assert {each.path for each in told} == {"/hook", "/another"}
    assert {(each.event["type"], each.event["data"]["job_id"]) for each in told} == {
        ("job.cancelled", second["job_id"])
    }


async def test_a_request_that_is_sent_again_with_its_key_makes_no_second_job(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False, deduplicate=False)
    first = await upload(client)
    sent: dict[str, Any] = {"json": FORCED, "headers": {"Idempotency-Key": "a-key"}}

    _, second = await post(client, path_of(first), **sent)
    async with client.post(path_of(first), **sent) as response:
        again = await response.json()

    assert (response.status, response.headers["Idempotency-Replayed"], again) == (202, "true", second)
    assert len(await jobs_of(client, first)) == 2


async def test_a_request_that_is_carried_out_again_after_its_process_died_finds_its_job(
    client: Client, resources: Resources
) -> None:
    first = await upload(client)
    document_id = UUID(first["document_id"])
    asked = FurtherJob(job_id=new_id(), options=Options("eng", pages="1"), caller=CALLER, request_id="r")
    resources = replace(resources, settings=replace(resources.settings, deduplicate=False))
    once = await further_jobs.create(resources, document_id, asked)

    again = await further_jobs.create(resources, document_id, asked)

    assert (once[0].id, again[0].id) == (asked.job_id, asked.job_id)
    assert (once[1], again[1]) == (False, False)
    assert len(await jobs_of(client, first)) == 2


async def test_a_job_whose_commit_got_no_answer_is_told_as_what_it_was(client: Client, resources: Resources) -> None:
    first = await upload(client)
    asked = FurtherJob(job_id=new_id(), options=Options("eng", pages="1"), caller=CALLER, request_id="r")
    db: Any = Unanswered(resources.db, answers_lost=1)

    job, deduplicated = await further_jobs.create(replace(resources, db=db), UUID(first["document_id"]), asked)

    assert (job.id, deduplicated) == (asked.job_id, False)
    assert await jobs_of(client, first) == [str(asked.job_id), first["job_id"]]
