"""Results in the requested format: taken from the cache, or made of the stored pages, once for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from typing import TypeVar
from uuid import UUID

from docserver.database.tables import documents, jobs, pages
from docserver.documents import queries, stored_pages
from docserver.documents.stored_pages import Retried, StoredPages
from docserver.errors import (
    DocumentErrorCode,
    Failure,
    JobFailed,
    NotFound,
    NotRenderable,
    PageFailed,
    ResultNotReady,
    Unavailable,
)
from docserver.formats import JSON_PAGE, Format, TextFormat
from docserver.formats.result_file import ResultFile, from_file
from docserver.formats.result_writer import LARGE_RESULT_BYTES
from docserver.model import Document, Job, Page, PageStatus, Status, failure_json
from docserver.page_ranges import format_pages
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

CONTENT_TRIES = 2
"""Tries to read all pages from the same attempt of a job. It is rare that a retry interferes with two tries."""

PDF_EDITION = f"1 {version('pikepdf')}"
"""Part of the ETag of searchable PDFs. It must change whenever the same words give other bytes. So it contains the
version of pikepdf, and a number that we raise when we change how PDFs are written."""

FULL_RETRY_S = 10
"""Retry-After when the disk lacks room, which somebody has to make."""

ClientHas = Callable[[str], bool]
"""A function that returns True if the client already has the version with this ETag."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A result that a client wants."""

    form: Format
    find: Callable[[], Awaitable[StoredPages]]
    key: tuple[object, ...]
    """The result and its version: equal keys mean equal bytes."""


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
    key = (job_id, job.version, form.name, format_pages(selection or ()))
    wanted = _Wanted(form, partial(_pages_of_completed, resources, job_id, selection), key)
    # There are too many possible selections of pages to cache them, and few are requested twice.
    return await _get(resources, wanted, client_has=client_has, cached=selection is None)


async def page(resources: Resources, job_id: UUID, number: int, *, form: Format, client_has: ClientHas) -> ResultFile:
    """One page, as soon as it is read; raises NotFound, ResultNotReady, JobFailed, PageFailed, NotRenderable."""
    async with resources.reads.session() as cur:
        job = await jobs.find(cur, job_id)
        sizes = await pages.stored_bytes(cur, job_id=job_id, ranges=(range(number, number + 1),)) if job else {}
        # Only a page that was read takes any bytes.
        unread = await pages.with_numbers(cur, job_id=job_id, numbers=[number]) if sizes and not sizes[number] else []
    if job is None:
        raise NotFound("There is no such job.")
    if not sizes:
        if job.pages_total is None:
            raise _unfinished(job)
        raise NotFound("The job has no such page.")
    for page in unread:
        if page.status is PageStatus.PENDING:
            raise _unfinished(job)
        if page.failure:
            raise PageFailed(page.failure.message, extra={"job_error": failure_json(page.failure)})

    async def find() -> StoredPages:
        return StoredPages(job, sizes)

    # The JSON of a single page contains only the page, without the job and the document.
    shown = JSON_PAGE if form.name == JSON_PAGE.name else form
    wanted = _Wanted(shown, find, (job_id, job.version, form.name, number))
    return await _get(resources, wanted, client_has=client_has, cached=False)


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


async def _pages_of_completed(resources: Resources, job_id: UUID, selection: Sequence[range] | None) -> StoredPages:
    content = await stored_pages.find(resources, job_id, selection)
    if content.job.status is not Status.COMPLETED:
        raise _retried()
    return content


async def _get(resources: Resources, wanted: _Wanted, *, client_has: ClientHas, cached: bool) -> ResultFile:
    """The result, shared with all who want it at the moment; `cached` if it goes into the cache."""
    shared = resources.result_writer.shared
    etag = shared.etag(wanted.key)
    if etag is None and not isinstance(wanted.form, TextFormat):
        # It takes much longer to make a PDF than to find out its ETag.
        etag = await _of_one_attempt(wanted, partial(_etag_of_pdf, resources))
        shared.remember_etag(wanted.key, etag)
    if etag is not None and client_has(etag):
        return ResultFile(etag, None)
    made = await shared.get(wanted.key, partial(_make, resources, wanted, cached=cached))
    return made.without_body() if client_has(made.etag) else made


async def _make(resources: Resources, wanted: _Wanted, *, cached: bool) -> ResultFile:
    async def make(content: StoredPages) -> ResultFile:
        if not isinstance(wanted.form, TextFormat):
            made = await _searchable_pdf(resources, content)
        else:
            made = await resources.result_writer.write(
                wanted.form, content.job, content.batches(resources), stored_bytes=content.stored_bytes
            )
        if cached and isinstance(made.body, bytes):
            body = made.etag.encode() + b"\n" + made.body
            await resources.cache.put_result(content.job.id, wanted.form.name, version=content.job.version, body=body)
        return made

    return await _of_one_attempt(wanted, make)


async def _of_one_attempt(wanted: _Wanted, act: Callable[[StoredPages], Awaitable[T]]) -> T:
    """Act on the pages of one attempt of the job; again if the job is retried meanwhile."""
    for _ in range(CONTENT_TRIES):
        try:
            return await act(await wanted.find())
        except Retried:
            continue
    raise _retried()


def _retried() -> ResultNotReady:
    return _not_ready("The document is being read again; ask again soon.")


async def _searchable_pdf(resources: Resources, content: StoredPages) -> ResultFile:
    document = await _document(resources, content.job)
    try:
        source = await resources.storage.path(document.id)
    except FileNotFoundError as error:
        missing = Failure(DocumentErrorCode.STORAGE_MISSING, "The document's file is not in the storage any more.")
        raise _not_renderable(missing) from error
    if await asyncio.to_thread(resources.results_room.is_short):
        raise Unavailable(
            "There is not enough disk space to make a searchable PDF now.", headers={"Retry-After": str(FULL_RETRY_S)}
        )
    etag = _PdfETag(document)

    async def load() -> list[Page]:
        loaded: list[Page] = []
        async for batch in content.batches(resources):
            etag.add(batch)
            loaded += batch
        return loaded

    pdf = await resources.pdf_maker.make(source, document.content_type, load)
    if isinstance(pdf, Failure):
        raise _not_renderable(pdf)
    return await asyncio.to_thread(from_file, str(etag), pdf, max_bytes=LARGE_RESULT_BYTES)


async def _etag_of_pdf(resources: Resources, content: StoredPages) -> str:
    etag = _PdfETag(await _document(resources, content.job))
    async for batch in content.batches(resources):
        etag.add(batch)
    return str(etag)


async def _document(resources: Resources, job: Job) -> Document:
    async with resources.reads.session() as cur:
        document = await documents.find(cur, job.document_id)
    if document is None:
        raise NotFound("There is no such job.")
    return document


def _not_renderable(failure: Failure) -> NotRenderable:
    return NotRenderable(failure.message, extra={"job_error": failure_json(failure)})


class _PdfETag:
    """The ETag of a searchable PDF: a hash of everything that the PDF is made from."""

    def __init__(self, document: Document) -> None:
        self._digest = sha256(f"{PDF_EDITION} {document.sha256.hex()}".encode())

    def add(self, batch: Sequence[Page]) -> None:
        for page in batch:
            self._digest.update(f" {page.number}".encode())
            reading = page.reading
            if reading:
                source = reading.source.value
                facts = (reading.width, reading.height, reading.dpi, reading.rotation, source, len(reading.layout))
                self._digest.update(repr(facts).encode() + reading.layout)

    def __str__(self) -> str:
        return f'"{self._digest.hexdigest()[:32]}"'
