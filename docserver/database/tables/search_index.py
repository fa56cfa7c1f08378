"""The SQL of `search_index`, `search_jobs` and `search_pages`: how far the search index is, and which pages it has.

One process writes the index at a time. Each of its transactions locks the row of `search_index` first, which says who
that is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from docserver.database.connection import Cursor, each

MAX_CHARACTERS = 500_000
"""Most characters of a page that are indexed. A page of a book has some thousands."""

NO_JOB = bytes(16)
"""Lower than the id of each job."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the index is."""

    generation: int
    is_complete: bool
    jobs_total: int
    """How many jobs there were when the index was begun."""
    jobs_walked: int
    """How many of these were looked at."""


class DuePage(NamedTuple):
    """A page that was read and is not in the index."""

    tenant: str
    job_id: bytes
    number: int
    version: int
    text: str
    age_s: float
    """The time since it was read."""


class Indexed(NamedTuple):
    """A page in the index."""

    number: int
    """In the index of its tenant."""
    job_id: bytes
    page: int
    version: int


async def progress(cur: Cursor) -> Progress:
    """How far the index is."""
    await cur.execute("SELECT generation, is_complete, jobs_total, jobs_walked FROM search_index")
    row = cur.only_row()
    return Progress(row["generation"], bool(row["is_complete"]), row["jobs_total"], row["jobs_walked"])


async def become_holder(cur: Cursor, holder: UUID) -> None:
    """Record who writes the index from now on."""
    await cur.execute("UPDATE search_index SET holder = %s", (holder.bytes,))


async def lock(cur: Cursor, holder: UUID) -> int | None:
    """Lock the index until the transaction ends, and return its generation; None if another process writes it now."""
    await cur.execute("SELECT generation FROM search_index WHERE holder = %s FOR UPDATE", (holder.bytes,))
    row = cur.row()
    return row["generation"] if row else None


async def due_jobs(cur: Cursor, *, limit: int) -> dict[bytes, int]:
    """Jobs of which pages may have to be indexed, with their versions."""
    await cur.execute("SELECT id, version FROM jobs FORCE INDEX (by_search) WHERE search_due = 1 LIMIT %s", (limit,))
    return {row["id"]: row["version"] for row in cur.rows()}


async def count_due(cur: Cursor, *, most: int) -> int:
    """How many jobs have pages that may have to be indexed, counted up to `most`."""
    await cur.execute(
        "SELECT COUNT(*) AS jobs FROM (SELECT 1 FROM jobs FORCE INDEX (by_search) WHERE search_due = 1 LIMIT %s) due",
        (most,),
    )
    return int(cur.only_row()["jobs"])


async def due_pages(cur: Cursor, job_ids: Iterable[bytes], *, generation: int, limit: int) -> list[DuePage]:
    """The pages of these jobs that are to be indexed: those of each job in the order in which they were settled."""
    ids = sorted(job_ids)
    await cur.execute(
        f"""
        SELECT j.tenant, p.job_id, p.number, p.settled_version AS version, LEFT(p.text, %s) AS text,
               TIMESTAMPDIFF(MICROSECOND, p.finished_at, UTC_TIMESTAMP(6)) / 1000000 AS age_s
        FROM jobs j
        LEFT JOIN search_jobs s ON s.job_id = j.id AND s.generation = %s
        JOIN pages p FORCE INDEX (by_settling) ON p.job_id = j.id AND p.settled_version >= COALESCE(s.version, 0)
             AND (p.settled_version > COALESCE(s.version, 0) OR p.number > COALESCE(s.page, 0))
        WHERE j.id IN ({each(ids)}) AND p.status = 'done'
        ORDER BY p.job_id, p.settled_version, p.number LIMIT %s
        """,  # noqa: S608 - placeholders alone
        (MAX_CHARACTERS, generation, *ids, limit),
    )
    return [DuePage(**{**row, "age_s": float(row["age_s"])}) for row in cur.rows()]


async def record_jobs(cur: Cursor, positions: Sequence[tuple[bytes, int, int]], *, generation: int) -> None:
    """Record how much of each job is in the index: its id, the version and the number of its last page."""
    await cur.insert_all(
        """
        INSERT INTO search_jobs (job_id, generation, version, page) VALUES (%s, %s, %s, %s)
        ON DUPLICATE KEY UPDATE generation = VALUES(generation), version = VALUES(version), page = VALUES(page)
        """,
        [(job_id, generation, version, page) for job_id, version, page in positions],
    )


async def settle_jobs(cur: Cursor, versions: dict[bytes, int]) -> None:
    """Record that jobs have no more pages to index, unless they have newer versions than these."""
    for version in sorted(set(versions.values())):
        ids = sorted(job_id for job_id, of_job in versions.items() if of_job == version)
        await cur.execute(
            f"UPDATE jobs SET search_due = NULL WHERE id IN ({each(ids)}) AND version = %s",  # noqa: S608 - placeholders alone
            (*ids, version),
        )


async def next_jobs(cur: Cursor, after: bytes, *, limit: int) -> list[bytes]:
    """The next jobs in the order of their ids."""
    await cur.execute("SELECT id FROM jobs WHERE id > %s ORDER BY id LIMIT %s", (after, limit))
    return [row["id"] for row in cur.rows()]


async def forgotten(cur: Cursor, *, first: bytes, last: bytes, generation: int) -> list[bytes]:
    """The jobs from one id to another that are not marked as due, though they have a newer version than the index."""
    await cur.execute(
        """
        SELECT j.id FROM jobs j LEFT JOIN search_jobs s ON s.job_id = j.id AND s.generation = %s
        WHERE j.id BETWEEN %s AND %s AND j.search_due IS NULL AND j.pages_done > 0
          AND (s.job_id IS NULL OR EXISTS (
              SELECT 1 FROM pages p FORCE INDEX (by_settling) WHERE p.job_id = j.id AND p.settled_version > s.version
              AND p.status = 'done'
          ))
        """,
        (generation, first, last),
    )
    return [row["id"] for row in cur.rows()]


async def mark_due(cur: Cursor, job_ids: Sequence[bytes]) -> None:
    """Let these jobs be indexed."""
    await cur.execute(f"UPDATE jobs SET search_due = 1 WHERE id IN ({each(job_ids)})", job_ids)  # noqa: S608 - placeholders alone


async def walked_to(cur: Cursor, *, generation: int) -> bytes | None:
    """The last job that was looked at; None if the index is of another generation."""
    await cur.execute("SELECT walked_to FROM search_index WHERE generation = %s", (generation,))
    row = cur.row()
    return row["walked_to"] if row else None


async def count_jobs(cur: Cursor, *, holder: UUID) -> None:
    """Record how many jobs there are, when the building of the index begins."""
    await cur.execute(
        "UPDATE search_index SET jobs_total = (SELECT COUNT(*) FROM jobs), jobs_walked = 0 WHERE holder = %s",
        (holder.bytes,),
    )


async def forget_jobs(cur: Cursor, *, after: bytes, to: bytes | None) -> None:
    """Forget the deleted jobs with ids after `after`, up to `to` if it is not None."""
    await cur.execute(
        """
        DELETE FROM search_jobs WHERE job_id > %(after)s AND (%(to)s IS NULL OR job_id <= %(to)s)
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = search_jobs.job_id)
        """,
        {"after": after, "to": to},
    )


async def walk(cur: Cursor, *, to: bytes, jobs: int, holder: UUID, generation: int) -> None:
    """Record how many more jobs were looked at for a generation of the index, and the last of them."""
    await cur.execute(
        """
        UPDATE search_index SET walked_to = %s, jobs_walked = jobs_walked + %s WHERE holder = %s AND generation = %s
        """,
        (to, jobs, holder.bytes, generation),
    )


async def complete(cur: Cursor, *, holder: UUID, generation: int) -> None:
    """Record that all jobs were looked at for a generation of the index, and begin again with the first."""
    await cur.execute(
        """
        UPDATE search_index SET is_complete = TRUE, walked_to = %s, jobs_walked = 0
        WHERE holder = %s AND generation = %s
        """,
        (NO_JOB, holder.bytes, generation),
    )


async def begin(cur: Cursor) -> None:
    """Begin an empty index: what it had belongs to an earlier generation. The caller has a transaction."""
    await cur.execute(
        """
        UPDATE search_index SET generation = generation + 1, is_complete = FALSE, walked_to = %s, jobs_walked = 0,
            jobs_total = (SELECT COUNT(*) FROM jobs)
        """,
        (NO_JOB,),
    )


async def insert_pages(cur: Cursor, tenant: str, pages: Iterable[Indexed]) -> None:
    """Record pages that are in the index."""
    await cur.insert_all(
        "INSERT INTO search_pages (tenant, number, job_id, page, version) VALUES (%s, %s, %s, %s, %s)",
        [(tenant, *page) for page in pages],
    )


async def dead_pages(cur: Cursor, tenant: str, *, first: int, last: int, limit: int) -> tuple[list[int], int]:
    """The next pages of the index up to a number that were deleted, or read again since; and the last number that was
    looked at.
    """
    await cur.execute(
        """
        SELECT s.number, p.job_id IS NULL AS is_dead
        FROM (
            SELECT number, job_id, page, version FROM search_pages
            WHERE tenant = %s AND number BETWEEN %s AND %s ORDER BY number LIMIT %s
        ) s
        LEFT JOIN pages p FORCE INDEX (by_settling)
            ON p.job_id = s.job_id AND p.settled_version = s.version AND p.number = s.page
        ORDER BY s.number
        """,
        (tenant, first, last, limit),
    )
    rows = cur.rows()
    seen = rows[-1]["number"] if len(rows) == limit else last
    return [row["number"] for row in rows if row["is_dead"]], seen


async def delete_pages(cur: Cursor, tenant: str, numbers: Sequence[int]) -> None:
    """Forget pages of the index."""
    listed = ", ".join(map(str, numbers))
    await cur.execute(f"DELETE FROM search_pages WHERE tenant = %s AND number IN ({listed})", (tenant,))  # noqa: S608 - numbers


async def delete_tenant(cur: Cursor, tenant: str, *, limit: int) -> int:
    """Forget some of the pages of a tenant; returns how many."""
    return await cur.execute("DELETE FROM search_pages WHERE tenant = %s LIMIT %s", (tenant, limit))


async def delete_range(cur: Cursor, tenant: str, *, first: int, last: int, limit: int) -> int:
    """Forget some of the pages with these numbers; returns how many."""
    return await cur.execute(
        "DELETE FROM search_pages WHERE tenant = %s AND number BETWEEN %s AND %s LIMIT %s", (tenant, first, last, limit)
    )
