"""Reading jobs and results: from the cache where it can be believed, else from the database; and waiting for them."""

import asyncio
import time
from dataclasses import replace
from uuid import UUID, uuid4

import orjson
import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import deletions, document_lists, documents, jobs
from docserver.database.tables.deletions import Deletion
from docserver.database.tables.document_lists import Filter
from docserver.documents import queries
from docserver.errors import (
    DatabaseUnavailable,
    Gone,
    NotFound,
)
from docserver.formats import FORMATS
from docserver.model import Status
from docserver.redis.cache import CachedJob, job_key
from docserver.resources import Resources
from tests.support.redis_state import listening
from tests.support.results import make_completed, publish, result, text_of
from tests.support.rows import CLIENT, change, finish_job, found, make_job
from tests.support.waiting import FOREVER_S, in_time, until

TXT = FORMATS["txt"]


async def test_a_job_that_is_not_cached_is_read_from_the_database_and_then_cached(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=2)

    first = await queries.job(resources, job_id, tenant=DEFAULT_TENANT)
    await change(resources.db, "UPDATE jobs SET pages_done = 1 WHERE id = %s", job_id.bytes)
    second = await queries.job(resources, job_id, tenant=DEFAULT_TENANT)

    assert first == second == CachedJob.of(replace(await found(resources.db, job_id), pages_done=0))


async def test_a_finished_job_is_read_without_the_database(resources: Resources, without_database: Resources) -> None:
    job_id = await make_completed(resources, "one")
    first = await queries.job(resources, job_id, tenant=DEFAULT_TENANT)

    assert await queries.job(without_database, job_id, tenant=DEFAULT_TENANT) == first
    assert first.status is Status.COMPLETED


async def test_an_unfinished_job_whose_change_was_not_told_is_read_anew_after_a_moment(resources: Resources) -> None:
    job_id = await make_completed(resources, "one")
    stale = CachedJob(1, Status.PROCESSING, b"{}")
    await resources.cache.put_job(stale, job_id=job_id, tenant=DEFAULT_TENANT)
    assert await queries.job(resources, job_id, tenant=DEFAULT_TENANT) == stale
    await resources.redis.command("PEXPIRE", job_key(job_id, DEFAULT_TENANT), 1000)

    assert (await queries.job(resources, job_id, tenant=DEFAULT_TENANT)).status is Status.COMPLETED


async def test_a_result_is_of_the_present_attempt_also_where_an_earlier_one_is_believed(resources: Resources) -> None:
    job_id = await make_completed(resources, "one")
    earlier = CachedJob.of(await found(resources.db, job_id))._replace(version=1)
    await resources.cache.put_job(earlier, job_id=job_id, tenant=DEFAULT_TENANT)
    assert await queries.job(resources, job_id, tenant=DEFAULT_TENANT) == earlier

    assert await text_of(resources, job_id) == "one"


async def test_without_the_database_the_last_known_state_is_served(
    resources: Resources, without_database: Resources
) -> None:
    _, job_id = await make_job(resources.db, total=2)
    first = await queries.job(resources, job_id, tenant=DEFAULT_TENANT)
    await resources.redis.command("PEXPIRE", job_key(job_id, DEFAULT_TENANT), 1000)

    assert await queries.job(without_database, job_id, tenant=DEFAULT_TENANT) == first
    with pytest.raises(DatabaseUnavailable):
        await queries.job(without_database, uuid4(), tenant=DEFAULT_TENANT)


async def test_without_redis_jobs_and_results_come_from_the_database(without_redis: Resources) -> None:
    job_id = await make_completed(without_redis, "one", "two")
    _, pending = await make_job(without_redis.db)

    assert (await queries.job(without_redis, job_id, tenant=DEFAULT_TENANT)).status is Status.COMPLETED
    assert (await queries.job(without_redis, pending, tenant=DEFAULT_TENANT)).status is Status.PENDING
    assert await text_of(without_redis, job_id) == "one\ftwo"


async def test_a_job_that_does_not_exist_is_not_found(resources: Resources) -> None:
    with pytest.raises(NotFound):
        await queries.job(resources, uuid4(), tenant=DEFAULT_TENANT)
    with pytest.raises(NotFound):
        await queries.final_job(resources, uuid4(), wait_s=5, tenant=DEFAULT_TENANT)
    with pytest.raises(NotFound):
        await result(resources, uuid4(), form=TXT, selection=None)


async def test_a_pending_job_shows_its_place_in_the_queue(resources: Resources) -> None:
    ids = [(await make_job(resources.db))[1] for _ in range(3)]
    await resources.queue.announce(CLIENT, *ids[:2])

    positions = [
        orjson.loads((await queries.job(resources, job_id, tenant=DEFAULT_TENANT)).body)["queue_position"]
        for job_id in ids
    ]

    assert positions == [0, 1, None]


async def test_a_wait_for_a_final_job_is_over_at_once(resources: Resources) -> None:
    job_id = await make_completed(resources, "one")

    async with in_time():
        assert (
            await queries.final_job(resources, job_id, wait_s=FOREVER_S, tenant=DEFAULT_TENANT)
        ).status is Status.COMPLETED


async def test_who_waits_is_woken_by_the_change_and_not_by_looking(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "POLL_S", FOREVER_S)
    _, job_id = await make_job(resources.db, total=1)
    await publish(resources, job_id)
    await listening(resources)
    waiting = asyncio.create_task(queries.final_job(resources, job_id, wait_s=FOREVER_S, tenant=DEFAULT_TENANT))
    await watched(resources, job_id)

    await finish_job(resources.db, job_id)
    await publish(resources, job_id)

    async with in_time():
        assert (await waiting).status is Status.COMPLETED


async def test_who_waits_is_not_sent_away_by_a_change_that_is_not_the_last(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=2)
    await publish(resources, job_id)
    await listening(resources)
    waiting = asyncio.create_task(queries.final_job(resources, job_id, wait_s=FOREVER_S, tenant=DEFAULT_TENANT))
    await watched(resources, job_id)

    for status in (Status.PROCESSING, Status.COMPLETED):
        assert not waiting.done()
        await change(
            resources.db, "UPDATE jobs SET status = %s, version = version + 1 WHERE id = %s", status, job_id.bytes
        )
        await publish(resources, job_id)

    async with in_time():
        assert (await waiting).status is Status.COMPLETED


async def test_who_waits_looks_by_itself_when_no_change_is_told(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "POLL_S", 0.05)
    _, job_id = await make_job(resources.db, total=1)
    await publish(resources, job_id)
    waiting = asyncio.create_task(queries.final_job(resources, job_id, wait_s=FOREVER_S, tenant=DEFAULT_TENANT))
    await watched(resources, job_id)

    await finish_job(resources.db, job_id)
    await resources.redis.command("DEL", job_key(job_id, DEFAULT_TENANT))

    async with in_time():
        assert (await waiting).status is Status.COMPLETED


async def test_a_wait_ends_with_the_job_as_it_is_and_leaves_no_watcher(resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    began = time.monotonic()

    async with in_time():
        state = await queries.final_job(resources, job_id, wait_s=0.1, tenant=DEFAULT_TENANT)

    assert state.status is Status.PROCESSING
    assert time.monotonic() - began >= 0.1
    assert resources.changes._watchers == {}


async def watched(resources: Resources, job_id: UUID) -> None:
    """Wait until somebody waits for the job."""
    await until(lambda: str(job_id) in resources.changes._watchers)


async def test_a_document_comes_with_its_jobs_and_a_deleted_one_is_gone(resources: Resources) -> None:
    document_id, job_id = await make_job(resources.db)
    document, its_jobs = await queries.document(resources, document_id, tenant=DEFAULT_TENANT)
    async with resources.db.transaction() as cur:
        await documents.delete(cur, document_id)
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))

    assert (document.id, [job.id for job in its_jobs]) == (document_id, [job_id])
    with pytest.raises(Gone):
        await queries.document(resources, document_id, tenant=DEFAULT_TENANT)
    with pytest.raises(NotFound):
        await queries.document(resources, uuid4(), tenant=DEFAULT_TENANT)


async def test_a_list_says_how_many_there_are_beyond_its_part(resources: Resources) -> None:
    ids = [(await make_job(resources.db))[0] for _ in range(3)]

    parts = [
        await queries.document_list(
            resources, Filter(tenant=DEFAULT_TENANT), newest_first=newest_first, after=None, limit=2, offset=0
        )
        for newest_first in (True, False)
    ]

    assert [[item.document.id for item in part.items] for part in parts] == [[ids[2], ids[1]], [ids[0], ids[1]]]
    assert [(part.total, part.is_total_exact) for part in parts] == [(3, True)] * 2


async def test_a_list_is_counted_up_to_a_bound(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_lists, "COUNTED", 2)
    monkeypatch.setattr(queries, "COUNTED", 2)
    counts = []
    for _ in range(3):
        await make_job(resources.db)
        for status in (None, Status.PENDING):
            narrowed = Filter(tenant=DEFAULT_TENANT, status=status)
            part = await queries.document_list(resources, narrowed, newest_first=True, after=None, limit=1, offset=0)
            counts.append((part.total, part.is_total_exact))

    assert counts == [(1, True)] * 2 + [(2, True)] * 2 + [(2, False)] * 2


async def test_a_job_that_was_deleted_is_not_brought_back_by_a_reader_who_was_late(resources: Resources) -> None:
    document_id, job_id = await make_job(resources.db)
    async with resources.db.session() as cur:
        late = await jobs.find(cur, job_id)
        await documents.delete(cur, document_id)
    await resources.cache.forget(job_id, tenant=DEFAULT_TENANT)
    assert late
    await resources.cache.put_job(CachedJob.of(late), job_id=job_id, tenant=DEFAULT_TENANT)

    with pytest.raises(NotFound):
        await queries.job(resources, job_id, tenant=DEFAULT_TENANT)
