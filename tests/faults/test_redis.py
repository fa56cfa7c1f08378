"""Redis that forgets, freezes, fills up, refuses, lies or dies: documents go on without it."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.doctor.redis import check_redis
from docserver.errors import RedisUnavailable
from docserver.redis import subscription
from docserver.redis.cache import job_key
from docserver.redis.client import Key, Redis
from docserver.redis.node import COMMAND_CONNECTIONS
from docserver.redis.queue import CLIENTS, JOBS, RING, list_key
from docserver.settings import Settings
from tests.faults.place import Place
from tests.support.fragile_servers import Servers, freeze, kill, restart_empty, thaw
from tests.support.redis_calls import hearing
from tests.support.service import Service
from tests.support.waiting import in_time, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_flushall_between_announcement_and_claim_loses_no_document(place: Place) -> None:
    api = await place.start(slots="0")
    for _ in range(3):
        await place.must_upload(api)
    await place.redis("FLUSHALL")

    await place.start("--worker-only")

    await place.assert_kept(api)


async def test_flushall_again_and_again_while_documents_flow_loses_none(place: Place) -> None:
    service = await place.start()
    for _ in range(5):
        await place.must_upload(service, pages=2)
        await place.redis("FLUSHALL")

    await place.assert_kept(service)


async def test_a_restart_without_persistence_loses_no_document(place: Place, hurt: Servers) -> None:
    service = await place.start()
    for _ in range(3):
        await place.must_upload(service, pages=2)

    await restart_empty(hurt.store, hurt.directory)

    await place.must_upload(service)
    await place.assert_kept(service)


async def test_while_it_is_dead_documents_are_taken_read_and_shown(place: Place, hurt: Servers) -> None:
    service = await place.start()
    await kill(hurt.store)

    for _ in range(3):
        made = await place.must_upload(service)
        assert (await service.finished(made.job_id))["status"] == "completed"

    await hurt.store.start()
    await place.assert_kept(service)


async def test_a_start_without_it_is_a_start_all_the_same(place: Place, hurt: Servers) -> None:
    await kill(hurt.store)

    service = await place.start()
    await place.must_upload(service)
    async with service.http.get("/readyz") as response:
        state = await response.json()

    assert (response.status, state["status"], state["checks"]["redis"]["status"]) == (200, "degraded", "unavailable")
    await service.finished(place.accepted[0].job_id)
    await hurt.store.start()
    await place.assert_kept(service)


async def _sleeping(hurt: Servers) -> None:
    asleep = asyncio.create_task(hurt.admin("DEBUG", "SLEEP", 4))
    asleep.add_done_callback(lambda task: task.exception())


async def _frozen(hurt: Servers) -> None:
    freeze(hurt.store)


async def _swallowed(hurt: Servers) -> None:
    hurt.redis.swallow()


async def _unheard(hurt: Servers) -> None:
    hurt.redis.swallow(requests=False)


async def _slow(hurt: Servers) -> None:
    hurt.redis.delay(1.0)


async def _spoiled(hurt: Servers) -> None:
    hurt.redis.spoil()


async def _refused(hurt: Servers) -> None:
    hurt.redis.refuse()


async def _read_only(hurt: Servers) -> None:
    await hurt.admin("REPLICAOF", "127.0.0.1", 1)


async def _full(hurt: Servers) -> None:
    await hurt.admin("CONFIG", "SET", "maxmemory", "1")


async def _lonely(hurt: Servers) -> None:
    await hurt.admin("CONFIG", "SET", "min-replicas-to-write", 1)


async def _crowded(hurt: Servers) -> None:
    await hurt.admin("CLIENT", "KILL", "TYPE", "pubsub")
    await hurt.admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await hurt.admin("CONFIG", "SET", "maxclients", 1)


FAULTS: dict[str, Callable[[Servers], Awaitable[None]]] = {
    "sleeps": _sleeping,
    "is frozen": _frozen,
    "hears nothing": _swallowed,
    "is not heard": _unheard,
    "is slow": _slow,
    "talks nonsense": _spoiled,
    "refuses connections": _refused,
    "is a replica that cannot be written": _read_only,
    "is full and may evict nothing": _full,
    "refuses writes for want of replicas": _lonely,
    "has no connection left": _crowded,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_uploads_stay_quick_and_are_read_while_redis(place: Place, hurt: Servers, fault: str) -> None:
    service = await place.start()
    await place.must_upload(service)
    await FAULTS[fault](hurt)

    async with in_time():
        made = await place.must_upload(service)
    assert (await service.finished(made.job_id))["status"] == "completed"

    await hurt.heal()
    await place.must_upload(service)
    await place.assert_kept(service)
    await until(lambda: _announces_again(place, service))


@pytest.mark.parametrize("fault", [_read_only, _full, _lonely])
async def test_a_server_that_answers_and_takes_no_writes_is_said_to_be_away(
    place: Place, hurt: Servers, fault: Callable[[Servers], Awaitable[None]]
) -> None:
    service = await place.start(metrics_port="0", slots="0")
    await fault(hurt)

    async with service.http.get("/readyz") as response:
        state = await response.json()
    async with service.http.get("/metrics") as response:
        measured = await response.text()
    findings = [finding async for finding in check_redis(Settings(redis_url=hurt.redis_url(NUMBER)))]

    assert (state["status"], state["checks"]["redis"]["status"]) == ("degraded", "unavailable")
    assert 'docserver_dependency_up{dependency="redis"} 0.0' in measured
    says_so = [finding.detail for finding in findings if finding.detail == "a replica, which takes no writes"]
    assert bool(says_so) == (fault is _read_only)


@pytest.mark.parametrize("fault", ["refuses connections", "is a replica that cannot be written"])
async def test_what_was_seen_is_not_taken_back_by_what_redis_still_has_when_it(
    place: Place, hurt: Servers, fault: str
) -> None:
    # No round of maintenance puts right here what the cache was not told.
    service = await place.start(maintenance_s="60")
    deleted = await place.must_upload(service)
    place.accepted.remove(deleted)
    await service.finished(deleted.job_id)
    read = await place.must_upload(service, pages=4)
    await service.logged("page read", job_id=read.job_id)
    await FAULTS[fault](hurt)
    async with service.http.delete(f"/v1/documents/{deleted.document_id}") as response:
        assert response.status == 204
    await service.finished(read.job_id)

    await hurt.heal()

    until_s = time.monotonic() + 2.5
    while time.monotonic() < until_s:
        assert (await service.job(read.job_id))["status"] == "completed"
        await service.text(read.job_id)
        async with service.http.get(f"/v1/jobs/{deleted.job_id}") as response:
            assert response.status == 404
        await asyncio.sleep(0.05)
    assert await place.redis("EXISTS", job_key(deleted.job_id, DEFAULT_TENANT)) == 1


async def _announces_again(place: Place, service: Service) -> bool:
    """Redis is used again: a job is kept there for its readers."""
    made = await place.must_upload(service)
    return bool(await place.redis("EXISTS", job_key(made.job_id, DEFAULT_TENANT)))


async def test_when_it_kills_all_connections_documents_go_on(place: Place, hurt: Servers) -> None:
    service = await place.start()
    for _ in range(4):
        await place.must_upload(service, pages=2)
        await hurt.admin("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await hurt.admin("CLIENT", "KILL", "TYPE", "pubsub")

    await place.assert_kept(service)


OWN_LIST = list_key(b"127.0.0.1")


async def test_nonsense_in_its_lists_is_dropped(place: Place) -> None:
    service = await place.start()
    nonsense = ["nonsense", "\xff", "00000000-0000-0000-0000-000000000000"]
    await place.redis("RPUSH", RING, *nonsense)
    await place.redis("RPUSH", OWN_LIST, *nonsense)
    await place.redis("HSET", JOBS, "nonsense", "127.0.0.1", "\xff", "\xff")

    await place.must_upload(service)

    await place.assert_kept(service)


@pytest.mark.parametrize("key", [RING, CLIENTS, JOBS, OWN_LIST])
async def test_a_key_of_another_kind_is_gone_around(place: Place, key: Key) -> None:
    service = await place.start()
    await place.redis("SET", key, "nonsense")

    made = await place.must_upload(service)
    assert (await service.finished(made.job_id))["status"] == "completed"

    await place.redis("DEL", key)
    await place.assert_kept(service)


@pytest.mark.parametrize("key", [RING, CLIENTS, JOBS, OWN_LIST])
async def test_a_key_that_is_deleted_by_itself_is_made_again(place: Place, key: Key) -> None:
    api = await place.start(slots="0")
    for _ in range(2):
        await place.must_upload(api)
    await place.redis("DEL", key)

    await place.start("--worker-only")

    await place.assert_kept(api)


async def test_frozen_in_the_middle_and_woken_later_it_repeats_no_page(place: Place, hurt: Servers) -> None:
    service = await place.start()
    made = await place.must_upload(service, pages=4)
    await service.logged("page read", job_id=made.job_id)
    freeze(hurt.store)
    await service.finished(made.job_id)
    thaw(hurt.store)

    await place.assert_kept(service)
    read = [line["page"] for line in service.lines if line["message"] == "page read"]
    assert sorted(read) == [1, 2, 3, 4]


NUMBER = 511
"""The Redis database of the tests that need no service."""


async def given_one_by_one(redis: Redis, count: int) -> list[asyncio.Task[bytes]]:
    """Commands that are under way, each given in a turn of the event loop of its own."""
    commands = []
    for number in range(count):
        commands.append(asyncio.create_task(redis.command("ECHO", number)))
        await asyncio.sleep(0.001)
    return commands


async def test_many_commands_while_it_is_frozen_open_few_connections_and_are_all_answered(hurt: Servers) -> None:
    redis = Redis(hurt.redis_url(NUMBER), timeout_s=20)
    others = len(hurt.redis._links)
    freeze(hurt.store)
    try:
        commands = await given_one_by_one(redis, 200)
        during = len(hurt.redis._links) - others
    finally:
        thaw(hurt.store)

    replies = await asyncio.gather(*commands)
    clients = await hurt.admin("CLIENT", "LIST")
    await redis.close()

    assert replies == [str(number).encode() for number in range(200)]
    assert during <= COMMAND_CONNECTIONS
    assert clients.count(f" db={NUMBER} ".encode()) <= COMMAND_CONNECTIONS


async def test_commands_that_wait_for_a_connection_are_refused_with_those_that_got_no_answer(hurt: Servers) -> None:
    redis = Redis(hurt.redis_url(NUMBER), timeout_s=0.5)
    await redis.check_writable()
    freeze(hurt.store)
    try:
        commands = await given_one_by_one(redis, 50)
        async with in_time():
            outcomes = await asyncio.gather(*commands, return_exceptions=True)
    finally:
        thaw(hurt.store)
    await redis.close()

    assert {type(outcome) for outcome in outcomes} == {RedisUnavailable}


async def test_who_listens_notices_that_the_other_side_has_gone_without_a_word(
    hurt: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "IDLE_S", 0.1)
    monkeypatch.setattr(subscription, "SILENT_S", 0.5)
    redis = Redis(hurt.redis_url(NUMBER), timeout_s=20)
    try:
        async with hearing(redis) as changes:
            hurt.redis.swallow()
            await until(lambda: not changes.is_listening)
            hurt.redis.heal()
            await until(lambda: changes.is_listening)
    finally:
        hurt.redis.heal()
        await redis.close()
