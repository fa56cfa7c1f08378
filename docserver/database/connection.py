"""The connection pool and `transaction()`. Only this module imports aiomysql. The SQL of the tables is in `tables/`.

aiomysql's own pool is not used. After a cancelled query it never wakes the callers that wait for a connection, and it
may hand out a connection with a stale snapshot.
"""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiomysql
from pymysql.constants import CLIENT
from pymysql.err import InterfaceError, InternalError, OperationalError, ProgrammingError

from docserver import metrics
from docserver.database.address import Address
from docserver.errors import DatabaseUnavailable
from docserver.exclusive import Turns, current_client

log = logging.getLogger("docserver.db")

IDLE_CHECK_S = 5.0
"""A connection that was idle for longer is pinged before it is used."""

CONNECT_TIMEOUT_S = 5.0
"""Longest wait for a new connection or a ping. A server that is running answers in milliseconds."""

LOCK_WAIT_S = 5
"""Longest wait for a row lock, which is held only for a few statements. After it, the transaction is tried again."""

IDLE_END_S = 30
"""The server closes a connection after this time without a statement. So a process that freezes or loses its network
within a transaction loses its locks. The pool replaces an idle connection that was closed in this way."""

CONTENTION = (1205, 1213)
"""Error numbers of the server: lock wait timeout, deadlock."""

TOO_LONG = (1969, 3024)
"""Error numbers of MariaDB and MySQL: the statement ran longer than the session allows."""

DAMAGED = (1034, 1194, 1712, 1877, 1932)
"""Error numbers of the server: the files of a table or index are damaged or missing."""

SERVER_SHARE = 0.9
"""The server ends a statement after this share of the time that the caller waits for it, so that its error still
arrives. MySQL ends only SELECT in this way, MariaDB any statement."""

NO_SUCH_TABLE = 1146
"""Error number of the server. All tables exist after the start, unless a backup of the database is being restored."""

Row = Mapping[str, Any]
Arguments = Sequence[Any] | Mapping[str, Any]
T = TypeVar("T")


class CommitUnknown(DatabaseUnavailable):
    """The connection broke during COMMIT. Only reading again shows whether the commit took place."""


class Contended(DatabaseUnavailable):
    """The server rolled the transaction back in favour of another one; it can be tried again at once."""


class StatementTooLong(DatabaseUnavailable):
    """The server ended the statement because it ran too long. The server itself is well."""


class Cursor:
    """Runs statements on one connection, each with a time limit. Every fault is raised as DatabaseUnavailable."""

    def __init__(self, connection: Any, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._rows: list[Row] = []
        self.last_insert_id = 0
        """The argument of LAST_INSERT_ID() in the last statement, if it had one."""

    async def execute(self, sql: str, arguments: Arguments | None = None) -> int:
        """Run one statement; returns the number of rows found or matched."""
        return await self._bounded(self._execute(sql, arguments))

    async def insert_all(self, sql: str, rows: Sequence[Arguments]) -> None:
        """Insert all rows with one INSERT statement; does nothing if there are none."""
        async with self._connection.cursor() as cursor:
            await self._bounded(cursor.executemany(sql, rows))

    def row(self) -> Row | None:
        """The first row of the last statement, if there is one."""
        return self._rows[0] if self._rows else None

    def only_row(self) -> Row:
        """The row of a statement that always returns exactly one."""
        (row,) = self._rows
        return row

    def rows(self) -> list[Row]:
        """All rows of the last statement."""
        return self._rows

    async def _execute(self, sql: str, arguments: Arguments | None) -> int:
        async with self._connection.cursor() as cursor:
            count: int = await cursor.execute(sql, arguments)
            self._rows = list(await cursor.fetchall()) if cursor.description else []
            self.last_insert_id = cursor.lastrowid or 0
            return count

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except FAULTS as error:
            raise _unavailable(error) from error
        except ProgrammingError as error:
            if error.args[0] == NO_SUCH_TABLE:
                raise _unavailable(error) from error
            raise


def each(values: Sequence[Any]) -> str:
    """Placeholders for an IN list of these values. SQL needs at least one value."""
    return ", ".join(["%s"] * len(values))


def microseconds(seconds: float) -> int:
    """The argument of `INTERVAL %s MICROSECOND`."""
    return int(seconds * 1_000_000)


FAULTS = (OperationalError, InterfaceError, InternalError, OSError, TimeoutError, asyncio.IncompleteReadError)
"""Errors of a server that is unreachable, restarting, frozen, full or ending a deadlock, and of the socket itself."""


_FAULT_KINDS = {Contended: "contended", StatementTooLong: "too_long", DatabaseUnavailable: "unavailable"}
"""The kinds of faults, as the metrics name them."""


def _unavailable(error: BaseException) -> DatabaseUnavailable:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    log.warning("database fault", extra={"fault": type(error).__name__, "number": number})
    kind = Contended if number in CONTENTION else StatementTooLong if number in TOO_LONG else DatabaseUnavailable
    metrics.DATABASE_FAULTS.labels(_FAULT_KINDS[kind]).inc()
    if number in DAMAGED:
        return DatabaseUnavailable("A table of the database is damaged: restore the database from a backup.")
    return kind("The database does not answer; try again soon.")


class _QuietCursor(aiomysql.DictCursor):  # type: ignore[misc]
    """A cursor that does not fetch the server's warnings, because aiomysql sends a further statement to get them.

    In strict SQL mode, the important warnings are errors. The others only say that a table exists already.
    """

    async def _show_warnings(self, conn: Any) -> None:
        pass


class _Connection(aiomysql.Connection):  # type: ignore[misc]
    """A connection that reports a reset by the server as OSError. uvloop raises RuntimeError at the next write."""

    def _write_bytes(self, data: bytes) -> None:
        if self._writer.transport.is_closing():
            raise ConnectionResetError
        super()._write_bytes(data)


async def connect(address: Address, *, timeout_s: float, database: str | None, script: bool = False) -> Any:
    """Open one connection with the session settings that all statements expect; `script` allows several at once."""
    # aiomysql's own time limit is not used: its asyncio.wait_for can lose a cancellation, before Python 3.12.
    async with asyncio.timeout(min(CONNECT_TIMEOUT_S, timeout_s)):
        connection = _Connection(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            db=database,
            unix_socket=address.unix_socket,
            ssl=ssl.create_default_context(cafile=address.ssl_ca) if address.ssl_ca else None,
            charset="utf8mb4",
            autocommit=True,
            client_flag=CLIENT.FOUND_ROWS | (CLIENT.MULTI_STATEMENTS if script else 0),
            cursorclass=_QuietCursor,
        )
        await connection._connect()  # noqa: SLF001 - aiomysql.connect() does the same, but makes no connection of ours
    # The caller gives up a statement after `timeout_s`; with this setting, the server ends the statement too.
    server_s = timeout_s * SERVER_SHARE
    bound = (
        f"max_statement_time = {server_s}"
        if "mariadb" in connection.get_server_info().lower()
        else f"max_execution_time = {math.ceil(server_s * 1000)}"
    )
    try:
        async with connection.cursor() as cursor:
            await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            await cursor.execute(
                f"SET time_zone = '+00:00', sql_mode = 'TRADITIONAL', innodb_lock_wait_timeout = {LOCK_WAIT_S}, "
                f"wait_timeout = {IDLE_END_S}, {bound}"
            )
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """The connections of a pool, and who waits for one."""

    size: int
    """Most connections that it opens."""
    in_use: int
    idle: int
    waiting: int
    """Requests and tasks that wait for a connection."""


class Database:
    """A pool of at most `size` connections. It opens them when needed, so the server may be down when it is created."""

    def __init__(
        self,
        url: str,
        *,
        size: int,
        timeout_s: float,
        for_clients: bool = False,
        check: Callable[[Cursor], Awaitable[None]] | None = None,
    ) -> None:
        """`timeout_s` is the longest wait for a connection, and for each statement. `check` runs on new connections and
        raises DatabaseUnavailable if one must not be used.

        Clients get connections in turn. With `for_clients`, no client has all of them if there are several. How many
        requests of a client wait is limited by its connections to the service. To refuse some at once would not spare
        the others: clients that try again at once keep the event loop busier than requests that wait.
        """
        self._check = check
        self.address = Address.parse(url)
        self._timeout_s = timeout_s
        self._size = size
        self._turns = Turns(size, of_one=max(1, size - 1) if for_clients else size)
        self._idle: list[tuple[Any, float]] = []
        self._closed = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        """A transaction that commits at the end of the block, and rolls back if the block raises.

        Raises DatabaseUnavailable: CommitUnknown if the commit got no answer.
        """
        async with self._connection() as connection:
            cursor = Cursor(connection, self._timeout_s)
            await cursor.execute("BEGIN")
            yield cursor
            try:
                async with asyncio.timeout(self._timeout_s):
                    await connection.commit()
            except FAULTS as error:
                raise CommitUnknown(_unavailable(error).detail) from error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Cursor]:
        """A connection in autocommit mode, for reads and for single statements that need no transaction."""
        async with self._connection() as connection:
            yield Cursor(connection, self._timeout_s)

    @property
    def usage(self) -> PoolUsage:
        """How much of the pool is in use now."""
        return PoolUsage(self._size, self._turns.taken, len(self._idle), self._turns.all_waiting)

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless the server answers."""
        async with self.session() as cursor:
            await cursor.execute("SELECT 1")

    async def close(self) -> None:
        """Close the idle connections. Connections in use are closed when they return to the pool."""
        self._closed = True
        while self._idle:
            connection, _ = self._idle.pop()
            connection.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        until = asyncio.get_running_loop().time() + self._timeout_s
        client = current_client.get()
        await self._begin_turn(client, until)
        connection = None
        try:
            connection = await self._living(until)
            yield connection
            if connection.get_transaction_status():
                connection.close()
        except BaseException as error:
            if connection is not None:
                await self._settle(connection, error)
            raise
        finally:
            if connection is not None and self._closed:
                connection.close()
            if connection is not None and not connection.closed:
                self._idle.append((connection, time.monotonic()))
            self._turns.end(client)

    async def _begin_turn(self, client: str, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._turns.begin(client)
        except TimeoutError as error:
            # No fault of the database: one that does not answer is counted by the statements that it does not answer.
            log.info("no connection to the database in time", extra={"waiting": self._turns.all_waiting})
            raise DatabaseUnavailable("Too many requests use the database at the same time; try again soon.") from error

    async def _living(self, until: float) -> Any:
        """An idle connection that still works, or a new one; raises DatabaseUnavailable if there is none in time."""
        try:
            async with asyncio.timeout_at(until):
                while self._idle:
                    connection, since = self._idle.pop()
                    try:
                        if await self._lives(connection, idle_s=time.monotonic() - since):
                            return connection
                    except BaseException:
                        connection.close()
                        raise
                    connection.close()
                return await self._connect()
        except FAULTS as error:
            raise _unavailable(error) from error

    async def _connect(self) -> Any:
        connection = await connect(self.address, timeout_s=self._timeout_s, database=self.address.database)
        if self._check:
            try:
                await self._check(Cursor(connection, self._timeout_s))
            except BaseException:
                connection.close()
                raise
        return connection

    async def _lives(self, connection: Any, *, idle_s: float) -> bool:
        # The driver's own pool looks at the reader too. It has no end if the server has reset the connection.
        if connection.closed or connection._reader.at_eof() or connection._writer.transport.is_closing():  # noqa: SLF001
            return False
        if idle_s < IDLE_CHECK_S:
            return True
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.ping(reconnect=False)
        except FAULTS:
            return False
        return True

    async def _settle(self, connection: Any, error: BaseException) -> None:
        """Roll back after an error, so that the connection can be used again; close it if that is not certain."""
        if isinstance(error, asyncio.CancelledError | DatabaseUnavailable):
            connection.close()
            return
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.rollback()
        except FAULTS:
            # The caller gets the error that the block raised, not this one.
            connection.close()
        except BaseException:
            connection.close()
            raise
