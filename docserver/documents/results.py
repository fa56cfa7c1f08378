"""Results in the format that a client wants: from the cache, or written from the stored pages."""

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
    Unprocessable,
)
from docserver.formats import JSON_PAGE, Format, TextFormat
from docserver.formats.result_writer import LARGE_RESULT_BYTES, ResultFile
from docserver.model import Document, Job, Page, PageStatus, Status, failure_json
from docserver.page_ranges import format_pages
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

PAGES_AT_ONCE = 50
"""Pages read from the database by one statement: some megabytes."""

CONTENT_TRIES = 2
"""Tries to get all pages from the same attempt; a retry rarely comes between twice."""

MAX_STORED_BYTES = 64 * 1024 * 1024
"""Stored bytes of all pages in one result: about 2000 full pages, which make some hundred megabytes of JSON."""

PDF_EDITION = f"1 {version('pikepdf')}"
"""Part of the ETag of searchable PDFs: another edition makes other bytes of the same words. The number is ours."""

ClientHas = Callable[[str], bool]
"""True if the client has the version with this ETag already."""


@dataclass(frozen=True, slots=True)
class _Content:
    """A job and the pages of it that a result consists of."""

    job: Job
    pages: list[Page]


async def result(
    resources: Resources, job_id: UUID, *, form: Format, selection: Sequence[range] | None, client_has: ClientHas
) -> ResultFile:
    """A completed job's text; raises NotFound, ResultNotReady, JobFailed, NotRenderable, Unprocessable."""
    name = f"{form.name}:{format_pages(selection or ())}"
    entry = await resources.cache.result(job_id, name)
    job = entry.job if entry and entry.fresh and entry.job.status.final else await queries.job(resources, job_id)
    _check_completed(job)
    if entry and entry.result is not None and entry.job.version == job.version:
        etag, _, body = entry.result.partition(b"\n")
        return ResultFile(etag.decode(), None if client_has(etag.decode()) else body)
    content = await _content(resources, job_id, selection, version=job.version)
    written = await _write(resources, content, form, client_has=client_has)
    if isinstance(written.body, bytes):
        await resources.cache.put_result(
            job_id, name, version=content.job.version, body=written.etag.encode() + b"\n" + written.body
        )
    return written


async def page(resources: Resources, job_id: UUID, number: int, *, form: Format, client_has: ClientHas) -> ResultFile:
    """One page, as soon as it is read; raises NotFound, ResultNotReady, JobFailed, PageFailed, NotRenderable."""
    async with resources.db.session() as cur:
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
    # The JSON of a single page is the page alone, without the job and document around it.
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
    """The selected pages of a job that was completed in this version, and the job as read after them."""
    for _ in range(CONTENT_TRIES):
        async with resources.db.session() as cur:
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
        # A retry came between, so some of the pages may be from the earlier attempt.
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
    async with resources.db.session() as cur:
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
    """Derived from all that goes into the PDF: the same words on the same document make the same bytes."""
    digest = sha256(f"{PDF_EDITION} {document.sha256.hex()}".encode())
    for page in of_pages:
        digest.update(f" {page.number}".encode())
        reading = page.reading
        if reading:
            source = reading.source.value
            facts = (reading.width, reading.height, reading.dpi, reading.rotation, source, len(reading.layout))
            digest.update(repr(facts).encode() + reading.layout)
    return f'"{digest.hexdigest()[:32]}"'
