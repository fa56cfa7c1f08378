"""Finds out what became of a commit whose answer was lost."""

import asyncio
from uuid import UUID

from docserver.database.connection import Database
from docserver.database.tables import jobs
from docserver.errors import DatabaseUnavailable
from docserver.model import Job

CHECKS = 3
"""How often the database is asked. It may be restarting, or take longer to commit than a statement waits for a lock."""

PAUSE_S = 1.0


async def settled(db: Database, job_id: UUID) -> Job | None:
    """The job, once the server has ended the transaction that was changing it; None if there is no such job.

    Raises DatabaseUnavailable if the database gives no answer now either.
    """
    for remaining in reversed(range(CHECKS)):
        try:
            async with db.session() as cur:
                # The server may carry out the commit after its answer was lost. Until then it holds the lock, and a
                # plain read would show the rows from before.
                await jobs.lock(cur, job_id)
                return await jobs.find(cur, job_id)
        except DatabaseUnavailable:
            if not remaining:
                raise
            await asyncio.sleep(PAUSE_S)
    raise AssertionError("unreachable: the last round returns or raises")
