"""Works on a job: claims a part of it, opens the document, reads pages and saves them, with retries.

The slot knows how a page is read.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from uuid import UUID

from docserver import metrics, tracing
from docserver.backoff import doubling, full_jitter_s
from docserver.database.faults import CommitUnknown
from docserver.database.tables import claims, jobs, pages
from docserver.database.tables.claims import ClaimedPage
from docserver.errors import (
    RESOURCE_FAULTS,
    STORAGE_MISSING,
    DatabaseUnavailable,
    DocumentErrorCode,
    Failure,
    QuotaExceeded,
)
from docserver.jobs import notify, spans, transitions
from docserver.jobs.leases import Claim, Claims
from docserver.jobs.turns import Turns
from docserver.logs import log_context
from docserver.model import Job, Reading, Source
from docserver.ocr.requests import Opened
from docserver.ocr.server.slot import Slot
from docserver.page_ranges import parse_pages, select_pages
from docserver.resources import Resources
from docserver.tracing import Span

log = logging.getLogger("docserver.worker")

BACKOFF_S = 2.0
"""Longest delay before the second try, in seconds. It doubles with each further try."""

SAVE_PAUSE_S = (0.2, 5.0)
"""First and longest pause, in seconds, between tries to save pages while the database does not answer."""

SAVE_BOUND_S = 600.0
"""Seconds without a database after which pages that were read but not saved are dropped. Their leases have run out long
before, so another worker reads them again."""


class Pipeline:
    """Works on jobs, a chunk of pages at a time."""

    def __init__(self, resources: Resources, *, scratch: Path) -> None:
        """`scratch` is a directory that only this process uses."""
        self._resources = resources
        self._scratch = scratch
        self._settings = resources.settings
        self._claims = Claims(resources)
        self._stopping = asyncio.Event()
        self._turns = Turns()

    def slot(self, number: int) -> Slot:
        """A slot to read pages in; the caller closes it."""
        return Slot(
            number=number,
            settings=self._settings,
            engine=self._resources.engine,
            scratch=self._scratch,
            cgroups=self._resources.cgroups,
        )

    def stop(self) -> None:
        """Let each slot finish the page that it is reading; the other pages of its chunk are released."""
        self._stopping.set()

    async def work(self, job_id: UUID, slot: Slot) -> bool:
        """Do a chunk of a job's work; False if nothing of the job can be claimed."""
        with log_context(job_id=str(job_id)):
            async with self._claims.claimed(job_id) as claim:
                if claim is None:
                    return False
                with log_context(request_id=claim.job.request_id), tracing.continued(claim.job.traceparent):
                    await self._do(claim, slot)
        return True

    async def has_room(self) -> bool:
        """True if the embedded database has room for further pages."""
        return not await asyncio.to_thread(self._resources.slots_room.is_short)

    async def run_heartbeat(self) -> None:
        """Extend the leases of all work in progress, until cancelled."""
        await self._claims.run_heartbeat()

    async def runnable(self, *, limit: int) -> list[UUID]:
        """Jobs with work to claim, of the client whose turn it is. Asks the database; raises DatabaseUnavailable."""
        async with self._resources.db.session() as cur:
            return await self._turns.runnable(cur, limit=limit)

    async def _do(self, claim: Claim, slot: Slot) -> None:
        slot.client = claim.job.client
        async with AsyncExitStack() as stack:
            source = await self._source(claim, stack)
            if claim.job.pages_total is None:
                with tracing.span("open document", spans.of_job(claim.job)) as span:
                    if not await self._open(claim, slot, source, span):
                        return
            await self._read_chunk(claim, slot, source)

    async def _source(self, claim: Claim, stack: AsyncExitStack) -> Path | Failure:
        """The stored file of a claimed job, which stays until the stack is closed. It is read and compared once for all
        pages of the claim.
        """
        work = claim.work
        intact = self._resources.storage.intact(claim.job.document_id, size=work.size, sha256=work.sha256)
        return await self._claims.guard(claim, stack.enter_async_context(intact)) or STORAGE_MISSING

    async def _open(self, claim: Claim, slot: Slot, source: Path | Failure, span: Span) -> bool:
        """Open the document and claim its first pages; False if no page is left for this claim to read."""
        await notify.publish(self._resources, claim.job)
        log.info("job started", extra={"document_id": str(claim.job.document_id), "attempt": claim.job.attempt})
        began, began_ns = time.monotonic(), time.time_ns()
        opened: Opened | Failure
        if isinstance(source, Failure):
            opened = source
        else:
            opened = await self._opened(claim, slot, source)
        numbers = _selected(claim.job, total=opened.pages) if isinstance(opened, Opened) else opened
        if isinstance(numbers, Failure):
            span.fail(numbers.code)
            await self._opening_failed(claim, numbers, tries=claim.work.tries)
            return False
        read = dict(zip(numbers, opened.results if isinstance(opened, Opened) else (), strict=False))
        transition = partial(
            transitions.open_pages,
            numbers=numbers,
            limit=self._settings.chunk_pages,
            lease_s=self._settings.lease_s,
            read=read,
            pages_per_day=self._pages_per_day(claim),
        )
        try:
            saved = await self._persist(claim, transition, on_saved=partial(self._note_pages, read, began))
        except QuotaExceeded as error:
            failure = Failure(DocumentErrorCode.QUOTA_EXCEEDED, error.detail)
            await self._opening_failed(claim, failure, tries=claim.work.tries)
            return False
        if not saved:
            return False
        spans.add_pages(claim.job, read, engine=self._resources.engine.name, began_ns=began_ns)
        return len(read) < len(numbers)

    def _pages_per_day(self, claim: Claim) -> int | None:
        """How many pages a day the tenant may have read; None if there is no limit."""
        own = claim.work.pages_per_day
        return self._settings.quota_pages_per_day if own is None else own

    async def _opened(self, claim: Claim, slot: Slot, source: Path) -> Opened | Failure:
        """Open a document. Read its first pages in the same call, unless opening failed before, or a quota holds."""
        content_type = claim.work.content_type
        failed_before = claim.work.tries or claim.work.lost_leases
        # Where the pages of a day are limited, no page is read before it is known that enough of them are left.
        is_limited = self._pages_per_day(claim) is not None
        if not failed_before and not is_limited and claim.job.options.pages is None:
            opened = await self._claims.guard(claim, slot.open(source, content_type, reading=claim.job.options))
            if isinstance(opened, Opened) or opened.code not in RESOURCE_FAULTS:
                return opened
            # One of the pages may be the cause. So open the document without reading; its pages are then read singly.
        return await self._claims.guard(claim, slot.open(source, content_type))

    async def _opening_failed(self, claim: Claim, failure: Failure, *, tries: int) -> None:
        if self._may_retry(failure, tries):
            _count_failure(failure, retried=True)
            log.warning("opening will be tried again", extra={"code": failure.code, "tries": tries + 1})
            await self._persist(
                claim,
                partial(transitions.postpone_opening, code=failure.code, delay_s=full_jitter_s(BACKOFF_S, tries=tries)),
            )
        else:
            _count_failure(failure, retried=False)
            await self._persist(claim, partial(transitions.fail_opening, failure=failure))

    async def _read_chunk(self, claim: Claim, slot: Slot, source: Path | Failure) -> None:
        async with self._resources.db.session() as cur:
            chunk = await claims.pages_of(cur, claim.id)
            more = await pages.waiting(cur, claim.job.id)
        if more:
            await notify.announce(self._resources, claim.job.client, claim.job.id)
        chunk = chunk[await self._own_texts(claim, slot, source, chunk) :]
        if len(chunk) > self._settings.chunk_pages:
            # More than `chunk_pages` were claimed only because they might have a text layer.
            chunk, others = chunk[: self._settings.chunk_pages], chunk[self._settings.chunk_pages :]
            async with self._resources.db.session() as cur:
                await claims.release_pages(cur, claim_id=claim.id, first=others[0].number)
            await notify.announce(self._resources, claim.job.client, claim.job.id)
        for page in chunk:
            if self._stopping.is_set():
                await self._claims.release(claim.id, claim.job.id)
                return
            attributes = spans.of_page(claim.job, page.number, engine=self._resources.engine.name)
            with log_context(page=page.number), tracing.span(spans.READ_PAGE, attributes) as span:
                if not await self._read(claim, slot, source, page, span):
                    return

    async def _own_texts(self, claim: Claim, slot: Slot, source: Path | Failure, chunk: Sequence[ClaimedPage]) -> int:
        """Save the first pages of a chunk as long as they have a good text layer; returns how many were saved.

        A chunk of one page is left to `_read`, which also uses the text layer.
        """
        if isinstance(source, Failure) or len(chunk) < 2 or self._stopping.is_set():
            return 0
        began, began_ns = time.monotonic(), time.time_ns()
        numbers = [page.number for page in chunk]
        content_type, options = claim.work.content_type, claim.job.options
        own_texts = slot.own_texts(source, content_type, pages=numbers, options=options)
        readings = await self._claims.guard(claim, own_texts)
        if isinstance(readings, Failure) or not readings:
            # Ignore a failure here: it occurs again when `_read` reads the page.
            return 0
        read = dict(zip(numbers, readings, strict=False))
        settle = partial(transitions.settle_pages, results=read)
        if await self._persist(claim, settle, on_saved=partial(self._note_pages, read, began)):
            spans.add_pages(claim.job, read, engine=self._resources.engine.name, began_ns=began_ns)
        return len(read)

    async def _read(self, claim: Claim, slot: Slot, source: Path | Failure, page: ClaimedPage, span: Span) -> bool:
        """Read one page and save the result; False if the claim is lost."""
        began = time.monotonic()
        result: Reading | Failure
        if isinstance(source, Failure):
            result = source
        else:
            reading = slot.read(source, claim.work.content_type, page=page.number, options=claim.job.options)
            result = await self._claims.guard(claim, reading)
        if isinstance(result, Failure) and self._may_retry(result, page.tries):
            _count_failure(result, retried=True)
            spans.end(span, result, again=True)
            log.warning("page will be tried again", extra={"code": result.code, "tries": page.tries + 1})
            delay_s = full_jitter_s(BACKOFF_S, tries=page.tries)
            return await self._persist(
                claim, partial(transitions.postpone_page, number=page.number, code=result.code, delay_s=delay_s)
            )
        spans.end(span, result)
        read = {page.number: result}
        settle = partial(transitions.settle_pages, results=read)
        if await self._persist(claim, settle, on_saved=partial(self._note_pages, read, began)):
            return True
        log.warning("page taken over by another worker")
        return False

    def _may_retry(self, failure: Failure, tries: int) -> bool:
        return failure.code in RESOURCE_FAULTS and tries + 1 < self._settings.page_tries

    async def _persist(
        self,
        claim: Claim,
        transition: Callable[..., Awaitable[Job | None]],
        *,
        on_saved: Callable[[], None] = lambda: None,
    ) -> bool:
        """Make a transition, call `on_saved`, and publish the job. Tries again while the database does not answer.

        Returns False if the claim is lost; raises DatabaseUnavailable if the database does not come back.
        """
        began = time.monotonic()
        pauses_s = doubling(*SAVE_PAUSE_S)
        unknown = False
        while True:
            try:
                with metrics.stage("saving"), tracing.span("save"):
                    job = await transition(self._resources.db, job_id=claim.job.id, claim_id=claim.id)
                if job is None and unknown:
                    # An earlier try got no answer to its commit. Either that try made the transition, or the claim is
                    # lost. Assume the first; if it is wrong, the next transition reports the lost claim.
                    job = await self._job(claim)
                break
            except DatabaseUnavailable as error:
                unknown = unknown or isinstance(error, CommitUnknown)
                if self._stopping.is_set() or time.monotonic() - began > SAVE_BOUND_S:
                    raise
            await asyncio.sleep(next(pauses_s))
        if job is None:
            return False
        if job.status.final:
            self._claims.end(claim)
        on_saved()
        await notify.publish(self._resources, job)
        return True

    def _note_pages(self, results: transitions.Results, began: float) -> None:
        """Log and count pages that were read since `began` and are saved."""
        duration_ms = round((time.monotonic() - began) * 1000 / max(1, len(results)))
        for number, result in results.items():
            with log_context(page=number):
                if isinstance(result, Failure):
                    metrics.PAGES.labels("failed", "none", "none").inc()
                    _count_failure(result, retried=False)
                    log.warning("page failed", extra={"code": result.code, "duration_ms": duration_ms})
                else:
                    engine = "none" if result.source is Source.TEXT_LAYER else self._resources.engine.binding
                    metrics.PAGES.labels("read", result.source, engine).inc()
                    facts = {"confidence": round(result.confidence, 1), "source": result.source}
                    log.info("page read", extra={**facts, "duration_ms": duration_ms})

    async def _job(self, claim: Claim) -> Job | None:
        async with self._resources.db.session() as cur:
            return await jobs.find(cur, claim.job.id)


def _count_failure(failure: Failure, *, retried: bool) -> None:
    metrics.PAGE_FAILURES.labels(failure.code, "yes" if retried else "no").inc()


def _selected(job: Job, *, total: int) -> list[int] | Failure:
    if job.options.pages is None:
        return list(range(1, total + 1))
    numbers = select_pages(parse_pages(job.options.pages), total=total)
    if numbers:
        return numbers
    return Failure(
        DocumentErrorCode.PAGE_OUT_OF_RANGE,
        f"Pages {job.options.pages} were asked for, but the document has {total}.",
    )
