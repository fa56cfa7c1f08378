"""The connections of clients, with limits on their number and on the time until their first request."""

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
"""File descriptors reserved for everything except clients: database, Redis, OCR processes, refused connections."""

REFUSALS = 64
"""Most refused connections that stay open until the client has read its answer; any more are closed without one."""

REFUSAL_S = 1.0
"""Longest time that a refused client has to read the answer. A slower client sees a closed connection instead."""

FIRST_REQUEST_S = 20.0
"""Longest time from the start of a connection to the end of its first request's headers. On a slow line, these take a
second or two."""

LINGER_S = 5.0
"""How long the rest of a refused upload is received and dropped. Most clients read the answer only after they have sent
everything."""


class Connections:
    """All open connections. At the limit, a new one replaces an idle one; if no connection is idle, it is refused."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limit = _limit(settings.max_connections)
        # Weak references, because `remove` is never called for a connection that fails before `connection_made`.
        self._open: WeakKeyDictionary[Connection, None] = WeakKeyDictionary()
        self._refusals: set[_Refusal] = set()

    def protocol(self, server: web.Server) -> asyncio.Protocol:
        """Return the protocol for a new client: a Connection or a refusal."""
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
    """aiohttp's connection, with a time limit for the first request, and with errors as problem+json."""

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
            # A compressed body may become a thousand times larger, so it is refused and never decompressed.
            auto_decompress=False,
        )
        self._connections = connections
        self._first_request_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """True if every request of the client has been answered."""
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
        """Answer when no handler can: the request is not valid HTTP, or an error occurred outside the handlers."""
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
    """Answers a client that there are too many connections, and closes this client's connection."""

    def __init__(self, refusals: "set[_Refusal]") -> None:
        self._refusals = refusals

    def connection_made(self, transport: Any) -> None:
        if len(self._refusals) >= REFUSALS:
            transport.abort()
            return
        self._refusals.add(self)
        transport.write(_refusal())
        transport.write_eof()
        # If the server closes the connection with the request unread, the connection is reset and the answer is lost.
        self._abort_timer = asyncio.get_running_loop().call_later(REFUSAL_S, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - any reason will do
        if self in self._refusals:
            self._refusals.discard(self)
            self._abort_timer.cancel()


def _refusal() -> bytes:
    error = Unavailable("There are too many connections; try again soon.", headers={"Retry-After": "1"})
    return problems.raw_response(error)


def _limit(wanted: int) -> int:
    """The wanted number of connections, or fewer if the limit on open files is too low and cannot be raised enough."""
    # Besides its connection, a client may use a second descriptor: for the file that it uploads or downloads.
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
