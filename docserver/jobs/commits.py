"""Finds out what became of a commit whose answer was lost."""

from uuid import UUID

from docserver.database.connection import Database
from docserver.database.retries import until_answered
from docserver.database.tables import jobs
from docserver.model import Job

PAUSES_S = (1.0, 1.0)
"""Pauses between tries. The database may be restarting, or take longer to commit than a statement waits for a lock."""


async def settled(db: Database, job_id: UUID) -> Job | None:
    """The job, once the server has ended the transaction that was changing it; None if there is no such job.

    Raises DatabaseUnavailable if the database gives no answer now either.
    """

    async def locked() -> Job | None:
        async with db.session() as cur:
            # The server may carry out the commit after its answer was lost. Until then it holds the lock, and a plain
            # read would show the rows from before.
            await jobs.lock(cur, job_id)
            return await jobs.find(cur, job_id)

    return await until_answered(locked, pauses_s=PAUSES_S)
