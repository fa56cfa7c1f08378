"""The connections of clients: how many there are at the same time, and how long each may be silent."""

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
from docserver.web.middleware import AccessLogger, sign

log = logging.getLogger("docserver.api")

MAX_HEADER_BYTES = 8190
MAX_HEADERS = 100

OTHER_DESCRIPTORS = 256
"""Those of a process beside its clients': database, Redis, OCR processes, refusals under way."""

REFUSALS = 64
"""Refused connections that are still told why; any more are closed at once."""

REFUSAL_S = 1.0
"""A refused client has so long to take the answer; who asks over a slow line sees a closed connection instead."""

FIRST_REQUEST_S = 20.0
"""Longest time from a connection to the end of its first request's head. A slow line needs a second or two for it."""

LINGER_S = 5.0
"""The rest of a refused upload is taken and dropped for so long, so that its client comes to read the answer."""


class Connections:
    """All connections. Beyond the limit a new one takes the place of one that is idle; where none is, it is refused."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limit = _affordable(settings.max_connections)
        # Weak, so that one whose connection failed before it was made cannot hold a place for ever.
        self._open: WeakKeyDictionary[Connection, None] = WeakKeyDictionary()
        self._refusals: set[_Refusal] = set()

    def protocol(self, server: web.Server) -> asyncio.Protocol:
        """What speaks with the client that is just being accepted."""
        if len(self._open) >= self._limit and not self._make_room():
            return _Refusal(self._refusals)
        connection = Connection(server, self)
        self._open[connection] = None
        return connection

    def left(self, connection: "Connection") -> None:
        """A connection has been closed."""
        self._open.pop(connection, None)

    def _make_room(self) -> bool:
        idle = next((connection for connection in self._open if connection.idle), None)
        if idle is None:
            log.warning("connection refused", extra={"limit": self._limit})
            return False
        self.left(idle)
        idle.force_close()
        return True


class Connection(web.RequestHandler):
    """aiohttp's connection, with a bound on the time to its first request, and errors as problem+json."""

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
            # A body that unpacks to a thousand times its size is refused, not unpacked.
            auto_decompress=False,
        )
        self._connections = connections
        self._first_head: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether the client has asked nothing that is still to be answered."""
        return not self._request_in_progress and not self._messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # Between two requests, aiohttp's keep-alive timer bounds the time to the next whole one.
        self._first_head = self._loop.call_later(FIRST_REQUEST_S, self._expect_head)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._first_head:
            self._first_head.cancel()
        self._connections.left(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote what the client sent
    ) -> web.StreamResponse:
        """Answer what no handler could: a head that is not HTTP, or a fault outside of the handlers."""
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has been sent in part.")
        if status >= 500:
            log.error("unexpected fault", exc_info=exc)
        request[REQUEST_ID] = str(new_id())
        response = problems.response(
            request, problems.InternalError() if status >= 500 else BadRequest("The request is not valid HTTP.")
        )
        sign(response, request[REQUEST_ID])
        response.force_close()
        return response

    def _expect_head(self) -> None:
        if self._request_count == 0:
            log.info("connection closed", extra={"reason": "no whole request in time"})
            self.force_close()


class _Refusal(asyncio.Protocol):
    """Tells a client that there are too many, and hangs up."""

    def __init__(self, refusals: "set[_Refusal]") -> None:
        self._refusals = refusals

    def connection_made(self, transport: Any) -> None:
        if len(self._refusals) >= REFUSALS:
            transport.abort()
            return
        self._refusals.add(self)
        transport.write(_too_many())
        transport.write_eof()
        # Closed before the request has been read, a connection is reset and the answer lost.
        self._end = asyncio.get_running_loop().call_later(REFUSAL_S, transport.abort)

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - its end is all that matters
        if self in self._refusals:
            self._refusals.discard(self)
            self._end.cancel()


def _too_many() -> bytes:
    error = Unavailable("There are too many connections; try again soon.", headers={"Retry-After": "1"})
    return problems.unasked(error)


def _affordable(wanted: int) -> int:
    """As many connections as wanted, or as the system's limit on open files allows, which is raised where it may be."""
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
