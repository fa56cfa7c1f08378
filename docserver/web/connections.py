"""A connection of aiohttp, with the limits of `connection_limits`, and with errors as problem+json."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.http_exceptions import InvalidURLError

from docserver import metrics
from docserver.errors import BadRequest, ServiceError
from docserver.model import new_id_text
from docserver.web import problems
from docserver.web.clients import client_at, is_trusted
from docserver.web.connection_limits import Connections
from docserver.web.downloads import LowestSpeed
from docserver.web.keys import REQUEST_ID
from docserver.web.middleware import AccessLogger, add_common_headers

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("docserver.api")

MAX_HEADER_BYTES = 8190
MAX_HEADERS = 100

RESERVE_S = 5.0
"""Longest life of a connection in the reserve. A health check takes two seconds if a part does not answer."""

FIRST_REQUEST_S = 20.0
"""Longest time from the start of a connection to the end of its first request's headers. On a slow line, these take a
second or two."""

LINGER_S = 5.0
"""How long the rest of a refused upload is received and dropped. Most clients read the answer only after they have sent
everything."""


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
        self._lowest_speed = LowestSpeed(silence_s=settings.body_timeout_s)
        self._timer: asyncio.TimerHandle | None = None
        self._answered = 0
        self.client = ""
        self.is_of_proxy = False
        self.refusal: ServiceError | None = None
        """If the connection is in the reserve, the answer to all its requests but health checks."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost."""
        self.counted_client: str | None = None
        """The client for which the current request is counted: not the peer, if a trusted proxy forwards it."""

    @property
    def idle(self) -> bool:
        """True if every request that has arrived has been answered, and the system has taken the answers."""
        return self._request_count == self._answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # An answer is complete when the system has taken all of it. By default up to 64 kB may wait here, in a
        # connection that counts as idle, and that stays open after it was closed until the client reads.
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=0)
        # A client may be gone before it is accepted; then it has no address any more.
        address = self.peername[0] if isinstance(self.peername, tuple) else ""
        self.client = client_at(address)
        self.is_of_proxy = is_trusted(address, self._connections.settings.trusted_proxies)
        self.refusal = self._connections.add(self)
        metrics.HTTP_CONNECTIONS.inc()
        # After the first request, aiohttp's keep-alive timer limits the time to the next one.
        self._timer = self._loop.call_later(RESERVE_S if self.refusal else FIRST_REQUEST_S, self._close_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        metrics.HTTP_CONNECTIONS.dec()
        if self._timer:
            self._timer.cancel()
        self._lowest_speed.stop()
        self._connections.remove(self)
        super().connection_lost(exc)
        if self.on_lost:
            self.on_lost()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._lowest_speed.watch(self.transport)
            self._connections.note_unread(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._lowest_speed.stop()
        self._connections.note_read(self)

    async def _handle_request(self, *arguments: Any) -> tuple[web.StreamResponse, bool]:
        """Answer a request and send the answer. aiohttp calls this also if the client is gone meanwhile."""
        try:
            return await super()._handle_request(*arguments)
        finally:
            self._answered += 1
            self._connections.note_idle(self)
            if self.counted_client is not None:
                self._connections.end_request(self.counted_client)
                self.counted_client = None

    def drop(self) -> None:
        """Close the connection at once, also if the client has not read all of an answer."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def begin_request(self, client: str) -> None:
        """Count the current request for this client; raises TooManyRequests if the client has too many."""
        self._connections.begin_request(client)
        self.counted_client = client

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
        request[REQUEST_ID] = new_id_text()
        if status >= 500:
            error: ServiceError = problems.InternalError()
        elif isinstance(exc, InvalidURLError):
            error = BadRequest("The address is not valid; letters outside ASCII must be percent-encoded.")
        else:
            error = BadRequest("The request is not valid HTTP.")
        response = problems.response(request, error)
        add_common_headers(response, request[REQUEST_ID])
        response.force_close()
        return response

    def _close_late(self) -> None:
        if self.refusal:
            self.drop()
        elif self._request_count == 0:
            log.info("connection closed", extra={"reason": "no whole request in time"})
            self.drop()
