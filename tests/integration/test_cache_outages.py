"""What the cache keeps for a Redis that is away."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.errors import RedisUnavailable
from docserver.redis.cache import (
    Cache,
)
from docserver.redis.client import Redis
from docserver.resources import Resources
from tests.support.cached_jobs import DONE, TTL_S, cache_in, fresh, job
from tests.support.redis_state import only_node


@pytest.fixture
def cache(resources: Resources) -> Cache:
    return cache_in(resources.redis)


@pytest.fixture
def without_redis(dead_redis: Redis) -> Cache:
    return cache_in(dead_redis)


@pytest.fixture
def away(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Redis does not answer meanwhile, and keeps what it has."""

    @contextmanager
    def away() -> Iterator[None]:
        with monkeypatch.context() as broken:
            broken.setattr(only_node(resources.redis), "_paused_until", float("inf"))
            yield

    return away


async def test_what_redis_did_not_take_is_told_all_the_same_and_put_once_it_is_back(
    cache: Cache, resources: Resources, away: Callable[[], AbstractContextManager[None]]
) -> None:
    other = Cache(resources.redis, ttl_s=TTL_S, max_result_bytes=1000)
    job_id, newer_elsewhere = uuid4(), uuid4()
    for cached_id in (job_id, newer_elsewhere):
        await cache.put_job(DONE, job_id=cached_id, tenant=DEFAULT_TENANT)
        await cache.put_result(cached_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)
    with away():
        for version in (6, 8, 7):
            await cache.put_job(job(version), job_id=job_id, tenant=DEFAULT_TENANT)
        await cache.put_job(job(6), job_id=newer_elsewhere, tenant=DEFAULT_TENANT)
        await cache.flush()
    await other.put_job(job(9), job_id=newer_elsewhere, tenant=DEFAULT_TENANT)

    assert await other.job(job_id, tenant=DEFAULT_TENANT) == DONE
    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == job(8)
    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) == fresh(job(8), None)
    assert await cache.job(newer_elsewhere, tenant=DEFAULT_TENANT) == job(9)
    await cache.flush()

    assert await other.job(job_id, tenant=DEFAULT_TENANT) == job(8)
    assert await other.job(newer_elsewhere, tenant=DEFAULT_TENANT) == job(9)
    assert cache._unsent == {}


async def test_a_deletion_that_redis_did_not_take_is_not_undone_by_what_it_has(
    cache: Cache, resources: Resources, away: Callable[[], AbstractContextManager[None]]
) -> None:
    other = Cache(resources.redis, ttl_s=TTL_S, max_result_bytes=1000)
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    with away():
        await cache.put_job(job(6), job_id=job_id, tenant=DEFAULT_TENANT)
        with pytest.raises(RedisUnavailable):
            await cache.forget(job_id, tenant=DEFAULT_TENANT)
        await cache.put_job(job(7), job_id=job_id, tenant=DEFAULT_TENANT)

    assert await other.job(job_id, tenant=DEFAULT_TENANT) == DONE
    assert await cache.job(job_id, tenant=DEFAULT_TENANT) is None
    assert await cache.job(job_id, stale=True, tenant=DEFAULT_TENANT) is None
    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) is None
    await cache.flush()

    assert await other.job(job_id, stale=True, tenant=DEFAULT_TENANT) is None
    assert cache._unsent == {}


async def test_only_so_many_states_are_kept_for_a_redis_that_is_away(
    without_redis: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("docserver.redis.cache.MAX_UNSENT", 2)
    ids = [uuid4() for _ in range(3)]

    for job_id in ids:
        await without_redis.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)

    assert list(without_redis._unsent) == [(job_id, DEFAULT_TENANT) for job_id in ids[1:]]
