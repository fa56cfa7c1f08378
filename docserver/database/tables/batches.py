"""The SQL of `batches` and `batch_files`: which files were uploaded together, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.model import Status


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file of a batch was refused."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFile:
    """A file of a batch, and what became of it."""

    number: int
    filename: str
    job_id: UUID
    document_id: UUID | None
    """None if the file was refused, was not accepted yet, or its document was deleted."""
    status: Status | None
    """Of the job; None where there is no document."""
    deduplicated: bool
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many files of a batch are in the same state, and how many pages they have."""

    status: Status | None
    is_refused: bool
    files: int
    pages_total: int
    pages_done: int
    pages_failed: int
    versions: int
    """The sum of the jobs' versions."""


async def insert(cur: Cursor, batch_id: UUID, *, tenant: str) -> bool:
    """Add a batch; False if an earlier try of the same request has."""
    return (
        await cur.execute(
            "INSERT IGNORE INTO batches (id, tenant, created_at) VALUES (%s, %s, UTC_TIMESTAMP(6))",
            (batch_id.bytes, tenant),
        )
        > 0
    )


async def insert_files(cur: Cursor, batch_id: UUID, files: Mapping[int, tuple[str, UUID]]) -> None:
    """Add files (number → name and id of the job to be), unless an earlier try of the same request has."""
    await cur.insert_all(
        "INSERT IGNORE INTO batch_files (batch_id, number, filename, job_id) VALUES (%s, %s, %s, %s)",
        [(batch_id.bytes, number, filename, job_id.bytes) for number, (filename, job_id) in files.items()],
    )


async def refuse(cur: Cursor, batch_id: UUID, number: int, refusal: Refusal) -> None:
    """Record why a file was refused."""
    await cur.execute(
        "UPDATE batch_files SET status = %s, code = %s, detail = %s WHERE batch_id = %s AND number = %s",
        (refusal.status, refusal.code, refusal.detail[:500], batch_id.bytes, number),
    )


async def lead_to(cur: Cursor, batch_id: UUID, number: int, *, job_id: UUID) -> None:
    """Record that a file has led to an earlier job."""
    await cur.execute(
        "UPDATE batch_files SET job_id = %s, deduplicated = TRUE WHERE batch_id = %s AND number = %s",
        (job_id.bytes, batch_id.bytes, number),
    )


async def accepted(cur: Cursor, batch_id: UUID) -> None:
    """Record that each file was accepted or refused."""
    await cur.execute("UPDATE batches SET accepted_at = UTC_TIMESTAMP(6) WHERE id = %s", (batch_id.bytes,))


async def find(cur: Cursor, batch_id: UUID, *, tenant: str) -> tuple[datetime, datetime | None] | None:
    """When a tenant's batch was created, and when all its files were accepted or refused; None if there is none."""
    await cur.execute(
        "SELECT created_at, accepted_at FROM batches WHERE id = %s AND tenant = %s", (batch_id.bytes, tenant)
    )
    row = cur.row()
    return (row["created_at"], row["accepted_at"]) if row else None


async def count(cur: Cursor, batch_id: UUID) -> list[Counted]:
    """How many files of a batch are in each state."""
    await cur.execute(
        """
        SELECT j.status, f.code IS NOT NULL AS is_refused, COUNT(*) AS files,
               COALESCE(SUM(j.pages_total), 0) AS pages_total, COALESCE(SUM(j.pages_done), 0) AS pages_done,
               COALESCE(SUM(j.pages_failed), 0) AS pages_failed, COALESCE(SUM(j.version), 0) AS versions
        FROM batch_files f LEFT JOIN jobs j ON j.id = f.job_id
        WHERE f.batch_id = %s GROUP BY j.status, f.code IS NOT NULL
        """,
        (batch_id.bytes,),
    )
    return [
        Counted(
            Status(row["status"]) if row["status"] else None,
            bool(row["is_refused"]),
            row["files"],
            int(row["pages_total"]),
            int(row["pages_done"]),
            int(row["pages_failed"]),
            int(row["versions"]),
        )
        for row in cur.rows()
    ]


async def files(cur: Cursor, batch_id: UUID, *, after: int, limit: int) -> Sequence[BatchFile]:
    """The files after a number, in their order."""
    await cur.execute(
        """
        SELECT f.number, f.filename, f.job_id, f.deduplicated, f.status AS refused_with, f.code, f.detail, j.status,
               j.document_id
        FROM batch_files f LEFT JOIN jobs j ON j.id = f.job_id
        WHERE f.batch_id = %s AND f.number > %s ORDER BY f.number LIMIT %s
        """,
        (batch_id.bytes, after, limit),
    )
    return [_file(row) for row in cur.rows()]


async def uncompleted(cur: Cursor, *, after: UUID, limit: int) -> list[tuple[UUID, bool]]:
    """Batches whose files were all accepted or refused, and of which nobody was told that they are completed: those
    after an id, each with whether all its jobs have ended.
    """
    # Jobs begin in the order of the files, so that the last file mostly tells.
    await cur.execute(
        """
        SELECT b.id, (
            SELECT f.number FROM batch_files f STRAIGHT_JOIN jobs j ON j.id = f.job_id
            WHERE f.batch_id = b.id AND j.status IN ('pending', 'processing') ORDER BY f.number DESC LIMIT 1
        ) IS NULL AS has_ended
        FROM batches b
        WHERE b.completed_at IS NULL AND b.id > %s AND b.accepted_at IS NOT NULL ORDER BY b.id LIMIT %s
        """,
        (after.bytes, limit),
    )
    return [(UUID(bytes=row["id"]), bool(row["has_ended"])) for row in cur.rows()]


async def lock_uncompleted(cur: Cursor, batch_id: UUID) -> str | None:
    """Lock a batch until the transaction ends; returns its tenant, or None if it is completed or forgotten."""
    await cur.execute("SELECT tenant FROM batches WHERE id = %s AND completed_at IS NULL FOR UPDATE", (batch_id.bytes,))
    row = cur.row()
    return row["tenant"] if row else None


async def complete(cur: Cursor, batch_id: UUID) -> None:
    """Record that all jobs of a batch have ended."""
    await cur.execute("UPDATE batches SET completed_at = UTC_TIMESTAMP(6) WHERE id = %s", (batch_id.bytes,))


async def reopen(cur: Cursor, job_id: UUID) -> None:
    """Record that a job starts again: its batches are not completed any more."""
    await cur.execute(
        "UPDATE batches b JOIN batch_files f ON f.batch_id = b.id SET b.completed_at = NULL WHERE f.job_id = %s",
        (job_id.bytes,),
    )


async def old(cur: Cursor, *, older_than_s: float, limit: int) -> list[UUID]:
    """Batches that were created before this time."""
    await cur.execute(
        "SELECT id FROM batches WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND ORDER BY created_at LIMIT %s",
        (int(older_than_s), limit),
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def delete(cur: Cursor, batch_ids: Sequence[UUID]) -> None:
    """Forget batches; their documents stay."""
    await cur.execute(
        f"DELETE FROM batches WHERE id IN ({each(batch_ids)})",  # noqa: S608 - placeholders alone
        [batch_id.bytes for batch_id in batch_ids],
    )


async def delete_all(cur: Cursor, tenant: str) -> None:
    """Forget all batches of a tenant."""
    await cur.execute("DELETE FROM batches WHERE tenant = %s", (tenant,))


def _file(row: Row) -> BatchFile:
    is_refused = row["code"] is not None
    return BatchFile(
        number=row["number"],
        filename=row["filename"],
        job_id=UUID(bytes=row["job_id"]),
        document_id=UUID(bytes=row["document_id"]) if row["document_id"] else None,
        status=Status(row["status"]) if row["status"] else None,
        deduplicated=bool(row["deduplicated"]),
        refusal=Refusal(row["refused_with"], row["code"], row["detail"]) if is_refused else None,
    )
