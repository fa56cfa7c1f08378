"""The SQL of `pages`: one row per page to read, with its text once it is read.

Claims on pages are in `claims`, and what clients who follow a job get is in `settled_pages`.

Whoever settles a page (saves it, or marks it as failed for good) raises the job's version by one later in the same
transaction, and the page gets this version.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from docserver.database.connection import Cursor, Row, each, microseconds
from docserver.errors import DocumentErrorCode, Failure
from docserver.model import MAX_REVIEW_LISTED, Page, PageStatus, Quality, Reading, Source

IN_ORDER_OF_SETTLING = "FORCE INDEX (by_settling)"
"""For `FROM pages`: finds pages that wait without reading those that are settled, which would make each page of a long
job dearer than the one before. Within a version, the index has the pages in the order of their numbers. Left to
themselves, MariaDB and MySQL read all pages of the job, by its primary key or by an intersection of indexes.
"""

CLAIMABLE = "status = 'pending' AND settled_version = 0 AND claim IS NULL AND run_after <= UTC_TIMESTAMP(6)"
"""The condition of pages that can be claimed: not read yet, due, and not claimed."""


async def insert(cur: Cursor, *, job_id: UUID, numbers: Sequence[int]) -> None:
    """Add pages that wait to be read."""
    await cur.insert_all(
        "INSERT INTO pages (job_id, number, run_after) VALUES (%s, %s, UTC_TIMESTAMP(6))",
        [(job_id.bytes, number) for number in numbers],
    )


async def insert_read(cur: Cursor, *, job_id: UUID, readings: Mapping[int, Reading]) -> None:
    """Add pages that have been read already; the keys are page numbers."""
    await cur.insert_all(
        """
        INSERT INTO pages (job_id, number, status, run_after, finished_at, width, height, dpi, rotation, source,
                           confidence, needs_review, text, layout, languages, elements, second_engine, settled_version)
        VALUES (%s, %s, 'done', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                %s, (SELECT version + 1 FROM jobs WHERE id = %s))
        """,
        [(job_id.bytes, number, *_values(reading), job_id.bytes) for number, reading in readings.items()],
    )


async def insert_failed(cur: Cursor, *, job_id: UUID, failures: Mapping[int, Failure]) -> None:
    """Add pages that have failed already; the keys are page numbers."""
    await cur.insert_all(
        """
        INSERT INTO pages (job_id, number, status, run_after, finished_at, error_code, error_message, settled_version)
        VALUES (%s, %s, 'failed', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), %s, %s,
                (SELECT version + 1 FROM jobs WHERE id = %s))
        """,
        [
            (job_id.bytes, number, failure.code.value, failure.message, job_id.bytes)
            for number, failure in failures.items()
        ],
    )


async def have_own_text(cur: Cursor, job_id: UUID) -> bool:
    """True if text of the page that was read last comes from the document's text layer."""
    await cur.execute(
        f"""
        SELECT source FROM pages {IN_ORDER_OF_SETTLING} WHERE job_id = %s AND settled_version > 0 AND status = 'done'
        ORDER BY settled_version DESC, number DESC LIMIT 1
        """,  # noqa: S608 - constants
        (job_id.bytes,),
    )
    row = cur.row()
    return row is not None and row["source"] in (Source.TEXT_LAYER, Source.MIXED)


async def finish(cur: Cursor, *, job_id: UUID, number: int, claim_id: UUID, reading: Reading) -> bool:
    """Save a page that was read, and end its claim; False if the claim is lost."""
    return (
        await cur.execute(
            """
            UPDATE pages
            SET status = 'done', claim = NULL, lease_until = NULL, finished_at = UTC_TIMESTAMP(6), width = %s,
                height = %s, dpi = %s, rotation = %s, source = %s, confidence = %s, needs_review = %s, text = %s,
                layout = %s, languages = %s, elements = %s, second_engine = %s,
                settled_version = (SELECT version + 1 FROM jobs WHERE jobs.id = pages.job_id)
            WHERE job_id = %s AND number = %s AND claim = %s AND status = 'pending'
            """,
            (*_values(reading), job_id.bytes, number, claim_id.bytes),
        )
        > 0
    )


async def fail(cur: Cursor, *, job_id: UUID, number: int, claim_id: UUID, failure: Failure) -> bool:
    """Mark a page as failed for good, and end its claim; False if the claim is lost."""
    return (
        await cur.execute(
            """
            UPDATE pages
            SET status = 'failed', claim = NULL, lease_until = NULL, finished_at = UTC_TIMESTAMP(6),
                error_code = %s, error_message = %s,
                settled_version = (SELECT version + 1 FROM jobs WHERE jobs.id = pages.job_id)
            WHERE job_id = %s AND number = %s AND claim = %s AND status = 'pending'
            """,
            (failure.code.value, failure.message, job_id.bytes, number, claim_id.bytes),
        )
        > 0
    )


async def postpone(cur: Cursor, *, job_id: UUID, number: int, claim_id: UUID, delay_s: float) -> bool:
    """Count a failed try, and end the claim. The next try starts after the delay at the earliest. False if the claim is
    lost.
    """
    return (
        await cur.execute(
            """
            UPDATE pages SET claim = NULL, lease_until = NULL, tries = tries + 1,
                run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE job_id = %s AND number = %s AND claim = %s AND status = 'pending'
            """,
            (microseconds(delay_s), job_id.bytes, number, claim_id.bytes),
        )
        > 0
    )


async def postpone_all(cur: Cursor, *, job_id: UUID, claim_id: UUID, delay_s: float) -> None:
    """As `postpone`, for all pages of this claim or of none that are not read yet. The caller has locked the job."""
    await cur.execute(
        """
        UPDATE pages FORCE INDEX (PRIMARY) SET claim = NULL, lease_until = NULL, tries = tries + 1,
            run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
        WHERE job_id = %s AND status = 'pending' AND settled_version = 0 AND (claim = %s OR claim IS NULL)
        """,
        (microseconds(delay_s), job_id.bytes, claim_id.bytes),
    )


async def give_up(cur: Cursor, *, job_id: UUID, number: int, failure: Failure) -> None:
    """Mark a page that is not claimed as failed for good. The caller has locked the job."""
    await cur.execute(
        """
        UPDATE pages
        SET status = 'failed', claim = NULL, lease_until = NULL, finished_at = UTC_TIMESTAMP(6), error_code = %s,
            error_message = %s, settled_version = (SELECT version + 1 FROM jobs WHERE jobs.id = pages.job_id)
        WHERE job_id = %s AND number = %s
        """,
        (failure.code.value, failure.message, job_id.bytes, number),
    )


async def statuses(cur: Cursor, job_id: UUID) -> dict[int, PageStatus]:
    """The status of each page of a job, by page number."""
    await cur.execute("SELECT number, status FROM pages WHERE job_id = %s ORDER BY number", (job_id.bytes,))
    return {row["number"]: PageStatus(row["status"]) for row in cur.rows()}


async def reset(cur: Cursor, *, job_id: UUID, numbers: Sequence[int]) -> None:
    """Make pages wait to be read, and remove their earlier text. The caller has locked the job."""
    await cur.execute(
        f"""
        UPDATE pages
        SET status = 'pending', claim = NULL, lease_until = NULL, tries = 0, lost_leases = 0, claimed_at = NULL,
            run_after = UTC_TIMESTAMP(6), width = NULL, height = NULL, dpi = NULL, rotation = NULL, source = NULL,
            confidence = NULL, needs_review = NULL, text = NULL, layout = NULL, languages = NULL,
            elements = NULL, second_engine = NULL, error_code = NULL, error_message = NULL, finished_at = NULL,
            settled_version = 0
        WHERE job_id = %s AND number IN ({each(numbers)})
        """,  # noqa: S608 - placeholders alone
        (job_id.bytes, *numbers),
    )


async def drop(cur: Cursor, *, job_id: UUID, numbers: Sequence[int]) -> None:
    """Remove pages from a job. The caller has locked the job."""
    await cur.execute(
        f"DELETE FROM pages WHERE job_id = %s AND number IN ({each(numbers)})",  # noqa: S608 - placeholders alone
        (job_id.bytes, *numbers),
    )


async def first_failure(cur: Cursor, job_id: UUID) -> Failure | None:
    """Why the first failed page failed; None if no page failed."""
    await cur.execute(
        """
        SELECT number, error_code, error_message FROM pages
        WHERE job_id = %s AND status = 'failed' ORDER BY number LIMIT 1
        """,
        (job_id.bytes,),
    )
    row = cur.row()
    return _failure(row) if row else None


async def quality(cur: Cursor, job_id: UUID) -> Quality:
    """How well the pages of a job were read."""
    await cur.execute(
        """
        SELECT AVG(CASE WHEN text <> '' THEN confidence END) AS confidence, SUM(needs_review) AS doubtful
        FROM pages WHERE job_id = %s AND status = 'done'
        """,
        (job_id.bytes,),
    )
    row = cur.only_row()
    mean = row["confidence"]
    numbers = await to_review(cur, job_id=job_id, limit=MAX_REVIEW_LISTED) if row["doubtful"] else []
    return Quality(None if mean is None else round(mean, 2), numbers)


async def to_review(cur: Cursor, *, job_id: UUID, limit: int) -> list[int]:
    """The first pages of a job that need review."""
    await cur.execute(
        "SELECT number FROM pages WHERE job_id = %s AND needs_review ORDER BY number LIMIT %s", (job_id.bytes, limit)
    )
    return [row["number"] for row in cur.rows()]


async def stored_bytes(cur: Cursor, *, job_id: UUID, ranges: Sequence[range] | None) -> dict[int, int]:
    """The pages of a job, all or those in the ranges, in order: how many bytes text, layout and elements of each take.

    Only a page that was read takes any; an empty layout takes some too.
    """
    chosen = " OR ".join(["number BETWEEN %s AND %s"] * len(ranges)) if ranges else "TRUE"
    bounds = [bound for part in ranges or () for bound in (part.start, part.stop - 1)]
    await cur.execute(
        f"""
        SELECT number, CASE WHEN status = 'done'
            THEN LENGTH(text) + LENGTH(layout) + COALESCE(LENGTH(elements), 0) ELSE 0 END AS bytes
        FROM pages WHERE job_id = %s AND ({chosen}) ORDER BY number
        """,  # noqa: S608 - placeholders alone
        (job_id.bytes, *bounds),
    )
    return {row["number"]: row["bytes"] for row in cur.rows()}


async def last_number(cur: Cursor, job_id: UUID) -> int:
    """The number of the last page of a job; 0 if it has none."""
    await cur.execute("SELECT COALESCE(MAX(number), 0) AS number FROM pages WHERE job_id = %s", (job_id.bytes,))
    return int(cur.only_row()["number"])


async def with_numbers(cur: Cursor, *, job_id: UUID, numbers: Sequence[int]) -> list[Page]:
    """The pages with these numbers, in order, with text, layout and elements."""
    await cur.execute(
        f"SELECT * FROM pages WHERE job_id = %s AND number IN ({each(numbers)}) ORDER BY number",  # noqa: S608 - placeholders alone
        (job_id.bytes, *numbers),
    )
    return [_page(row) for row in cur.rows()]


def _values(reading: Reading) -> tuple[int | float | str | bytes | None, ...]:
    return (
        reading.width,
        reading.height,
        reading.dpi,
        reading.rotation,
        reading.source,
        reading.confidence,
        reading.needs_review,
        reading.text,
        reading.layout,
        reading.languages,
        reading.packed_elements,
        reading.second_engine,
    )


def _page(row: Row) -> Page:
    status = PageStatus(row["status"])
    reading = None
    if status is PageStatus.DONE:
        reading = Reading(
            width=row["width"],
            height=row["height"],
            dpi=row["dpi"],
            rotation=row["rotation"],
            source=Source(row["source"]),
            confidence=row["confidence"],
            text=row["text"],
            layout=row["layout"],
            needs_review=bool(row["needs_review"]),
            languages=row["languages"],
            packed_elements=row["elements"],
            second_engine=row["second_engine"],
        )
    return Page(row["number"], status, reading, _failure(row) if row["error_code"] else None)


def _failure(row: Row) -> Failure:
    return Failure(DocumentErrorCode(row["error_code"]), row["error_message"], row["number"])
