"""The Redis connections, and the Lua scripts of `lua/`, loaded once. Knows no key names and interprets no replies."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files
from typing import Any

import redis.asyncio
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError

from docserver.errors import RedisUnavailable

log = logging.getLogger("docserver.redis")

PAUSE_S = 1.0
"""After a fault all commands are refused for this time: every caller can do without Redis, and waiting each time would
add up."""

COMMAND_CONNECTIONS = 4
"""Connections for commands. While all are busy, commands wait and then travel together, so a slow Redis gets larger
pipelines instead of more connections; with four, the wait is about a quarter of a round trip."""

POP_CONNECTIONS = 64
"""Connections for blocking pops, of which each slot makes one at a time; the slots beyond that number take turns."""

SUBSCRIBERS = 1

FAULTS = (RedisError, OSError, TimeoutError)

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
    command: tuple[Any, ...]
    script: Script | None
    done: asyncio.Future[Reply] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Redis:
    """Commands to Redis, each with a bound on its time; any fault is RedisUnavailable.

    Commands that are given in the same turn of the event loop travel together in one pipeline: under load that
    halves what a command costs this process. Connections are bounded: see COMMAND_CONNECTIONS and POP_CONNECTIONS.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        # redis-py's own retries repeat commands that may have succeeded, so a push could happen twice.
        self._client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=None,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            max_connections=POP_CONNECTIONS + SUBSCRIBERS,
        )
        self._timeout_s = timeout_s
        self._paused_until = 0.0
        self._pops = asyncio.Semaphore(POP_CONNECTIONS)
        # Each flush sends commands over one connection; these are the connections that no flush is using.
        self._idle: list[AbstractConnection] = []
        self._unsent: list[_Call] = []
        self._unsent_until = 0.0
        self._flush_is_due = False
        self._flushes: set[asyncio.Task[None]] = set()

    async def run(self, script: Script, *, keys: Sequence[str], args: Sequence[str | bytes | float]) -> Reply:
        """Run a Lua script; returns its reply."""
        return await self._call(("EVALSHA", script.sha, len(keys), *keys, *args), script)

    async def command(self, *command: str | bytes | float) -> Reply:
        """Run one command; returns its reply as Redis gives it."""
        return await self._call(command, None)

    async def commands(self, *commands: Sequence[str | bytes | float]) -> list[Reply]:
        """Run commands that do not depend on each other; returns their replies."""
        calls = [self._call(tuple(command), None) for command in commands]
        # All are awaited before the first fault is raised: a fault that nobody retrieves would be logged as an error.
        replies = await asyncio.gather(*calls, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        return replies

    async def pop(self, key: str, *, wait_s: float) -> Reply:
        """Take the first element of a list, waiting up to `wait_s` for one. Do not cancel: an element could be lost."""
        self._refuse_while_paused()
        try:
            async with asyncio.timeout(wait_s):
                await self._pops.acquire()
        except TimeoutError:
            return None
        try:
            async with asyncio.timeout(wait_s + self._timeout_s):
                reply = await self._client.blpop([key], wait_s)
        except FAULTS as error:
            raise self._unavailable(error) from error
        finally:
            self._pops.release()
        element: Reply = reply[1] if reply else None
        return element

    def subscriber(self) -> PubSub:
        """A connection of its own for published messages."""
        return self._client.pubsub(ignore_subscribe_messages=True)

    async def ping(self) -> None:
        """Raise RedisUnavailable unless Redis answers now, even in a pause."""
        self._paused_until = 0.0
        await self.command("PING")

    async def close(self) -> None:
        """Let the commands under way end, then close all connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                while self._unsent or self._flushes:
                    await (asyncio.wait(self._flushes) if self._flushes else asyncio.sleep(0))
        await self._close_idle()
        await self._client.aclose()

    def _call(self, command: tuple[Any, ...], script: Script | None) -> asyncio.Future[Reply]:
        self._refuse_while_paused()
        call = _Call(command, script)
        if not self._unsent:
            self._unsent_until = asyncio.get_running_loop().time() + self._timeout_s
        self._unsent.append(call)
        self._schedule_flush()
        return call.done

    def _schedule_flush(self) -> None:
        """Send what is unsent in the next turn of the event loop, unless all connections are busy."""
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
                replies = await self._send([call.command for call in calls])
                for call, reply in zip(calls, replies, strict=True):
                    if isinstance(reply, NoScriptError) and call.script is not None:
                        reply = (await self._send([("EVAL", call.script.source, *call.command[2:])]))[0]  # noqa: PLW2901
                    _settle(call, self._unavailable(reply) if isinstance(reply, RedisError) else reply)
        except (*FAULTS, RedisUnavailable) as error:
            refusal = error if isinstance(error, RedisUnavailable) else self._unavailable(error)
            for call in calls:
                _settle(call, refusal)

    async def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Reply]:
        """Send commands in one go and read their replies; an error that Redis answers with is a reply.

        The client's own pipeline does the same, at twice the cost.
        """
        connection = self._idle.pop() if self._idle else self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            replies = [await _reply(connection) for _ in commands]
        except BaseException:
            # The next commands would get the replies that are still to come. The idle connections are as old as this
            # one, and have probably met the same fault.
            await connection.disconnect(nowait=True)
            await self._close_idle()
            raise
        self._idle.append(connection)
        return replies

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)

    def _refuse_while_paused(self) -> None:
        if time.monotonic() < self._paused_until:
            raise RedisUnavailable("Redis does not answer.")

    def _unavailable(self, error: BaseException) -> RedisUnavailable:
        self._paused_until = time.monotonic() + PAUSE_S
        log.warning("redis fault", extra={"fault": type(error).__name__})
        return RedisUnavailable("Redis does not answer.")


async def _reply(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _settle(call: _Call, reply: Reply) -> None:
    if call.done.done():
        return
    if isinstance(reply, RedisUnavailable):
        call.done.set_exception(reply)
    else:
        call.done.set_result(reply)
