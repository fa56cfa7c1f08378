"""The SQL that measures the work that waits, over all unfinished jobs and all deliveries of webhooks."""

from dataclasses import dataclass

from docserver.database.connection import Cursor

JOBS_COUNTED = 20_000
"""Most unfinished jobs that are counted, so that a look at a huge backlog costs the database no more than this many
rows, about 0.1 s."""

DELIVERIES_COUNTED = 20_000
"""Most due deliveries that are counted, for the same reason."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work that waits."""

    jobs: int
    """Unfinished jobs, up to JOBS_COUNTED."""
    pages: int
    """Pages of these jobs that nobody has claimed; a document that is not opened yet counts as one."""
    unfinished_pages: int
    """These pages, and those that are being read."""
    oldest_age_s: float
    """How long the oldest of them has been waiting; 0 if none waits."""


@dataclass(frozen=True, slots=True)
class DueDeliveries:
    """The deliveries of webhooks that are due and that nobody sends."""

    count: int
    """Up to DELIVERIES_COUNTED."""
    oldest_age_s: float
    """How long the oldest has been due; 0 if there is none."""


async def measure(cur: Cursor) -> Backlog:
    """The work that waits now.

    Of the pages, it reads only those that are claimed, which are few. The others of a job wait since it was opened,
    which is just after its start.
    """
    await cur.execute(
        """
        SELECT COUNT(*) AS jobs, COALESCE(SUM(waiting), 0) AS pages,
               COALESCE(SUM(unfinished), 0) AS unfinished_pages,
               TIMESTAMPDIFF(MICROSECOND, MIN(CASE WHEN waiting > 0 THEN since END), UTC_TIMESTAMP(6)) AS age_us
        FROM (
            SELECT CASE WHEN j.pages_total IS NULL THEN j.claim IS NULL
                        ELSE j.pages_total - j.pages_done - j.pages_failed - COALESCE(c.pages, 0) END AS waiting,
                   COALESCE(j.pages_total - j.pages_done - j.pages_failed, 1) AS unfinished,
                   COALESCE(CASE WHEN j.pages_total IS NOT NULL THEN j.started_at END, j.run_after) AS since
            FROM (
                SELECT id, pages_total, pages_done, pages_failed, claim, started_at, run_after FROM jobs
                WHERE status IN ('pending', 'processing') LIMIT %s
            ) j
            LEFT JOIN (
                SELECT job_id, COUNT(*) AS pages FROM pages WHERE claim IS NOT NULL GROUP BY job_id
            ) c ON c.job_id = j.id
        ) unfinished
        """,
        (JOBS_COUNTED,),
    )
    row = cur.only_row()
    # A try that was postponed is due in the future.
    age_s = max(0, row["age_us"] or 0) / 1_000_000
    return Backlog(row["jobs"], int(row["pages"]), int(row["unfinished_pages"]), age_s)


async def measure_deliveries(cur: Cursor) -> DueDeliveries:
    """The deliveries that are due now. One that is being sent is not: it is due again when its lease ends."""
    await cur.execute(
        """
        SELECT COUNT(*) AS deliveries, TIMESTAMPDIFF(MICROSECOND, MIN(run_after), UTC_TIMESTAMP(6)) AS age_us
        FROM (
            SELECT run_after FROM deliveries WHERE status = 'pending' AND run_after <= UTC_TIMESTAMP(6) LIMIT %s
        ) due
        """,
        (DELIVERIES_COUNTED,),
    )
    row = cur.only_row()
    return DueDeliveries(row["deliveries"], max(0, row["age_us"] or 0) / 1_000_000)
