"""The SQL of `deleted_documents`: the ids of deleted documents, and if their files and cached jobs are removed too."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, each


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deleted document whose file or cached jobs may still exist."""

    document_id: UUID
    tenant: str
    job_ids: Sequence[UUID]


async def remember(cur: Cursor, deletion: Deletion) -> None:
    """Record a deleted document, so that clients get 410, and maintenance can remove its file and cached jobs."""
    await cur.execute(
        "INSERT INTO deleted_documents (id, tenant, deleted_at, job_ids) VALUES (%s, %s, UTC_TIMESTAMP(6), %s)",
        (
            deletion.document_id.bytes,
            deletion.tenant,
            orjson.dumps([str(job_id) for job_id in deletion.job_ids]).decode(),
        ),
    )


async def was_deleted(cur: Cursor, document_id: UUID, *, tenant: str) -> bool:
    """True if this tenant had a document with this id, which was deleted."""
    return (
        await cur.execute("SELECT id FROM deleted_documents WHERE id = %s AND tenant = %s", (document_id.bytes, tenant))
        > 0
    )


async def deleted_among(cur: Cursor, document_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are of deleted documents."""
    await cur.execute(
        f"SELECT id FROM deleted_documents WHERE id IN ({each(document_ids)})",  # noqa: S608 - placeholders alone
        [document_id.bytes for document_id in document_ids],
    )
    return {UUID(bytes=row["id"]) for row in cur.rows()}


async def clear(cur: Cursor, document_ids: Sequence[UUID]) -> None:
    """Record that the files and the cached jobs of deleted documents are removed."""
    await cur.execute(
        f"UPDATE deleted_documents SET cleared = TRUE WHERE id IN ({each(document_ids)})",  # noqa: S608 - placeholders alone
        [document_id.bytes for document_id in document_ids],
    )


async def uncleared(cur: Cursor, *, tenant: str | None = None, limit: int) -> list[Deletion]:
    """Deleted documents whose file or cached jobs may still exist: of a tenant, or of all if it is None."""
    await cur.execute(
        """
        SELECT id, tenant, job_ids FROM deleted_documents
        WHERE cleared = FALSE AND (%(tenant)s IS NULL OR tenant = %(tenant)s)
        ORDER BY deleted_at LIMIT %(limit)s
        """,
        {"tenant": tenant, "limit": limit},
    )
    return [
        Deletion(UUID(bytes=row["id"]), row["tenant"], [UUID(job_id) for job_id in orjson.loads(row["job_ids"])])
        for row in cur.rows()
    ]


async def forget(cur: Cursor, *, older_than_s: float, limit: int) -> int:
    """Remove records of cleared deletions that are older than this; returns how many."""
    return await cur.execute(
        """
        DELETE FROM deleted_documents
        WHERE cleared = TRUE AND deleted_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND ORDER BY deleted_at LIMIT %s
        """,
        (int(older_than_s), limit),
    )
