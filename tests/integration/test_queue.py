"""Announcements: each job at most once, in order, and taken by one."""

import asyncio
import time
from uuid import UUID, uuid4

import pytest

from docserver.errors import RedisUnavailable
from docserver.redis.client import Redis
from docserver.redis.queue import KEY, Queue
from docserver.resources import Resources
from tests.support.waiting import FOREVER_S, in_time


@pytest.fixture
def queue(resources: Resources) -> Queue:
    return resources.queue


async def taken(queue: Queue) -> list[UUID]:
    """All that is in the queue, taken out."""
    ids = []
    while (job_id := await queue.take(wait_s=0.01)) is not None:
        ids.append(job_id)
    return ids


async def test_jobs_are_taken_in_the_order_of_their_announcement(queue: Queue) -> None:
    ids = [uuid4() for _ in range(5)]

    for job_id in ids:
        assert await queue.announce(job_id) == 1

    assert await taken(queue) == ids


async def test_a_job_is_in_the_queue_at_most_once_and_keeps_its_place(queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    await queue.announce(first)
    await queue.announce(second)

    assert await queue.announce(first) == 0

    assert await taken(queue) == [first, second]


async def test_a_job_that_was_taken_can_be_announced_again_behind_the_others(queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    await queue.announce(first, second)
    await queue.take(wait_s=1)

    assert await queue.announce(first) == 1

    assert await taken(queue) == [second, first]


async def test_of_many_announced_at_once_those_that_are_missing_are_added_in_order(queue: Queue) -> None:
    ids = [uuid4() for _ in range(1000)]
    await queue.announce(ids[500])

    assert await queue.announce(*ids) == 999

    assert await queue.announce(*ids) == 0
    queued = await taken(queue)
    assert queued == [ids[500], *ids[:500], *ids[501:]]


async def test_the_same_job_announced_by_many_at_once_is_there_once(queue: Queue) -> None:
    job_id, other = uuid4(), uuid4()

    added = await asyncio.gather(
        *(queue.announce(job_id) for _ in range(20)), *(queue.announce(job_id, other) for _ in range(20))
    )

    assert sum(added) == 2
    assert sorted(await taken(queue)) == sorted([job_id, other])


async def test_each_job_is_taken_by_one_of_many(queue: Queue) -> None:
    ids = [uuid4() for _ in range(30)]
    takers = [asyncio.create_task(queue.take(wait_s=5)) for _ in range(30)]

    await queue.announce(*ids)

    assert sorted(filter(None, await asyncio.gather(*takers))) == sorted(ids)


async def test_the_position_of_a_job_is_the_number_of_those_before_it(queue: Queue) -> None:
    first, second, absent = uuid4(), uuid4(), uuid4()
    await queue.announce(first, second)

    assert [await queue.position(job_id) for job_id in (first, second, absent)] == [0, 1, None]

    await queue.take(wait_s=1)
    assert [await queue.position(job_id) for job_id in (first, second)] == [None, 0]


async def test_a_taker_waits_for_an_announcement(queue: Queue) -> None:
    job_id = uuid4()
    taker = asyncio.create_task(queue.take(wait_s=FOREVER_S))
    await asyncio.sleep(0)

    await queue.announce(job_id)

    async with in_time():
        assert await taker == job_id


async def test_a_taker_of_an_empty_queue_goes_away_with_nothing_after_its_wait(queue: Queue) -> None:
    began = time.monotonic()

    async with in_time():
        assert await queue.take(wait_s=0.1) is None

    assert time.monotonic() - began >= 0.1


async def test_jobs_are_removed_wherever_they_stand(queue: Queue) -> None:
    ids = [uuid4() for _ in range(4)]
    await queue.announce(*ids)

    await queue.remove([ids[0], ids[2], uuid4()])

    assert await taken(queue) == [ids[1], ids[3]]


async def test_announcements_survive_that_redis_forgets_its_scripts(queue: Queue, resources: Resources) -> None:
    first, second = uuid4(), uuid4()
    await queue.announce(first)
    await resources.redis.command("SCRIPT", "FLUSH")

    added = await asyncio.gather(queue.announce(first), queue.announce(second))

    assert list(added) == [0, 1]
    assert await resources.redis.command("LLEN", KEY) == 2


async def test_without_redis_every_caller_learns_it_soon(dead_redis: Redis) -> None:
    queue = Queue(dead_redis)

    async with in_time():
        for _ in range(3):
            with pytest.raises(RedisUnavailable):
                await queue.announce(uuid4())
            with pytest.raises(RedisUnavailable):
                await queue.take(wait_s=FOREVER_S)
            with pytest.raises(RedisUnavailable):
                await queue.position(uuid4())
