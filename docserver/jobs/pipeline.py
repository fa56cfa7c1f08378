"""Works on a job: claims a part of it, and opens the document. Its pages are read in `reading`.

The slot knows how a page is read.
"""

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

from docserver import tracing
from docserver.backoff import full_jitter_s
from docserver.database.tables.claims import ClaimedPage
from docserver.encryption import Undecryptable
from docserver.errors import RESOURCE_FAULTS, STORAGE_MISSING, DocumentErrorCode, Failure, QuotaExceeded
from docserver.jobs import notify, spans, transitions
from docserver.jobs.leases import Claim, Claims
from docserver.jobs.reading import ChunkReader, delay_s, may_retry
from docserver.jobs.saving import PageResult, Saver, count_failure
from docserver.jobs.turns import Turns
from docserver.logs import log_context
from docserver.model import Job
from docserver.ocr.requests import Opened
from docserver.ocr.server.slot import Slot
from docserver.page_ranges import parse_pages, select_pages
from docserver.resources import Resources
from docserver.storage import ArrivesDamaged
from docserver.tracing import Span

log = logging.getLogger("docserver.worker")

LOOKS = 75
"""An original that comes damaged from a bucket is looked at this often, which takes twelve hours, before its job fails:
a bucket, or what is before it, may be at fault."""

LOOK_AGAIN_S, LOOK_AGAIN_MOST_S = 10.0, 600.0
"""Pause after the first of these looks, which doubles, and the longest. All its bytes are fetched for each."""

_UNREADABLE_PASSWORD = Failure(
    DocumentErrorCode.ENCRYPTED,
    "The password cannot be used: the service's secret key was changed. Retry the job with the password.",
)


class Pipeline:
    """Works on jobs, a chunk of pages at a time."""

    def __init__(self, resources: Resources, *, scratch: Path) -> None:
        """`scratch` is a directory that only this process uses."""
        self._resources = resources
        self._scratch = scratch
        self._settings = resources.settings
        self._claims = Claims(resources)
        self._stopping = asyncio.Event()
        self._saver = Saver(resources, self._claims, stopping=self._stopping)
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
        """Let each slot finish the page that it is reading; the other pages of its claim are released."""
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
        room = self._resources.slots_room
        return not (room.is_short() if room.is_measured else await asyncio.to_thread(room.is_short))

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
            try:
                source = await self._source(claim, stack)
            except ArrivesDamaged:
                if await self._look_again_later(claim):
                    return
                source = STORAGE_MISSING
            try:
                claim = self._with_password(claim)
            except Undecryptable:
                source = _UNREADABLE_PASSWORD
            if claim.job.pages_total is None:
                with tracing.span("open document", spans.of_job(claim.job)) as span:
                    opened = await self._open(claim, slot, source, span)
                if opened is None:
                    return
                claim = opened
            reader = ChunkReader(
                self._resources, self._claims, self._saver, stopping=self._stopping, claim=claim, slot=slot
            )
            await reader.read(source)

    async def _source(self, claim: Claim, stack: AsyncExitStack) -> Path | Failure:
        """The stored file of a claimed job, which stays until the stack is closed. It is read and compared once for all
        pages of the claim.
        """
        work = claim.work
        intact = self._resources.storage.intact(claim.job.document_id, size=work.size, sha256=work.sha256)
        return await self._claims.guard(claim, stack.enter_async_context(intact)) or STORAGE_MISSING

    async def _look_again_later(self, claim: Claim) -> bool:
        """Give the claim back until the original may come undamaged; False if it was looked at often enough."""
        is_open = claim.job.pages_total is not None
        tries = max(page.tries for page in claim.pages) if is_open else claim.work.tries
        if tries + 1 >= LOOKS:
            return False
        count_failure(STORAGE_MISSING, retried=True)
        pause_s = min(LOOK_AGAIN_S * 2**tries, LOOK_AGAIN_MOST_S) + full_jitter_s(LOOK_AGAIN_S, tries=0)
        log.warning("original will be looked at again", extra={"looks": tries + 1, "pause_s": round(pause_s)})
        postpone = partial(transitions.postpone_opening, code=STORAGE_MISSING.code, delay_s=pause_s)
        if is_open:
            number = claim.pages[0].number
            postpone = partial(
                transitions.postpone_all_pages, number=number, code=STORAGE_MISSING.code, delay_s=pause_s
            )
        await self._saver.make(claim, postpone)
        return True

    def _with_password(self, claim: Claim) -> Claim:
        """The claim with the password of its document, if that has one; raises Undecryptable."""
        encrypted = claim.work.password
        return replace(claim, password=self._resources.encryption.decrypt(encrypted)) if encrypted else claim

    async def _open(self, claim: Claim, slot: Slot, source: Path | Failure, span: Span) -> Claim | None:
        """Open the document; returns the claim with the first pages. None if no page is left to read."""
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
            return None
        read = dict(zip(numbers, opened.results if isinstance(opened, Opened) else (), strict=False))
        claimed = numbers[len(read) : self._settings.chunk_pages]
        transition = partial(
            transitions.open_pages,
            job=claim.job,
            numbers=numbers,
            claimed=claimed,
            lease_s=self._settings.lease_s,
            read=read,
            pages_per_day=self._pages_per_day(claim),
        )
        took_s = (time.monotonic() - began) / max(1, len(read))
        results = {number: PageResult(result, took_s) for number, result in read.items()}
        try:
            await self._saver.make(claim, transition, on_saved=partial(self._saver.note_pages, results))
        except QuotaExceeded as error:
            failure = Failure(DocumentErrorCode.QUOTA_EXCEEDED, error.detail)
            await self._opening_failed(claim, failure, tries=claim.work.tries)
            return None
        spans.add_pages(claim.job, read, engine=self._resources.engine.name, began_ns=began_ns)
        if len(read) == len(numbers):
            return None
        pages = [ClaimedPage(number, tries=0, lost_leases=0) for number in claimed]
        return replace(claim, pages=pages, more=len(read) + len(claimed) < len(numbers), has_own_text=True)

    def _pages_per_day(self, claim: Claim) -> int | None:
        """How many pages a day the tenant may have read; None if there is no limit."""
        own = claim.work.pages_per_day
        return self._settings.quota_pages_per_day if own is None else own

    async def _opened(self, claim: Claim, slot: Slot, source: Path) -> Opened | Failure:
        """Open a document. Read its first pages in the same call, unless opening failed before, or a quota holds."""
        content_type, password = claim.work.content_type, claim.password
        failed_before = claim.work.tries or claim.work.lost_leases
        # Where the pages of a day are limited, no page is read before it is known that enough of them are left.
        is_limited = self._pages_per_day(claim) is not None
        if not failed_before and not is_limited and claim.job.options.pages is None:
            opening = slot.open(source, content_type, reading=claim.job.options, password=password)
            opened = await self._claims.guard(claim, opening)
            if isinstance(opened, Opened) or opened.code not in RESOURCE_FAULTS:
                return opened
            # One of the pages may be the cause. So open the document without reading; its pages are then read singly.
        return await self._claims.guard(claim, slot.open(source, content_type, password=password))

    async def _opening_failed(self, claim: Claim, failure: Failure, *, tries: int) -> None:
        if may_retry(failure, tries, most=self._settings.page_tries):
            count_failure(failure, retried=True)
            log.warning("opening will be tried again", extra={"code": failure.code, "tries": tries + 1})
            postpone = partial(transitions.postpone_opening, code=failure.code, delay_s=delay_s(tries))
            await self._saver.make(claim, postpone)
        else:
            count_failure(failure, retried=False)
            await self._saver.make(claim, partial(transitions.fail_opening, failure=failure))


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
