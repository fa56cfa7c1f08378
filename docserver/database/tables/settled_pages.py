"""The SQL for clients who follow a job: pages that are settled (read, or failed for good), the earliest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from docserver.database.connection import Cursor, Row, each
from docserver.errors import DocumentErrorCode, Failure
from docserver.model import failure_json

_FACTS = ("number", "width", "height", "dpi", "rotation", "source", "languages", "confidence", "needs_review")


@dataclass(frozen=True, slots=True)
class SettledPage:
    """A page that was read or has failed, without its text."""

    number: int
    version: int
    """The job's version from which on the page is settled."""
    text_bytes: int
    facts: dict[str, Any]
    """The page as clients see it in results, without text and blocks."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A job and settled pages of it, as they were at one moment."""

    job_version: int
    attempt: int
    pages: Sequence[SettledPage]


async def after(cur: Cursor, *, job_id: UUID, tenant: str, version: int, page: int, limit: int) -> Settled | None:
    """The first `limit` pages that were settled after this version of the job, or in this version and after `page`.

    None if the tenant has no such job.

    A single statement, because only that shows job and pages as of the same moment.
    """
    await cur.execute(
        """
        SELECT j.version, j.attempt, p.number, p.status, p.settled_version, p.width, p.height, p.dpi, p.rotation,
               p.source, p.languages, p.confidence, p.needs_review, p.error_code, p.error_message,
               COALESCE(LENGTH(p.text), 0) AS text_bytes
        FROM jobs j LEFT JOIN pages p
          ON p.job_id = j.id AND p.status <> 'pending' AND p.settled_version >= %(version)s
             AND (p.settled_version > %(version)s OR p.number > %(page)s)
        WHERE j.id = %(job_id)s AND j.tenant = %(tenant)s
        ORDER BY p.settled_version, p.number LIMIT %(limit)s
        """,
        {"job_id": job_id.bytes, "tenant": tenant, "version": version, "page": page, "limit": limit},
    )
    rows = cur.rows()
    if not rows:
        return None
    # A job without such pages has one row, without a page.
    pages = [_settled_page(row) for row in rows if row["number"] is not None]
    return Settled(rows[0]["version"], rows[0]["attempt"], pages)


async def texts(cur: Cursor, *, job_id: UUID, numbers: Sequence[int]) -> dict[int, str]:
    """The texts of those of these pages that are read."""
    await cur.execute(
        f"SELECT number, text FROM pages WHERE job_id = %s AND status = 'done' AND number IN ({each(numbers)})",  # noqa: S608 - placeholders alone
        (job_id.bytes, *numbers),
    )
    return {row["number"]: row["text"] for row in cur.rows()}


def _settled_page(row: Row) -> SettledPage:
    if row["error_code"]:
        failure = Failure(DocumentErrorCode(row["error_code"]), row["error_message"], row["number"])
        facts = {"number": row["number"], "error": failure_json(failure)}
    else:
        facts = {**{name: row[name] for name in _FACTS}, "needs_review": bool(row["needs_review"])}
    return SettledPage(row["number"], row["settled_version"], row["text_bytes"], facts)
