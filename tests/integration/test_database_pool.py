"""The pool of connections: how many, who waits, and which connection is used again."""

import asyncio
from typing import Any

import aiomysql
import pytest

from docserver.database import connection as module
from docserver.database.connection import Database
from docserver.errors import DatabaseUnavailable
from tests.support.connections import MakeDatabase, connection_id, kill, sleeping
from tests.support.waiting import in_time, until


async def test_more_tasks_than_connections_are_all_served_over_no_more_than_those(make_db: MakeDatabase) -> None:
    db = make_db(size=3)

    async def use() -> int:
        async with db.session() as cur:
            await cur.execute("SELECT SLEEP(0.002)")
            return await connection_id(cur)

    used = await asyncio.gather(*(use() for _ in range(60)))

    assert len(used) == 60
    assert len(set(used)) <= 3


async def test_a_cancelled_query_closes_its_connection_and_leaves_the_pool_usable(
    db: Database, make_db: MakeDatabase
) -> None:
    pool = make_db(size=1)
    used: list[tuple[int, Any]] = []

    async def sleep() -> None:
        async with pool.session() as cur:
            used.append((await connection_id(cur), cur._connection))
            await cur.execute("SELECT SLEEP(30)")

    task = asyncio.create_task(sleep())
    await until(lambda: bool(used))
    cancelled, connection = used[0]
    await sleeping(db, cancelled)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert connection.closed
    async with pool.session() as cur:
        assert await connection_id(cur) != cancelled
    await kill(db, cancelled)


async def test_who_waits_for_a_connection_gets_one_after_a_cancelled_query(db: Database, make_db: MakeDatabase) -> None:
    pool = make_db(size=1)
    used: list[int] = []

    async def sleep() -> None:
        async with pool.session() as cur:
            used.append(await connection_id(cur))
            await cur.execute("SELECT SLEEP(30)")

    async def use() -> int:
        async with pool.session() as cur:
            return await connection_id(cur)

    holder = asyncio.create_task(sleep())
    await until(lambda: bool(used))
    await sleeping(db, used[0])
    waiters = [asyncio.create_task(use()) for _ in range(5)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    holder.cancel()
    async with in_time():
        results = await asyncio.gather(*waiters, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(result, int) and result != used[0] for result in results[1:])
    await kill(db, used[0])


async def test_who_waits_too_long_for_a_connection_is_told_that_there_is_none(make_db: MakeDatabase) -> None:
    db = make_db(size=1, timeout_s=1.0)

    async with db.session(), in_time():
        with pytest.raises(DatabaseUnavailable):
            await db.ping()

    await db.ping()


async def test_a_connection_that_was_killed_while_idle_is_replaced_unseen(db: Database, make_db: MakeDatabase) -> None:
    pool = make_db(size=1)
    async with pool.session() as cur:
        victim = await connection_id(cur)

    await kill(db, victim)

    async with pool.session() as cur:
        assert await connection_id(cur) != victim


async def test_a_connection_that_was_checked_long_ago_is_asked_before_it_is_used_which_is_no_fault_if_it_ended(
    db: Database, make_db: MakeDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = make_db(size=1)
    async with pool.session() as cur:
        victim = await connection_id(cur)
    await pool.ping()
    monkeypatch.setattr(module, "CHECK_S", -1.0)

    async with pool.session() as cur:
        assert await connection_id(cur) == victim
    # Its end stays unseen, as that of a connection over a cut cable does.
    pool._idle[0]._reader.at_eof = lambda: False
    await kill(db, victim)

    async with pool.session() as cur:
        assert await connection_id(cur) != victim
    assert "database fault" not in caplog.text


async def test_a_connection_in_use_when_the_pool_is_closed_is_closed_by_its_user(make_db: MakeDatabase) -> None:
    pool = make_db(size=1)

    async with pool.session() as cur:
        connection = cur._connection
        await pool.close()
        await cur.execute("SELECT 1")

    assert connection.closed


async def test_a_task_that_is_cancelled_as_its_connection_opens_ends(
    make_db: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_socket = aiomysql.connection._open_unix_connection

    async def cancelling(path: str) -> Any:
        streams = await open_socket(path)
        asyncio.get_running_loop().call_soon(task.cancel)
        return streams

    monkeypatch.setattr(aiomysql.connection, "_open_unix_connection", cancelling)

    task = asyncio.create_task(make_db().ping())
    await asyncio.wait([task])

    assert task.cancelled()
