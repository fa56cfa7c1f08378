"""The SQL of claims. A worker claims a job to open its document, and pages to read them.

A claim is an id that a worker writes into the rows that it works on, with a lease that it must extend in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, Row, each, microseconds
from docserver.database.tables import job_history, jobs
from docserver.database.tables.job_history import JOINED, STEP
from docserver.database.tables.jobs import EPOCH
from docserver.database.tables.pages import CLAIMABLE, IN_ORDER_OF_SETTLING
from docserver.job_history import HistoryEntry
from docserver.model import Job


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker needs to know of a claimed job, besides the values of `Job`."""

    started_at: datetime | None
    """None while nobody has claimed the job."""
    history: tuple[HistoryEntry, ...]
    content_type: str
    size: int
    """Bytes of the document's file."""
    sha256: bytes
    """Of the document's file."""
    tries: int
    """How often opening the document failed because it ran out of time or memory, or crashed."""
    lost_leases: int
    """How often a worker's lease ran out while it was opening the document."""
    pages_per_day: int | None
    """The quota of the tenant; None stands for the default."""
    password: bytes | None = field(repr=False)
    """That of an encrypted PDF, itself encrypted; None if none was given."""


@dataclass(frozen=True, slots=True)
class ClaimedPage:
    """A page that a worker has claimed, to read it now."""

    number: int
    tries: int
    """How often reading the page failed because it ran out of time or memory, or crashed."""
    lost_leases: int
    """How often a worker's lease ran out while it was reading the page."""


async def take_opening(
    cur: Cursor, *, job_id: UUID, version: int, claim_id: UUID, lease_s: float, engine: Mapping[str, Any]
) -> datetime | None:
    """Claim a job of this version to open its document; returns when the attempt was started. None if it has another
    version, the document is open already, claimed or not due yet, or the job is final.
    """
    # LAST_INSERT_ID() makes the time a part of the answer to the UPDATE, and saves a statement that reads it.
    is_taken = await cur.execute(
        """
        UPDATE jobs FORCE INDEX (PRIMARY)
        SET claim = %s, lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND, status = 'processing',
            claimed_at = UTC_TIMESTAMP(6), version = version + 1, engine = %s,
            started_at = TIMESTAMP '1970-01-01 00:00:00' + INTERVAL LAST_INSERT_ID(TIMESTAMPDIFF(
                MICROSECOND, TIMESTAMP '1970-01-01 00:00:00', COALESCE(started_at, UTC_TIMESTAMP(6)))) MICROSECOND
        WHERE id = %s AND version = %s AND status IN ('pending', 'processing') AND pages_total IS NULL
          AND claim IS NULL AND run_after <= UTC_TIMESTAMP(6)
        """,
        (claim_id.bytes, microseconds(lease_s), orjson.dumps(engine).decode(), job_id.bytes, version),
    )
    return EPOCH + timedelta(microseconds=cur.last_insert_id) if is_taken else None


async def holds_opening(cur: Cursor, *, job_id: UUID, claim_id: UUID) -> bool:
    """True if this claim still holds the job, to open its document."""
    return await cur.execute("SELECT 1 FROM jobs WHERE id = %s AND claim = %s", (job_id.bytes, claim_id.bytes)) > 0


async def job_and_work(cur: Cursor, job_id: UUID) -> tuple[Job, Work] | None:
    """A job, and what a worker needs to know of it beside that; None if there is no such job. Locks nothing."""
    await cur.execute(
        f"""
        SELECT j.*, d.content_type AS media_type, d.size, d.sha256, t.pages_per_day, {STEP}
        FROM jobs j JOIN documents d ON d.id = j.document_id LEFT JOIN tenants t ON t.name = j.tenant {JOINED}
        WHERE j.id = %s ORDER BY h.number
        """,  # noqa: S608 - constants
        (job_id.bytes,),
    )
    rows = cur.rows()
    job = next(jobs.of_rows(rows), None)
    return (job, _work(rows)) if job else None


async def work(cur: Cursor, job_id: UUID) -> Work:
    """What a worker needs to know of a job that it has claimed in this transaction."""
    await cur.execute(
        f"""
        SELECT j.started_at, d.content_type AS media_type, d.size, d.sha256, j.tries, j.lost_leases, j.password,
               t.pages_per_day, {STEP}
        FROM jobs j JOIN documents d ON d.id = j.document_id LEFT JOIN tenants t ON t.name = j.tenant {JOINED}
        WHERE j.id = %s ORDER BY h.number
        """,  # noqa: S608 - constants
        (job_id.bytes,),
    )
    return _work(cur.rows())


def _work(rows: Sequence[Row]) -> Work:
    first = rows[0]
    return Work(
        started_at=first["started_at"],
        history=job_history.entries(rows),
        content_type=first["media_type"],
        size=first["size"],
        sha256=first["sha256"],
        tries=first["tries"],
        lost_leases=first["lost_leases"],
        pages_per_day=first["pages_per_day"],
        password=first["password"] or None,
    )


async def waiting_pages(cur: Cursor, *, job_id: UUID, limit: int) -> list[ClaimedPage]:
    """The next pages that can be claimed, lowest first. They stay so as long as the caller has locked the job."""
    await cur.execute(
        f"""
        SELECT number, tries, lost_leases FROM pages {IN_ORDER_OF_SETTLING}
        WHERE job_id = %s AND {CLAIMABLE} ORDER BY number LIMIT %s
        """,  # noqa: S608 - constants
        (job_id.bytes, limit),
    )
    return [ClaimedPage(**row) for row in cur.rows()]


async def take_pages(cur: Cursor, *, job_id: UUID, claim_id: UUID, numbers: Sequence[int], lease_s: float) -> None:
    """Claim these of the pages that wait. The caller has locked the job."""
    await cur.execute(
        f"""
        UPDATE pages FORCE INDEX (PRIMARY)
        SET claim = %s, lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND, claimed_at = UTC_TIMESTAMP(6)
        WHERE job_id = %s AND number IN ({each(numbers)}) AND {CLAIMABLE}
        """,  # noqa: S608 - constants and placeholders
        (claim_id.bytes, microseconds(lease_s), job_id.bytes, *numbers),
    )


async def extend(cur: Cursor, claim_ids: Sequence[UUID], *, lease_s: float) -> None:
    """Extend the leases of these claims.

    Rows are found without locks, and then locked by their ids, as in transitions of jobs. An UPDATE that finds them by
    the index of claims locks its entry before the row, and a transition that ends the claim after it: a deadlock.
    """
    arguments = [claim_id.bytes for claim_id in claim_ids]
    await cur.execute(f"SELECT id FROM jobs WHERE claim IN ({each(claim_ids)})", arguments)  # noqa: S608 - placeholders alone
    if job_ids := [row["id"] for row in cur.rows()]:
        await cur.execute(
            f"""
            UPDATE jobs FORCE INDEX (PRIMARY) SET lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE id IN ({each(job_ids)}) AND claim IN ({each(claim_ids)})
            """,  # noqa: S608 - placeholders alone
            (microseconds(lease_s), *job_ids, *arguments),
        )
    await cur.execute(f"SELECT job_id, number FROM pages WHERE claim IN ({each(claim_ids)})", arguments)  # noqa: S608 - placeholders alone
    if pages := [(row["job_id"], row["number"]) for row in cur.rows()]:
        await cur.execute(
            f"""
            UPDATE pages FORCE INDEX (PRIMARY) SET lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE (job_id, number) IN ({", ".join(["(%s, %s)"] * len(pages))}) AND claim IN ({each(claim_ids)})
            """,  # noqa: S608 - placeholders alone
            (microseconds(lease_s), *chain.from_iterable(pages), *arguments),
        )


async def valid(cur: Cursor, claim_ids: Sequence[UUID]) -> set[UUID]:
    """The claims that still hold a row.

    One statement reads both tables, because a claim may move from a job to its pages at any moment.
    """
    arguments = [claim_id.bytes for claim_id in claim_ids]
    await cur.execute(
        f"""
        SELECT claim FROM jobs WHERE claim IN ({each(claim_ids)})
        UNION SELECT claim FROM pages WHERE claim IN ({each(claim_ids)})
        """,  # noqa: S608 - placeholders alone
        (*arguments, *arguments),
    )
    return {UUID(bytes=row["claim"]) for row in cur.rows()}


async def release(cur: Cursor, claim_ids: Sequence[UUID]) -> int:
    """Release all rows that these claims hold, as if they had not been claimed; returns how many."""
    arguments = [claim_id.bytes for claim_id in claim_ids]
    freed = await cur.execute(
        f"UPDATE jobs SET claim = NULL, lease_until = NULL WHERE claim IN ({each(claim_ids)})",  # noqa: S608 - placeholders alone
        arguments,
    )
    return freed + await cur.execute(
        f"UPDATE pages SET claim = NULL, lease_until = NULL WHERE claim IN ({each(claim_ids)})",  # noqa: S608 - placeholders alone
        arguments,
    )


async def release_pages(cur: Cursor, *, claim_id: UUID, first: int) -> None:
    """Release the pages that a claim holds from page `first` on, as if they had not been claimed."""
    await cur.execute(
        "UPDATE pages SET claim = NULL, lease_until = NULL WHERE claim = %s AND number >= %s", (claim_id.bytes, first)
    )


async def revoke_pages(cur: Cursor, job_id: UUID) -> None:
    """End all claims on the pages of a job. The caller has locked the job."""
    await cur.execute(
        "UPDATE pages SET claim = NULL, lease_until = NULL WHERE job_id = %s AND claim IS NOT NULL", (job_id.bytes,)
    )


async def are_held(cur: Cursor) -> bool:
    """True if any claim has a lease that has not run out."""
    return (
        await cur.execute(
            """
            (SELECT 1 FROM jobs WHERE lease_until > UTC_TIMESTAMP(6) LIMIT 1)
            UNION ALL (SELECT 1 FROM pages WHERE lease_until > UTC_TIMESTAMP(6) LIMIT 1)
            """
        )
        > 0
    )


async def jobs_with_expired_leases(cur: Cursor, *, limit: int) -> list[UUID]:
    """Jobs that have an expired lease, on the job itself or on a page."""
    await cur.execute(
        """
        SELECT id FROM jobs WHERE lease_until < UTC_TIMESTAMP(6)
        UNION SELECT job_id FROM pages WHERE lease_until < UTC_TIMESTAMP(6) LIMIT %s
        """,
        (limit,),
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def expired_opening(cur: Cursor, job_id: UUID) -> int | None:
    """If the lease to open the document has run out, the number of leases that were lost before it; else None."""
    await cur.execute("SELECT lost_leases FROM jobs WHERE id = %s AND lease_until < UTC_TIMESTAMP(6)", (job_id.bytes,))
    row = cur.row()
    return row["lost_leases"] if row else None


async def expired_pages(cur: Cursor, job_id: UUID) -> list[ClaimedPage]:
    """The pages of a job whose leases have run out, lowest first."""
    await cur.execute(
        """
        SELECT number, tries, lost_leases FROM pages
        WHERE job_id = %s AND lease_until < UTC_TIMESTAMP(6) ORDER BY number
        """,
        (job_id.bytes,),
    )
    return [ClaimedPage(**row) for row in cur.rows()]


async def lose_opening(cur: Cursor, job_id: UUID) -> None:
    """End the expired claim to open the document, and count the lost lease. The caller has locked the job."""
    await cur.execute(
        """
        UPDATE jobs SET claim = NULL, lease_until = NULL, lost_leases = lost_leases + 1, version = version + 1
        WHERE id = %s
        """,
        (job_id.bytes,),
    )


async def lose_page(cur: Cursor, *, job_id: UUID, number: int) -> None:
    """End the expired claim on a page, and count the lost lease. The caller has locked the job."""
    await cur.execute(
        """
        UPDATE pages SET claim = NULL, lease_until = NULL, lost_leases = lost_leases + 1
        WHERE job_id = %s AND number = %s
        """,
        (job_id.bytes, number),
    )
