"""Cancel and retry over HTTP: which jobs may, what they become, and what becomes of their pages and results."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.faults import CommitUnknown
from docserver.database.tables import jobs, pages
from docserver.database.tables.tenants import Quotas
from docserver.documents import cancel_retry, results
from docserver.errors import ResultNotReady
from docserver.formats import FORMATS
from docserver.jobs import restarts, transitions
from docserver.jobs.leases import Claims
from docserver.jobs.worker import Worker
from docserver.model import Status
from docserver.reading_options import EngineChoice
from docserver.redis.queue import JOBS
from docserver.resources import Resources
from tests.support.client import Client, completed, get, post, upload
from tests.support.faulty_database import SlowCommit, Unanswered
from tests.support.followed import all_of, settle
from tests.support.rows import (
    CALLER,
    READING,
    change,
    claim_pages,
    finish_job,
    found,
    make_job,
    put_original,
    told,
    value,
)
from tests.support.samples import PAGES, pdf_scanned, png, truncated, words
from tests.support.waiting import until

READ = [words(page) for page in PAGES]


async def pages_of(client: Client, job_id: str) -> list[list[str]]:
    async with client.get(f"/v1/jobs/{job_id}/result") as response:
        assert response.status == 200
        return [words(page) for page in (await response.text()).split("\f")]


async def answer(client: Client, path: str, *, method: str = "GET", **headers: str) -> tuple[int, str | None]:
    """The status of an answer, and the code of a refusal."""
    async with client.request(method, path, headers=headers) as response:
        return response.status, (await response.json())["code"] if response.status >= 400 else None


async def listed(client: Client, **query: str) -> list[str]:
    """The statuses of documents in the list."""
    return [document["status"] for document in (await get(client, "/v1/documents/list-document", **query))["items"]]


async def test_a_cancelled_job_is_final_has_no_result_and_is_not_queued(client: Client, resources: Resources) -> None:
    job = await upload(client)
    path = f"/v1/jobs/{job['job_id']}"

    status, cancelled = await post(client, f"{path}/cancel")

    assert (status, cancelled["status"], cancelled["error"]) == (200, "cancelled", None)
    assert cancelled["finished_at"] is not None
    assert told(cancelled["history"]) == [(1, "job", None, "cancelled", None)]
    assert (await get(client, path))["status"] == "cancelled"
    assert await resources.redis.command("HLEN", JOBS) == 0
    async with client.get(f"{path}/result") as response:
        assert (response.status, (await response.json())["code"]) == (409, "job_failed")


async def test_a_job_that_has_ended_cannot_be_cancelled(client: Client, worker: Worker) -> None:
    job = await upload(client)
    await completed(client, job["job_id"])

    status, problem = await post(client, f"/v1/jobs/{job['job_id']}/cancel")

    assert (status, problem["code"]) == (409, "conflict")
    assert (await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "completed"


@pytest.mark.parametrize("verb", ["cancel", "retry"])
async def test_what_is_not_there_is_not_found_and_what_is_not_known_is_refused(client: Client, verb: str) -> None:
    job = await upload(client)

    assert (await post(client, f"/v1/jobs/{UUID(int=1)}/{verb}"))[0] == 404
    assert (await post(client, f"/v1/jobs/nonsense/{verb}"))[0] == 404
    status, problem = await post(client, f"/v1/jobs/{job['job_id']}/{verb}", params={"colour": "red"})
    assert (status, problem["errors"][0]["parameter"]) == (422, "colour")


async def test_a_cancelled_job_can_be_retried_and_then_completes(
    client: Client, resources: Resources, worker: Worker
) -> None:
    _, job_id = await make_job(resources.db)
    assert (await post(client, f"/v1/jobs/{job_id}/cancel"))[0] == 200
    job = await upload(client)
    await completed(client, job["job_id"])

    async with client.post(f"/v1/jobs/{job['job_id']}/retry") as response:
        again = await response.json()
        assert response.status == 202
        assert response.headers["Location"] == f"/v1/jobs/{job['job_id']}"
        assert int(response.headers["Retry-After"]) >= 1
    final = await completed(client, job["job_id"])

    assert (again["status"], again["attempt"], again["pages"]["done"]) == ("pending", 2, 0)
    assert (again["started_at"], again["finished_at"]) == (None, None)
    assert final["pages"] == {"total": 1, "done": 1, "failed": 0}
    assert told(final["history"]) == [(attempt, "job", None, "completed", None) for attempt in (1, 2)]


async def test_a_retry_that_is_cancelled_leaves_the_pages_that_it_does_not_read_and_can_be_retried(
    client: Client, resources: Resources
) -> None:
    document_id, job_id = await make_job(resources.db, total=2)
    put_original(resources, document_id)
    await settle(resources, job_id, pages=2)
    path, first_end = f"/v1/jobs/{job_id}", (await all_of(client, job_id))[-1]

    assert (await post(client, f"{path}/retry", json={"pages": "2"}))[0] == 202
    status, cancelled = await post(client, f"{path}/cancel")

    assert (status, cancelled["status"], cancelled["attempt"]) == (200, "cancelled", 2)
    assert cancelled["pages"] == {"total": 2, "done": 1, "failed": 0}
    assert told(cancelled["history"]) == [(1, "job", None, "completed", None), (2, "job", None, "cancelled", None)]
    assert await get(client, path) == cancelled
    assert await listed(client) == await listed(client, status="cancelled") == ["cancelled"]
    assert await listed(client, status="completed") == []
    end = (await all_of(client, job_id, first_end.id or ""))[-1]
    assert (end.kind, end.data["status"], end.data["attempt"]) == ("done", "cancelled", 2)
    assert await answer(client, f"{path}/events", **{"Last-Event-ID": end.id or ""}) == (204, None)
    assert await answer(client, f"{path}/result") == (409, "job_failed")
    assert await answer(client, f"{path}/pages/1") == (200, None)
    assert await answer(client, f"{path}/pages/2") == (409, "job_failed")
    assert await resources.redis.command("HLEN", JOBS) == 0
    assert await answer(client, f"{path}/cancel", method="POST") == (409, "conflict")

    assert (await post(client, f"{path}/retry"))[0] == 202
    await settle(resources, job_id)

    assert await listed(client) == ["completed"]
    assert await pages_of(client, str(job_id)) == [["page", "1"], ["page", "2"]]


async def test_only_the_pages_asked_for_are_read_again_and_the_others_keep_their_text(
    client: Client, resources: Resources, worker: Worker
) -> None:
    job = await upload(client, pdf_scanned(PAGES), "long.pdf")
    await completed(client, job["job_id"])
    await change(resources.db, "UPDATE pages SET text = 'as it was'")
    before = await pages_of(client, job["job_id"])

    status, again = await post(client, f"/v1/jobs/{job['job_id']}/retry", json={"pages": "2", "languages": "eng"})
    final = await completed(client, job["job_id"])

    assert before == [["as", "it", "was"]] * 3
    assert (status, again["pages"]) == (202, {"total": 3, "done": 2, "failed": 0})
    assert (final["attempt"], final["pages"]["done"], final["options"]["pages"]) == (2, 3, None)
    assert await pages_of(client, job["job_id"]) == [["as", "it", "was"], READ[1], ["as", "it", "was"]]


async def test_a_result_is_not_served_from_the_cache_once_its_job_begins_anew(
    client: Client, resources: Resources
) -> None:
    document_id, job_id = await make_job(resources.db, total=1)
    put_original(resources, document_id)
    claim_id, _ = await claim_pages(resources.db, job_id)
    await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim_id, results={1: READING})
    path = f"/v1/jobs/{job_id}"
    tag = (await client.get(path)).headers["ETag"]
    async with client.get(f"{path}/result") as response:
        assert response.status == 200

    assert (await post(client, f"{path}/retry"))[0] == 202

    async with client.get(f"{path}/result") as response:
        assert (response.status, (await response.json())["code"]) == (409, "not_ready")
    async with client.get(path, headers={"If-None-Match": tag}) as response:
        assert (response.status, (await response.json())["status"]) == (200, "pending")


async def test_a_document_that_could_not_be_opened_is_opened_again_with_the_pages_asked_for(
    client: Client, worker: Worker
) -> None:
    job = await upload(client, pdf_scanned(PAGES), "long.pdf", pages="9")
    failed = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    status, _ = await post(client, f"/v1/jobs/{job['job_id']}/retry?pages=2-3")
    final = await completed(client, job["job_id"])

    assert (failed["status"], failed["error"]["code"], status) == ("failed", "page_out_of_range", 202)
    assert (final["error"], final["options"]["pages"], final["pages"]["total"]) == (None, "2-3", 2)
    assert await pages_of(client, job["job_id"]) == READ[1:]


async def test_a_document_that_is_broken_fails_again(client: Client, worker: Worker) -> None:
    job = await upload(client, truncated(png()))
    first = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    await post(client, f"/v1/jobs/{job['job_id']}/retry")
    second = await get(client, f"/v1/jobs/{job['job_id']}", wait=30)

    assert (first["status"], second["status"], second["attempt"]) == ("failed", "failed", 2)
    assert second["error"] == first["error"]


async def test_a_job_that_has_not_ended_cannot_be_retried(client: Client) -> None:
    job = await upload(client)

    status, problem = await post(client, f"/v1/jobs/{job['job_id']}/retry")

    assert (status, problem["code"]) == (409, "conflict")
    assert (await get(client, f"/v1/jobs/{job['job_id']}"))["attempt"] == 1


@pytest.mark.parametrize(
    ("sent", "status", "named"),
    [
        ({"json": {"colour": "red"}}, 422, "/colour"),
        ({"json": {"languages": "xyz"}}, 422, "/languages"),
        ({"json": {"languages": None}}, 422, "/languages"),
        ({"json": {"pages": "3-1"}}, 422, "/pages"),
        ({"json": {"pages": 2}}, 422, "/pages"),
        ({"json": {"pages": "7-9"}}, 422, "/pages"),
        ({"json": {"pages": "1"}, "params": {"pages": "2"}}, 422, "pages"),
        ({"json": ["pages"]}, 422, None),
        ({"json": 7}, 422, None),
        ({"data": b"null", "headers": {"Content-Type": "application/json"}}, 422, None),
        ({"params": {"languages": "xyz"}}, 422, "languages"),
        ({"data": b'{"mode": "auto", "mode": "force"}', "headers": {"Content-Type": "application/json"}}, 422, "/mode"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"data": {"pages": "1"}}, 415, None),
    ],
)
async def test_a_retry_that_cannot_be_is_refused_and_changes_nothing(
    client: Client, resources: Resources, sent: dict[str, Any], status: int, named: str | None
) -> None:
    document_id, job_id = await make_job(resources.db, total=2)
    put_original(resources, document_id)
    await finish_job(resources.db, job_id, Status.CANCELLED)
    before = await found(resources.db, job_id)

    refused, problem = await post(client, f"/v1/jobs/{job_id}/retry", **sent)

    assert (refused, problem["status"]) == (status, status)
    assert [error.get("pointer") or error["parameter"] for error in problem["errors"]] == ([named] if named else [])
    assert await found(resources.db, job_id) == before


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"languages": "eng+rus"}, {"engine": "ppocr"}),
        ({"languages": "eng", "engine": EngineChoice.PPOCR}, {"languages": "eng+rus"}),
    ],
)
async def test_a_retry_is_refused_if_the_engine_does_not_read_the_languages_that_the_job_then_has(
    client: Client, resources: Resources, options: dict[str, Any], sent: dict[str, str]
) -> None:
    document_id, job_id = await make_job(resources.db, total=1, **options)
    put_original(resources, document_id)
    await finish_job(resources.db, job_id, Status.CANCELLED)
    before = await found(resources.db, job_id)

    status, problem = await post(client, f"/v1/jobs/{job_id}/retry", json=sent)

    assert (status, problem["errors"]) == (422, [{"detail": "Not read by ppocr: rus.", "pointer": "/engine"}])
    assert await found(resources.db, job_id) == before
    assert (await post(client, f"/v1/jobs/{job_id}/retry", json={"engine": "tesseract"}))[0] == 202


async def make_partly_read(resources: Resources, *, total: int, done: int) -> UUID:
    """A cancelled job of which the first pages are done."""
    _, job_id = await make_job(resources.db, total=total)
    claim_id, _ = await claim_pages(resources.db, job_id, limit=total)
    for number in range(1, done + 1):
        await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim_id, results={number: READING})
    await transitions.cancel(resources.db, job_id, tenant=DEFAULT_TENANT)
    return job_id


async def retry(resources: Resources, job_id: UUID, selection: Any = None, **changes: Any) -> Any:
    return await restarts.retry(
        resources.db,
        job_id,
        selection=selection,
        changes=changes,
        request_id="again",
        tenant=DEFAULT_TENANT,
        quotas=Quotas(),
    )


async def waiting_pages(resources: Resources, job_id: UUID) -> list[int]:
    return (await claim_pages(resources.db, job_id, limit=99))[1]


async def test_a_cancelled_job_goes_on_where_it_stopped(resources: Resources) -> None:
    job_id = await make_partly_read(resources, total=4, done=2)

    job = await retry(resources, job_id)

    assert (job.pages_total, job.pages_done, job.request_id) == (4, 2, "again")
    assert await waiting_pages(resources, job_id) == [3, 4]


async def test_with_other_options_all_pages_are_read_again(resources: Resources) -> None:
    job_id = await make_partly_read(resources, total=4, done=2)

    job = await retry(resources, job_id, languages="deu")

    assert (job.pages_done, job.options.languages) == (0, "deu")
    assert await waiting_pages(resources, job_id) == [1, 2, 3, 4]


async def test_pages_that_were_never_read_and_are_not_asked_for_leave_the_job(resources: Resources) -> None:
    job_id = await make_partly_read(resources, total=5, done=2)

    job = await retry(resources, job_id, selection=[range(2, 4)])

    assert (job.pages_total, job.pages_done) == (3, 1)
    assert await waiting_pages(resources, job_id) == [2, 3]
    assert await value(resources.db, "SELECT COUNT(*) FROM pages WHERE job_id = %s", job_id.bytes) == 3


async def test_the_time_left_is_reckoned_from_the_pages_of_this_attempt(resources: Resources) -> None:
    job_id = await make_partly_read(resources, total=100, done=98)
    await retry(resources, job_id)
    claims = Claims(resources)

    async with claims.claimed(job_id) as claim:
        assert claim
        assert claim.job.status is Status.PROCESSING
        await change(
            resources.db,
            "UPDATE jobs SET started_at = UTC_TIMESTAMP(6) - INTERVAL 60 SECOND WHERE id = %s",
            job_id.bytes,
        )
        job = await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim.id, results={99: READING})

    assert job
    assert job.eta_s == pytest.approx(60, abs=20)


async def test_the_models_of_pages_that_are_kept_stay_named(resources: Resources) -> None:
    job_id = await make_partly_read(resources, total=2, done=1)
    await retry(resources, job_id, selection=[range(2, 3)], languages="deu")

    async with Claims(resources).claimed(job_id) as claim:
        assert claim
        assert claim.job.engine
        assert set(claim.job.engine["models"]) == {"eng", "deu"}


async def test_who_worked_on_a_cancelled_job_can_write_nothing_even_after_a_retry(resources: Resources) -> None:
    db = resources.db
    _, job_id = await make_job(db, total=1)
    zombie, _ = await claim_pages(db, job_id)
    await transitions.cancel(db, job_id, tenant=DEFAULT_TENANT)
    late = await transitions.settle_pages(db, job_id=job_id, claim_id=zombie, results={1: READING})
    await retry(resources, job_id)

    later = await transitions.settle_pages(db, job_id=job_id, claim_id=zombie, results={1: READING})

    assert (late, later) == (None, None)
    async with db.session() as cur:
        job = await jobs.find(cur, job_id)
    assert job
    assert (job.status, job.pages_done) == (Status.PENDING, 0)


async def test_a_move_whose_commit_got_no_answer_is_told_as_what_it_was(resources: Resources) -> None:
    document_id, job_id = await make_job(resources.db)
    put_original(resources, document_id)
    db: Any = Unanswered(resources.db, answers_lost=2)
    unanswered = replace(resources, db=db)

    cancelled = await cancel_retry.cancel(unanswered, job_id, tenant=DEFAULT_TENANT)
    again = await cancel_retry.retry(
        unanswered, job_id, selection=None, changes={}, request_id="r", tenant=DEFAULT_TENANT
    )

    assert (cancelled.status, again.status, again.attempt) == (Status.CANCELLED, Status.PENDING, 2)


async def test_a_move_that_did_not_take_place_is_not_told_as_one_that_did(resources: Resources) -> None:
    _, job_id = await make_job(resources.db)
    db: Any = Unanswered(resources.db, answers_lost=1, carried_out=False)

    with pytest.raises(CommitUnknown):
        await cancel_retry.cancel(replace(resources, db=db), job_id, tenant=DEFAULT_TENANT)

    assert (await found(resources.db, job_id)).status is Status.PENDING


async def test_a_move_whose_commit_is_still_going_on_is_told_as_what_it_becomes(resources: Resources) -> None:
    _, job_id = await make_job(resources.db)
    db: Any = SlowCommit(resources.db)

    cancelling = asyncio.create_task(cancel_retry.cancel(replace(resources, db=db), job_id, tenant=DEFAULT_TENANT))
    await until(lambda: cancelling.done() or db.is_waited_for())
    await db.carry_out()

    assert (await cancelling).status is Status.CANCELLED


async def test_no_result_is_made_of_pages_from_two_attempts(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_id = await make_job(resources.db, total=1)
    claim_id, _ = await claim_pages(resources.db, job_id)
    await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim_id, results={1: READING})
    real = pages.with_numbers

    async def with_numbers(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(pages, "with_numbers", real)
        read = await real(*arguments, **more)
        await retry(resources, job_id)
        return read

    monkeypatch.setattr(pages, "with_numbers", with_numbers)

    with pytest.raises(ResultNotReady):
        await results.result(
            resources, job_id, caller=CALLER, form=FORMATS["txt"], selection=None, client_has=lambda _: False
        )
