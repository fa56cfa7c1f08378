"""Announcements: each job at most once, in order, and taken by one."""

import asyncio
import time
from uuid import UUID, uuid4

import pytest

from docserver.errors import RedisUnavailable
from docserver.redis import queue as module
from docserver.redis.client import Key, Redis
from docserver.redis.queue import CLIENTS, JOBS, RING, Queue, Turn, list_key
from docserver.resources import Resources
from tests.support.redis_groups import on_a_cluster_too
from tests.support.waiting import FOREVER_S, in_time

A, B, C = "10.0.0.1", "10.0.0.2", "2001:db8::/64"


@pytest.fixture
def queue(resources: Resources) -> Queue:
    return resources.queue


async def taken(queue: Queue) -> list[UUID]:
    """All that is in the queue, taken out."""
    ids = []
    while (turn := await queue.take(wait_s=0.2)) is not None:
        ids.append(turn.job_id)
    return ids


async def test_jobs_are_taken_in_the_order_of_their_announcement(queue: Queue) -> None:
    ids = [uuid4() for _ in range(5)]

    for job_id in ids:
        assert await queue.announce(A, job_id) == 1

    assert await taken(queue) == ids


async def test_a_job_is_in_the_queue_at_most_once_and_keeps_its_place(queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    await queue.announce(A, first)
    await queue.announce(A, second)

    assert await queue.announce(A, first) == 0

    assert await taken(queue) == [first, second]


async def test_a_job_that_was_taken_can_be_announced_again_behind_the_others(queue: Queue) -> None:
    first, second = uuid4(), uuid4()
    await queue.announce(A, first, second)
    await queue.take(wait_s=1)

    assert await queue.announce(A, first) == 1

    assert await taken(queue) == [second, first]


async def test_of_many_announced_at_once_those_that_are_missing_are_added_in_order(queue: Queue) -> None:
    ids = [uuid4() for _ in range(1000)]
    await queue.announce(A, ids[500])

    assert await queue.announce(A, *ids) == 999

    assert await queue.announce(A, *ids) == 0
    queued = await taken(queue)
    assert queued == [ids[500], *ids[:500], *ids[501:]]


async def test_the_same_job_announced_by_many_at_once_is_there_once(queue: Queue) -> None:
    job_id, other = uuid4(), uuid4()

    added = await asyncio.gather(
        *(queue.announce(A, job_id) for _ in range(20)), *(queue.announce(A, job_id, other) for _ in range(20))
    )

    assert sum(added) == 2
    assert sorted(await taken(queue)) == sorted([job_id, other])


@on_a_cluster_too
async def test_each_job_is_taken_by_one_of_many(queue: Queue) -> None:
    ids = [uuid4() for _ in range(30)]
    takers = [asyncio.create_task(queue.take(wait_s=5)) for _ in range(30)]

    await queue.announce(A, *ids)

    assert sorted(turn.job_id for turn in await asyncio.gather(*takers) if turn) == sorted(ids)


async def test_the_position_of_a_job_is_the_number_of_those_before_it(queue: Queue) -> None:
    first, second, absent = uuid4(), uuid4(), uuid4()
    await queue.announce(A, first, second)

    assert [await queue.position(job_id) for job_id in (first, second, absent)] == [0, 1, None]

    await queue.take(wait_s=1)
    assert [await queue.position(job_id) for job_id in (first, second)] == [None, 0]


@on_a_cluster_too
async def test_a_taker_waits_for_an_announcement(queue: Queue) -> None:
    job_id = uuid4()
    taker = asyncio.create_task(queue.take(wait_s=FOREVER_S))
    await asyncio.sleep(0)

    await queue.announce(A, job_id)

    async with in_time():
        assert await taker == Turn(job_id, A)


async def test_a_taker_of_an_empty_queue_goes_away_with_nothing_after_its_wait(queue: Queue) -> None:
    began = time.monotonic()

    async with in_time():
        assert await queue.take(wait_s=0.1) is None

    assert time.monotonic() - began >= 0.1


async def test_jobs_are_removed_wherever_they_stand(queue: Queue) -> None:
    ids = [uuid4() for _ in range(4)]
    await queue.announce(A, *ids)

    await queue.remove([ids[0], ids[2], uuid4()])

    assert await taken(queue) == [ids[1], ids[3]]


async def test_announcements_survive_that_redis_forgets_its_scripts(queue: Queue, resources: Resources) -> None:
    first, second = uuid4(), uuid4()
    await queue.announce(A, first)
    await resources.redis.command("SCRIPT", "FLUSH")

    added = await asyncio.gather(queue.announce(A, first), queue.announce(A, second))

    assert list(added) == [0, 1]
    assert await resources.redis.command("HLEN", JOBS) == 2


async def test_without_redis_every_caller_learns_it_soon(dead_redis: Redis) -> None:
    queue = Queue(dead_redis)

    async with in_time():
        for _ in range(3):
            with pytest.raises(RedisUnavailable):
                await queue.announce(A, uuid4())
            with pytest.raises(RedisUnavailable):
                await queue.take(wait_s=FOREVER_S)
            with pytest.raises(RedisUnavailable):
                await queue.position(uuid4())


async def order(queue: Queue) -> list[str]:
    """The clients in the order in which their jobs are taken."""
    clients = []
    while (turn := await queue.take(wait_s=0.2)) is not None:
        clients.append(turn.client)
    return clients


def some(count: int) -> list[UUID]:
    return [uuid4() for _ in range(count)]


@on_a_cluster_too
async def test_clients_are_served_in_turn_whatever_they_have_queued(queue: Queue) -> None:
    await queue.announce(A, *some(4))
    await queue.announce(B, *some(1))
    await queue.announce(C, *some(2))

    # A came first into the ring, and the others before it, as it might be served just now.
    assert await order(queue) == [B, C, A, C, A, A, A]


async def test_a_new_client_comes_before_the_one_that_was_served_last(queue: Queue) -> None:
    await queue.announce(A, *some(3))
    await queue.take(wait_s=1)

    await queue.announce(B, *some(1))

    assert await order(queue) == [B, A, A]


async def test_a_client_that_sends_its_jobs_one_by_one_gets_no_more_turns_than_others(queue: Queue) -> None:
    await queue.announce(A, *some(6))
    await queue.announce(B, *some(6))
    served = []
    for _ in range(9):
        await queue.announce(C, *some(1))
        turn = await queue.take(wait_s=1)
        assert turn
        served.append(turn.client)

    assert sorted(served) == [A] * 3 + [B] * 3 + [C] * 3


async def test_clients_that_come_one_after_the_other_leave_the_turns_to_those_that_wait(queue: Queue) -> None:
    await queue.announce(A, *some(5))
    served = []
    for number in range(10):
        await queue.announce(f"10.1.0.{number}", *some(1))
        turn = await queue.take(wait_s=1)
        assert turn
        served.append(turn.client)

    assert served.count(A) >= 3


async def test_a_client_that_has_no_more_jobs_leaves_nothing_in_redis(queue: Queue, resources: Resources) -> None:
    for client in (A, B, C):
        await queue.announce(client, *some(2))

    assert len(await taken(queue)) == 6

    assert await resources.redis.command("DBSIZE") == 0


@on_a_cluster_too
async def test_a_take_that_is_cancelled_while_it_waits_costs_nobody_a_place(queue: Queue) -> None:
    job_id = uuid4()
    for _ in range(5):
        taker = asyncio.create_task(queue.take(wait_s=FOREVER_S))
        await asyncio.sleep(0.01)
        taker.cancel()
        await asyncio.gather(taker, return_exceptions=True)

    await queue.announce(A, job_id)

    assert await taken(queue) == [job_id]


@on_a_cluster_too
async def test_the_position_counts_the_turns_of_the_other_clients(queue: Queue) -> None:
    backlog, receipt = some(3), uuid4()
    await queue.announce(A, *backlog)
    await queue.announce(B, receipt)

    assert [await queue.position(job_id) for job_id in (receipt, *backlog)] == [1, 1, 3, 5]


async def test_the_position_of_a_job_far_behind_is_at_least_what_was_counted(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COUNTED", 10)
    ids = some(30)
    await queue.announce(A, *ids)

    assert [await queue.position(ids[place]) for place in (9, 20)] == [9, 10]


async def calls(queue: Queue, resources: Resources) -> dict[str, int]:
    """How often Redis runs each command while jobs are announced, announced again, taken and removed."""
    job_id = uuid4()
    await resources.redis.command("CONFIG", "RESETSTAT")
    await queue.announce(B, job_id)
    await queue.announce(B, job_id)
    await queue.announce(A, uuid4())
    await queue.take(wait_s=1)
    await queue.take(wait_s=1)
    await queue.remove([job_id])
    text = (await resources.redis.command("INFO", "commandstats")).decode()
    lines = [line.removeprefix("cmdstat_") for line in text.splitlines() if line.startswith("cmdstat_")]
    counts = {line.partition(":")[0]: int(line.partition("calls=")[2].partition(",")[0]) for line in lines}
    # These are for a new connection, for one that listens, and for the statistics themselves.
    others = ("hello", "client", "ping", "config", "info")
    return {name: count for name, count in counts.items() if not name.startswith(others)}


async def test_announcing_and_taking_cost_the_same_with_a_long_backlog(queue: Queue, resources: Resources) -> None:
    await calls(queue, resources)  # Redis has loaded the scripts now, whichever test runs first.
    backlogs = []
    for length in (10, 20_000):
        await resources.redis.command("FLUSHALL")
        await queue.announce(A, *some(length))
        backlogs.append(await calls(queue, resources))
    short, long = backlogs

    assert long == short
    # Nothing looks through a list. LREM is only for a client that leaves the ring, and begins where it is.
    assert not long.keys() & {"lpos", "lrange", "linsert", "lindex", "hgetall", "smembers", "hscan", "keys", "scan"}


@pytest.mark.parametrize("key", [RING, CLIENTS, JOBS, list_key(A.encode())])
async def test_whichever_key_is_lost_each_job_is_taken_once_after_further_announcements(
    queue: Queue, resources: Resources, key: Key
) -> None:
    jobs = {client: some(3) for client in (A, B)}
    for client, ids in jobs.items():
        await queue.announce(client, *ids)
    await resources.redis.command("DEL", key)

    for _ in range(2):
        for client, ids in jobs.items():
            await queue.announce(client, *ids)

    assert sorted(await taken(queue)) == sorted(jobs[A] + jobs[B])
    assert await resources.redis.command("DBSIZE") == 0


async def clients_in_order(queue: Queue) -> str:
    """Whose turns come until the queue is empty, each client by one letter."""
    names = {A: "a", B: "b", C: "c"}
    turns = ""
    while turn := await queue.take(wait_s=0.2):
        turns += names[turn.client]
    return turns


@on_a_cluster_too
async def test_a_client_has_as_many_turns_in_a_row_as_it_weighs(queue: Queue) -> None:
    await queue.set_weights({B: 3})
    for client in (A, B, C):
        await queue.announce(client, *(uuid4() for _ in range(6)))

    assert await clients_in_order(queue) == "bbbcabbbca" + "ca" * 4


async def test_a_client_that_left_in_the_middle_of_its_turns_begins_them_anew(queue: Queue) -> None:
    await queue.set_weights({B: 3})
    await queue.announce(B, uuid4(), uuid4())
    assert await clients_in_order(queue) == "bb"

    await queue.announce(B, *(uuid4() for _ in range(4)))
    await queue.announce(A, *(uuid4() for _ in range(2)))

    assert await clients_in_order(queue) in ("bbbaba", "abbbab")


async def test_weights_change_and_end(queue: Queue) -> None:
    await queue.set_weights({A: 2, B: 3})
    await queue.set_weights({B: 2})
    await queue.announce(A, uuid4(), uuid4())
    await queue.announce(B, uuid4(), uuid4())
    assert await clients_in_order(queue) in ("abba", "bbaa")

    await queue.set_weights({})
    await queue.announce(A, uuid4(), uuid4())
    await queue.announce(B, uuid4(), uuid4())
    assert await clients_in_order(queue) in ("abab", "baba")
