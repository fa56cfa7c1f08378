"""One server of Redis: its connections, the pipelines that commands travel in, and the pause after a fault.

Which server a command is for is decided elsewhere.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any

import hiredis
import redis.asyncio
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AskError, AuthenticationError, NoScriptError, RedisError, ResponseError
from redis.exceptions import ConnectionError as BrokenConnection

from docserver import metrics
from docserver.errors import RedisUnavailable
from docserver.redis.address import DRIVER, Address
from docserver.redis.topology import FAULTS, UnknownService
from docserver.settings import variable

log = logging.getLogger("docserver.redis")

PAUSE_S = 1.0
"""For this time after a fault, commands fail at once. Every caller can do without Redis, and many commands that each
wait for the timeout would take too long."""

COMMAND_CONNECTIONS = 4
"""Most connections for commands. While all are busy, new commands wait and are then sent together, so a slow Redis gets
larger pipelines instead of more connections. With four connections, this wait is about a quarter of a round trip."""

WAITING_CONNECTIONS = 1
"""Connections that wait for an element of a list. With one for each idle slot, a single element would wake them all."""

SUBSCRIBERS = 1

Command = tuple[Any, ...]
"""The words of a command."""

Reply = Any


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, which runs atomically. Its file documents KEYS, ARGV and the result."""

    source: str
    sha: str

    @classmethod
    def load(cls, name: str) -> "Script":
        source = files("docserver.redis.lua").joinpath(f"{name}.lua").read_text()
        return cls(source, sha1(source.encode(), usedforsecurity=False).hexdigest())


@dataclass(slots=True)
class _Call:
    commands: Sequence[Command]
    script: Script | None
    done: asyncio.Future[list[Reply]]


class Node:
    """Sends commands to one server, each with a time limit.

    Raises RedisUnavailable for every fault. If another node of the cluster has the key, that is said by an AskError, or
    its subclass MovedError. Commands from the same turn of the event loop are sent together in one pipeline. Under load
    this halves the CPU time that a command takes. The number of connections is limited: see COMMAND_CONNECTIONS and
    WAITING_CONNECTIONS.
    """

    def __init__(
        self, address: Address, options: Mapping[str, Any], *, timeout_s: float, on_fault: Callable[[], None]
    ) -> None:
        """`on_fault` is called after each fault."""
        self.address = address
        given = {
            "driver_info": DRIVER,
            "socket_timeout": None,
            "socket_connect_timeout": timeout_s,
            # redis-py's own retries are off. They repeat commands that may have succeeded; a push could happen twice.
            "retry": Retry(NoBackoff(), 0),
            "max_connections": WAITING_CONNECTIONS + SUBSCRIBERS,
            **({"host": address.host, "port": address.port} if address.port else {}),
            **options,
        }
        self._client = redis.asyncio.Redis.from_pool(ConnectionPool(**given))
        self._timeout_s = timeout_s
        self._on_fault = on_fault
        self._paused_until = 0.0
        self._waiting = asyncio.Semaphore(WAITING_CONNECTIONS)
        # Each flush sends commands over one connection; these are the connections that no flush is using.
        self._idle: list[AbstractConnection] = []
        self._unsent: list[_Call] = []
        self._unsent_until = 0.0
        self._flush_is_due = False
        self._flushes: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def call(self, commands: Sequence[Command], script: Script | None = None) -> asyncio.Future[list[Reply]]:
        """Send commands, one after another, or one that runs a script; returns their replies.

        The reply is an AskError if another node of the cluster has the key. Commands of calls of the same moment reach
        the server in the order of the calls.
        """
        self._refuse_while_paused()
        loop = asyncio.get_running_loop()
        call = _Call(commands, script, loop.create_future())
        if not self._unsent:
            self._unsent_until = loop.time() + self._timeout_s
        self._unsent.append(call)
        self._schedule_flush()
        return call.done

    async def wait(self, command: Command, *, wait_s: float) -> Reply:
        """Send a command that waits up to `wait_s`; returns its reply, or None if other waits took all that time."""
        self._refuse_while_paused()
        try:
            async with asyncio.timeout(wait_s):
                await self._waiting.acquire()
        except TimeoutError:
            return None
        try:
            self._refuse_while_paused()
            async with asyncio.timeout(wait_s + self._timeout_s):
                return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except AskError:
            raise
        except FAULTS as error:
            raise self._unavailable(error) from error
        finally:
            self._waiting.release()

    def subscriber(self) -> PubSub:
        """A separate connection that receives published messages."""
        return self._client.pubsub(ignore_subscribe_messages=True)

    def end_pause(self) -> None:
        """Let the next command ask the server, although it has just met a fault."""
        self._paused_until = 0.0

    async def close(self) -> None:
        """Wait for the commands in progress, then close all connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                while self._unsent or self._flushes:
                    await (asyncio.wait(self._flushes) if self._flushes else asyncio.sleep(0))
        self._close_idle()
        if self._closing:
            await asyncio.wait(self._closing)
        await self._client.aclose()

    def _schedule_flush(self) -> None:
        """Send the unsent commands in the next turn of the event loop, unless all connections are busy."""
        if self._unsent and not self._flush_is_due and len(self._flushes) < COMMAND_CONNECTIONS:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._start_flush)

    def _start_flush(self) -> None:
        self._flush_is_due = False
        calls, self._unsent = self._unsent, []
        task = asyncio.get_running_loop().create_task(self._flush(calls, until=self._unsent_until))
        self._flushes.add(task)
        task.add_done_callback(self._end_flush)

    def _end_flush(self, task: asyncio.Task[None]) -> None:
        self._flushes.discard(task)
        self._schedule_flush()

    async def _flush(self, calls: list[_Call], *, until: float) -> None:
        try:
            self._refuse_while_paused()
            async with asyncio.timeout_at(until):
                received = await self._send([command for call in calls for command in call.commands])
                end = 0
                for call in calls:
                    begin, end = end, end + len(call.commands)
                    replies = received[begin:end]
                    if call.script is not None and isinstance(replies[0], NoScriptError):
                        replies = await self._send([("EVAL", call.script.source, *call.commands[0][2:])])
                    self._settle(call, replies)
        except (*FAULTS, RedisUnavailable) as error:
            refusal = error if isinstance(error, RedisUnavailable) else self._unavailable(error)
            for call in calls:
                if not call.done.done():
                    call.done.set_exception(refusal)

    async def _send(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands together and read their replies. If Redis answers a command with an error, that is its reply.

        redis-py's own pipeline does the same but takes more than twice the CPU time.
        """
        connection = self._idle.pop() if self._idle else self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            packed = b"".join(map(hiredis.pack_command, commands))
            await connection.send_packed_command(packed, check_health=False)
            replies = await _replies(connection, len(commands))
        except BaseException:
            # Close this connection: replies that arrive later would be taken for those of the next commands. Close the
            # idle connections too, because they probably have the same fault.
            self._idle.append(connection)
            self._close_idle()
            raise
        self._idle.append(connection)
        return replies

    def _settle(self, call: _Call, replies: list[Reply]) -> None:
        for reply in replies:
            if isinstance(reply, RedisError) and not isinstance(reply, AskError):
                refusal = self._unavailable(reply)
                # A server that refuses commands may be a primary of yesterday. Its name may lead to another one by now.
                self._close_idle()
                if not call.done.done():
                    call.done.set_exception(refusal)
                return
        if not call.done.done():
            call.done.set_result(replies)

    def _close_idle(self) -> None:
        """Close the idle connections in the background: with TLS, the other side has a say in that."""
        while self._idle:
            task = asyncio.get_running_loop().create_task(_close(self._idle.pop()))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _refuse_while_paused(self) -> None:
        if time.monotonic() < self._paused_until:
            raise RedisUnavailable("Redis does not answer.")

    def _unavailable(self, error: BaseException) -> RedisUnavailable:
        self._paused_until = time.monotonic() + PAUSE_S
        self._on_fault()
        return unavailable(error)


def unavailable(error: BaseException) -> RedisUnavailable:
    """Count and log a fault; returns what to raise for it."""
    metrics.REDIS_FAULTS.inc()
    facts = {"fault": type(error).__name__}
    if isinstance(error, (AuthenticationError, UnknownService)):
        facts["setting"] = variable("redis_url")
    log.warning("redis fault", extra=facts)
    raised = RedisUnavailable("Redis does not answer.")
    raised.__cause__ = error
    return raised


async def _close(connection: AbstractConnection) -> None:
    with suppress(*FAULTS):
        await connection.disconnect()


async def _replies(connection: AbstractConnection, number: int) -> list[Reply]:
    replies: list[Reply] = []
    while len(replies) < number:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
        # Most of the others have arrived with the first one. To ask redis-py for each takes as long as all else here.
        parser: Any = connection._parser  # noqa: SLF001 - see above
        while len(replies) < number and (reply := parser._reader.gets()) is not NOT_ENOUGH_DATA:  # noqa: SLF001
            if isinstance(reply, hiredis.PushNotification):
                await parser.handle_push_response(reply)
            elif isinstance(reply, BrokenConnection):
                raise reply
            else:
                replies.append(reply)
    return replies
