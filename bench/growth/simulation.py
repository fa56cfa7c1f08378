"""A simulation of many slots that share one database and one Redis: how much they read, and what stops them first."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

MEASURED_PAGES = 10_000
"""Pages that a simulation counts, at least one for each slot. As many before them, while the servers still have no
queues, do not count."""

SATURATED = 0.95
"""Share of its time that a server is busy from which on more slots bring hardly more pages."""


@dataclass(frozen=True, slots=True)
class Server:
    """Something that all slots use. A page waits until one of its cores is free."""

    name: str
    cores: int
    page_s: float
    """Time of a core for each page: half before the page is read, to claim it, and half after, to save it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the slots did together."""

    slots: int
    per_second: float
    extra_s: float
    """By how much a page took longer than its recognition."""
    busy: dict[str, float]
    """How busy each server was: a share of the time of all its cores."""

    @property
    def limit(self) -> str | None:
        """The server that keeps the slots from reading more; None if there is none."""
        busiest = max(self.busy, key=lambda name: self.busy[name])
        return busiest if self.busy[busiest] >= SATURATED else None


def simulate(slots: int, *, page_s: float, servers: Sequence[Server]) -> Outcome:
    """Let slots read one page after the other. Each has a core of its own, on which a page takes `page_s`."""
    visits = [*servers, None, *servers]
    free_at = {server.name: [0.0] * server.cores for server in servers}
    work_s = {server.name: 0.0 for server in servers}
    measured = max(MEASURED_PAGES, slots)
    # When each slot goes on, with which of its visits, and since when it has been at its page. They begin one by one.
    events = [(page_s * slot / slots, 0, page_s * slot / slots) for slot in range(slots)]
    pages, began, taken_s = 0, 0.0, 0.0
    while pages < 2 * measured:
        now, visit, since = events[0]
        if visit == len(visits):
            pages += 1
            taken_s += now - since
            if pages == measured:
                began, taken_s, work_s = now, 0.0, dict.fromkeys(work_s, 0.0)
            visit, since = 0, now
        server = visits[visit]
        if server is None:
            ended = now + page_s
        else:
            ended = max(now, free_at[server.name][0]) + server.page_s / 2
            heapq.heapreplace(free_at[server.name], ended)
            work_s[server.name] += server.page_s / 2
        heapq.heapreplace(events, (ended, visit + 1, since))
    elapsed_s = now - began
    return Outcome(
        slots=slots,
        per_second=measured / elapsed_s,
        extra_s=taken_s / measured - page_s,
        # Work that waits is booked already, so the server of a long queue seems busier than it can be.
        busy={server.name: min(1.0, work_s[server.name] / server.cores / elapsed_s) for server in servers},
    )
