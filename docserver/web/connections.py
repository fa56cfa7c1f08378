"""The connections of clients, with limits on their number, their requests, and the time until their first request."""

import asyncio
import logging
import resource
from collections import Counter
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import InvalidURLError

from docserver.errors import BadRequest, ServiceError, TooManyRequests, Unavailable
from docserver.model import new_id
from docserver.settings import Settings
from docserver.web import problems
from docserver.web.clients import client_at, is_trusted
from docserver.web.downloads import LowestSpeed
from docserver.web.keys import REQUEST_ID
from docserver.web.middleware import AccessLogger, add_common_headers

log = logging.getLogger("docserver.api")

MAX_HEADER_BYTES = 8190
MAX_HEADERS = 100

OTHER_DESCRIPTORS = 256
"""File descriptors reserved for everything except clients: database, Redis, OCR processes."""

CLIENTS_AT_LEAST = 4
"""It takes at least this many clients to use up all connections: one client may have the fourth part of them, and as
many requests at the same time."""

RESERVE = 64
"""Connections beyond the limit. Only health checks are answered there, so an orchestrator does not restart a service
that is merely full. Orchestrators have one or two open at a time; the others tell clients to come back later."""

RESERVE_S = 5.0
"""Longest life of a connection in the reserve. A health check takes two seconds if a part does not answer."""

FIRST_REQUEST_S = 20.0
"""Longest time from the start of a connection to the end of its first request's headers. On a slow line, these take a
second or two."""

MAX_UNREAD_BYTES_OF_ONE = 64_000_000
"""Most bytes of answers that wait in memory for one client to read them: 32 of the largest that are no files."""

LOG_EVERY_S = 10.0
"""Shortest time between two lines in the log about refused connections, which may be thousands in a second."""

RETRY_SOON = {"Retry-After": "1"}

LINGER_S = 5.0
"""How long the rest of a refused upload is received and dropped. Most clients read the answer only after they have sent
everything."""


class Connections:
    """All open connections, and the requests that are being answered, with limits in all and for each client.

    At a limit, a new connection replaces an idle one: of the same client, or of the client that has the most. If none
    is idle, the new connection gets a place in the reserve.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limit = _limit(settings.max_connections)
        self._client_limit = max(1, self._limit // CLIENTS_AT_LEAST)
        self._open: dict[str, dict[Connection, None]] = {}
        """The connections of each client, oldest first."""
        self._busy: set[str] = set()
        """Clients without an idle connection. So thousands of new connections do not cause as many searches for one."""
        self._reserve: dict[Connection, None] = {}
        self._requests: Counter[str] = Counter()
        """How many requests of each client are being answered."""
        self._unread: dict[Connection, int] = {}
        """How many bytes wait in memory until a client reads them; what has waited longest comes first."""
        self._refused = 0
        """Connections that were refused since the last line in the log."""
        self._quiet_until = 0.0

    def add(self, connection: "Connection") -> ServiceError | None:
        """Add a new connection. If it gets into the reserve, returns the answer to its request."""
        refusal = self._make_room(connection)
        if refusal is None:
            self._open.setdefault(connection.client, {})[connection] = None
            self.note_idle(connection)
            return None
        self._log_refusal(connection, refusal)
        self._reserve[connection] = None
        if len(self._reserve) > RESERVE:
            self._drop_from_reserve()
        return refusal

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that is closed."""
        self._reserve.pop(connection, None)
        self.note_read(connection)
        of_client = self._open.get(connection.client, {})
        of_client.pop(connection, None)
        if not of_client:
            self._open.pop(connection.client, None)
            self._busy.discard(connection.client)

    def note_unread(self, connection: "Connection", size: int) -> None:
        """Note how many bytes wait for a client to read them. At the limit, drop what has waited longest."""
        self.note_read(connection)
        self._unread[connection] = size
        of_client = {
            other: waiting
            for other, waiting in self._unread.items()
            if other.counted_client == connection.counted_client
        }
        excess = sum(of_client.values()) - MAX_UNREAD_BYTES_OF_ONE
        for other, waiting in of_client.items():
            if excess <= 0:
                return
            excess -= waiting
            log.info("download cut off", extra={"reason": "too much unread", "client": other.counted_client})
            self.remove(other)
            other.drop()

    def note_read(self, connection: "Connection") -> None:
        """Note that no bytes wait for the client any more."""
        self._unread.pop(connection, None)

    def note_idle(self, connection: "Connection") -> None:
        """Note that a connection has become idle."""
        self._busy.discard(connection.client)

    def begin_request(self, client: str) -> None:
        """Count a request that is about to be answered; raises TooManyRequests if the client has too many.

        This bounds the clients behind a proxy, and requests whose client has hung up without waiting for the answer.
        """
        if self._requests[client] >= self._client_limit:
            raise self._too_many_of_one("requests at the same time")
        self._requests[client] += 1

    def end_request(self, client: str) -> None:
        """Count a request no longer."""
        self._requests[client] -= 1
        if not self._requests[client]:
            del self._requests[client]

    def _make_room(self, connection: "Connection") -> ServiceError | None:
        number = {client: len(connections) for client, connections in self._open.items()}
        # The connections of a proxy are those of many clients.
        is_full = number.get(connection.client, 0) >= self._client_limit and not connection.is_of_proxy
        if is_full and not self._close_idle(connection.client):
            return self._too_many_of_one("connections")
        if is_full or sum(number.values()) < self._limit:
            return None
        if any(self._close_idle(client) for client in sorted(number, key=number.__getitem__, reverse=True)):
            return None
        return Unavailable("There are too many connections; try again soon.", headers=RETRY_SOON)

    def _close_idle(self, client: str) -> bool:
        """Close the oldest idle connection of a client; False if none is idle."""
        if client in self._busy:
            return False
        idle = next((connection for connection in self._open[client] if connection.idle), None)
        if idle is None:
            self._busy.add(client)
            return False
        self.remove(idle)
        idle.drop()
        return True

    def _drop_from_reserve(self) -> None:
        """Close a connection of the client that has the most in the reserve: the oldest idle one, else the oldest."""
        of_clients = Counter(connection.client for connection in self._reserve)
        victim = max(self._reserve, key=lambda connection: (of_clients[connection.client], connection.idle))
        self.remove(victim)
        victim.drop()

    def _log_refusal(self, connection: "Connection", refusal: ServiceError) -> None:
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            log.warning(
                "connections refused",
                extra={"count": self._refused, "last_client": connection.client, "reason": refusal.detail},
            )
            self._refused, self._quiet_until = 0, now + LOG_EVERY_S

    def _too_many_of_one(self, what: str) -> TooManyRequests:
        return TooManyRequests(f"A client may have {self._client_limit} {what}; try again soon.", headers=RETRY_SOON)


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
        # After the first request, aiohttp's keep-alive timer limits the time to the next one.
        self._timer = self._loop.call_later(RESERVE_S if self.refusal else FIRST_REQUEST_S, self._close_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._lowest_speed.stop()
        self._connections.remove(self)
        super().connection_lost(exc)

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
        request[REQUEST_ID] = str(new_id())
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


def _limit(wanted: int) -> int:
    """The wanted number of connections, or fewer if the limit on open files is too low and cannot be raised enough."""
    # Besides its connection, a client may use a second descriptor: for the file that it uploads or downloads.
    others = RESERVE + OTHER_DESCRIPTORS
    needed = 2 * wanted + others
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    affordable = max(1, (soft - others) // 2)
    if affordable < wanted:
        log.warning("fewer connections than set", extra={"wanted": wanted, "allowed": affordable, "files": soft})
    return min(wanted, affordable)
