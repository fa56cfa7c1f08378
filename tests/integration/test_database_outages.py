"""A database that is away, silent, slow, or lost in the middle of a transaction."""

import asyncio
import gc
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database import connection as module
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.driver import Connection
from docserver.database.faults import CommitUnknown, ConnectionCut
from docserver.database.tables import deletions
from docserver.database.tables.deletions import Deletion
from docserver.errors import DatabaseUnavailable
from docserver.settings import Settings
from tests.support.connections import MakeDatabase, connection_id, kill, remembered
from tests.support.service import free_port
from tests.support.waiting import FOREVER_S, in_time, until


async def test_a_statement_that_takes_too_long_is_given_up(make_db: MakeDatabase) -> None:
    db = make_db(size=1, timeout_s=1.0)

    async with in_time():
        with pytest.raises(DatabaseUnavailable):
            async with db.session() as cur:
                await cur.execute("SELECT SLEEP(1000)")

    await db.ping()


async def test_what_was_read_on_a_killed_connection_is_read_again_on_another(
    db: Database, make_db: MakeDatabase
) -> None:
    pool = make_db(size=1)

    async with pool.session() as cur:
        victim = await connection_id(cur)
        await kill(db, victim)
        assert await connection_id(cur) != victim

    assert pool.usage.idle == 1


async def test_a_read_whose_connection_is_killed_twice_is_given_up(db: Database, make_db: MakeDatabase) -> None:
    pool = make_db(size=1)
    killed: set[int] = set()

    async def end_it_twice() -> None:
        while len(killed) < 2:
            async with db.session() as cur:
                await cur.execute("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(77)%%'")
                for row in cur.rows():
                    victim = next(iter(row.values()))
                    killed.add(victim)
                    await kill(db, victim)

    ending = asyncio.create_task(end_it_twice())
    with pytest.raises(ConnectionCut):
        async with pool.session() as cur:
            await cur.execute("SELECT SLEEP(77)")
    await ending


async def test_what_was_written_on_a_killed_connection_may_have_been_written_and_is_not_repeated(
    db: Database, make_db: MakeDatabase
) -> None:
    pool = make_db(size=1)

    with pytest.raises(ConnectionCut):
        async with pool.session() as cur:
            await kill(db, await connection_id(cur))
            await deletions.clear(cur, [uuid4()])

    await pool.ping()


async def test_an_error_of_the_block_comes_out_as_it_is_though_its_connection_was_killed(
    db: Database, make_db: MakeDatabase
) -> None:
    pool = make_db(size=1)

    with pytest.raises(KeyError):
        async with pool.session() as cur:
            await kill(db, await connection_id(cur))
            raise KeyError

    await pool.ping()


async def test_a_server_that_refuses_is_unavailable_at_once(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = make_db(url=f"mysql:///docserver?unix_socket={quote(str(tmp_path / 'none'))}", timeout_s=FOREVER_S)

    async with in_time():
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await db.ping()


class Proxy:
    """A port before the server that can keep silent, lose the answer to one kind of statement, or reset connections."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._port = free_port()
        self._writers: set[asyncio.StreamWriter] = set()
        self._copying: set[asyncio.Task[None]] = set()
        self.clients = 0
        self.silent = False
        self.loses_answer_to: bytes | None = None
        self.withholds = False
        """Cut the connection before the statement has reached the server, rather than after."""

    @property
    def url(self) -> str:
        address = self._address
        return (
            f"mysql://{quote(address.user, safe='')}:{quote(address.password, safe='')}@127.0.0.1:{self._port}"
            f"/{address.database}"
        )

    def reset(self) -> None:
        """End all connections as a server or a firewall does that forgot them."""
        for writer in self._writers:
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        async with server:
            yield self
            for task in self._copying:
                task.cancel()
            await asyncio.gather(*self._copying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._copying.add(task)
        self._writers.add(writer)
        self.clients += 1
        try:
            await self._connect(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.clients -= 1
            self._writers.discard(writer)
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await reader.read()
            return
        if self._address.unix_socket:
            up_reader, up_writer = await asyncio.open_unix_connection(self._address.unix_socket)
        else:
            up_reader, up_writer = await asyncio.open_connection(self._address.host, self._address.port)
        answers = asyncio.create_task(self._copy(up_reader, writer))
        try:
            while data := await reader.read(1 << 16):
                cut = self.loses_answer_to is not None and self.loses_answer_to in data
                if cut:
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)
                if not (cut and self.withholds):
                    up_writer.write(data)
                    await up_writer.drain()
                if cut:
                    if not self.withholds:
                        await up_reader.read(1 << 16)
                    return
        finally:
            # First: this task may be cancelled while it waits.
            up_writer.close()
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[Proxy]:
    async with Proxy(Address.parse(settings.mysql_url)).serve() as running:
        yield running


async def test_a_server_that_keeps_silent_is_unavailable_within_the_timeout(
    make_db: MakeDatabase, proxy: Proxy
) -> None:
    proxy.silent = True
    db = make_db(url=proxy.url, timeout_s=1.0)

    async with in_time():
        with pytest.raises(DatabaseUnavailable):
            await db.ping()

    await until(lambda: proxy.clients == 0)
    proxy.silent = False
    await db.ping()


async def test_a_pool_made_while_the_server_is_away_serves_when_it_is_there(
    make_db: MakeDatabase, settings: Settings
) -> None:
    later = Proxy(Address.parse(settings.mysql_url))
    db = make_db(url=later.url)
    with pytest.raises(DatabaseUnavailable):
        await db.ping()

    async with later.serve():
        await db.ping()
        await db.close()


async def test_an_idle_connection_that_was_reset_is_replaced_unseen(make_db: MakeDatabase, proxy: Proxy) -> None:
    pool = make_db(url=proxy.url, size=1)
    async with pool.session() as cur:
        victim = await connection_id(cur)

    proxy.reset()
    await until(lambda: proxy.clients == 0)
    await until(lambda: _knows_its_end(pool._idle[0]))

    async with pool.session() as cur:
        assert await connection_id(cur) != victim


async def test_a_connection_that_is_reset_between_two_statements_is_an_outage_and_no_fault_of_ours(
    make_db: MakeDatabase, proxy: Proxy
) -> None:
    pool = make_db(url=proxy.url, size=1)

    with pytest.raises(DatabaseUnavailable):
        async with pool.transaction() as cur:
            await cur.execute("SELECT 1")
            proxy.reset()
            await until(lambda: _knows_its_end(cur._connection))
            await cur.execute("SELECT 1")
    with pytest.raises(CommitUnknown):
        async with pool.transaction() as cur:
            proxy.reset()
            await until(lambda: _knows_its_end(cur._connection))

    await pool.ping()


def _knows_its_end(connection: Any) -> bool:
    return isinstance(connection._reader.exception(), ConnectionResetError)


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_without_an_answer_is_unknown_and_tells_nothing_of_its_outcome(
    db: Database, make_db: MakeDatabase, proxy: Proxy, *, carried_out: bool
) -> None:
    pool = make_db(url=proxy.url, size=1)
    document_id = uuid4()
    proxy.loses_answer_to, proxy.withholds = b"\x03COMMIT", not carried_out

    with pytest.raises(CommitUnknown) as unknown:
        async with pool.transaction() as cur:
            await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))

    assert (unknown.value.status, unknown.value.code) == (503, "database_unavailable")
    assert await remembered(db, document_id) is carried_out
    proxy.loses_answer_to = None
    await pool.ping()


async def test_a_connection_lost_before_the_commit_is_an_outage_of_known_outcome(
    db: Database, make_db: MakeDatabase, proxy: Proxy
) -> None:
    pool = make_db(url=proxy.url, size=1)
    document_id = uuid4()
    proxy.loses_answer_to = b"INSERT"

    with pytest.raises(DatabaseUnavailable) as outage:
        async with pool.transaction() as cur:
            await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))

    assert not isinstance(outage.value, CommitUnknown)
    assert not await remembered(db, document_id)


async def test_who_is_cancelled_while_a_connection_is_made_or_asked_leaves_none_open(
    make_db: MakeDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_db(url=proxy.url, size=1)
    await pool.ping()
    connection = pool._idle[0]
    asked = asyncio.Event()

    async def ask(_: Connection) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return False

    with monkeypatch.context() as patch:
        patch.setattr(module, "CHECK_S", -1.0)
        patch.setattr(module, "_is_read_only", ask)
        task = asyncio.create_task(pool.ping())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert connection.closed
    await pool.ping()
    await pool.close()
    gc.collect()
