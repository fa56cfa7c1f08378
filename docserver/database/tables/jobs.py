"""The SQL of `jobs`. A claim on a job is the right to open its document; claims on pages are in `pages`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, Row, each
from docserver.errors import DocumentErrorCode, Failure
from docserver.model import HISTORY_KEPT, Ended, Job, Options, Outcome, Quality, Status, Step


@dataclass(frozen=True, slots=True)
class Work:
    """What whoever takes a job up needs to know beside the job."""

    started_at: datetime
    content_type: str
    tries: int
    """Times that opening the document ran out of time or memory, or crashed."""
    losses: int
    """Times that whoever opened it fell silent."""


async def insert(cur: Cursor, *, job_id: UUID, document_id: UUID, options: Options, request_id: str) -> Job:
    """Add a pending job; its creation time is the database's."""
    await cur.execute(
        """
        INSERT INTO jobs (id, document_id, status, version, options, history, request_id, run_after, created_at)
        VALUES (%s, %s, 'pending', 1, %s, '[]', %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))
        """,
        (job_id.bytes, document_id.bytes, orjson.dumps(options.as_json()).decode(), request_id),
    )
    await cur.execute("SELECT created_at FROM jobs WHERE id = %s", (job_id.bytes,))
    return Job(
        id=job_id,
        document_id=document_id,
        status=Status.PENDING,
        version=1,
        options=options,
        request_id=request_id,
        **cur.only_row(),
    )


async def find(cur: Cursor, job_id: UUID) -> Job | None:
    """The job, or None."""
    await cur.execute("SELECT * FROM jobs WHERE id = %s", (job_id.bytes,))
    row = cur.row()
    return _job(row) if row else None


async def lock(cur: Cursor, job_id: UUID) -> Job | None:
    """The job, locked until the transaction ends; every transaction over several rows of a job begins so."""
    await cur.execute("SELECT * FROM jobs WHERE id = %s FOR UPDATE", (job_id.bytes,))
    row = cur.row()
    return _job(row) if row else None


async def of_document(cur: Cursor, document_id: UUID) -> list[Job]:
    """All jobs of a document, latest first."""
    await cur.execute(
        "SELECT * FROM jobs WHERE document_id = %s ORDER BY created_at DESC, id DESC", (document_id.bytes,)
    )
    return [_job(row) for row in cur.rows()]


async def of_content(cur: Cursor, *, client: str, sha256: bytes, limit: int) -> list[Job]:
    """The jobs that read these bytes for this client, or are to, with whatever options; latest first."""
    await cur.execute(
        """
        SELECT j.* FROM documents d JOIN jobs j ON j.document_id = d.id
        WHERE d.client = %s AND d.sha256 = %s AND j.status IN ('pending', 'processing', 'completed')
        ORDER BY j.created_at DESC, j.id DESC LIMIT %s
        """,
        (client, sha256, limit),
    )
    return [_job(row) for row in cur.rows()]


async def claim(cur: Cursor, *, job_id: UUID, claim_id: UUID, lease_s: float, engine: Mapping[str, Any]) -> bool:
    """Take the right to open a job's document; False if it is opened, taken, not due or final already."""
    return (
        await cur.execute(
            """
            UPDATE jobs
            SET claim = %s, lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND, status = 'processing',
                claimed_at = UTC_TIMESTAMP(6), version = version + 1, engine = %s,
                started_at = COALESCE(started_at, UTC_TIMESTAMP(6))
            WHERE id = %s AND status IN ('pending', 'processing') AND pages_total IS NULL AND claim IS NULL
              AND run_after <= UTC_TIMESTAMP(6)
            """,
            (claim_id.bytes, _microseconds(lease_s), orjson.dumps(engine).decode(), job_id.bytes),
        )
        > 0
    )


async def begin(cur: Cursor, *, job_id: UUID, engine: Mapping[str, Any]) -> None:
    """Let a pending job whose pages are known begin."""
    await cur.execute(
        """
        UPDATE jobs
        SET status = 'processing', version = version + 1, started_at = UTC_TIMESTAMP(6), engine = %s
        WHERE id = %s AND status = 'pending'
        """,
        (orjson.dumps(engine).decode(), job_id.bytes),
    )


async def opened(cur: Cursor, *, job_id: UUID, claim_id: UUID, pages_total: int) -> bool:
    """Set how many pages are to be read and give the claim back; False if another worker has taken it over."""
    return (
        await cur.execute(
            """
            UPDATE jobs SET pages_total = %s, claim = NULL, lease_until = NULL, version = version + 1
            WHERE id = %s AND claim = %s
            """,
            (pages_total, job_id.bytes, claim_id.bytes),
        )
        > 0
    )


async def postpone(cur: Cursor, *, job_id: UUID, claim_id: UUID, delay_s: float) -> bool:
    """Count a try of opening and give the claim back until later; False if another worker has taken it over."""
    return (
        await cur.execute(
            """
            UPDATE jobs SET claim = NULL, lease_until = NULL, tries = tries + 1,
                run_after = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND
            WHERE id = %s AND claim = %s
            """,
            (_microseconds(delay_s), job_id.bytes, claim_id.bytes),
        )
        > 0
    )


async def count_pages(cur: Cursor, *, job_id: UUID, done: int, failed: int) -> None:
    """Count settled pages of a job that is locked, and estimate from their pace how long the others will take."""
    await cur.execute(
        """
        UPDATE jobs
        SET pages_done = pages_done + %s, pages_failed = pages_failed + %s, version = version + 1,
            eta_s = TIMESTAMPDIFF(MICROSECOND, started_at, UTC_TIMESTAMP(6)) / 1000000
                    / (pages_done + pages_failed - pages_kept) * (pages_total - pages_done - pages_failed)
        WHERE id = %s
        """,
        (done, failed, job_id.bytes),
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
    """Give a job that is locked its final status, count the pages that were settled last, and note how it ended."""
    await cur.execute(
        f"""
        UPDATE jobs
        SET {_NOTED}, pages_done = pages_done + %s, pages_failed = pages_failed + %s,
            status = %s, error_code = %s, error_message = %s, error_page = %s, confidence = %s,
            needs_review = %s, claim = NULL, lease_until = NULL, eta_s = NULL, finished_at = UTC_TIMESTAMP(6),
            version = version + 1
        WHERE id = %s
        """,  # noqa: S608 - a constant
        (
            *_noted(Ended(Step.JOB, Outcome(status.value), code=failure.code if failure else None)),
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


async def retry(cur: Cursor, *, job_id: UUID, options: Options, request_id: str, done: int, failed: int) -> None:
    """Let a final job that is locked wait for another attempt, of which `done` and `failed` pages are settled."""
    await cur.execute(
        """
        UPDATE jobs
        SET status = 'pending', attempt = attempt + 1, version = version + 1, options = %s, request_id = %s,
            pages_done = %s, pages_failed = %s, pages_kept = %s, tries = 0, losses = 0, run_after = UTC_TIMESTAMP(6),
            error_code = NULL, error_message = NULL, error_page = NULL, confidence = NULL, needs_review = NULL,
            started_at = NULL, finished_at = NULL
        WHERE id = %s
        """,
        (
            orjson.dumps(options.as_json()).decode(),
            request_id,
            done,
            failed,
            done + failed,
            job_id.bytes,
        ),
    )


async def resize(cur: Cursor, *, job_id: UUID, pages_total: int) -> None:
    """Set how many pages a job that is locked has."""
    await cur.execute("UPDATE jobs SET pages_total = %s WHERE id = %s", (pages_total, job_id.bytes))


async def work(cur: Cursor, job_id: UUID) -> Work:
    """What is to be known of a job that was taken up in this transaction."""
    await cur.execute(
        """
        SELECT j.started_at, d.content_type, j.tries, j.losses
        FROM jobs j JOIN documents d ON d.id = j.document_id WHERE j.id = %s
        """,
        (job_id.bytes,),
    )
    return Work(**cur.only_row())


async def claimed(cur: Cursor, *, job_id: UUID, claim_id: UUID) -> bool:
    """Whether the right to open a job's document is this claim's."""
    return await cur.execute("SELECT 1 FROM jobs WHERE id = %s AND claim = %s", (job_id.bytes, claim_id.bytes)) > 0


async def expired(cur: Cursor, job_id: UUID) -> int | None:
    """How often whoever opened the document had fallen silent, when the lease on the right to open has run out."""
    await cur.execute("SELECT losses FROM jobs WHERE id = %s AND lease_until < UTC_TIMESTAMP(6)", (job_id.bytes,))
    row = cur.row()
    return row["losses"] if row else None


async def lose(cur: Cursor, job_id: UUID) -> None:
    """Take the right to open back from who let its lease run out, and count that; the job is locked."""
    await cur.execute(
        "UPDATE jobs SET claim = NULL, lease_until = NULL, losses = losses + 1 WHERE id = %s", (job_id.bytes,)
    )


_NOTED = """
    history = JSON_ARRAY_APPEND(
        IF(JSON_LENGTH(history) >= %s, JSON_REMOVE(history, '$[0]'), history), '$',
        JSON_OBJECT(
            'attempt', attempt, 'step', %s, 'page', %s, 'outcome', %s, 'code', %s,
            'started_at', DATE_FORMAT(CASE %s
                WHEN 'page' THEN COALESCE(
                    (SELECT p.claimed_at FROM pages p WHERE p.job_id = jobs.id AND p.number = %s), claimed_at)
                WHEN 'opening' THEN claimed_at ELSE started_at END, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ'),
            'ended_at', DATE_FORMAT(UTC_TIMESTAMP(6), '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')))
"""
"""Adds a step that ended now to the history, and drops the oldest of too many; `_noted` gives the values."""


def _noted(ended: Ended) -> tuple[str | int | None, ...]:
    step, code = ended.step.value, ended.code.value if ended.code else None
    return HISTORY_KEPT, step, ended.page, ended.outcome.value, code, step, ended.page


async def note(cur: Cursor, *, job_id: UUID, ended: Ended) -> None:
    """Add a step that ended now to the job's history."""
    await cur.execute(
        f"UPDATE jobs SET {_NOTED}, version = version + 1 WHERE id = %s",  # noqa: S608 - a constant
        (*_noted(ended), job_id.bytes),
    )


async def reckoned(cur: Cursor, job: Job) -> Job:
    """The job as it was just changed, with what the database itself has reckoned."""
    await cur.execute("SELECT version, eta_s, history, finished_at FROM jobs WHERE id = %s", (job.id.bytes,))
    row = cur.only_row()
    return replace(job, **{**row, "history": tuple(orjson.loads(row["history"]))})


async def unfinished(cur: Cursor, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the jobs that are there and not final."""
    await cur.execute(
        f"SELECT id FROM jobs WHERE status IN ('pending', 'processing') AND id IN ({each(job_ids)})",  # noqa: S608 - placeholders alone
        [job_id.bytes for job_id in job_ids],
    )
    return {UUID(bytes=row["id"]) for row in cur.rows()}


async def runnable(cur: Cursor, *, limit: int) -> list[UUID]:
    """Unfinished jobs that have work which nobody has claimed and which is due, oldest first."""
    await cur.execute(
        """
        SELECT j.id FROM jobs j
        WHERE j.status IN ('pending', 'processing') AND j.run_after <= UTC_TIMESTAMP(6)
          AND ((j.pages_total IS NULL AND j.claim IS NULL)
               OR EXISTS (SELECT 1 FROM pages p WHERE p.job_id = j.id AND p.status = 'pending' AND p.claim IS NULL
                          AND p.run_after <= UTC_TIMESTAMP(6)))
        ORDER BY j.id LIMIT %s
        """,
        (limit,),
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)


def _job(row: Row) -> Job:
    failure = None
    if row["error_code"]:
        failure = Failure(DocumentErrorCode(row["error_code"]), row["error_message"], row["error_page"])
    return Job(
        id=UUID(bytes=row["id"]),
        document_id=UUID(bytes=row["document_id"]),
        status=Status(row["status"]),
        version=row["version"],
        options=Options.from_json(orjson.loads(row["options"])),
        request_id=row["request_id"],
        pages_total=row["pages_total"],
        pages_done=row["pages_done"],
        pages_failed=row["pages_failed"],
        eta_s=row["eta_s"],
        attempt=row["attempt"],
        history=tuple(orjson.loads(row["history"])),
        quality=Quality(row["confidence"], orjson.loads(row["needs_review"])) if row["needs_review"] else None,
        failure=failure,
        engine=orjson.loads(row["engine"]) if row["engine"] else None,
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
