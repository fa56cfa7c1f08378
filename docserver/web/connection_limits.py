"""Limits on the connections of clients: their number, their requests, and the answers that wait in memory."""

import asyncio
import logging
import resource
from collections import Counter
from typing import TYPE_CHECKING

from docserver.errors import ServiceError, TooManyRequests, Unavailable
from docserver.settings import Settings

if TYPE_CHECKING:
    from docserver.web.connections import Connection

log = logging.getLogger("docserver.api")

OTHER_DESCRIPTORS = 256
"""File descriptors reserved for everything except clients: database, Redis, OCR processes."""

CLIENTS_AT_LEAST = 4
"""It takes at least this many clients to use up all connections: one client may have the fourth part of them, and as
many requests at the same time."""

RESERVE = 64
"""Connections beyond the limit. Only health checks are answered there, so an orchestrator does not restart a service
that is merely full. Orchestrators have one or two open at a time; the others tell clients to come back later."""

MAX_UNREAD_BYTES_OF_ONE = 64_000_000
"""Most bytes of answers that wait in memory for one client to read them: 32 of the largest that are no files."""

LOG_EVERY_S = 10.0
"""Shortest time between two lines in the log about refused connections, which may be thousands in a second."""

RETRY_SOON = {"Retry-After": "1"}


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
        detail = f"A client's limit of {what} is {self._client_limit}; try again soon."
        return TooManyRequests(detail, headers=RETRY_SOON)


def _limit(wanted: int) -> int:
    """The wanted number of connections, or fewer if the limit on open files is too low and cannot be raised enough."""
    needed = needed_descriptors(wanted)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    affordable = max(1, (soft - needed_descriptors(0)) // 2)
    if affordable < wanted:
        log.warning("fewer connections than set", extra={"wanted": wanted, "allowed": affordable, "files": soft})
    return min(wanted, affordable)


def needed_descriptors(connections: int) -> int:
    """The number of open files that this many connections of clients need, with all else that the process opens."""
    # Besides its connection, a client may use a second descriptor: for the file that it uploads or downloads.
    return 2 * connections + RESERVE + OTHER_DESCRIPTORS
