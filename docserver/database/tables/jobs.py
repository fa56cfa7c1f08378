"""The SQL of `jobs`. Jobs are read together with their history. Claims are in `claims`, and how slots find work is in
`unfinished_jobs`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, Row, each, microseconds
from docserver.database.tables import job_history
from docserver.database.tables.job_history import JOINED, STEP
from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Job, Quality, Status
from docserver.reading_options import Options

NOT_LISTED = ""
"""The content type of jobs that are not the latest of their documents. Lists are narrowed by the latest job alone."""

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times from the database have no zone; all are UTC


async def insert(
    cur: Cursor,
    *,
    job_id: UUID,
    document_id: UUID,
    tenant: str,
    client: str,
    options: Options,
    request_id: str,
    traceparent: str | None = None,
    password: bytes | None = None,
) -> Job:
    """Add a pending job of a document that exists; its creation time is the database's. The password is encrypted."""
    # LAST_INSERT_ID() makes the time a part of the answer to the INSERT, and saves a statement that reads it.
    await cur.execute(
        """
        INSERT INTO jobs (id, document_id, tenant, client, status, version, options, request_id, traceparent, password,
                          run_after, content_type, listed_at, name_number, created_at)
        VALUES (%s, %s, %s, %s, 'pending', 1, %s, %s, %s, %s, UTC_TIMESTAMP(6),
                (SELECT content_type FROM documents WHERE id = %s), (SELECT created_at FROM documents WHERE id = %s),
                (SELECT name_number FROM documents WHERE id = %s),
                TIMESTAMP '1970-01-01 00:00:00' + INTERVAL LAST_INSERT_ID(
                    TIMESTAMPDIFF(MICROSECOND, TIMESTAMP '1970-01-01 00:00:00', UTC_TIMESTAMP(6))) MICROSECOND)
        """,
        (
            job_id.bytes,
            document_id.bytes,
            tenant,
            client,
            orjson.dumps(options.as_json()).decode(),
            request_id,
            traceparent,
            password,
            *[document_id.bytes] * 3,
        ),
    )
    return Job(
        id=job_id,
        document_id=document_id,
        tenant=tenant,
        client=client,
        status=Status.PENDING,
        version=1,
        created_at=EPOCH + timedelta(microseconds=cur.last_insert_id),
        options=options,
        request_id=request_id,
        traceparent=traceparent,
        has_password=password is not None,
    )


async def leave_list(cur: Cursor, document_id: UUID) -> None:
    """Let the list find a document by none of its jobs so far, because it is to have a later one. The caller has locked
    the document.
    """
    await cur.execute("UPDATE jobs SET content_type = %s WHERE document_id = %s", (NOT_LISTED, document_id.bytes))


async def find(cur: Cursor, job_id: UUID) -> Job | None:
    """The job, or None."""
    await cur.execute(f"SELECT j.*, {STEP} FROM jobs j {JOINED} WHERE j.id = %s ORDER BY h.number", (job_id.bytes,))  # noqa: S608 - constants
    return next(of_rows(cur.rows()), None)


async def belongs_to(cur: Cursor, job_id: UUID, *, tenant: str) -> bool:
    """True if this tenant has such a job. This takes as long if another tenant has it as if nobody has it."""
    return await cur.execute("SELECT 1 FROM jobs WHERE id = %s AND tenant = %s", (job_id.bytes, tenant)) > 0


async def of_tenant(cur: Cursor, job_id: UUID, *, tenant: str) -> Job | None:
    """The job, or None if this tenant has no such job."""
    await cur.execute(
        f"SELECT j.*, {STEP} FROM jobs j {JOINED} WHERE j.id = %s AND j.tenant = %s ORDER BY h.number",  # noqa: S608 - constants
        (job_id.bytes, tenant),
    )
    return next(of_rows(cur.rows()), None)


async def lock(cur: Cursor, job_id: UUID) -> Job | None:
    """The job without its history, locked until the transaction ends.

    Every transaction that changes several rows of a job begins with this, or with `opened`.
    """
    await cur.execute("SELECT * FROM jobs WHERE id = %s FOR UPDATE", (job_id.bytes,))
    row = cur.row()
    return _job(row) if row else None


async def of_document(cur: Cursor, document_id: UUID) -> list[Job]:
    """All jobs of a document, latest first."""
    await cur.execute(
        f"""
        SELECT j.*, {STEP} FROM jobs j {JOINED}
        WHERE j.document_id = %s ORDER BY j.created_at DESC, j.id DESC, h.number
        """,  # noqa: S608 - constants
        (document_id.bytes,),
    )
    return list(of_rows(cur.rows()))


async def of_content(cur: Cursor, *, client: str, sha256: bytes, limit: int) -> list[Job]:
    """A client's jobs for documents of these bytes, latest first. Leaves out jobs that were cancelled or have failed,
    except for want of the original, and those with a password: their text is not for everybody who has the bytes.
    """
    await cur.execute(
        f"""
        SELECT j.*, {STEP}
        FROM (
            SELECT j.* FROM documents d JOIN jobs j ON j.document_id = d.id
            WHERE d.client = %s AND d.sha256 = %s AND j.password IS NULL
              AND (j.status IN ('pending', 'processing', 'completed') OR j.error_code = 'storage_missing')
            ORDER BY j.created_at DESC, j.id DESC LIMIT %s
        ) j {JOINED}
        ORDER BY j.created_at DESC, j.id DESC, h.number
        """,  # noqa: S608 - constants
        (client, sha256, limit),
    )
    return list(of_rows(cur.rows()))


async def begin(cur: Cursor, *, job_id: UUID, engine: Mapping[str, Any]) -> None:
    """Start a pending job whose document was opened in an earlier attempt."""
    await cur.execute(
        """
        UPDATE jobs
        SET status = 'processing', version = version + 1, started_at = UTC_TIMESTAMP(6), engine = %s
        WHERE id = %s AND status = 'pending'
        """,
        (orjson.dumps(engine).decode(), job_id.bytes),
    )


async def opened(cur: Cursor, *, job_id: UUID, claim_id: UUID, pages_total: int) -> bool:
    """Set the number of pages to read, and end the claim to open the document; False if the claim is lost.

    Locks the job until the transaction ends.
    """
    return (
        await cur.execute(
            """
            UPDATE jobs FORCE INDEX (PRIMARY)
            SET pages_total = %s, claim = NULL, lease_until = NULL, version = version + 1
            WHERE id = %s AND claim = %s
            """,
            (pages_total, job_id.bytes, claim_id.bytes),
        )
        > 0
    )


async def postpone(cur: Cursor, *, job_id: UUID, claim_id: UUID, delay_s: float) -> bool:
    """Count a failed try to open the document, and end the claim. The next try starts after the delay at the earliest.
    False if the claim is lost.
    """
    return (
        await cur.execute(
            """
            UPDATE jobs SET claim = NULL, lease_until = NULL, tries = tries + 1, version = version + 1,
                run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE id = %s AND claim = %s
            """,
            (microseconds(delay_s), job_id.bytes, claim_id.bytes),
        )
        > 0
    )


async def count_pages(cur: Cursor, *, job_id: UUID, done: int, failed: int) -> None:
    """Count pages that were read or failed, and estimate the time for the rest. The caller has locked the job.

    The estimate assumes that the other pages take as long on average as this attempt's pages so far.
    """
    await cur.execute(
        """
        UPDATE jobs
        SET pages_done = pages_done + %(done)s, pages_failed = pages_failed + %(failed)s, version = version + 1,
            search_due = IF(%(done)s > 0, 1, search_due),
            eta_s = TIMESTAMPDIFF(MICROSECOND, started_at, UTC_TIMESTAMP(6)) / 1000000
                    / (pages_done + pages_failed - pages_kept) * (pages_total - pages_done - pages_failed)
        WHERE id = %(id)s
        """,
        {"done": done, "failed": failed, "id": job_id.bytes},
    )


async def finish(
    cur: Cursor,
    *,
    job_id: UUID,
    status: Status,
    failure: Failure | None = None,
    quality: Quality | None = None,
    done: int = 0,
    failed: int = 0,
) -> None:
    """Give a job its final status, count its last pages, and forget its password. The caller has locked the job."""
    await cur.execute(
        """
        UPDATE jobs
        SET search_due = IF(%s > 0, 1, search_due), pages_done = pages_done + %s, pages_failed = pages_failed + %s,
            status = %s, error_code = %s, error_message = %s, error_page = %s, confidence = %s,
            needs_review = %s, claim = NULL, lease_until = NULL, eta_s = NULL, finished_at = UTC_TIMESTAMP(6),
            password = IF(password IS NULL, NULL, ''), version = version + 1
        WHERE id = %s
        """,
        (
            done,
            done,
            failed,
            status.value,
            failure.code.value if failure else None,
            failure.message if failure else None,
            failure.page if failure else None,
            quality.confidence if quality else None,
            orjson.dumps(quality.needs_review).decode() if quality else None,
            job_id.bytes,
        ),
    )


async def retry(
    cur: Cursor,
    *,
    job_id: UUID,
    options: Options,
    request_id: str,
    traceparent: str | None = None,
    password: bytes | None = None,
    done: int,
    failed: int,
) -> None:
    """Make a final job pending again. The next attempt keeps `done` + `failed` pages. The password is encrypted. The
    caller has locked the job.
    """
    await cur.execute(
        """
        UPDATE jobs
        SET status = 'pending', attempt = attempt + 1, version = version + 1, options = %s, request_id = %s,
            traceparent = %s, password = COALESCE(%s, password), pages_done = %s, pages_failed = %s, pages_kept = %s,
            tries = 0, lost_leases = 0, run_after = UTC_TIMESTAMP(6), error_code = NULL, error_message = NULL,
            error_page = NULL, confidence = NULL, needs_review = NULL, started_at = NULL, finished_at = NULL
        WHERE id = %s
        """,
        (
            orjson.dumps(options.as_json()).decode(),
            request_id,
            traceparent,
            password,
            done,
            failed,
            done + failed,
            job_id.bytes,
        ),
    )


async def resize(cur: Cursor, *, job_id: UUID, pages_total: int | None) -> None:
    """Set the number of a job's pages; None if its document is to be opened again. The caller has locked the job."""
    await cur.execute("UPDATE jobs SET pages_total = %s WHERE id = %s", (pages_total, job_id.bytes))


async def bump_version(cur: Cursor, job_id: UUID) -> None:
    """Raise a job's version after a change of its pages that is not visible in the job's own row. The caller has locked
    the job.
    """
    await cur.execute("UPDATE jobs SET version = version + 1 WHERE id = %s", (job_id.bytes,))


async def reload(cur: Cursor, job: Job) -> Job:
    """The job with its history, and with the values that the database has computed in this transaction."""
    await cur.execute(
        f"""
        SELECT j.version, j.eta_s, j.finished_at, {STEP} FROM jobs j {JOINED}
        WHERE j.id = %s ORDER BY h.number
        """,  # noqa: S608 - constants
        (job.id.bytes,),
    )
    rows = cur.rows()
    first = rows[0]
    return replace(
        job,
        version=first["version"],
        eta_s=first["eta_s"],
        finished_at=first["finished_at"],
        history=job_history.entries(rows),
    )


async def versions(cur: Cursor, job_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The versions of these jobs; jobs that do not exist are left out."""
    await cur.execute(
        f"SELECT id, version FROM jobs WHERE id IN ({each(job_ids)})",  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )
    return {UUID(bytes=row["id"]): row["version"] for row in cur.rows()}


async def clients(cur: Cursor, job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Whose jobs these are; jobs that do not exist are left out."""
    await cur.execute(
        f"SELECT id, client FROM jobs WHERE id IN ({each(job_ids)})",  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )
    return {UUID(bytes=row["id"]): row["client"] for row in cur.rows()}


def of_rows(rows: Sequence[Row]) -> Iterator[Job]:
    """The jobs, from rows in which each job is joined with its history."""
    for _, of_job in groupby(rows, key=itemgetter("id")):
        group = list(of_job)
        yield replace(_job(group[0]), history=job_history.entries(group))


def _job(row: Row) -> Job:
    failure = None
    if row["error_code"]:
        failure = Failure(DocumentErrorCode(row["error_code"]), row["error_message"], row["error_page"])
    return Job(
        id=UUID(bytes=row["id"]),
        document_id=UUID(bytes=row["document_id"]),
        tenant=row["tenant"],
        client=row["client"],
        status=Status(row["status"]),
        version=row["version"],
        options=Options.from_json(orjson.loads(row["options"])),
        request_id=row["request_id"],
        traceparent=row["traceparent"],
        has_password=row["password"] is not None,
        pages_total=row["pages_total"],
        pages_done=row["pages_done"],
        pages_failed=row["pages_failed"],
        eta_s=row["eta_s"],
        attempt=row["attempt"],
        quality=Quality(row["confidence"], orjson.loads(row["needs_review"])) if row["needs_review"] else None,
        failure=failure,
        engine=orjson.loads(row["engine"]) if row["engine"] else None,
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
