"""Who is woken by the change of a job."""

import asyncio
from uuid import UUID, uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.model import Status
from docserver.redis.cache import Cache
from docserver.redis.changes import CHANNEL, Changes
from docserver.resources import Resources
from tests.support.cached_jobs import cache_in, job
from tests.support.redis_groups import on_a_cluster_too
from tests.support.redis_state import listening
from tests.support.waiting import in_time


@pytest.fixture
def cache(resources: Resources) -> Cache:
    return cache_in(resources.redis)


async def test_how_far_a_job_has_come_wakes_nobody(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await listening(resources)

    with resources.changes.watch(job_id) as ended:
        await cache.put_job(job(1, Status.PROCESSING), job_id=job_id, tenant=DEFAULT_TENANT)
        await heard(cache, resources, uuid4())

        assert not ended.is_set()
        await cache.put_job(job(2, Status.COMPLETED), job_id=job_id, tenant=DEFAULT_TENANT)
        async with in_time():
            await ended.wait()


@on_a_cluster_too
async def test_a_change_wakes_all_who_wait_for_that_job_and_nobody_else(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await listening(resources)

    with (
        resources.changes.watch(job_id) as first,
        resources.changes.watch(job_id) as second,
        resources.changes.watch(uuid4()) as other,
    ):
        await cache.put_job(job(1), job_id=job_id, tenant=DEFAULT_TENANT)
        async with in_time():
            await asyncio.gather(first.wait(), second.wait())

        assert not other.is_set()


async def test_messages_that_this_version_cannot_read_are_passed_over(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await listening(resources)

    with resources.changes.watch(job_id) as ended:
        for message in (b"", b"\xff\x00", b"[1, 2]", b"changed 7"):
            await resources.redis.command("PUBLISH", resources.redis.channel(CHANNEL), message)
        await cache.put_job(job(1), job_id=job_id, tenant=DEFAULT_TENANT)

        async with in_time():
            await ended.wait()


async def test_a_write_that_changes_nothing_wakes_nobody(cache: Cache, resources: Resources) -> None:
    job_id, marker = uuid4(), uuid4()
    await cache.put_job(job(5), job_id=job_id, tenant=DEFAULT_TENANT)
    await listening(resources)

    with resources.changes.watch(job_id) as changed, resources.changes.watch(marker) as marked:
        await cache.put_job(job(5), job_id=job_id, tenant=DEFAULT_TENANT)
        await cache.put_job(job(4), job_id=job_id, tenant=DEFAULT_TENANT)
        # Messages come in order: had there been one, it would be here before this.
        await cache.put_job(job(1), job_id=marker, tenant=DEFAULT_TENANT)
        async with in_time():
            await marked.wait()

        assert not changed.is_set()


@on_a_cluster_too
async def test_a_deletion_wakes_who_waits(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await listening(resources)

    with resources.changes.watch(job_id) as changed:
        await cache.forget(job_id, tenant=DEFAULT_TENANT)
        async with in_time():
            await changed.wait()


async def test_a_watcher_that_has_gone_leaves_nothing_and_takes_no_other_along(resources: Resources) -> None:
    job_id = uuid4()
    changes = Changes(resources.redis)

    with changes.watch(job_id):
        with pytest.raises(KeyError), changes.watch(job_id):
            raise KeyError
        assert len(changes._watchers[str(job_id)]) == 1

    assert changes._watchers == {}


async def test_changes_are_heard_again_after_the_connection_was_lost(cache: Cache, resources: Resources) -> None:
    await listening(resources)
    await resources.redis.command("CLIENT", "KILL", "TYPE", "pubsub")
    job_id = uuid4()

    await heard(cache, resources, job_id)


async def heard(cache: Cache, resources: Resources, job_id: UUID) -> None:
    """Change a job until its watcher is woken."""
    with resources.changes.watch(job_id) as changed:
        async with in_time():
            version = 0
            while not changed.is_set():
                version += 1
                await cache.put_job(job(version), job_id=job_id, tenant=DEFAULT_TENANT)
                await asyncio.sleep(0.02)
    assert changed.is_set()
