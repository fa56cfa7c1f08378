"""Opens connections, with the session settings that all statements expect. Only this module and `results` import
aiomysql.
"""

import asyncio
import math
import ssl
from collections.abc import Mapping, Sequence
from typing import Any

import aiomysql
from pymysql.constants import CLIENT, CR
from pymysql.err import OperationalError
from pymysql.protocol import MysqlPacket

from docserver.database.address import Address
from docserver.database.results import Result, arrived_packets

CONNECT_TIMEOUT_S = 5.0
"""Longest wait for a new connection or a check of one. A server that is running answers in milliseconds."""

LOCK_WAIT_S = 5
"""Longest wait for a row lock, which is held only for a few statements. After it, the transaction is tried again."""

IDLE_END_S = 30
"""The server closes a connection after this time without a statement. So a process that freezes or loses its network
within a transaction loses its locks. The pool replaces an idle connection that was closed in this way."""

LONGEST_GROUP = 1 << 24
"""Most bytes of a GROUP_CONCAT, so that MySQL's default of 1024 cuts none. MySQL takes at most max_allowed_packet, and
that is 64 MB there and 16 MB in MariaDB."""

SERVER_SHARE = 0.9
"""The server ends a statement after this share of the time that the caller waits for it, so that its error still
arrives. MySQL ends only SELECT in this way, MariaDB any statement."""

UNTRUSTED = CR.CR_SSL_CONNECTION_ERROR
"""Error number for an encrypted connection to a server that has no TLS, or whose certificate is not trusted."""


class _QuietCursor(aiomysql.DictCursor):  # type: ignore[misc]
    """A cursor that does not fetch the server's warnings, because aiomysql sends a further statement to get them.

    In strict SQL mode, the important warnings are errors. The others only say that a table exists already.
    """

    async def _show_warnings(self, conn: Any) -> None:
        pass


class Connection(aiomysql.Connection):  # type: ignore[misc]
    """A connection of aiomysql, with its faults mended."""

    checked_at = -math.inf
    """When the pool last found that the connection may be used, by the monotonic clock."""

    _next_seq_id: int
    _result: Result

    @property
    def tls_version(self) -> str | None:
        """As in TLSv1.3; None if the connection is not encrypted."""
        encryption = self._writer.get_extra_info("ssl_object")
        return encryption.version() if encryption else None

    def _write_bytes(self, data: bytes) -> None:
        # After a reset by the server, uvloop raises RuntimeError at the next write.
        if self._writer.transport.is_closing():
            raise ConnectionResetError
        super()._write_bytes(data)

    def escape(self, obj: Any) -> Any:
        # A page's words as escaped text cost three times the CPU time here, and a third more in the server.
        return f"x'{obj.hex()}'" if isinstance(obj, bytes) else super().escape(obj)

    def arrived_packets(self, most: int) -> list[bytes]:
        """The next packets that have arrived, without their headers."""
        if self._reader.exception() is not None:
            return []
        packets = arrived_packets(self._reader, first=self._next_seq_id, most=most)
        self._next_seq_id = (self._next_seq_id + len(packets)) % 256
        return packets

    async def _read_packet(self, packet_type: type[MysqlPacket] = MysqlPacket) -> MysqlPacket:
        for data in self.arrived_packets(1):
            packet = packet_type(data, self._encoding)
            if packet.is_error_packet():
                packet.raise_for_error()
            return packet
        awaited: MysqlPacket = await super()._read_packet(packet_type)
        return awaited

    async def _read_query_result(self, unbuffered: bool = False) -> None:
        assert not unbuffered
        result = Result(self)
        await result.read()
        self._result = result
        self._affected_rows = result.affected_rows
        if result.server_status is not None:
            self.server_status = result.server_status

    async def run(self, sql: str, arguments: Sequence[Any] | Mapping[str, Any] | None) -> Result:
        """Run one statement. To do so by a cursor of aiomysql takes as long again as to escape the arguments."""
        if isinstance(arguments, Mapping):
            sql %= {name: self.escape(argument) for name, argument in arguments.items()}
        elif arguments is not None:
            sql %= tuple(map(self.escape, arguments))
        await self.query(sql)
        return self._result

    async def _request_authentication(self) -> None:
        # Otherwise aiomysql goes on without encryption, as somebody between both sides may wish.
        if self._ssl_context and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(UNTRUSTED, "no TLS")
        await super()._request_authentication()


async def connect(address: Address, *, timeout_s: float, database: str | None, script: bool = False) -> Connection:
    """Open one connection with the session settings that all statements expect; `script` allows several at once.

    Raises one of FAULTS, or ProgrammingError.
    """
    # aiomysql's own time limit is not used: its asyncio.wait_for can lose a cancellation, before Python 3.12.
    async with asyncio.timeout(min(CONNECT_TIMEOUT_S, timeout_s)):
        connection = Connection(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            db=database,
            unix_socket=address.unix_socket,
            ssl=await asyncio.to_thread(address.tls.context) if address.tls else None,
            charset="utf8mb4",
            autocommit=True,
            client_flag=CLIENT.FOUND_ROWS | (CLIENT.MULTI_STATEMENTS if script else 0),
            cursorclass=_QuietCursor,
        )
        try:
            # aiomysql.connect() does the same, but makes no connection of ours.
            await connection._connect()  # noqa: SLF001 - see above
        except OperationalError as error:
            if isinstance(error.__cause__, ssl.SSLError):
                raise OperationalError(UNTRUSTED, "not trusted") from error
            raise
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
                f"wait_timeout = {IDLE_END_S}, group_concat_max_len = {LONGEST_GROUP}, {bound}"
            )
    except BaseException:
        connection.close()
        raise
    return connection
