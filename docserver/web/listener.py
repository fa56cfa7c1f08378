"""The listening socket: open from the start of the process on, whatever answers there."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from docserver.settings import Settings
from docserver.web.connections import Connections

log = logging.getLogger("docserver.api")

BACKLOG = 1024
"""Connections that wait to be accepted; a burst of clients should not see resets."""


class Listener:
    """Accepts connections for one application, and later for another in its place."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connections = Connections(settings)
        self._runner: web.AppRunner | None = None
        self._socket: asyncio.Server | None = None

    async def serve(self, app: web.Application) -> None:
        """Let this application answer new connections; those of the one before end with what they are answering."""
        runner = web.AppRunner(app, shutdown_timeout=self._settings.grace_s)
        await runner.setup()
        before, self._runner = self._runner, runner
        if self._socket is None:
            await self._listen()
        if before:
            await before.cleanup()

    async def close(self) -> None:
        """Accept nothing more, let what is being answered end within the grace time, and close."""
        if self._socket:
            self._socket.close()
        runner, self._runner, self._socket = self._runner, None, None
        if runner:
            await runner.cleanup()

    async def _listen(self) -> None:
        settings = self._settings
        self._socket = await asyncio.get_running_loop().create_server(
            self._protocol, settings.host, settings.port, backlog=BACKLOG
        )
        for listening in self._socket.sockets:
            # Inherited by what is accepted: a client that takes nothing of its answer is not waited for any longer.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.body_timeout_s * 1000))
        # Where port 0 was asked for, the system has chosen one.
        host, port, *_ = self._socket.sockets[0].getsockname()
        log.info("listening", extra={"host": host, "port": port})

    def _protocol(self) -> asyncio.Protocol:
        if self._runner is None or self._runner.server is None:
            raise AssertionError("listening without an application")
        return self._connections.protocol(self._runner.server)


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Listener]:
    """A listener that is closed at the end; it listens once it has something to serve. Raises OSError."""
    listener = Listener(settings)
    try:
        yield listener
    finally:
        await listener.close()
