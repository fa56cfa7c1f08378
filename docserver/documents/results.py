"""Results in the requested format: taken from the cache, or written from the pages in the database."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import IO
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.tables import documents, jobs, pages
from docserver.documents import queries
from docserver.errors import (
    DocumentErrorCode,
    Failure,
    JobFailed,
    NotFound,
    NotRenderable,
    PageFailed,
    ResultNotReady,
    Unavailable,
    Unprocessable,
)
from docserver.formats import JSON_PAGE, Format, TextFormat
from docserver.formats.result_writer import LARGE_RESULT_BYTES, ResultFile
from docserver.model import Document, Job, Page, PageStatus, Status, failure_json
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

PAGES_AT_ONCE = 50
"""Most pages that one statement reads from the database; they take a few megabytes."""

CONTENT_TRIES = 2
"""Tries to read all pages from the same attempt of a job. It is rare that a retry interferes with two tries."""

MAX_STORED_BYTES = 64 * 1024 * 1024
"""Most bytes that the pages of one result may take in the database. That is about 2000 full pages, which become some
hundred megabytes of JSON."""

PDF_EDITION = f"1 {version('pikepdf')}"
"""Part of the ETag of searchable PDFs. It must change whenever the same words give other bytes. So it contains the
version of pikepdf, and a number that we raise when we change how PDFs are written."""

FULL_RETRY_S = 10
"""Retry-After when the disk lacks room, which somebody has to make."""

ClientHas = Callable[[str], bool]
"""A function that returns True if the client already has the version with this ETag."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A job, and those of its pages that go into a result."""

    job: Job
    pages: list[Page]


async def result(
    resources: Resources, job_id: UUID, *, form: Format, selection: Sequence[range] | None, client_has: ClientHas
) -> ResultFile:
    """The text of a completed job; raises NotFound, ResultNotReady, JobFailed, NotRenderable, Unprocessable."""
    entry = await resources.cache.result(job_id, form.name)
    job = entry.job if entry and entry.fresh and entry.job.status.final else await queries.job(resources, job_id)
    _check_completed(job)
    if selection is None and entry and entry.result is not None and entry.job.version == job.version:
        etag, _, body = entry.result.partition(b"\n")
        return ResultFile(etag.decode(), None if client_has(etag.decode()) else body)
    content = await _content(resources, job_id, selection, version=job.version)
    written = await _write(resources, content, form, client_has=client_has)
    # There are too many possible selections of pages to cache them, and few are requested twice.
    if selection is None and isinstance(written.body, bytes):
        await resources.cache.put_result(
            job_id, form.name, version=content.job.version, body=written.etag.encode() + b"\n" + written.body
        )
    return written


async def page(resources: Resources, job_id: UUID, number: int, *, form: Format, client_has: ClientHas) -> ResultFile:
    """One page, as soon as it is read; raises NotFound, ResultNotReady, JobFailed, PageFailed, NotRenderable."""
    async with resources.reads.session() as cur:
        job = await jobs.find(cur, job_id)
        batch = await pages.of_job(cur, job_id=job_id, after=number - 1, limit=1) if job else []
    if job is None:
        raise NotFound("There is no such job.")
    if not batch or batch[0].number != number:
        if job.pages_total is None:
            raise _unfinished(job)
        raise NotFound("The job has no such page.")
    (page,) = batch
    if page.status is PageStatus.PENDING:
        raise _unfinished(job)
    if page.failure:
        raise PageFailed(page.failure.message, extra={"job_error": failure_json(page.failure)})
    # The JSON of a single page contains only the page, without the job and the document.
    shown = JSON_PAGE if form.name == JSON_PAGE.name else form
    return await _write(resources, _Content(job, [page]), shown, client_has=client_has)


def _check_completed(job: CachedJob) -> None:
    if not job.status.final:
        raise _not_ready(f"The job is {job.status}; ask again when it is completed.")
    if job.status is not Status.COMPLETED:
        raise JobFailed(f"The job is {job.status}.", extra={"job_error": job.error})


def _unfinished(job: Job) -> ResultNotReady | JobFailed:
    if not job.status.final:
        return _not_ready("The page is not read yet; ask again soon.")
    error = failure_json(job.failure) if job.failure else None
    return JobFailed(f"The job is {job.status}, and the page was not read.", extra={"job_error": error})


def _not_ready(detail: str) -> ResultNotReady:
    return ResultNotReady(detail, headers={"Retry-After": str(queries.RETRY_AFTER_S)})


async def _content(resources: Resources, job_id: UUID, selection: Sequence[range] | None, *, version: int) -> _Content:
    """The selected pages of a completed job, and the job. All come from the same attempt.

    `version` is the job's version before the pages are read. If it is the same afterwards, no retry came between.
    """
    for _ in range(CONTENT_TRIES):
        async with resources.reads.session() as cur:
            selected, last = await _pages(cur, job_id, selection)
            job = await jobs.find(cur, job_id)
        if job is None:
            raise NotFound("There is no such job.")
        if job.status is not Status.COMPLETED:
            break
        if job.version == version:
            if not selected:
                raise Unprocessable(
                    "The job has none of these pages.",
                    errors=[{"detail": f"The last page is {last}.", "parameter": "pages"}],
                )
            return _Content(job, selected)
        # The job was retried while its pages were read, so some of them may be from the earlier attempt.
        version = job.version
    raise _not_ready("The document is being read again; ask again soon.")


async def _pages(cur: Cursor, job_id: UUID, selection: Sequence[range] | None) -> tuple[list[Page], int]:
    """The selected pages of a job, and the number of its last page. Raises Unprocessable if they are too large."""
    selected: list[Page] = []
    last = stored = 0
    more = True
    while more:
        batch = await pages.of_job(cur, job_id=job_id, after=last, limit=PAGES_AT_ONCE)
        more = len(batch) == PAGES_AT_ONCE
        for page in batch:
            last = page.number
            if selection is not None and not any(last in part for part in selection):
                continue
            stored += len(page.reading.text) + len(page.reading.layout) if page.reading else 0
            if stored > MAX_STORED_BYTES:
                raise Unprocessable(
                    "The result is too large; request fewer pages at a time.",
                    errors=[{"detail": f"One request can return the pages before {last}.", "parameter": "pages"}],
                )
            selected.append(page)
    return selected, last


async def _write(resources: Resources, content: _Content, form: Format, *, client_has: ClientHas) -> ResultFile:
    if not isinstance(form, TextFormat):
        return await _searchable_pdf(resources, content, client_has=client_has)
    written = await resources.result_writer.write(form, content.job, content.pages)
    return written.without_body() if client_has(written.etag) else written


async def _searchable_pdf(resources: Resources, content: _Content, *, client_has: ClientHas) -> ResultFile:
    async with resources.reads.session() as cur:
        document = await documents.find(cur, content.job.document_id)
    if document is None:
        raise NotFound("There is no such job.")
    etag = await asyncio.to_thread(_etag_of_pdf, document, content.pages)
    if client_has(etag):
        return ResultFile(etag, None)
    try:
        source = await resources.storage.path(document.id)
    except FileNotFoundError as error:
        missing = Failure(DocumentErrorCode.STORAGE_MISSING, "The document's file is not in the storage any more.")
        raise _not_renderable(missing) from error
    if await asyncio.to_thread(resources.results_room.is_short):
        raise Unavailable(
            "There is not enough disk space to make a searchable PDF now.", headers={"Retry-After": str(FULL_RETRY_S)}
        )
    pdf = await resources.pdf_maker.make(source, document.content_type, content.pages)
    if isinstance(pdf, Failure):
        raise _not_renderable(pdf)
    body = await asyncio.to_thread(_small_as_bytes, pdf)
    return ResultFile(etag, body)


def _not_renderable(failure: Failure) -> NotRenderable:
    return NotRenderable(failure.message, extra={"job_error": failure_json(failure)})


def _small_as_bytes(file: IO[bytes]) -> bytes | IO[bytes]:
    """The file's bytes, or the file itself if it is larger than LARGE_RESULT_BYTES."""
    if os.fstat(file.fileno()).st_size > LARGE_RESULT_BYTES:
        return file
    with file:
        return file.read()


def _etag_of_pdf(document: Document, of_pages: Sequence[Page]) -> str:
    """The ETag of a searchable PDF: a hash of everything that the PDF is made from."""
    digest = sha256(f"{PDF_EDITION} {document.sha256.hex()}".encode())
    for page in of_pages:
        digest.update(f" {page.number}".encode())
        reading = page.reading
        if reading:
            source = reading.source.value
            facts = (reading.width, reading.height, reading.dpi, reading.rotation, source, len(reading.layout))
            digest.update(repr(facts).encode() + reading.layout)
    return f'"{digest.hexdigest()[:32]}"'
