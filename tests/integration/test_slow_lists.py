"""Clients whose lists take long: what they must not stop, and what they get."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import ClientSession, TCPConnector
from pytest_aiohttp import AiohttpClient

from docserver.database.connection import Cursor, Database
from docserver.database.tables import document_lists
from docserver.resources import Resources, _databases
from docserver.setting_types import Auth
from docserver.settings import Settings
from docserver.web.app import make_app
from docserver.web.listener import listening
from tests.support.client import completed, get, upload
from tests.support.connections import MakeDatabase, one
from tests.support.listeners import port_of
from tests.support.tenants import key_of
from tests.support.waiting import in_time, until

LIST = "/v1/documents/list-document"

ENDLESS = """
    SELECT COUNT(*) AS listed_at, 1 AS document_id
    FROM information_schema.columns a, information_schema.columns b, information_schema.columns c,
         information_schema.columns d
"""
"""In place of what a list selects: rows without end. Unlike SLEEP, this ends in an error on MySQL too."""

RUNNING = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT 1 AS total, SLEEP(%)'"
ENDLESS_RUNNING = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT (SELECT COUNT(*) FROM%'"


async def endless(*_: object, **__: object) -> list[str]:
    return [ENDLESS]


Count = Callable[..., Awaitable[int]]


def slow_count(seconds: float) -> Count:
    async def count(cur: Cursor, _: document_lists.Filter, **__: object) -> int:
        await cur.execute(f"SELECT 1 AS total, SLEEP({seconds})")
        return 1

    return count


async def running(db: Database) -> int:
    """How many slow lists the server is making."""
    async with db.session() as cur:
        return int(await one(cur, RUNNING))


async def end_lists(db: Database) -> None:
    """End the slow lists, as their bound would."""
    async with db.session() as cur:
        await cur.execute(RUNNING.replace("COUNT(*)", "id"))
        for row in cur.rows():
            await cur.execute(f"KILL {next(iter(row.values()))}")


async def status_of(client: ClientSession, path: str) -> int:
    async with client.get(path) as response:
        await response.read()
        return response.status


@pytest.fixture
async def lists(make_db: MakeDatabase) -> Database:
    """The two connections to the database that lists have."""
    return make_db(size=2, timeout_s=300.0, for_clients=True, repeats_reads=False)


@pytest.fixture
async def url(resources: Resources, lists: Database, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The API on its real listener; the parameter says whether it needs keys."""
    settings = replace(
        resources.settings,
        host="127.0.0.1",
        port=0,
        rate_limit=False,
        request_timeout_s=300.0,
        grace_s=0.1,
        auth=getattr(request, "param", Auth.OFF),
    )
    async with listening(settings) as listener:
        await listener.serve(make_app(replace(resources, settings=settings, lists=lists)))
        yield f"http://127.0.0.1:{port_of(listener)}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[ClientSession]:
    async with ClientSession(url, connector=TCPConnector(limit=0)) as session:
        yield session


@asynccontextmanager
async def lists_without_end(
    client: ClientSession, lists: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[asyncio.Task[int]]]:
    """During the block, 100 lists of one client: one is made without end, the others wait. The lists of others are
    short.
    """
    monkeypatch.setattr(document_lists, "count", slow_count(600))
    tasks = [asyncio.create_task(status_of(client, LIST)) for _ in range(100)]

    async def is_made() -> bool:
        return lists.usage.waiting == 99 and await running(lists) == 1

    await until(is_made)
    monkeypatch.setattr(document_lists, "count", slow_count(0))
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await end_lists(lists)


async def test_a_client_whose_lists_never_end_keeps_no_other_client_waiting(
    client: ClientSession, lists: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lists_without_end(client, lists, monkeypatch) as tasks:
        async with in_time(), ClientSession(url, connector=TCPConnector(local_addr=("127.0.0.2", 0))) as other:
            assert [await status_of(other, LIST) for _ in range(3)] == [200] * 3

        # None of them was refused: clients that try again at once would keep the others waiting.
        assert not any(task.done() for task in tasks)


@pytest.mark.parametrize("url", [Auth.KEYS], indirect=True)
async def test_a_tenant_whose_lists_never_end_keeps_no_other_tenant_at_the_same_address_waiting(
    client: ClientSession, lists: Database, url: str, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.headers.update(await key_of(resources, "greedy"))

    async with lists_without_end(client, lists, monkeypatch) as tasks:
        async with in_time(), ClientSession(url, headers=await key_of(resources, "other")) as other:
            for _ in range(3):
                assert [await status_of(other, path) for path in (LIST, "/v1/usage")] == [200, 200]
        # Another key of the greedy tenant does not get it more.
        more = asyncio.create_task(status_of(client, LIST))
        await until(lambda: lists.usage.waiting == 100)

        assert not any(task.done() for task in [*tasks, more])
        more.cancel()


@pytest.mark.usefixtures("worker")
async def test_clients_whose_lists_never_end_stop_neither_uploads_nor_workers_nor_reads_nor_health(
    client: ClientSession, lists: Database, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lists_without_end(client, lists, monkeypatch) as tasks:
        async with in_time():
            for _ in range(2):
                job = await upload(client)
                await completed(client, job["job_id"])
                assert await get(client, f"/v1/documents/{job['document_id']}")
            health = await get(client, "/readyz")

        assert health["checks"]["mysql"]["status"] == "ok"
        assert not any(task.done() for task in tasks)

    # The lists whose clients have hung up end without being in anybody's way.
    await until(lambda: lists.usage.waiting == 0)
    assert await status_of(client, LIST) == 200


async def test_a_client_that_hangs_up_makes_no_room_for_a_second_list_while_the_server_still_makes_its_first(
    client: ClientSession, lists: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lists_without_end(client, lists, monkeypatch) as tasks:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        again = asyncio.create_task(status_of(client, LIST))
        await until(lambda: lists.usage.waiting == 100)

        assert await running(lists) == 1

    assert await again == 200


async def test_a_list_that_takes_too_long_is_ended_by_the_server_and_its_client_is_told_to_narrow_it(
    resources: Resources,
    aiohttp_client: AiohttpClient,
    db: Database,
    make_db: MakeDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists = make_db(size=1, timeout_s=1.0)
    monkeypatch.setattr(document_lists, "_selections", endless)
    client = await aiohttp_client(make_app(replace(resources, lists=lists)))

    async with client.get(LIST) as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (504, "list_too_slow")
    assert "date_from" in problem["detail"]
    # A client that tries again by itself would only make the server slower.
    assert "Retry-After" not in response.headers

    async def is_ended() -> bool:
        async with db.session() as cur:
            return bool(await one(cur, ENDLESS_RUNNING) == 0)

    # On a busy machine, the client may give up a moment before the server does.
    await until(is_ended)


def test_each_kind_of_work_has_connections_of_its_own_and_all_together_no_more_than_allowed(settings: Settings) -> None:
    for allowed in (6, 7, 10, 16, 100):
        pools = _databases(replace(settings, mysql_pool_size=allowed), None)
        assert sum(pool._turns._free for pool in pools.values()) == allowed
        assert all(pool._turns._free >= 1 for pool in pools.values())
