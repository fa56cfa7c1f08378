"""Cached reads: what is kept in which version, what is believed for how long, and who is woken by a change."""

import asyncio
import gc
import logging
import time
from uuid import uuid4

import pytest
from redis.crc import key_slot

from docserver.caller import DEFAULT_TENANT
from docserver.errors import RedisUnavailable
from docserver.model import Status
from docserver.redis import cache as cache_module
from docserver.redis.cache import (
    DELETED_S,
    FINAL_FRESH_S,
    FRESH_S,
    RESULT_TTL_S,
    Cache,
    CacheEntry,
    job_key,
    result_key,
)
from docserver.redis.client import Key, Redis
from docserver.resources import Resources
from tests.support.cached_jobs import DONE, TTL_S, cache_in, fresh, job
from tests.support.redis_groups import on_a_cluster_too


@pytest.fixture
def cache(resources: Resources) -> Cache:
    return cache_in(resources.redis)


@pytest.fixture
def without_redis(dead_redis: Redis) -> Cache:
    return cache_in(dead_redis)


async def left_ms(resources: Resources, key: Key) -> int:
    return int(await resources.redis.command("PTTL", key))


@on_a_cluster_too
async def test_a_job_is_kept_as_it_was_put(cache: Cache) -> None:
    job_id = uuid4()
    assert await cache.job(job_id, tenant=DEFAULT_TENANT) is None

    await cache.put_job(job(1, body=b"line\nline \x00\xff"), job_id=job_id, tenant=DEFAULT_TENANT)

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == job(1, body=b"line\nline \x00\xff")
    assert await cache.job(uuid4(), tenant=DEFAULT_TENANT) is None


async def test_an_older_version_never_takes_the_place_of_a_newer(cache: Cache) -> None:
    job_id = uuid4()

    for version in (9, 10, 8, 1):
        await cache.put_job(job(version, body=b"%d" % version), job_id=job_id, tenant=DEFAULT_TENANT)

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == job(10, body=b"10")


@on_a_cluster_too
async def test_of_versions_put_at_once_the_latest_stays(cache: Cache) -> None:
    job_id = uuid4()

    await asyncio.gather(
        *(cache.put_job(job(version), job_id=job_id, tenant=DEFAULT_TENANT) for version in (3, 20, 7, 100, 99))
    )

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == job(100)


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b"next 3 paused\n{}", b"3 paused\n{}"])
async def test_what_this_version_cannot_read_counts_as_not_cached(
    cache: Cache, resources: Resources, value: bytes
) -> None:
    job_id = uuid4()
    await resources.redis.command("SET", job_key(job_id, DEFAULT_TENANT), value, "PX", TTL_S * 1000)

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) is None
    await cache.put_job(job(4), job_id=job_id, tenant=DEFAULT_TENANT)
    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == job(4)


async def test_the_same_version_again_is_believed_for_longer(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    key = job_key(job_id, DEFAULT_TENANT)
    await cache.put_job(job(1), job_id=job_id, tenant=DEFAULT_TENANT)
    await resources.redis.command("PEXPIRE", key, 50_000)
    assert await cache.job(job_id, tenant=DEFAULT_TENANT) is None

    await cache.put_job(job(1), job_id=job_id, tenant=DEFAULT_TENANT)

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == job(1)
    assert await left_ms(resources, key) > TTL_S * 1000 - 2000


async def test_a_job_is_kept_for_its_time_and_no_longer(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()

    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)

    assert TTL_S * 1000 - 2000 < await left_ms(resources, job_key(job_id, DEFAULT_TENANT)) <= TTL_S * 1000


@pytest.mark.parametrize(
    ("status", "age_s", "believed"),
    [
        (Status.PENDING, FRESH_S - 2, True),
        (Status.PROCESSING, FRESH_S + 1, False),
        (Status.COMPLETED, FINAL_FRESH_S - 2, True),
        (Status.COMPLETED, FINAL_FRESH_S + 1, False),
        (Status.FAILED, FINAL_FRESH_S + 1, False),
        (Status.CANCELLED, FINAL_FRESH_S - 2, True),
    ],
)
async def test_a_job_is_believed_for_its_time_alone(
    cache: Cache, resources: Resources, status: Status, age_s: int, *, believed: bool
) -> None:
    job_id = uuid4()
    state = job(1, status)
    await cache.put_job(state, job_id=job_id, tenant=DEFAULT_TENANT)
    await resources.redis.command("PEXPIRE", job_key(job_id, DEFAULT_TENANT), (TTL_S - age_s) * 1000)

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) == (state if believed else None)
    assert await cache.job(job_id, stale=True, tenant=DEFAULT_TENANT) == state
    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) == CacheEntry(state, fresh=believed)


@on_a_cluster_too
async def test_a_deleted_job_is_not_brought_back_by_who_is_late(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)

    await cache.forget(job_id, tenant=DEFAULT_TENANT)
    await cache.put_job(job(10**9, Status.COMPLETED), job_id=job_id, tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)

    assert await cache.job(job_id, tenant=DEFAULT_TENANT) is None
    assert await cache.job(job_id, stale=True, tenant=DEFAULT_TENANT) is None
    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) is None
    assert await resources.redis.command("EXISTS", result_key(job_id, DEFAULT_TENANT)) == 0
    assert 0 < await left_ms(resources, job_key(job_id, DEFAULT_TENANT)) <= DELETED_S * 1000


async def test_a_result_is_kept_with_its_job_under_its_name(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    await resources.redis.command("PEXPIRE", job_key(job_id, DEFAULT_TENANT), 50_000)

    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "hocr", version=5, body=b"\x00json", tenant=DEFAULT_TENANT)

    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) == fresh(DONE, b"text")
    assert await cache.result(job_id, "hocr", tenant=DEFAULT_TENANT) == fresh(DONE, b"\x00json")
    assert await cache.result(job_id, "json", tenant=DEFAULT_TENANT) == fresh(DONE, None)
    assert 0 < await left_ms(resources, result_key(job_id, DEFAULT_TENANT)) <= 50_000


@on_a_cluster_too
async def test_results_are_dropped_when_their_job_changes_and_kept_when_it_does_not(cache: Cache) -> None:
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)

    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    unchanged = await cache.result(job_id, "txt", tenant=DEFAULT_TENANT)
    changed = job(6, Status.COMPLETED)
    await cache.put_job(changed, job_id=job_id, tenant=DEFAULT_TENANT)

    assert unchanged == fresh(DONE, b"text")
    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) == fresh(changed, None)


@pytest.mark.parametrize("version", [4, 6, 50])
async def test_a_result_of_another_version_is_not_kept(cache: Cache, version: int) -> None:
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)

    await cache.put_result(job_id, "txt", version=version, body=b"text", tenant=DEFAULT_TENANT)

    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) == fresh(DONE, None)


async def test_a_result_without_its_job_is_not_kept(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()

    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)

    assert await resources.redis.command("EXISTS", result_key(job_id, DEFAULT_TENANT)) == 0


async def test_a_result_that_is_too_large_is_not_kept(cache: Cache) -> None:
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)

    await cache.put_result(job_id, "largest", version=5, body=b"x" * 1000, tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "larger", version=5, body=b"x" * 1001, tenant=DEFAULT_TENANT)

    assert await cache.result(job_id, "largest", tenant=DEFAULT_TENANT) == fresh(DONE, b"x" * 1000)
    assert await cache.result(job_id, "larger", tenant=DEFAULT_TENANT) == fresh(DONE, None)


async def test_the_results_of_a_process_are_limited_in_sum_until_they_expire(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MAX_RESULT_BYTES_IN_SUM", 3000)
    cache, jobs = cache_in(resources.redis), [uuid4() for _ in range(10)]

    for job_id in jobs:
        await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
        await cache.put_result(job_id, "txt", version=5, body=b"x" * 900, tenant=DEFAULT_TENANT)

    assert len(await resources.redis.command("KEYS", result_key("*", DEFAULT_TENANT))) == 3
    later = time.monotonic() + RESULT_TTL_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    await cache.put_result(jobs[-1], "txt", version=5, body=b"x" * 900, tenant=DEFAULT_TENANT)
    assert await cache.result(jobs[-1], "txt", tenant=DEFAULT_TENANT) == fresh(DONE, b"x" * 900)


async def test_a_later_result_does_not_prolong_the_life_of_the_earlier_ones(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)
    await resources.redis.command("PEXPIRE", result_key(job_id, DEFAULT_TENANT), 50_000)

    await cache.put_result(job_id, "json", version=5, body=b"json", tenant=DEFAULT_TENANT)

    assert 0 < await left_ms(resources, result_key(job_id, DEFAULT_TENANT)) <= 50_000


async def test_a_job_and_its_results_are_in_one_slot_of_a_redis_cluster() -> None:
    job_id = uuid4()

    assert key_slot(job_key(job_id, DEFAULT_TENANT)) == key_slot(result_key(job_id, DEFAULT_TENANT))


async def test_without_redis_nothing_is_known_and_nothing_raises_but_what_must_be_repeated(
    without_redis: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = uuid4()

    assert await without_redis.result(job_id, "txt", tenant=DEFAULT_TENANT) is None
    assert await without_redis.job(job_id, tenant=DEFAULT_TENANT) is None
    assert await without_redis.job(job_id, stale=True, tenant=DEFAULT_TENANT) is None
    await without_redis.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    await without_redis.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)
    with pytest.raises(RedisUnavailable):
        await without_redis.forget(job_id, tenant=DEFAULT_TENANT)

    # A fault that nobody asked about would be reported when it is collected.
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_cache_whose_scripts_were_forgotten_goes_on(cache: Cache, resources: Resources) -> None:
    job_id = uuid4()
    await cache.put_job(job(1), job_id=job_id, tenant=DEFAULT_TENANT)
    await resources.redis.command("SCRIPT", "FLUSH")

    await cache.put_job(DONE, job_id=job_id, tenant=DEFAULT_TENANT)
    await cache.put_result(job_id, "txt", version=5, body=b"text", tenant=DEFAULT_TENANT)

    assert await cache.result(job_id, "txt", tenant=DEFAULT_TENANT) == fresh(DONE, b"text")
