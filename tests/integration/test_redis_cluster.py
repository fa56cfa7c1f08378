"""Redis as a cluster: every script keeps to one slot, redirections are followed, and another node takes over."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.crc import key_slot

from docserver.caller import DEFAULT_TENANT
from docserver.doctor import redis as doctor
from docserver.doctor.findings import Status as Found
from docserver.errors import RedisUnavailable
from docserver.model import Status
from docserver.redis.cache import Cache, CachedJob
from docserver.redis.client import Key, Redis
from docserver.redis.node import Script
from docserver.redis.queue import RING, Queue
from docserver.redis.rate_limit import Limiter, bucket_key
from docserver.setting_types import Rate
from docserver.settings import Settings
from tests.support.redis_calls import hearing, run_every_script
from tests.support.redis_groups import Group, cluster
from tests.support.waiting import HANG_S, until

JOB = CachedJob(1, Status.COMPLETED, b"{}")


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with cluster(tmp_path_factory.mktemp("cluster")) as group:
        yield group


@pytest.fixture
async def redis(group: Group) -> AsyncIterator[Redis]:
    """A client of the cluster, which is empty."""
    for primary in group.primaries():
        primary.command("FLUSHALL")
    redis = Redis(group.url, timeout_s=HANG_S)
    yield redis
    await redis.close()


async def test_every_script_keeps_to_one_slot(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran: set[Script] = set()
    run = redis.run

    async def recorded(script: Script, *, keys: list[Key], args: list[Any]) -> Any:
        ran.add(script)
        assert len(set(map(key_slot, keys))) == 1
        return await run(script, keys=keys, args=args)

    monkeypatch.setattr(redis, "run", recorded)
    await run_every_script(redis)

    names = [file.name for file in files("docserver.redis.lua").iterdir()]
    assert ran == {Script.load(name.removesuffix(".lua")) for name in names if name.endswith(".lua")}
    # Their callers can do without Redis, and would have said so here alone.
    assert "redis fault" not in caplog.messages


async def test_keys_of_many_jobs_are_on_all_primaries(redis: Redis, group: Group) -> None:
    cache = Cache(redis, ttl_s=60, max_result_bytes=1000)
    ids = [uuid4() for _ in range(50)]

    await asyncio.gather(*(cache.put_job(JOB, job_id=job_id, tenant=DEFAULT_TENANT) for job_id in ids))

    assert all([await cache.job(job_id, tenant=DEFAULT_TENANT) == JOB for job_id in ids])
    assert all(primary.command("DBSIZE") for primary in group.primaries())


async def test_changes_are_heard_whichever_node_has_the_job(redis: Redis, group: Group) -> None:
    cache = Cache(redis, ttl_s=60, max_result_bytes=1000)
    heard: set[UUID] = set()
    ids = {uuid4() for _ in range(20)}
    async with hearing(redis) as changes:
        with changes.every_change(heard.add):
            await asyncio.gather(*(cache.put_job(JOB, job_id=job_id, tenant=DEFAULT_TENANT) for job_id in ids))
            await until(lambda: heard == ids)


async def test_a_node_that_no_longer_has_a_key_says_who_has_it(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    await redis.command("SET", Key(b"moved"), "here")
    topology = redis.topology
    right = topology.primary(b"docserver:moved")
    wrong = next(address for address in topology.primaries() if address != right)
    topology.moved(key_slot(b"docserver:moved"), wrong)

    assert await redis.command("GET", Key(b"moved")) == b"here"

    assert topology.primary(b"docserver:moved") == right
    assert "redis fault" not in caplog.messages


async def test_a_list_that_has_moved_is_waited_for_where_it_is_at_the_next_try(redis: Redis) -> None:
    await redis.command("RPUSH", Key(b"elements"), "one")
    topology = redis.topology
    wrong = next(address for address in topology.primaries() if address != topology.primary(b"docserver:elements"))
    topology.moved(key_slot(b"docserver:elements"), wrong)

    with pytest.raises(RedisUnavailable):
        await redis.rotate(Key(b"elements"), wait_s=1)

    assert await redis.rotate(Key(b"elements"), wait_s=1) == b"one"


async def test_keys_are_found_while_their_slot_is_on_its_way_to_another_node(
    redis: Redis, group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    key = bucket_key("reads", "10.0.0.1")
    source = group.owner(key)
    target = next(primary for primary in group.primaries() if primary.port != source.port)
    slot = key_slot(b"docserver:" + key)
    target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.command("CLUSTER", "MYID"))
    source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.command("CLUSTER", "MYID"))
    try:
        limiter = Limiter(redis)
        for remaining in (4, 3):
            verdict = await limiter.take(bucket="reads", client="10.0.0.1", rate=Rate(5, 5000), cost=1)
            assert verdict.remaining == remaining
        assert await redis.command("EXISTS", key) == 1
        # The key was new, so it is where the slot goes.
        assert target.command("CLUSTER", "COUNTKEYSINSLOT", slot) == 1
    finally:
        for server in (source, target):
            server.command("CLUSTER", "SETSLOT", slot, "STABLE")
        target.command("FLUSHALL")
    assert "redis fault" not in caplog.messages


async def test_doctor_tells_of_the_cluster(redis: Redis, group: Group) -> None:
    found = [finding async for finding in doctor.check_redis(replace(Settings(), redis_url=group.url))]

    assert found[0].detail == "a cluster of 3 primaries, each with a replica"
    assert {finding.status for finding in found} == {Found.OK}
    # What holds for all nodes is said once.
    assert len(found) == 4


async def test_when_a_primary_dies_its_replica_takes_over_and_the_others_go_on(group: Group) -> None:
    impatient = Redis(group.url, timeout_s=2)
    cache, queue = Cache(impatient, ttl_s=60, max_result_bytes=1000), Queue(impatient)
    ids = [uuid4() for _ in range(30)]
    before, after = (CachedJob(version, Status.COMPLETED, b"{}") for version in (1, 2))

    async def cached() -> list[CachedJob | None]:
        return [await cache.job(job_id, tenant=DEFAULT_TENANT) for job_id in ids]

    async def put(job: CachedJob) -> None:
        for job_id in ids:
            await cache.put_job(job, job_id=job_id, tenant=DEFAULT_TENANT)

    async def queues() -> bool:
        with suppress(RedisUnavailable):
            return bool(await queue.announce("10.0.0.1", uuid4()))
        return False

    async def all_are_told() -> bool:
        await cache.flush()
        return await cached() == [after] * len(ids)

    async with hearing(impatient) as changes:
        await put(before)
        group.owner(RING).kill()

        assert not await queues()
        with pytest.raises(RedisUnavailable):
            await impatient.check_writable()
        # The jobs of the other primaries are still there; those of this one are taken from the database.
        assert set(await cached()) == {before, None}
        # What changes now is kept here until somebody has its key.
        await put(after)
        assert before not in await cached()

        await until(all_are_told)
        await until(queues)
        await impatient.check_writable()
        await until(lambda: changes.is_listening)
    await impatient.close()
    assert len(group.primaries()) == 3
