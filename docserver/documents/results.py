"""Results in the requested format: from the cache or the storage, or made of the stored pages once for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Protocol, TypeVar
from uuid import UUID

from docserver import tracing
from docserver.caller import Caller
from docserver.database.tables import documents, jobs, pages
from docserver.documents import kept_results, queries, stored_pages
from docserver.documents.kept_results import PDF_EDITION
from docserver.documents.stored_pages import Retried, StoredPages
from docserver.errors import (
    STORAGE_MISSING,
    DocumentErrorCode,
    Failure,
    JobFailed,
    NotFound,
    NotRenderable,
    PageFailed,
    ResultNotReady,
    Unavailable,
)
from docserver.formats import JSON_PAGE, PDFA, Format, TextFormat
from docserver.formats.result_file import ResultFile, from_file
from docserver.formats.result_writer import LARGE_RESULT_BYTES
from docserver.model import Document, Job, Page, PageStatus, Status, StoredResult, failure_json
from docserver.page_ranges import format_pages
from docserver.pdf_options import PdfOptions
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

CONTENT_TRIES = 2
"""Tries to read all pages from the same attempt of a job. It is rare that a retry interferes with two tries."""

FULL_RETRY_S = 10
"""Retry-After when the disk is nearly full. It is long because somebody has to make room."""

ClientHas = Callable[[str], bool]
"""A function that returns True if the client already has the version with this ETag."""

T = TypeVar("T")


class _Find(Protocol):
    """Finds the pages of a result, as `stored_pages.find` does."""

    async def __call__(self, *, version: int, load_bytes: float) -> StoredPages: ...


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A result that a client wants."""

    client: str
    form: Format
    quality: int | None
    """That of a PDF's photos and scans, if the client has chosen it."""
    find: _Find
    job_version: int
    key: tuple[object, ...]
    """The result and its version: equal keys mean equal bytes."""
    pages: str | None
    """The pages that the client has chosen, "" for all. None for a result that is not kept."""

    @property
    def kind(self) -> str:
        """The format, and the quality if one is chosen: a part of the names of stored results."""
        return _kind(self.form, self.quality)

    @property
    def pdf_options(self) -> PdfOptions:
        return PdfOptions(archival=self.form is PDFA, quality=self.quality)


def _kind(form: Format, quality: int | None) -> str:
    return form.name if quality is None else f"{form.name} {quality}"


async def result(
    resources: Resources,
    job_id: UUID,
    *,
    caller: Caller,
    form: Format,
    quality: int | None = None,
    selection: Sequence[range] | None,
    client_has: ClientHas,
) -> ResultFile:
    """The text of a completed job, for this caller.

    Raises NotFound, ResultNotReady, JobFailed, NotRenderable, Unprocessable and Unavailable.
    """
    tenant, kind = caller.tenant, _kind(form, quality)
    entry = await resources.cache.result(job_id, kind, tenant=tenant)
    is_current = entry and entry.fresh and entry.job.status.final
    job = entry.job if entry and is_current else await queries.job(resources, job_id, tenant=tenant)
    _check_completed(job)
    if selection is None and entry and entry.result is not None and entry.job.version == job.version:
        etag, _, body = entry.result.partition(b"\n")
        return ResultFile(etag.decode(), None if client_has(etag.decode()) else body)
    pages = format_pages(selection or ())
    find = partial(_pages_of_completed, resources, job_id, selection)
    wanted = _Wanted(caller.client, form, quality, find, job.version, (job_id, job.version, kind, pages), pages)
    return await _get(resources, wanted, client_has=client_has)


async def page(
    resources: Resources,
    job_id: UUID,
    number: int,
    *,
    caller: Caller,
    form: Format,
    quality: int | None = None,
    client_has: ClientHas,
) -> ResultFile:
    """One page, as soon as it is read, for this caller.

    Raises NotFound, ResultNotReady, JobFailed, PageFailed, NotRenderable and Unavailable.
    """
    # The JSON of a single page contains only the page, without the job and the document.
    shown = JSON_PAGE if form.name == JSON_PAGE.name else form
    writer = resources.result_writer
    async with writer.small_turn(caller.client):
        job, page = await readable_page(resources, job_id, number, tenant=caller.tenant)
        size = page.reading.stored_bytes if page.reading else 0
        if isinstance(shown, TextFormat) and size <= writer.small_bytes(shown):
            made = await writer.write_small(shown, job, [page])
            return made.without_body() if client_has(made.etag) else made
    # The page may be large, and what follows may have to wait for its turn.
    del page

    async def find(*, version: int, load_bytes: float) -> StoredPages:  # noqa: ARG001 - it is known to be too large
        return StoredPages(job, {number: size}, None)

    # A page that is read before the job has ended is shown once or twice.
    pages = f"page {number}" if job.status.final else None
    key = (job_id, job.version, _kind(form, quality), number)
    wanted = _Wanted(caller.client, shown, quality, find, job.version, key, pages)
    return await _get(resources, wanted, client_has=client_has)


async def readable_page(resources: Resources, job_id: UUID, number: int, *, tenant: str) -> tuple[Job, Page]:
    """A page that was read, and its job. Raises NotFound, ResultNotReady, JobFailed and PageFailed."""
    async with resources.reads.session() as cur:
        job = await jobs.of_tenant(cur, job_id, tenant=tenant)
        found = await pages.with_numbers(cur, job_id=job_id, numbers=[number]) if job else []
    if job is None:
        raise NotFound("There is no such job.")
    if not found:
        if job.pages_total is None:
            raise _unfinished(job)
        raise NotFound("The job has no such page.")
    (page,) = found
    if page.status is PageStatus.PENDING:
        raise _unfinished(job)
    if page.failure:
        raise PageFailed(page.failure.message, extra={"job_error": failure_json(page.failure)})
    return job, page


def _check_completed(job: CachedJob) -> None:
    if not job.status.final:
        raise _not_ready(f"The job is {job.status}; ask again when it is completed.")
    if job.status is not Status.COMPLETED:
        raise _failed(job.status, job.error)


def _unfinished(job: Job) -> ResultNotReady | JobFailed:
    if not job.status.final:
        return _not_ready("The page is not read yet; ask again soon.")
    return _failed(job.status, failure_json(job.failure) if job.failure else None)


def _failed(status: Status, error: Mapping[str, Any] | None) -> JobFailed:
    reason = f" with {error['code']}; job_error has the details" if error else ""
    return JobFailed(f"The job is {status}{reason}.", extra={"job_error": error})


def _not_ready(detail: str) -> ResultNotReady:
    return ResultNotReady(detail, headers={"Retry-After": str(queries.RETRY_AFTER_S)})


async def _pages_of_completed(
    resources: Resources, job_id: UUID, selection: Sequence[range] | None, *, version: int, load_bytes: float
) -> StoredPages:
    content = await stored_pages.find(resources, job_id, selection, version=version, load_bytes=load_bytes)
    if content.job.status is not Status.COMPLETED:
        raise _retried()
    return content


async def _get(resources: Resources, wanted: _Wanted, *, client_has: ClientHas) -> ResultFile:
    """The result, shared with all who request it at the same time."""
    shared = resources.result_writer.shared
    etag = shared.etag(wanted.key)
    if etag is None and not isinstance(wanted.form, TextFormat):
        # It takes much longer to make a PDF than to find out its ETag.
        etag = await _of_one_attempt(wanted, partial(_etag_of_pdf, resources, wanted))
        shared.remember_etag(wanted.key, etag)
    if etag is not None and client_has(etag):
        return ResultFile(etag, None)
    make = _text if isinstance(wanted.form, TextFormat) else _searchable_pdf

    async def traced() -> ResultFile:
        with tracing.span("write result", {"docserver.result.format": wanted.form.name}):
            return await _of_one_attempt(wanted, partial(make, resources, wanted))

    made = await shared.get(wanted.key, traced, client=wanted.client)
    return made.without_body() if client_has(made.etag) else made


async def _of_one_attempt(wanted: _Wanted, make: Callable[[int], Awaitable[T]]) -> T:
    """Make something of the pages of one version of the job. Start again if the job is retried meanwhile."""
    version = wanted.job_version
    for _ in range(CONTENT_TRIES):
        try:
            return await make(version)
        except Retried as retried:
            version = retried.version
    raise _retried()


async def _text(resources: Resources, wanted: _Wanted, version: int) -> ResultFile:
    assert isinstance(wanted.form, TextFormat)
    writer = resources.result_writer
    async with writer.small_turn(wanted.client):
        content = await wanted.find(version=version, load_bytes=writer.small_bytes(wanted.form))
        made = await writer.write_small(wanted.form, content.job, content.loaded) if content.loaded else None
    if made is None:
        if kept := await _fetch_kept(resources, wanted, content.job):
            return kept
        made = await writer.write_large(
            wanted.form,
            content.job,
            content.batches(resources),
            stored_bytes=content.stored_bytes,
            client=wanted.client,
        )
    return await _keep(resources, wanted, content.job, made)


async def _fetch_kept(resources: Resources, wanted: _Wanted, job: Job) -> ResultFile | None:
    kept = await _find_kept(resources, wanted, job)
    return await kept_results.fetch(resources, kept) if kept else None


async def _find_kept(resources: Resources, wanted: _Wanted, job: Job) -> StoredResult | None:
    if wanted.pages is None:
        return None
    return await kept_results.find(resources, job, kept_results.key_of(job, wanted.kind, wanted.pages))


async def _keep(resources: Resources, wanted: _Wanted, job: Job, made: ResultFile) -> ResultFile:
    """Keep a result for further readers: in Redis if it is small, else in the storage."""
    # There are too many possible selections of pages to hold them in memory, and few are requested twice.
    if wanted.pages == "" and isinstance(made.body, bytes):
        body = made.etag.encode() + b"\n" + made.body
        await resources.cache.put_result(job.id, wanted.kind, tenant=job.tenant, version=job.version, body=body)
    if wanted.pages is None:
        return made
    return await kept_results.keep(resources, job, kept_results.key_of(job, wanted.kind, wanted.pages), made)


def _retried() -> ResultNotReady:
    return _not_ready("The document is being read again; ask again soon.")


async def _searchable_pdf(resources: Resources, wanted: _Wanted, version: int) -> ResultFile:
    content = await wanted.find(version=version, load_bytes=0)
    if kept := await _fetch_kept(resources, wanted, content.job):
        return kept
    document = await document_of(resources, content.job)
    if await asyncio.to_thread(resources.results_room.is_short):
        raise Unavailable(
            "There is not enough disk space to make a searchable PDF now.", headers={"Retry-After": str(FULL_RETRY_S)}
        )
    etag = _PdfETag(document, wanted.kind)

    async def load() -> list[Page]:
        loaded: list[Page] = []
        async for batch in content.batches(resources):
            etag.add(batch)
            loaded += batch
        return loaded

    async with resources.storage.intact(document.id, size=document.size, sha256=document.sha256) as source:
        if source is None:
            raise not_renderable(STORAGE_MISSING)
        pdf = await resources.pdf_maker.make(
            source, document.content_type, load, options=wanted.pdf_options, client=wanted.client
        )
    if isinstance(pdf, Failure):
        raise not_renderable(pdf)
    made = await asyncio.to_thread(from_file, str(etag), pdf, max_bytes=LARGE_RESULT_BYTES)
    return await _keep(resources, wanted, content.job, made)


async def _etag_of_pdf(resources: Resources, wanted: _Wanted, version: int) -> str:
    content = await wanted.find(version=version, load_bytes=0)
    if kept := await _find_kept(resources, wanted, content.job):
        return kept.etag
    etag = _PdfETag(await document_of(resources, content.job), wanted.kind)
    # All pages are loaded, as many as for a large result.
    async with resources.result_writer.large_turn(wanted.client):
        # Another request of the same PDF may have had its turn before.
        if (known := resources.result_writer.shared.etag(wanted.key)) and version == wanted.job_version:
            return known
        async for batch in content.batches(resources):
            etag.add(batch)
    return str(etag)


async def document_of(resources: Resources, job: Job) -> Document:
    """The document of a job that was there a moment ago; raises NotFound."""
    async with resources.reads.session() as cur:
        document = await documents.find(cur, job.document_id, tenant=job.tenant)
    if document is None:
        raise NotFound("There is no such job.")
    return document


def not_renderable(failure: Failure) -> NotRenderable:
    """The error for a document of which something cannot be made."""
    is_locked = failure.code is DocumentErrorCode.ENCRYPTED
    message = "The PDF can only be opened with its password, which is not kept." if is_locked else failure.message
    return NotRenderable(message, extra={"job_error": failure_json(failure)})


class _PdfETag:
    """The ETag of a searchable PDF: a hash of everything that the PDF is made from."""

    def __init__(self, document: Document, kind: str) -> None:
        self._digest = sha256(f"{PDF_EDITION} {kind} {document.sha256.hex()}".encode())

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
