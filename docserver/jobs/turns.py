"""The turns of clients, from the database: for slots while Redis is away, and for announcements that were lost."""

from collections.abc import AsyncIterator

from docserver.database.connection import Cursor
from docserver.database.tables import jobs


async def clients_in_turn(cur: Cursor, *, after: str | None, most: int) -> AsyncIterator[str]:
    """Clients with unfinished jobs in the order of their names: those that come after `after`, then the others.

    Each comes once, and at most `most` come. If `after` is the client that was served last, all are served in turn.
    Each client costs one small statement, however many jobs it has.
    """
    client, from_start = after, after is None
    for _ in range(most):
        client = await jobs.next_client(cur, client)
        if client is None and not from_start:
            from_start = True
            client = await jobs.next_client(cur, None)
        if client is None or (from_start and after is not None and client > after):
            return
        yield client
