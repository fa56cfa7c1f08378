"""The SQL of `documents`. Their list is in `document_lists`."""

from collections.abc import Sequence
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.model import Document, NewDocument

MAX_OTHER_FILENAMES = 20
"""Most further names of a document. An upload with one more name becomes a document of its own. The list searches all
names of a row, so their number must be small."""

FILENAMES_BETWEEN = "\n"
"""Stands between the further names in their column. File names contain no control characters."""


async def insert(
    cur: Cursor, document: NewDocument, *, job_id: UUID, client: str, expires_in_s: int | None = None
) -> None:
    """Add a document of this client whose latest job is `job_id`; its creation time is the database's."""
    await cur.execute(
        """
        INSERT INTO documents (id, job_id, tenant, filename, content_type, size, sha256, client, created_at, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL %s SECOND)
        """,
        (
            document.id.bytes,
            job_id.bytes,
            document.tenant,
            document.filename,
            document.content_type,
            document.size,
            document.sha256,
            client,
            expires_in_s,
        ),
    )


async def find(cur: Cursor, document_id: UUID, *, tenant: str) -> Document | None:
    """The document, or None if this tenant has no such document."""
    await cur.execute("SELECT * FROM documents WHERE id = %s AND tenant = %s", (document_id.bytes, tenant))
    row = cur.row()
    return of_row(row) if row else None


async def belongs_to(cur: Cursor, document_id: UUID, *, tenant: str) -> bool:
    """True if this tenant has such a document. Does not wait for a lock."""
    return await cur.execute("SELECT 1 FROM documents WHERE id = %s AND tenant = %s", (document_id.bytes, tenant)) > 0


async def lock(cur: Cursor, document_id: UUID) -> bool:
    """Lock a document against changes and new jobs until the transaction ends; False if there is none."""
    return await cur.execute("SELECT id FROM documents WHERE id = %s FOR UPDATE", (document_id.bytes,)) > 0


async def lock_expired(cur: Cursor, document_id: UUID) -> str | None:
    """Lock an expired document, and return its tenant; None if it does not exist, or has been prolonged."""
    await cur.execute(
        "SELECT tenant FROM documents WHERE id = %s AND expires_at <= UTC_TIMESTAMP(6) FOR UPDATE", (document_id.bytes,)
    )
    row = cur.row()
    return row["tenant"] if row else None


async def add_filename(cur: Cursor, document_id: UUID, filename: str) -> bool:
    """Make a document findable by a further name. False if it does not exist, or has MAX_OTHER_FILENAMES already. The
    caller needs a transaction.
    """
    await cur.execute("SELECT filename, other_filenames FROM documents WHERE id = %s FOR UPDATE", (document_id.bytes,))
    row = cur.row()
    if row is None:
        return False
    others = _other_filenames(row)
    if filename in (row["filename"], *others):
        return True
    if len(others) == MAX_OTHER_FILENAMES:
        return False
    joined = FILENAMES_BETWEEN.join((*others, filename))
    await cur.execute("UPDATE documents SET other_filenames = %s WHERE id = %s", (joined, document_id.bytes))
    return True


async def prolong(cur: Cursor, document_id: UUID, *, expires_in_s: int | None) -> bool:
    """Keep a document for at least this time from now on, or for ever if it is None. False if it does not exist."""
    return (
        await cur.execute(
            """
            UPDATE documents
            SET expires_at = IF(expires_at IS NULL OR %(s)s IS NULL, NULL,
                                GREATEST(expires_at, UTC_TIMESTAMP(6) + INTERVAL %(s)s SECOND))
            WHERE id = %(id)s
            """,
            {"s": expires_in_s, "id": document_id.bytes},
        )
        > 0
    )


async def set_latest_job(cur: Cursor, document_id: UUID, *, job_id: UUID) -> None:
    """Make a job the latest of its document. The caller has locked the document."""
    await cur.execute("UPDATE documents SET job_id = %s WHERE id = %s", (job_id.bytes, document_id.bytes))


async def delete(cur: Cursor, document_id: UUID) -> bool:
    """Remove a document with its jobs and pages; False if there is none."""
    return await cur.execute("DELETE FROM documents WHERE id = %s", (document_id.bytes,)) > 0


async def expired(cur: Cursor, *, limit: int) -> list[UUID]:
    """Expired documents, the one that expired first comes first."""
    await cur.execute(
        "SELECT id FROM documents WHERE expires_at <= UTC_TIMESTAMP(6) ORDER BY expires_at LIMIT %s", (limit,)
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def some_of_tenant(cur: Cursor, tenant: str, *, limit: int) -> list[UUID]:
    """Some documents of a tenant, oldest first."""
    await cur.execute("SELECT id FROM documents WHERE tenant = %s ORDER BY created_at, id LIMIT %s", (tenant, limit))
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def totals(cur: Cursor, tenant: str) -> tuple[int, int]:
    """How many documents a tenant has, and the bytes of their files."""
    await cur.execute(
        "SELECT COUNT(*) AS documents, COALESCE(SUM(size), 0) AS bytes FROM documents WHERE tenant = %s", (tenant,)
    )
    row = cur.only_row()
    return int(row["documents"]), int(row["bytes"])


async def existing(cur: Cursor, document_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that exist in the table."""
    await cur.execute(
        f"SELECT id FROM documents WHERE id IN ({each(document_ids)})",  # noqa: S608 - placeholders alone
        [document_id.bytes for document_id in document_ids],
    )
    return {UUID(bytes=row["id"]) for row in cur.rows()}


async def tenants(cur: Cursor, document_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Whose documents these are; documents that do not exist are left out."""
    await cur.execute(
        f"SELECT id, tenant FROM documents WHERE id IN ({each(document_ids)})",  # noqa: S608 - placeholders alone
        [document_id.bytes for document_id in document_ids],
    )
    return {UUID(bytes=row["id"]): row["tenant"] for row in cur.rows()}


async def newest_before(cur: Cursor, document_id: UUID, *, limit: int) -> list[UUID]:
    """Documents with lower ids than this one, the latest first."""
    await cur.execute("SELECT id FROM documents WHERE id < %s ORDER BY id DESC LIMIT %s", (document_id.bytes, limit))
    return [UUID(bytes=row["id"]) for row in cur.rows()]


async def oldest_and_newest(cur: Cursor, *, limit: int) -> list[UUID]:
    """The first documents and the last ones, at most `limit` of each. Ids are in the order of their creation."""
    await cur.execute(
        """
        (SELECT id FROM documents ORDER BY id LIMIT %(limit)s)
        UNION (SELECT id FROM documents ORDER BY id DESC LIMIT %(limit)s)
        """,
        {"limit": limit},
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


def of_row(row: Row) -> Document:
    """The document of a row of the table."""
    return Document(
        id=UUID(bytes=row["id"]),
        tenant=row["tenant"],
        filename=row["filename"],
        content_type=row["content_type"],
        size=row["size"],
        sha256=row["sha256"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        other_filenames=_other_filenames(row),
    )


def _other_filenames(row: Row) -> tuple[str, ...]:
    joined = row["other_filenames"]
    return tuple(joined.split(FILENAMES_BETWEEN)) if joined else ()
