"""The SQL that measures the work that waits, over all unfinished jobs."""

from dataclasses import dataclass

from docserver.database.connection import Cursor

JOBS_COUNTED = 20_000
"""Most unfinished jobs that are counted, so that a look at a huge backlog costs the database no more than this many
rows."""

OPENED_LOOKED_AT = 50
"""Opened jobs, the oldest first, among whose pages the oldest one is looked for. A job may have thousands of pages, and
the oldest page that can be claimed is almost always in one of the oldest jobs."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The work that waits."""

    jobs: int
    """Unfinished jobs, up to JOBS_COUNTED."""
    pages: int
    """Pages of these jobs that nobody has claimed; a document that is not opened yet counts as one."""
    oldest_age_s: float
    """How long the oldest page or document has been waiting that can be claimed now; 0 if none waits."""


async def measure(cur: Cursor) -> Backlog:
    """The work that waits now."""
    await cur.execute(
        """
        SELECT COUNT(*) AS jobs,
               COALESCE(SUM(GREATEST(1, COALESCE(pages_total, 1) - pages_done - pages_failed)), 0) AS pages,
               TIMESTAMPDIFF(MICROSECOND, MIN(CASE WHEN pages_total IS NULL AND claim IS NULL
                                                    AND run_after <= UTC_TIMESTAMP(6) THEN run_after END),
                             UTC_TIMESTAMP(6)) / 1000000 AS age_s
        FROM (
            SELECT pages_total, pages_done, pages_failed, claim, run_after FROM jobs
            WHERE status IN ('pending', 'processing') LIMIT %s
        ) unfinished
        """,
        (JOBS_COUNTED,),
    )
    jobs = cur.only_row()
    if not jobs["jobs"]:
        return Backlog(0, 0, 0.0)
    await cur.execute(
        """
        SELECT (SELECT COUNT(*) FROM pages WHERE claim IS NOT NULL)
             + (SELECT COUNT(*) FROM jobs WHERE claim IS NOT NULL) AS claimed
        """
    )
    waiting = int(jobs["pages"]) - int(cur.only_row()["claimed"])
    await cur.execute(
        """
        SELECT TIMESTAMPDIFF(MICROSECOND, MIN(p.run_after), UTC_TIMESTAMP(6)) / 1000000 AS age_s
        FROM (
            SELECT id FROM jobs
            WHERE status IN ('pending', 'processing') AND pages_total IS NOT NULL ORDER BY id LIMIT %s
        ) oldest
        JOIN pages p ON p.job_id = oldest.id
        WHERE p.status = 'pending' AND p.claim IS NULL AND p.run_after <= UTC_TIMESTAMP(6)
        """,
        (OPENED_LOOKED_AT,),
    )
    ages = (jobs["age_s"], cur.only_row()["age_s"])
    # Between two statements, a slot may claim or save pages.
    return Backlog(jobs["jobs"], max(0, waiting), max((float(age) for age in ages if age is not None), default=0.0))
