"""The SQL of `job_history`: the steps of each job that have ended. Statements that read jobs join this table."""

from collections.abc import Sequence
from uuid import UUID

from docserver.database.connection import Cursor, Row
from docserver.errors import DocumentErrorCode
from docserver.job_history import HistoryEntry, Outcome, Step

JOINED = "LEFT JOIN job_history h ON h.job_id = j.id"
"""Joins a job `j` with its history: one row per entry, or a single row if there is no entry. Order by `h.number`."""

STEP = """
    h.attempt AS step_attempt, h.step AS step, h.page AS step_page, h.outcome AS step_outcome, h.code AS step_code,
    h.started_at AS step_started_at, h.ended_at AS step_ended_at
"""
"""The columns that `entries` reads."""


def entries(rows: Sequence[Row]) -> tuple[HistoryEntry, ...]:
    """The history of one job, from the rows of a statement with JOINED and STEP."""
    return tuple(
        HistoryEntry(
            attempt=row["step_attempt"],
            step=Step(row["step"]),
            page=row["step_page"],
            outcome=Outcome(row["step_outcome"]),
            code=DocumentErrorCode(row["step_code"]) if row["step_code"] else None,
            started_at=row["step_started_at"],
            ended_at=row["step_ended_at"],
        )
        for row in rows
        if row["step"] is not None
    )


async def add(
    cur: Cursor,
    *,
    job_id: UUID,
    step: Step,
    outcome: Outcome,
    page: int | None = None,
    code: DocumentErrorCode | None = None,
) -> None:
    """Add a step that has just ended, with its page number if it is a page. The caller has locked the job.

    Add the step JOB only after the job has its final status, because the entry copies the job's `finished_at`.
    """
    await cur.execute(
        """
        INSERT INTO job_history (job_id, number, attempt, step, page, outcome, code, started_at, ended_at)
        SELECT j.id, 1 + (SELECT COALESCE(MAX(h.number), 0) FROM job_history h WHERE h.job_id = j.id), j.attempt,
               %(step)s, %(page)s, %(outcome)s, %(code)s,
               CASE %(step)s WHEN 'page' THEN COALESCE(p.claimed_at, j.claimed_at)
                             WHEN 'opening' THEN j.claimed_at ELSE j.started_at END,
               CASE %(step)s WHEN 'job' THEN j.finished_at ELSE UTC_TIMESTAMP(6) END
        FROM jobs j LEFT JOIN pages p ON p.job_id = j.id AND p.number = %(page)s
        WHERE j.id = %(job_id)s
        """,
        {
            "job_id": job_id.bytes,
            "step": step.value,
            "page": page,
            "outcome": outcome.value,
            "code": code.value if code else None,
        },
    )


async def delete_oldest(cur: Cursor, job_id: UUID, *, count: int) -> None:
    """Delete the oldest `count` entries of a job. The caller has locked the job."""
    await cur.execute("DELETE FROM job_history WHERE job_id = %s ORDER BY number LIMIT %s", (job_id.bytes, count))
