"""The SQL that finds unfinished jobs: for slots that look for work, and for quotas."""

from collections.abc import Sequence
from uuid import UUID

from docserver.database.connection import Cursor, each
from docserver.database.tables.pages import CLAIMABLE, IN_ORDER_OF_SETTLING

_RUNNABLE = f"""
    AND j.client = %(client)s AND j.run_after <= UTC_TIMESTAMP(6)
    AND ((j.pages_total IS NULL AND j.claim IS NULL)
         OR EXISTS (SELECT 1 FROM pages {IN_ORDER_OF_SETTLING} WHERE job_id = j.id AND {CLAIMABLE}))
    ORDER BY j.id LIMIT %(limit)s
"""  # noqa: S608 - constants


async def count(cur: Cursor, tenant: str, *, most: int) -> int:
    """How many jobs of a tenant have not ended, but no more than `most`."""
    await cur.execute(
        """
        SELECT COUNT(*) AS jobs FROM (
            SELECT id FROM jobs WHERE tenant = %s AND status IN ('pending', 'processing') LIMIT %s
        ) unfinished
        """,
        (tenant, most),
    )
    return int(cur.only_row()["jobs"])


async def are_due(cur: Cursor) -> bool:
    """True if a job has pages that are being read, or may be read now."""
    await cur.execute(
        "SELECT 1 FROM jobs WHERE status IN ('pending', 'processing') AND run_after <= UTC_TIMESTAMP(6) LIMIT 1"
    )
    return cur.row() is not None


async def among(cur: Cursor, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the jobs that exist and are not final."""
    await cur.execute(
        f"SELECT id FROM jobs WHERE status IN ('pending', 'processing') AND id IN ({each(job_ids)})",  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )
    return {UUID(bytes=row["id"]) for row in cur.rows()}


async def next_client(cur: Cursor, after: str | None) -> str | None:
    """The client with unfinished jobs that follows this one, or the first one; None if there is none."""
    await cur.execute(
        """
        SELECT MIN(client) AS client FROM (
            (SELECT client FROM jobs WHERE status = 'pending' AND (%(after)s IS NULL OR client > %(after)s)
             ORDER BY client LIMIT 1)
            UNION ALL
            (SELECT client FROM jobs WHERE status = 'processing' AND (%(after)s IS NULL OR client > %(after)s)
             ORDER BY client LIMIT 1)
        ) unfinished
        """,
        {"after": after},
    )
    client: str | None = cur.only_row()["client"]
    return client


async def runnable(cur: Cursor, *, client: str, limit: int) -> list[UUID]:
    """A client's unfinished jobs that have work which is due and not claimed, oldest first.

    Each part of the UNION reads the index in its order and ends at the limit, however many jobs the client has.
    """
    await cur.execute(
        f"""
        SELECT id FROM (
            (SELECT j.id FROM jobs j WHERE j.status = 'pending' {_RUNNABLE}) UNION ALL
            (SELECT j.id FROM jobs j WHERE j.status = 'processing' {_RUNNABLE})
        ) runnable
        ORDER BY id LIMIT %(limit)s
        """,  # noqa: S608 - constants
        {"client": client, "limit": limit},
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]
