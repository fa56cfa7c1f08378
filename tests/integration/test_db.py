"""The connection pool and its transactions, on a real server and on one that misbehaves."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from pymysql.err import IntegrityError

from docserver.database import connection as module
from docserver.database.address import Address
from docserver.database.connection import CommitUnknown, Cursor, Database
from docserver.database.tables import deletions
from docserver.errors import DatabaseUnavailable
from docserver.settings import Settings
from tests.support.waiting import FOREVER_S, in_time, until

MakeDatabase = Callable[..., Database]


@pytest.fixture
async def make_db(settings: Settings) -> AsyncIterator[MakeDatabase]:
    """Pools of their own on the running server."""
    made: list[Database] = []

    def make(*, size: int = 2, timeout_s: float = 10.0, url: str = settings.mysql_url) -> Database:
        made.append(Database(url, size=size, timeout_s=timeout_s))
        return made[-1]

    yield make
    for db in made:
        await db.close()


async def connection_id(cur: Cursor) -> int:
    await cur.execute("SELECT CONNECTION_ID() AS id")
    row = cur.row()
    assert row
    return int(row["id"])


async def one(cur: Cursor, sql: str) -> Any:
    """The one value that a query gives."""
    await cur.execute(sql)
    row = cur.row()
    assert row
    (value,) = row.values()
    return value


async def remembered(db: Database, document_id: UUID) -> bool:
    async with db.session() as cur:
        return await deletions.was_deleted(cur, document_id)


async def kill(db: Database, victim: int) -> None:
    """End another connection, and wait until the server has forgotten it."""
    async with db.session() as cur:
        await cur.execute(f"KILL {victim}")

    async def gone() -> bool:
        async with db.session() as cur:
            return await cur.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (victim,)) == 0

    await until(gone)


async def sleeping(db: Database, victim: int) -> None:
    """Wait until a connection is in the middle of SLEEP."""

    async def asleep() -> bool:
        async with db.session() as cur:
            found = await cur.execute(
                "SELECT 1 FROM information_schema.processlist WHERE id = %s AND info LIKE 'SELECT SLEEP%%'", (victim,)
            )
        return found > 0

    await until(asleep)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "mysql://ann:s%40%2Fcret@db.example:3307/ocr",
            Address("db.example", 3307, "ann", "s@/cret", "ocr", None, None),
        ),
        ("mysql://db.example", Address("db.example", 3306, "root", "", "docserver", None, None)),
        ("mysql://[::1]:3307/x", Address("::1", 3307, "root", "", "x", None, None)),
        (
            "mysql:///ocr?unix_socket=%2Frun%2Fmy%20sql.sock",
            Address("localhost", 3306, "root", "", "ocr", "/run/my sql.sock", None),
        ),
        (
            "mysql://ann@h/ocr?ssl_ca=/etc/ca.pem",
            Address("h", 3306, "ann", "", "ocr", None, "/etc/ca.pem"),
        ),
    ],
)
def test_an_address_is_read_from_its_url(url: str, address: Address) -> None:
    assert Address.parse(url) == address


async def test_a_transaction_is_seen_by_others_once_it_is_over(db: Database) -> None:
    document_id = uuid4()

    async with db.transaction() as cur:
        await deletions.remember(cur, document_id, job_ids=[])
        before = await remembered(db, document_id)

    assert before is False
    assert await remembered(db, document_id)


async def test_a_transaction_whose_block_raises_leaves_nothing_and_its_connection_is_used_again(
    make_db: MakeDatabase,
) -> None:
    db = make_db(size=1)
    document_id = uuid4()
    used: list[int] = []

    with pytest.raises(KeyError):
        async with db.transaction() as cur:
            used.append(await connection_id(cur))
            await deletions.remember(cur, document_id, job_ids=[])
            raise KeyError

    async with db.session() as cur:
        used.append(await connection_id(cur))
    assert used[0] == used[1]
    assert not await remembered(db, document_id)


async def test_a_statement_that_breaks_a_constraint_undoes_its_transaction_and_is_no_outage(db: Database) -> None:
    first, second = uuid4(), uuid4()
    async with db.session() as cur:
        await deletions.remember(cur, first, job_ids=[])

    with pytest.raises(IntegrityError):
        async with db.transaction() as cur:
            await deletions.remember(cur, second, job_ids=[])
            await deletions.remember(cur, first, job_ids=[])

    assert not await remembered(db, second)


async def test_a_transaction_reads_what_others_committed_meanwhile(db: Database) -> None:
    document_id = uuid4()

    async with db.transaction() as cur:
        before = await deletions.was_deleted(cur, document_id)
        async with db.session() as other:
            await deletions.remember(other, document_id, job_ids=[])
        after = await deletions.was_deleted(cur, document_id)

    assert (before, after) == (False, True)


async def test_a_connection_that_is_used_again_has_no_stale_view(make_db: MakeDatabase) -> None:
    reader, writer = make_db(size=1), make_db(size=1)
    document_id = uuid4()
    assert not await remembered(reader, document_id)

    async with writer.session() as cur:
        await deletions.remember(cur, document_id, job_ids=[])

    assert await remembered(reader, document_id)


async def test_a_session_commits_each_statement_by_itself(db: Database) -> None:
    document_id = uuid4()

    async with db.session() as cur:
        await deletions.remember(cur, document_id, job_ids=[])
        assert await remembered(db, document_id)


async def test_a_transaction_that_a_session_left_open_reaches_nobody_else(make_db: MakeDatabase) -> None:
    db = make_db(size=1)
    document_id = uuid4()
    async with db.session() as cur:
        first = await connection_id(cur)
        await cur.execute("BEGIN")
        await deletions.remember(cur, document_id, job_ids=[])

    async with db.session() as cur:
        assert await connection_id(cur) != first
    assert not await remembered(db, document_id)


async def test_a_session_is_strict_in_utc_and_counts_rows_that_it_found_unchanged(db: Database) -> None:
    document_id = uuid4()
    async with db.session() as cur:
        assert await one(cur, "SELECT @@session.time_zone") == "+00:00"
        assert "STRICT_ALL_TABLES" in await one(cur, "SELECT @@session.sql_mode")
        assert await one(cur, "SELECT @@session.innodb_lock_wait_timeout") == module.LOCK_WAIT_S
        await deletions.remember(cur, document_id, job_ids=[])
        changed = await cur.execute("UPDATE deleted_documents SET id = id WHERE id = %s", (document_id.bytes,))

    assert changed == 1


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


async def test_a_transaction_that_is_cancelled_leaves_nothing(db: Database) -> None:
    document_id = uuid4()
    inside = asyncio.Event()

    async def linger() -> None:
        async with db.transaction() as cur:
            await deletions.remember(cur, document_id, job_ids=[])
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(linger())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    # The row can be written again at once: its lock went with the connection.
    async with db.session() as cur:
        await deletions.remember(cur, document_id, job_ids=[])


async def test_who_waits_too_long_for_a_connection_is_told_that_there_is_none(make_db: MakeDatabase) -> None:
    db = make_db(size=1, timeout_s=1.0)

    async with db.session(), in_time():
        with pytest.raises(DatabaseUnavailable):
            await db.ping()

    await db.ping()


async def test_a_statement_that_takes_too_long_is_given_up(make_db: MakeDatabase) -> None:
    db = make_db(size=1, timeout_s=1.0)

    async with in_time():
        with pytest.raises(DatabaseUnavailable) as refused:
            async with db.session() as cur:
                await cur.execute("SELECT SLEEP(1000)")

    assert int(refused.value.headers["Retry-After"]) > 0
    await db.ping()


async def test_a_connection_that_was_killed_while_idle_is_replaced_unseen(db: Database, make_db: MakeDatabase) -> None:
    pool = make_db(size=1)
    async with pool.session() as cur:
        victim = await connection_id(cur)

    await kill(db, victim)

    async with pool.session() as cur:
        assert await connection_id(cur) != victim


async def test_a_connection_that_was_idle_for_long_is_asked_before_it_is_used(
    db: Database, make_db: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_db(size=1)
    async with pool.session() as cur:
        victim = await connection_id(cur)
    await pool.ping()
    monkeypatch.setattr(module, "IDLE_CHECK_S", -1.0)

    async with pool.session() as cur:
        assert await connection_id(cur) == victim
    # Its end stays unseen, as that of a connection over a cut cable does.
    pool._idle[0][0]._reader.at_eof = lambda: False
    await kill(db, victim)

    async with pool.session() as cur:
        assert await connection_id(cur) != victim


async def test_a_connection_killed_in_use_is_an_outage_for_its_user_alone(db: Database, make_db: MakeDatabase) -> None:
    pool = make_db(size=1)

    with pytest.raises(DatabaseUnavailable):
        async with pool.session() as cur:
            await kill(db, await connection_id(cur))
            await cur.execute("SELECT 1")

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


async def test_a_connection_in_use_when_the_pool_is_closed_is_closed_by_its_user(make_db: MakeDatabase) -> None:
    pool = make_db(size=1)

    async with pool.session() as cur:
        connection = cur._connection
        await pool.close()
        await cur.execute("SELECT 1")

    assert connection.closed


async def test_a_server_that_refuses_is_unavailable_at_once(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = make_db(url=f"mysql:///docserver?unix_socket={quote(str(tmp_path / 'none'))}", timeout_s=FOREVER_S)

    async with in_time():
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await db.ping()


class Proxy:
    """A socket before the server that can keep silent, or lose the answer to one kind of statement."""

    def __init__(self, address: Address, socket: Path) -> None:
        self._address = address
        self._socket = socket
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
            f"mysql://{quote(address.user, safe='')}:{quote(address.password, safe='')}@localhost/{address.database}"
            f"?unix_socket={quote(str(self._socket))}"
        )

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Proxy"]:
        server = await asyncio.start_unix_server(self._accept, str(self._socket))
        async with server:
            yield self
            for task in self._copying:
                task.cancel()
            await asyncio.gather(*self._copying, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._copying.add(task)
        self.clients += 1
        try:
            await self._connect(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.clients -= 1
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
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            up_writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def proxy(settings: Settings, tmp_path: Path) -> AsyncIterator[Proxy]:
    async with Proxy(Address.parse(settings.mysql_url), tmp_path / "proxy").serve() as running:
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
    make_db: MakeDatabase, settings: Settings, tmp_path: Path
) -> None:
    later = Proxy(Address.parse(settings.mysql_url), tmp_path / "later")
    db = make_db(url=later.url)
    with pytest.raises(DatabaseUnavailable):
        await db.ping()

    async with later.serve():
        await db.ping()
        await db.close()


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_without_an_answer_is_unknown_and_tells_nothing_of_its_outcome(
    db: Database, make_db: MakeDatabase, proxy: Proxy, *, carried_out: bool
) -> None:
    pool = make_db(url=proxy.url, size=1)
    document_id = uuid4()
    proxy.loses_answer_to, proxy.withholds = b"\x03COMMIT", not carried_out

    with pytest.raises(CommitUnknown) as unknown:
        async with pool.transaction() as cur:
            await deletions.remember(cur, document_id, job_ids=[])

    assert (unknown.value.status, unknown.value.code) == (503, "database_unavailable")
    assert int(unknown.value.headers["Retry-After"]) > 0
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
            await deletions.remember(cur, document_id, job_ids=[])

    assert not isinstance(outage.value, CommitUnknown)
    assert not await remembered(db, document_id)


async def test_who_is_cancelled_while_a_connection_is_made_or_asked_leaves_none_open(
    make_db: MakeDatabase, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_db(url=proxy.url, size=1)
    await pool.ping()
    connection = pool._idle[0][0]
    monkeypatch.setattr(module, "IDLE_CHECK_S", -1.0)
    asked = asyncio.Event()

    async def ask(*, reconnect: bool) -> None:
        assert reconnect is False
        asked.set()
        await asyncio.Event().wait()

    connection.ping = ask
    task = asyncio.create_task(pool.ping())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert connection.closed
    await pool.ping()
    await pool.close()
    gc.collect()


async def test_the_same_address_without_its_database_can_be_connected_to(settings: Settings) -> None:
    address = replace(Address.parse(settings.mysql_url), database="")

    connection = await module.connect(address, timeout_s=5, database=None)

    try:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT DATABASE() AS found")
            assert await cursor.fetchone() == {"found": None}
    finally:
        connection.close()
