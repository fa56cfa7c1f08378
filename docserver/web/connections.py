"""The connections of clients: their number is bounded, and so is the time to the first request."""

import asyncio
import logging
import resource
from typing import Any
from weakref import WeakKeyDictionary

from aiohttp import web

from docserver.errors import BadRequest, Unavailable
from docserver.model import new_id
from docserver.settings import Settings
from docserver.web import problems
from docserver.web.keys import REQUEST_ID
from docserver.web.middleware import AccessLogger, add_common_headers

log = logging.getLogger("docserver.api")

MAX_HEADER_BYTES = 8190
MAX_HEADERS = 100

OTHER_DESCRIPTORS = 256
"""Open files of a process besides those of its clients: database, Redis, OCR processes, refused connections."""

REFUSALS = 64
"""Refused connections that wait for their answer to be read; any more are closed without an answer."""

REFUSAL_S = 1.0
"""How long a refused client may take to read the answer; a client on a slow line sees a closed connection instead."""

FIRST_REQUEST_S = 20.0
"""Longest time from a connection to the end of its first request's head. A slow line needs a second or two for it."""

LINGER_S = 5.0
"""How long the rest of a refused upload is read and dropped, because most clients send all before they read."""


class Connections:
    """All connections. Beyond the limit a new one takes the place of an idle one; if none is idle, it is refused."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limit = _limit(settings.max_connections)
        # Weak references, because a connection that fails before it is made is never removed by `remove`.
        self._open: WeakKeyDictionary[Connection, None] = WeakKeyDictionary()
        self._refusals: set[_Refusal] = set()

    def protocol(self, server: web.Server) -> asyncio.Protocol:
        """The protocol for a client that is just being accepted."""
        if len(self._open) >= self._limit and not self._close_idle():
            return _Refusal(self._refusals)
        connection = Connection(server, self)
        self._open[connection] = None
        return connection

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that was closed."""
        self._open.pop(connection, None)

    def _close_idle(self) -> bool:
        """Close a connection that is idle; False if none is."""
        idle = next((connection for connection in self._open if connection.idle), None)
        if idle is None:
            log.warning("connection refused", extra={"limit": self._limit})
            return False
        self.remove(idle)
        idle.force_close()
        return True


class Connection(web.RequestHandler):
    """aiohttp's connection, with a limit on the time to its first request, and errors as problem+json."""

    def __init__(self, server: web.Server, connections: Connections) -> None:
        settings = connections.settings
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log_class=AccessLogger,
            keepalive_timeout=settings.keepalive_s,
            lingering_time=LINGER_S,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            # A compressed body may be a thousand times larger inside: it is refused, not decompressed.
            auto_decompress=False,
        )
        self._connections = connections
        self._first_request_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """True if no request of the client is still unanswered."""
        return not self._request_in_progress and not self._messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # After the first request, aiohttp's keep-alive timer limits the time to the next one.
        self._first_request_timer = self._loop.call_later(FIRST_REQUEST_S, self._close_without_request)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._first_request_timer:
            self._first_request_timer.cancel()
        self._connections.remove(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote what the client sent
    ) -> web.StreamResponse:
        """Answer what no handler can: a request that is not HTTP, or a fault outside of the handlers."""
        if request.writer.output_size > 0:
            raise ConnectionError("A part of the answer has been sent already.")
        if status >= 500:
            log.error("unexpected fault", exc_info=exc)
        request[REQUEST_ID] = str(new_id())
        response = problems.response(
            request, problems.InternalError() if status >= 500 else BadRequest("The request is not valid HTTP.")
        )
        add_common_headers(response, request[REQUEST_ID])
        response.force_close()
        return response

    def _close_without_request(self) -> None:
        if self._request_count == 0:
            log.info("connection closed", extra={"reason": "no whole request in time"})
            self.force_close()


class _Refusal(asyncio.Protocol):
    """Tells a client that there are too many connections, and closes its own."""

    def __init__(self, refusals: "set[_Refusal]") -> None:
        self._refusals = refusals

    def connection_made(self, transport: Any) -> None:
        if len(self._refusals) >= REFUSALS:
            transport.abort()
            return
        self._refusals.add(self)
        transport.write(_refusal())
        transport.write_eof()
        # To close it before the request has been read would reset the connection and lose the answer.
        self._abort_timer = asyncio.get_running_loop().call_later(REFUSAL_S, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - any reason will do
        if self in self._refusals:
            self._refusals.discard(self)
            self._abort_timer.cancel()


def _refusal() -> bytes:
    error = Unavailable("There are too many connections; try again soon.", headers={"Retry-After": "1"})
    return problems.raw_response(error)


def _limit(wanted: int) -> int:
    """The wanted number of connections, or as many as the limit on open files, raised where possible, allows."""
    # An upload, or a file that is sent, takes a second descriptor.
    needed = 2 * wanted + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (soft, hard):
        return wanted
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    affordable = max(1, (soft - OTHER_DESCRIPTORS) // 2)
    if affordable < wanted:
        log.warning("fewer connections than set", extra={"wanted": wanted, "allowed": affordable, "files": soft})
    return min(wanted, affordable)
