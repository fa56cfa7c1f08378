"""The listening socket. It is open from the start of the process; the application that answers can be replaced."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

from aiohttp import web

from docserver.settings import Settings, SettingsError, variable
from docserver.web import expectations
from docserver.web.admission import Admission
from docserver.web.connection_limits import Connections
from docserver.web.connections import Connection
from docserver.web.hosts import AllowedHosts

log = logging.getLogger("docserver.api")

BACKLOG = 1024
"""Most connections that may wait to be accepted; enough that none is reset when many clients connect at once."""


class Listener:
    """Accepts connections for one application at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connections = Connections(settings)
        self._runner: web.AppRunner | None = None
        self._socket: asyncio.Server | None = None

    async def serve(self, app: web.Application) -> None:
        """Let this application answer new connections. Open connections end after their current request."""
        runner = web.AppRunner(app, shutdown_timeout=self._settings.grace_s)
        await runner.setup()
        assert runner.server is not None
        if self._socket is None:
            self._socket = await self._bind()
        hosts = AllowedHosts(self._settings.allowed_hosts, local_only=_is_local(self._socket))
        admission = Admission(self._settings, hosts)
        runner.server.request_factory = expectations.wrap(runner.server.request_factory)
        runner.server.request_handler = admission.wrap(runner.server.request_handler)
        previous, self._runner = self._runner, runner
        if previous is None:
            await self._listen(self._socket)
        else:
            await previous.cleanup()

    async def close(self) -> None:
        """Accept no more connections, let current requests end within the grace time, and close."""
        if self._socket:
            self._socket.close()
        runner, self._runner, self._socket = self._runner, None, None
        if runner:
            await runner.cleanup()

    async def _bind(self) -> asyncio.Server:
        settings = self._settings
        try:
            server = await asyncio.get_running_loop().create_server(
                self._protocol, settings.listen_host, settings.port, backlog=BACKLOG, start_serving=False
            )
        except OSError as error:
            raise explained(error, place=f"{settings.listen_host}:{settings.port}", setting="port") from error
        for bound in server.sockets:
            # Accepted connections inherit this option. With it, the kernel closes the connection of a client that does
            # not read its answer.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.body_timeout_s * 1000))
        return server

    async def _listen(self, server: asyncio.Server) -> None:
        await server.start_serving()
        # If the setting is port 0, the system has chosen a port.
        host, port, *_ = server.sockets[0].getsockname()
        log.info("listening", extra={"host": host, "port": port})

    def _protocol(self) -> asyncio.Protocol:
        assert self._runner is not None
        assert self._runner.server is not None
        return Connection(self._runner.server, self._connections)


def explained(error: OSError, *, place: str, setting: str) -> Exception:
    """The error of a port that cannot be listened on, as an operator needs it: a SettingsError or an OSError."""
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return SettingsError(f"{variable('host')} must be an address of this machine, or its name")
    if error.errno == errno.EADDRINUSE:
        return OSError(error.errno, f"another program uses the port; stop it, or change {variable(setting)}", place)
    return OSError(error.errno, error.strerror, place)


def _is_local(server: asyncio.Server) -> bool:
    """True if the service can be reached from this machine alone."""
    return all(ip_address(bound.getsockname()[0]).is_loopback for bound in server.sockets)


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Listener]:
    """A listener that is closed at the end of the block. The first `serve` starts to listen, and may raise OSError, or
    SettingsError if the host is none of this machine.
    """
    listener = Listener(settings)
    try:
        yield listener
    finally:
        await listener.close()
