"""The turns of clients, from the database: for slots while Redis is away, and for announcements that were lost."""

from collections.abc import AsyncIterator
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.tables import unfinished_jobs
from docserver.tenants.weights import weight_of_client

CLIENTS_AT_ONCE = 20
"""Most clients whose jobs one search for work looks at. The next search begins with the others."""


class Turns:
    """Whose turn it is, for the slots of one process that ask the database for work."""

    def __init__(self) -> None:
        self._served: str | None = None
        """The client that was served last."""
        self._more = 0
        """How many turns that client still has in this row, by its weight."""

    async def runnable(self, cur: Cursor, *, limit: int) -> list[UUID]:
        """Jobs with work to claim, of the client whose turn it is; at most `limit`."""
        if self._served is not None and self._more:
            self._more -= 1
            if waiting := await unfinished_jobs.runnable(cur, client=self._served, limit=limit):
                return waiting
        async for client in clients_in_turn(cur, after=self._served, most=CLIENTS_AT_ONCE):
            # Slots that ask at the same time should serve different clients.
            self._served, self._more = client, 0
            if waiting := await unfinished_jobs.runnable(cur, client=client, limit=limit):
                weight = await weight_of_client(cur, client)
                if self._served == client:
                    self._more = weight - 1
                return waiting
        return []


async def clients_in_turn(cur: Cursor, *, after: str | None, most: int) -> AsyncIterator[str]:
    """Clients with unfinished jobs in the order of their names: those that come after `after`, then the others.

    Each comes once, and at most `most` come. If `after` is the client that was served last, all are served in turn.
    Each client costs one small statement, however many jobs it has.
    """
    client, from_start = after, after is None
    for _ in range(most):
        client = await unfinished_jobs.next_client(cur, client)
        if client is None and not from_start:
            from_start = True
            client = await unfinished_jobs.next_client(cur, None)
        if client is None or (from_start and after is not None and client > after):
            return
        yield client
