"""Lets the work on the search index rest while pages wait to be read, so that it takes a small share of a core."""

import asyncio
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from docserver.database.connection import Database
from docserver.database.tables import unfinished_jobs

LONGEST_REST_S = 2.0
"""Longest rest at a time; after it, work may be due at once."""

P = ParamSpec("P")
T = TypeVar("T")


class Pace:
    """Runs parts of some work in threads, and rests in proportion to the CPU time that they took. If no pages wait, the
    work goes on at once.
    """

    def __init__(self, db: Database, *, share: float) -> None:
        """`share` is the largest share of a core while pages wait to be read. The database takes about half as much."""
        self._db, self._share = db, share
        self._spent_s = 0.0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a part of the work in a thread."""

        def timed() -> T:
            began = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self._spent_s += time.thread_time() - began

        return await asyncio.to_thread(timed)

    async def rest(self) -> None:
        """Rest after a part of the work. Holds no connection meanwhile. Raises DatabaseUnavailable."""
        spent_s, self._spent_s = self._spent_s, 0.0
        if spent_s and await self._is_busy():
            await asyncio.sleep(min(LONGEST_REST_S, spent_s / self._share - spent_s))

    async def _is_busy(self) -> bool:
        async with self._db.session() as cur:
            return await unfinished_jobs.are_due(cur)
