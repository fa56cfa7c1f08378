"""How many connections of a process its tenants and their receivers get. Knows nothing of what is sent.

Receivers are told apart by tenant, and by scheme, host and port.
"""

from collections import Counter
from typing import TypeAlias

Receiver: TypeAlias = tuple[str, bytes]
"""The tenant, and what `addresses.receiver_of` returns."""

QUICK_S = 2.0
"""A receiver whose last answer came within this time is quick. One that answers before it does its work takes a
fraction of it."""

FOR_QUICK = 1 / 4
"""The part of the connections that only quick receivers get."""

MAX_QUICK = 10_000
"""Most quick receivers that are remembered, to limit the memory. The one that answered first is forgotten."""


class Shares:
    """The connections of one process, and who has them.

    A tenant gets at most half of the connections that other tenants leave, and a receiver at most half of those that
    the tenant's other receivers leave. A tenant that has no connection gets one if one is free. So tenants with slow
    receivers leave connections for others: the more such tenants there are, the fewer.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._taken: Counter[Receiver] = Counter()
        self._quick: dict[Receiver, None] = {}

    @property
    def free(self) -> int:
        """How many connections nobody has."""
        return self._connections - self._taken.total()

    def room(self, receiver: Receiver) -> int:
        """How many more connections this receiver gets now."""
        free = self.free if receiver in self._quick else min(self.free, self._free_for_others())
        of_receiver = self._taken[receiver]
        of_tenant = sum(count for (tenant, _), count in self._taken.items() if tenant == receiver[0])
        room_of_tenant = max(1, (free + of_tenant) // 2) - of_tenant
        room_of_receiver = max(1, (room_of_tenant + of_receiver) // 2) - of_receiver
        return max(0, min(free, room_of_tenant, room_of_receiver))

    def _free_for_others(self) -> int:
        """How many connections are free for receivers that are not quick."""
        taken = sum(count for receiver, count in self._taken.items() if receiver not in self._quick)
        return self._connections - int(self._connections * FOR_QUICK) - taken

    def take(self, receiver: Receiver) -> None:
        """Count a connection to this receiver."""
        self._taken[receiver] += 1

    def give_back(self, receiver: Receiver) -> None:
        """Count a connection to this receiver no longer."""
        # Unlike `subtract`, this leaves no zeros.
        self._taken -= Counter((receiver,))

    def record(self, receiver: Receiver, *, answered: bool, duration_s: float) -> None:
        """Remember whether a receiver is quick, by the attempt that has just ended."""
        self._quick.pop(receiver, None)
        if answered and duration_s <= QUICK_S:
            self._quick[receiver] = None
            if len(self._quick) > MAX_QUICK:
                del self._quick[next(iter(self._quick))]
