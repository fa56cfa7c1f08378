"""Reads that may be some seconds old: from a replica while it answers and is not far behind, else from the primary."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from docserver.database.connection import Cursor, Database, PoolExhausted
from docserver.database.faults import StatementTooLong
from docserver.database.tables import leader
from docserver.errors import DatabaseUnavailable

T = TypeVar("T")

REST_S = 10.0
"""A replica that does not answer is not asked for this time: each try may take as long as a list."""

log = logging.getLogger("docserver.db")


class Replica:
    """The replica, if there is one, and whether it is in use."""

    def __init__(self, db: Database | None) -> None:
        self.db = db
        self._rests_until = 0.0
        self._is_used = True

    async def read(self, work: Callable[[Cursor], Awaitable[T]], *, primary: Database) -> T:
        """The result of statements that only read. They run on the primary if the replica fails or is behind. Raises
        DatabaseUnavailable.
        """
        if self.db and time.monotonic() >= self._rests_until:
            try:
                async with self.db.session() as cur:
                    # Maintenance renews its lease all the time. A server on which it has run out is behind by as much.
                    is_used = await leader.is_led(cur)
                    self._note(is_used=is_used, reason="behind")
                    if is_used:
                        return await work(cur)
            except (StatementTooLong, PoolExhausted):
                # The primary is spared what is too much for the replica.
                raise
            except DatabaseUnavailable:
                self._rests_until = time.monotonic() + REST_S
                self._note(is_used=False, reason="no answer")
        async with primary.session() as cur:
            return await work(cur)

    def _note(self, *, is_used: bool, reason: str) -> None:
        """Log a change, once."""
        if is_used and not self._is_used:
            log.info("lists and searches come from the replica again")
        elif self._is_used and not is_used:
            log.warning("lists and searches come from the primary", extra={"reason": reason})
        self._is_used = is_used
