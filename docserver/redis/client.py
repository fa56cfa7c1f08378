"""The Redis connections, and the Lua scripts of `lua/`. Key names and the meaning of replies belong to the callers."""

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

from docserver import metrics
from docserver.errors import RedisUnavailable
from docserver.settings import SettingsError, variable

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
    """Sends commands to Redis, each with a time limit; every fault is raised as RedisUnavailable.

    Commands from the same turn of the event loop are sent together in one pipeline. Under load this halves the CPU time
    that a command takes. The number of connections is limited: see COMMAND_CONNECTIONS and WAITING_CONNECTIONS.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        """Raises SettingsError if the URL has an option that does not exist or has a wrong value."""
        try:
            # redis-py's own retries are off. They repeat commands that may have succeeded; a push could happen twice.
            self._client = redis.asyncio.Redis.from_url(
                url,
                socket_timeout=None,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
                max_connections=WAITING_CONNECTIONS + SUBSCRIBERS,
            )
            pool = self._client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{variable('redis_url')} has an option with a wrong name or value") from error
        self._timeout_s = timeout_s
        self._paused_until = 0.0
        self._waiting = asyncio.Semaphore(WAITING_CONNECTIONS)
        # Each flush sends commands over one connection; these are the connections that no flush is using.
        self._idle: list[AbstractConnection] = []
        self._unsent: list[_Call] = []
        self._unsent_until = 0.0
        self._flush_is_due = False
        self._flushes: set[asyncio.Task[None]] = set()

    async def run(self, script: Script, *, keys: Sequence[str | bytes], args: Sequence[str | bytes | float]) -> Reply:
        """Run a Lua script; returns its reply."""
        return await self._call(("EVALSHA", script.sha, len(keys), *keys, *args), script)

    async def command(self, *command: str | bytes | float) -> Reply:
        """Run one command; returns Redis' reply unchanged."""
        return await self._call(command, None)

    async def commands(self, *commands: Sequence[str | bytes | float]) -> list[Reply]:
        """Run commands that do not depend on each other; returns their replies."""
        calls = [self._call(tuple(command), None) for command in commands]
        # Wait for all calls before raising the first fault. Otherwise asyncio logs errors for the faults of the others.
        replies = await asyncio.gather(*calls, return_exceptions=True)
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        return replies

    async def rotate(self, key: str, *, wait_s: float) -> bytes | None:
        """Move the first element of a list to its end, waiting up to `wait_s` for one; returns the element."""
        self._refuse_while_paused()
        try:
            async with asyncio.timeout(wait_s):
                await self._waiting.acquire()
        except TimeoutError:
            return None
        try:
            self._refuse_while_paused()
            async with asyncio.timeout(wait_s + self._timeout_s):
                command = ("BLMOVE", key, key, "LEFT", "RIGHT", wait_s)
                element: bytes | None = await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except FAULTS as error:
            raise self._unavailable(error) from error
        finally:
            self._waiting.release()
        return element

    def subscriber(self) -> PubSub:
        """A separate connection that receives published messages."""
        return self._client.pubsub(ignore_subscribe_messages=True)

    async def ping(self) -> None:
        """Raise RedisUnavailable unless Redis answers now. This ends the pause after a fault."""
        self._paused_until = 0.0
        await self.command("PING")

    async def close(self) -> None:
        """Wait for the commands in progress, then close all connections."""
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
        """Send commands together and read their replies. If Redis answers a command with an error, that is its reply.

        redis-py's own pipeline does the same but takes twice the CPU time.
        """
        connection = self._idle.pop() if self._idle else self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            replies = [await _reply(connection) for _ in commands]
        except BaseException:
            # Close this connection: replies that arrive later would be taken for those of the next commands. Close the
            # idle connections too, because they probably have the same fault.
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
        metrics.REDIS_FAULTS.inc()
        log.warning("redis fault", extra={"fault": type(error).__name__})
        unavailable = RedisUnavailable("Redis does not answer.")
        unavailable.__cause__ = error
        return unavailable


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
