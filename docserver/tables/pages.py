"""The SQL of `pages`: one row per page that is to be read, with what it says once it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from docserver.db import Cursor, Row, each
from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Page, PageStatus, Reading


@dataclass(frozen=True, slots=True)
class Claimed:
    """A page that is to be read now."""

    number: int
    tries: int
    """Times that reading it ran out of time or memory, or crashed."""
    losses: int
    """Times that whoever read it fell silent."""


async def insert(cur: Cursor, *, job_id: UUID, numbers: Sequence[int]) -> None:
    """Add pages that wait to be read."""
    await cur.insert_all(
        "INSERT INTO pages (job_id, number, run_after) VALUES (%s, %s, UTC_TIMESTAMP(6))",
        [(job_id.bytes, number) for number in numbers],
    )


async def claim(cur: Cursor, *, job_id: UUID, claim_id: UUID, limit: int, lease_s: float) -> bool:
    """Take up to `limit` waiting pages that are due, lowest first; False if there are none."""
    return (
        await cur.execute(
            """
            UPDATE pages SET claim = %s, lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE job_id = %s AND status = 'pending' AND claim IS NULL AND run_after <= UTC_TIMESTAMP(6)
            ORDER BY number LIMIT %s
            """,
            (claim_id.bytes, int(lease_s * 1_000_000), job_id.bytes, limit),
        )
        > 0
    )


async def claimed(cur: Cursor, claim_id: UUID) -> list[Claimed]:
    """The pages that a claim holds, lowest first."""
    await cur.execute(
        "SELECT number, tries, losses FROM pages WHERE claim = %s AND status = 'pending' ORDER BY number",
        (claim_id.bytes,),
    )
    return [Claimed(**row) for row in cur.rows()]


async def waiting(cur: Cursor, job_id: UUID) -> bool:
    """Whether pages of the job are left that nobody has claimed and that are due."""
    return (
        await cur.execute(
            """
            SELECT number FROM pages
            WHERE job_id = %s AND status = 'pending' AND claim IS NULL AND run_after <= UTC_TIMESTAMP(6) LIMIT 1
            """,
            (job_id.bytes,),
        )
        > 0
    )


async def finish(cur: Cursor, *, job_id: UUID, number: int, claim_id: UUID, reading: Reading) -> bool:
    """Save what a page says; False if another worker has taken it over."""
    return (
        await cur.execute(
            """
            UPDATE pages
            SET status = 'done', claim = NULL, lease_until = NULL, finished_at = UTC_TIMESTAMP(6), width = %s,
                height = %s, dpi = %s, rotation = %s, source = %s, confidence = %s, text = %s, layout = %s
            WHERE job_id = %s AND number = %s AND claim = %s AND status = 'pending'
            """,
            (
                reading.width,
                reading.height,
                reading.dpi,
                reading.rotation,
                reading.source,
                reading.confidence,
                reading.text,
                reading.layout,
                job_id.bytes,
                number,
                claim_id.bytes,
            ),
        )
        > 0
    )


async def fail(cur: Cursor, *, job_id: UUID, number: int, claim_id: UUID, failure: Failure) -> bool:
    """Mark a page as failed for good; False if another worker has taken it over."""
    return (
        await cur.execute(
            """
            UPDATE pages
            SET status = 'failed', claim = NULL, lease_until = NULL, finished_at = UTC_TIMESTAMP(6),
                error_code = %s, error_message = %s
            WHERE job_id = %s AND number = %s AND claim = %s AND status = 'pending'
            """,
            (failure.code.value, failure.message, job_id.bytes, number, claim_id.bytes),
        )
        > 0
    )


async def postpone(cur: Cursor, *, job_id: UUID, number: int, claim_id: UUID, delay_s: float) -> bool:
    """Count a failed try and give the page back until later; False if another worker has taken it over."""
    return (
        await cur.execute(
            """
            UPDATE pages SET claim = NULL, lease_until = NULL, tries = tries + 1,
                run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE job_id = %s AND number = %s AND claim = %s AND status = 'pending'
            """,
            (int(delay_s * 1_000_000), job_id.bytes, number, claim_id.bytes),
        )
        > 0
    )


async def release(cur: Cursor, claim_id: UUID) -> int:
    """Give the unread pages of a claim back, as if they had not been taken; returns how many."""
    return await cur.execute(
        "UPDATE pages SET claim = NULL, lease_until = NULL WHERE claim = %s AND status = 'pending'", (claim_id.bytes,)
    )


async def extend(cur: Cursor, claim_ids: Sequence[UUID], *, lease_s: float) -> None:
    """Extend the leases of these claims."""
    await cur.execute(
        f"""
        UPDATE pages SET lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND WHERE claim IN ({each(claim_ids)})
        """,  # noqa: S608 - placeholders alone
        (int(lease_s * 1_000_000), *(claim_id.bytes for claim_id in claim_ids)),
    )


async def expire(cur: Cursor) -> int:
    """Take the claims back whose leases ran out; returns how many pages that frees."""
    return await cur.execute(
        "UPDATE pages SET claim = NULL, lease_until = NULL, losses = losses + 1 WHERE lease_until < UTC_TIMESTAMP(6)"
    )


async def first_failure(cur: Cursor, job_id: UUID) -> Failure | None:
    """Why the first of the failed pages failed."""
    await cur.execute(
        """
        SELECT number, error_code, error_message FROM pages
        WHERE job_id = %s AND status = 'failed' ORDER BY number LIMIT 1
        """,
        (job_id.bytes,),
    )
    row = cur.row()
    return _failure(row) if row else None


async def of_job(cur: Cursor, *, job_id: UUID, after: int, limit: int) -> list[Page]:
    """The next pages of a job behind page `after`, with all they say."""
    await cur.execute(
        "SELECT * FROM pages WHERE job_id = %s AND number > %s ORDER BY number LIMIT %s", (job_id.bytes, after, limit)
    )
    return [_page(row) for row in cur.rows()]


def _page(row: Row) -> Page:
    status = PageStatus(row["status"])
    reading = None
    if status is PageStatus.DONE:
        reading = Reading(
            width=row["width"],
            height=row["height"],
            dpi=row["dpi"],
            rotation=row["rotation"],
            source=row["source"],
            confidence=row["confidence"],
            text=row["text"],
            layout=row["layout"],
        )
    return Page(row["number"], status, reading, _failure(row) if row["error_code"] else None)


def _failure(row: Row) -> Failure:
    return Failure(DocumentErrorCode(row["error_code"]), row["error_message"], row["number"])
