"""The connection pool, `transaction()` and `session()`. The SQL of the tables is in `tables/`.

aiomysql's own pool is not used. After a cancelled query it never wakes the callers that wait for a connection, and it
may hand out a connection with a stale snapshot.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pymysql.err import ProgrammingError

from docserver.database.address import Address
from docserver.database.driver import CONNECT_TIMEOUT_S, Connection, connect
from docserver.database.faults import (
    FAULTS,
    NO_SUCH_TABLE,
    ConnectionCut,
    Contended,
    StatementTooLong,
    TakesNoWrites,
    read_only,
    unavailable,
    uncommitted,
    unconnected,
)
from docserver.database.retries import repeat
from docserver.errors import DatabaseUnavailable
from docserver.exclusive import Turns, current_client

log = logging.getLogger("docserver.db")

CHECK_S = 5.0
"""A connection that was checked longer ago is checked before it is used: whether it lives, and whether its server takes
writes. After a failover, a connection to the former primary may stay open, and it would show old rows."""

READ_ONLY = "SELECT @@global.read_only AS of_server, @@global.innodb_read_only AS of_engine"
"""Whether the server is read-only. Aurora's replicas set only the second variable."""

Row = Mapping[str, Any]
Arguments = Sequence[Any] | Mapping[str, Any]
T = TypeVar("T")


class PoolExhausted(DatabaseUnavailable):
    """All connections of the pool were in use. The server itself may be well."""


class Cursor:
    """Runs statements on one connection, each with a time limit. Every fault is raised as DatabaseUnavailable.

    A connection that was cut, or whose server takes no writes, is closed.
    """

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
        result = await self._connection.run(sql, arguments)
        self._rows, self.last_insert_id = result.dicts(), result.insert_id or 0
        count: int = result.affected_rows
        return count

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except FAULTS as error:
            fault = unavailable(error)
            if isinstance(fault, TakesNoWrites | ConnectionCut):
                self._connection.close()
            raise fault from error
        except ProgrammingError as error:
            if error.args[0] == NO_SUCH_TABLE:
                raise unavailable(error) from error
            raise


def each(values: Sequence[Any]) -> str:
    """Placeholders for an IN list of these values. SQL needs at least one value."""
    return ", ".join(["%s"] * len(values))


def microseconds(seconds: float) -> int:
    """The argument of `INTERVAL %s MICROSECOND`."""
    return int(seconds * 1_000_000)


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """The connections of a pool, and who waits for one."""

    size: int
    """Most connections that it opens."""
    in_use: int
    idle: int
    waiting: int
    """Requests and tasks that wait for a connection."""


@dataclass(slots=True)
class _Borrowed:
    """A connection of the pool while it is in use. It may be replaced by another one."""

    connection: Connection
    replace: Callable[[], Awaitable[Connection]]

    async def open_connection(self) -> Connection:
        """The connection, or another one if it was closed."""
        if self.connection.closed:
            self.connection = await self.replace()
        return self.connection


class _SessionCursor(Cursor):
    """Runs statements in autocommit mode. Repeats those that were not carried out, and once those that only read."""

    def __init__(self, borrowed: _Borrowed, timeout_s: float, *, repeats_reads: bool) -> None:
        super().__init__(borrowed.connection, timeout_s)
        self._borrowed = borrowed
        self._repeats_reads = repeats_reads

    async def execute(self, sql: str, arguments: Arguments | None = None) -> int:
        async def once() -> int:
            self._connection = await self._borrowed.open_connection()
            return await Cursor.execute(self, sql, arguments)

        try:
            return await repeat(once, after=(Contended, TakesNoWrites))
        except ConnectionCut:
            if not self._repeats_reads or not sql.lstrip().startswith("SELECT"):
                raise
        return await repeat(once, after=(Contended, TakesNoWrites))


class Database:
    """A pool of at most `size` connections. It opens them when needed, so the server may be down when it is created."""

    def __init__(
        self,
        url: str,
        *,
        size: int,
        timeout_s: float,
        writes: bool = False,
        of_replica: bool = False,
        repeats_reads: bool = True,
        for_clients: bool = False,
        check: Callable[[Cursor], Awaitable[None]] | None = None,
    ) -> None:
        """`timeout_s` is the longest wait for a connection, and for each statement. `check` runs on new connections and
        raises DatabaseUnavailable if one must not be used.

        A connection to a server that is read-only is replaced, because the URL may lead to another server by now. If it
        does not, a pool that `writes` raises TakesNoWrites, and any other uses what it gets. With `of_replica`, the
        server may be read-only. A pool that `repeats_reads` reads once more what a cut connection did not answer. Those
        for lists do not: an operator may have killed one that takes too long.

        Clients get connections in turn. With `for_clients`, no client has all of them if there are several. How many
        requests of a client wait is limited by its connections to the service. To refuse some at once would not spare
        the others: clients that try again at once keep the event loop busier than requests that wait.
        """
        self._check = check
        self._writes = writes
        self._of_replica = of_replica
        self._repeats_reads = repeats_reads
        self.address = Address.parse(url)
        self._timeout_s = timeout_s
        self._size = size
        self._turns = Turns(size, of_one=max(1, size - 1) if for_clients else size)
        self._idle: list[Connection] = []
        self._fault_at = 0.0
        """When a connection was last found cut or read-only. Those that were checked earlier are checked again."""
        self._closed = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Cursor]:
        """A transaction that commits at the end of the block, and rolls back if the block raises. Only functions that
        are `transactional` make one.

        Raises DatabaseUnavailable: CommitUnknown if the commit got no answer.
        """
        async with self._borrowed(self._living) as borrowed:
            connection = borrowed.connection
            cursor = Cursor(connection, self._timeout_s)
            await cursor.execute("BEGIN")
            yield cursor
            try:
                async with asyncio.timeout(self._timeout_s):
                    await connection.commit()
            except FAULTS as error:
                raise uncommitted(error) from error

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Cursor]:
        """A connection in autocommit mode, for reads and for single statements that need no transaction."""
        async with self._borrowed(self._living_repeatedly) as borrowed:
            yield _SessionCursor(borrowed, self._timeout_s, repeats_reads=self._repeats_reads)

    @property
    def usage(self) -> PoolUsage:
        """How much of the pool is in use now."""
        return PoolUsage(self._size, self._turns.taken, len(self._idle), self._turns.all_waiting)

    async def ping(self) -> None:
        """Raise DatabaseUnavailable unless the server answers."""
        async with self.session() as cursor:
            await cursor.execute("SELECT 1")

    async def check_writable(self) -> None:
        """Raise DatabaseUnavailable unless the server answers, ReadOnlyServer if it is read-only. Writes nothing."""
        async with self.session() as cursor:
            await cursor.execute(READ_ONLY)
            if _is_on(cursor.only_row()):
                raise read_only()

    async def close(self) -> None:
        """Close the idle connections. Connections in use are closed when they return to the pool."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @asynccontextmanager
    async def _borrowed(self, living: Callable[[float], Awaitable[Connection]]) -> AsyncIterator[_Borrowed]:
        until = asyncio.get_running_loop().time() + self._timeout_s
        client = current_client.get()
        await self._begin_turn(client, until)
        borrowed = None
        try:
            borrowed = _Borrowed(await living(until), self._replacement)
            yield borrowed
            if borrowed.connection.get_transaction_status():
                borrowed.connection.close()
        except BaseException as error:
            if borrowed is not None:
                await self._settle(borrowed.connection, error)
            raise
        finally:
            if borrowed is not None and self._closed:
                borrowed.connection.close()
            if borrowed is not None and not borrowed.connection.closed:
                self._idle.append(borrowed.connection)
            self._turns.end(client)

    async def _begin_turn(self, client: str, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._turns.begin(client)
        except TimeoutError as error:
            # No fault of the database: one that does not answer is counted by the statements that it does not answer.
            log.info("no connection to the database in time", extra={"waiting": self._turns.all_waiting})
            raise PoolExhausted("Too many requests use the database at the same time; try again soon.") from error

    async def _replacement(self) -> Connection:
        """Another connection in the place of one that was cut, or that led to a server that takes no writes."""
        self._fault_at = time.monotonic()
        return await self._living(asyncio.get_running_loop().time() + self._timeout_s)

    async def _living_repeatedly(self, until: float) -> Connection:
        """A connection for a session, which nobody else repeats as a whole."""
        return await repeat(lambda: self._living(until), after=(TakesNoWrites,))

    async def _living(self, until: float) -> Connection:
        """An idle connection that may be used, or a new one; raises DatabaseUnavailable if there is none in time."""
        try:
            async with asyncio.timeout_at(until):
                while self._idle:
                    connection = self._idle.pop()
                    try:
                        if await self._is_usable(connection):
                            return connection
                    except BaseException:
                        connection.close()
                        raise
                    connection.close()
                return await self._connect()
        except FAULTS as error:
            raise unconnected(error) from error

    async def _connect(self) -> Connection:
        connection = await connect(self.address, timeout_s=self._timeout_s, database=self.address.database)
        try:
            await self._examine(connection)
        except BaseException:
            connection.close()
            raise
        connection.checked_at = time.monotonic()
        return connection

    async def _examine(self, connection: Connection) -> None:
        """Raise DatabaseUnavailable if a new connection must not be used."""
        if self._check:
            await self._check(Cursor(connection, self._timeout_s))
        if self._writes and await _is_read_only(connection):
            raise read_only()

    async def _is_usable(self, connection: Connection) -> bool:
        # The driver's own pool looks at the reader too. It has no end if the server has reset the connection.
        if connection.closed or connection._reader.at_eof() or connection._writer.transport.is_closing():  # noqa: SLF001
            return False
        now = time.monotonic()
        if connection.checked_at > max(now - CHECK_S, self._fault_at):
            return True
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                is_read_only = await _is_read_only(connection)
        except FAULTS:
            # No fault that anybody meets: the server may end connections that are idle.
            return False
        connection.checked_at = now
        return self._of_replica or not is_read_only

    async def _settle(self, connection: Connection, error: BaseException) -> None:
        """Roll back after an error, so that the connection can be used again; close it if that is not certain."""
        if isinstance(error, DatabaseUnavailable) and not isinstance(error, Contended | StatementTooLong):
            self._fault_at = time.monotonic()
        if isinstance(error, asyncio.CancelledError | DatabaseUnavailable) and not isinstance(error, Contended):
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


async def _is_read_only(connection: Connection) -> bool:
    """True if the server takes no writes, such as a replica. A user with many rights could write to it nevertheless.
    Raises one of FAULTS.
    """
    async with connection.cursor() as cursor:
        await cursor.execute(READ_ONLY)
        return _is_on(await cursor.fetchone())


def _is_on(variables: Row) -> bool:
    # MariaDB 12 has names instead of numbers.
    return any(str(value) not in ("0", "OFF") for value in variables.values())
