"""The token bucket of each client, in Redis and in the process while Redis is away."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from docserver.redis import rate_limit as module
from docserver.redis.client import Redis
from docserver.redis.rate_limit import Limiter, Verdict, bucket_key
from docserver.resources import Resources
from docserver.setting_types import Rate
from tests.support.redis_groups import on_a_cluster_too
from tests.support.waiting import in_time

SLOW = Rate(3, 3000)
"""A token in 1000 seconds: while a test runs, none comes back."""


@pytest.fixture
def shared(resources: Resources) -> Limiter:
    return resources.limiter


@pytest.fixture
def local(dead_redis: Redis) -> Limiter:
    """A limiter whose Redis is away."""
    return Limiter(dead_redis)


@pytest.fixture(params=["shared", "local"])
def limiter(request: pytest.FixtureRequest) -> Limiter:
    found: Limiter = request.getfixturevalue(request.param)
    return found


async def take(limiter: Limiter, client: str = "c", *, bucket: str = "b", rate: Rate = SLOW, cost: int = 1) -> Verdict:
    return await limiter.take(bucket=bucket, client=client, rate=rate, cost=cost)


async def test_a_client_has_its_quota_and_no_more(limiter: Limiter) -> None:
    verdicts = [await take(limiter) for _ in range(5)]

    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0, 0]


async def test_who_is_refused_learns_when_to_come_again(limiter: Limiter) -> None:
    first = await take(limiter, cost=3)
    refused = await take(limiter)
    expensive = await take(limiter, cost=2)

    assert (first.allowed, first.reset_s) == (True, 1000)
    assert 990 <= refused.retry_after_s <= 1000
    assert 990 <= refused.reset_s <= refused.retry_after_s
    assert 1990 <= expensive.retry_after_s <= 2000


async def test_a_refused_request_takes_nothing(limiter: Limiter) -> None:
    await take(limiter, cost=2)

    assert not (await take(limiter, cost=2)).allowed

    assert (await take(limiter)).allowed


async def test_a_request_may_cost_several_tokens_or_none(limiter: Limiter) -> None:
    assert await take(limiter, cost=0) == Verdict(allowed=True, remaining=3, reset_s=0, retry_after_s=0)
    assert (await take(limiter, cost=3)).remaining == 0
    assert (await take(limiter, cost=0)).allowed


async def test_clients_and_buckets_do_not_take_from_each_other(limiter: Limiter) -> None:
    await take(limiter, cost=3)

    assert (await take(limiter, "another")).remaining == 2
    assert (await take(limiter, bucket="reads")).remaining == 2
    assert not (await take(limiter)).allowed


async def test_many_requests_at_once_get_no_more_than_the_quota(limiter: Limiter) -> None:
    verdicts = await asyncio.gather(*(take(limiter, rate=Rate(10, 10_000)) for _ in range(50)))

    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_tokens_come_back_evenly_and_never_beyond_the_quota(limiter: Limiter) -> None:
    rate = Rate(500, 100)
    await take(limiter, rate=rate, cost=500)

    async with in_time():
        verdict = await take(limiter, rate=rate, cost=2)
        while not verdict.allowed:
            assert verdict.retry_after_s == 1
            verdict = await take(limiter, rate=rate, cost=2)

    # Two tokens are back after less than a second, long before the window is over.
    assert verdict.remaining < 250


async def test_a_bucket_that_has_filled_up_holds_its_quota(limiter: Limiter) -> None:
    rate = Rate(1000, 1)
    await take(limiter, rate=rate, cost=10)

    async with in_time():
        while (verdict := await take(limiter, rate=rate, cost=0)).remaining < 1000:
            assert verdict.reset_s == 1

    assert verdict.remaining == 1000


@on_a_cluster_too
async def test_all_processes_share_the_bucket(shared: Limiter, resources: Resources) -> None:
    await take(shared, cost=3)

    assert not (await take(Limiter(resources.redis))).allowed


@on_a_cluster_too
async def test_tokens_come_back_by_the_clock_of_redis(shared: Limiter, resources: Resources) -> None:
    await take(shared, cost=3)
    key = bucket_key("b", "c")
    tokens, since = (await resources.redis.command("GET", key)).split()
    await resources.redis.command("SET", key, b"%s %d" % (tokens, int(since) - 1_500_000_000))

    verdict = await take(shared, cost=0)

    assert verdict.remaining == 1
    assert 490 <= verdict.reset_s <= 500


async def test_a_clock_that_went_backwards_gives_and_takes_nothing(shared: Limiter, resources: Resources) -> None:
    await take(shared, cost=2)
    key = bucket_key("b", "c")
    tokens, since = (await resources.redis.command("GET", key)).split()
    await resources.redis.command("SET", key, b"%s %d" % (tokens, int(since) + 10**12))

    assert (await take(shared)).allowed
    assert not (await take(shared)).allowed


async def test_a_bucket_is_kept_until_it_would_be_full_again(shared: Limiter, resources: Resources) -> None:
    await take(shared, cost=2)

    left_ms = await resources.redis.command("PTTL", bucket_key("b", "c"))

    assert 2_000_000 < left_ms <= 2_001_000


async def test_after_redis_forgot_everything_a_client_has_a_full_bucket(shared: Limiter, resources: Resources) -> None:
    await take(shared, cost=3)

    await resources.redis.command("FLUSHALL")
    await resources.redis.command("SCRIPT", "FLUSH")

    assert (await take(shared)).remaining == 2


async def test_without_redis_no_more_than_so_many_clients_are_remembered(
    local: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCAL_CLIENTS", 2)
    for client in ("a", "b", "a", "c"):
        await take(local, client, cost=1)

    assert [client for _, client in local._local] == ["a", "c"]
    assert (await take(local, "a")).remaining == 0
    assert (await take(local, "b")).remaining == 2


async def test_without_redis_tokens_come_back_by_the_clock_of_the_process(
    local: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(local, cost=3)
    now = time.monotonic()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now + 1500))

    verdict = await take(local, cost=0)

    assert verdict.remaining == 1
    assert 490 <= verdict.reset_s <= 500
