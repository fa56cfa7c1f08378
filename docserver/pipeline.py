"""A claimed job → opened → pages recognised → stored. Knows claims and retries; how a page is read is the slot's."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from docserver.cache import CachedJob
from docserver.errors import RESOURCE_FAULTS, DatabaseUnavailable, DocumentErrorCode, Failure, RedisUnavailable
from docserver.logs import about
from docserver.model import Document, Job, Reading, Status, parse_pages, select_pages
from docserver.ocr.pool import Slot
from docserver.resources import Resources
from docserver.tables import documents, jobs, pages

log = logging.getLogger("docserver.worker")

LOSSES = 3
"""A page whose reader fell silent so often is given up: something about it takes its worker along."""

BACKOFF_S = 2.0
"""Upper bound of the first delay before another try; it doubles with each, and the delay is drawn from 0 to it."""

SAVE_PAUSE_S = (0.2, 5.0)
"""First and longest pause between tries to save what was read, while the database is away."""

SAVE_BOUND_S = 600.0
"""After so long without a database the work is forgotten; its lease has run out and another will do it again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a part of a job."""

    id: UUID
    job: Job
    document: Document


class Pipeline:
    """Works on jobs, a chunk at a time, and keeps the leases of what it works on."""

    def __init__(self, resources: Resources, *, scratch: Path) -> None:
        """`scratch` is a directory of this process alone."""
        self._resources = resources
        self._scratch = scratch
        self._settings = resources.settings
        self._held: set[UUID] = set()
        self._stopping = asyncio.Event()

    def slot(self, number: int) -> Slot:
        """A place to read pages in; whoever asks for it closes it."""
        return Slot(number=number, settings=self._settings, scratch=self._scratch)

    def stop(self) -> None:
        """Let every chunk end behind the page that is being read now; the rest is given back."""
        self._stopping.set()

    async def work(self, job_id: UUID, slot: Slot) -> bool:
        """Do a chunk of a job's work; False if there is none, or another is at it."""
        claim_id = uuid4()
        with about(job_id=str(job_id)):
            try:
                claim = await self._claim(job_id, claim_id)
                if claim is None:
                    return False
                with about(request_id=claim.job.request_id):
                    self._held.add(claim_id)
                    await self._do(claim, slot)
            except (asyncio.CancelledError, DatabaseUnavailable, OSError) as error:
                log.warning("work given back", extra={"fault": type(error).__name__})
                await self._give_back(job_id, claim_id)
                raise
            finally:
                self._held.discard(claim_id)
        return True

    async def beat(self) -> None:
        """Extend the leases of all that is being worked on."""
        if not self._held:
            return
        claim_ids = list(self._held)
        async with self._resources.db.session() as cur:
            await pages.extend(cur, claim_ids, lease_s=self._settings.lease_s)
            await jobs.extend(cur, claim_ids, lease_s=self._settings.lease_s)

    async def runnable(self, *, limit: int) -> list[UUID]:
        """Jobs with work that nobody has claimed, for when no announcement tells; raises DatabaseUnavailable."""
        async with self._resources.db.session() as cur:
            return await jobs.runnable(cur, limit=limit)

    def _engine_for(self, languages: str) -> dict[str, Any]:
        engine = self._resources.engine
        models = {name: engine.models.get(name) for name in languages.split("+")}
        return {"name": engine.name, "version": engine.version, "models": models}

    async def _claim(self, job_id: UUID, claim_id: UUID) -> Claim | None:
        settings = self._settings
        async with self._resources.db.session() as cur:
            job = await jobs.find(cur, job_id)
            if job is None or job.status.final:
                return None
            if job.pages_total is None:
                engine = self._engine_for(job.options.languages)
                taken = await jobs.claim(cur, job_id=job_id, claim_id=claim_id, lease_s=settings.lease_s, engine=engine)
                job = await jobs.find(cur, job_id)
            else:
                taken = await pages.claim(
                    cur, job_id=job_id, claim_id=claim_id, limit=settings.chunk_pages, lease_s=settings.lease_s
                )
            document = await documents.find(cur, job.document_id) if taken and job else None
        return Claim(claim_id, job, document) if job and document else None

    async def _do(self, claim: Claim, slot: Slot) -> None:
        try:
            source = await self._resources.storage.path(claim.document.id)
        except FileNotFoundError:
            await self._fail_job(
                claim, Failure(DocumentErrorCode.STORAGE_MISSING, "The document's file is not in the storage any more.")
            )
            return
        if claim.job.pages_total is None and not await self._open(claim, slot, source):
            return
        await self._read_chunk(claim, slot, source)

    async def _open(self, claim: Claim, slot: Slot, source: Path) -> bool:
        """Find out which pages are to be read, and take the first of them; False if it ends here."""
        await self._publish(claim.job)
        log.info("job started", extra={"document_id": str(claim.document.id), "attempt": claim.job.attempt})
        async with self._resources.db.session() as cur:
            earlier = await jobs.claimed(cur, job_id=claim.job.id, claim_id=claim.id)
        if earlier is None:
            return False
        if earlier.losses >= LOSSES:
            await self._fail_job(claim, _lost())
            return False
        result = await slot.open(source, claim.document.content_type)
        if isinstance(result, Failure):
            await self._opening_failed(claim, result, tries=earlier.tries)
            return False
        numbers = _chosen(claim.job, total=result.pages)
        if isinstance(numbers, Failure):
            await self._fail_job(claim, numbers)
            return False
        opened = await self._persist(lambda: self._save_opened(claim, numbers))
        if opened is None:
            return False
        await self._publish(opened)
        return True

    async def _opening_failed(self, claim: Claim, failure: Failure, *, tries: int) -> None:
        if failure.code not in RESOURCE_FAULTS or tries + 1 >= self._settings.page_tries:
            await self._fail_job(claim, failure)
            return

        async def save() -> bool:
            async with self._resources.db.session() as cur:
                return await jobs.postpone(cur, job_id=claim.job.id, claim_id=claim.id, delay_s=_backoff_s(tries))

        log.warning("opening will be tried again", extra={"code": failure.code, "tries": tries + 1})
        await self._persist(save)

    async def _save_opened(self, claim: Claim, numbers: list[int]) -> Job | None:
        job_id = claim.job.id
        async with self._resources.db.transaction() as cur:
            if not await jobs.opened(cur, job_id=job_id, claim_id=claim.id, pages_total=len(numbers)):
                return None
            await pages.insert(cur, job_id=job_id, numbers=numbers)
            await pages.claim(
                cur,
                job_id=job_id,
                claim_id=claim.id,
                limit=self._settings.chunk_pages,
                lease_s=self._settings.lease_s,
            )
            return await jobs.find(cur, job_id)

    async def _read_chunk(self, claim: Claim, slot: Slot, source: Path) -> None:
        async with self._resources.db.session() as cur:
            chunk = await pages.claimed(cur, claim.id)
            more = await pages.waiting(cur, claim.job.id)
        if more:
            await self._announce(claim.job.id)
        for page in chunk:
            if self._stopping.is_set():
                await self._give_back(claim.job.id, claim.id)
                return
            with about(page=page.number):
                if not await self._read(claim, slot, source, page):
                    return

    async def _read(self, claim: Claim, slot: Slot, source: Path, page: pages.Claimed) -> bool:
        """Read one page and save what it says; False if the claim is lost."""
        began = time.monotonic()
        if page.losses >= LOSSES:
            result: Reading | Failure = _lost()
        else:
            result = await slot.read(
                source, claim.document.content_type, page=page.number, languages=claim.job.options.languages
            )
        facts = {"duration_ms": round((time.monotonic() - began) * 1000)}
        if (
            isinstance(result, Failure)
            and result.code in RESOURCE_FAULTS
            and page.tries + 1 < self._settings.page_tries
        ):
            log.warning("page will be tried again", extra={"code": result.code, "tries": page.tries + 1, **facts})
            return await self._persist(lambda: self._postpone(claim, page))
        job = await self._persist(lambda: self._settle(claim, page.number, result))
        if job is None:
            log.warning("page taken over by another worker", extra=facts)
            return False
        if isinstance(result, Failure):
            log.warning("page failed", extra={"code": result.code, **facts})
        else:
            log.info("page read", extra={"confidence": round(result.confidence, 1), **facts})
        await self._publish(job)
        return True

    async def _postpone(self, claim: Claim, page: pages.Claimed) -> bool:
        async with self._resources.db.session() as cur:
            return await pages.postpone(
                cur, job_id=claim.job.id, number=page.number, claim_id=claim.id, delay_s=_backoff_s(page.tries)
            )

    async def _settle(self, claim: Claim, number: int, result: Reading | Failure) -> Job | None:
        """Save a page's result, and with the last page's the job's; None if the claim is lost."""
        job_id = claim.job.id
        async with self._resources.db.transaction() as cur:
            job = await jobs.lock(cur, job_id)
            if job is None or job.status.final:
                return None
            if isinstance(result, Failure):
                saved = await pages.fail(cur, job_id=job_id, number=number, claim_id=claim.id, failure=result)
            else:
                saved = await pages.finish(cur, job_id=job_id, number=number, claim_id=claim.id, reading=result)
            if not saved:
                return None
            failed = int(isinstance(result, Failure))
            await jobs.count_page(cur, job_id=job_id, done=1 - failed, failed=failed)
            if job.pages_done + job.pages_failed + 1 == job.pages_total:
                failure = None if job.pages_done + 1 - failed else await pages.first_failure(cur, job_id)
                status = job.status.to(Status.FAILED if failure else Status.COMPLETED)
                await jobs.finish(cur, job_id=job_id, status=status, failure=failure)
            return await jobs.find(cur, job_id)

    async def _fail_job(self, claim: Claim, failure: Failure) -> None:
        async def save() -> Job | None:
            async with self._resources.db.transaction() as cur:
                job = await jobs.lock(cur, claim.job.id)
                if job is None or job.status.final:
                    return None
                if job.pages_total is None and not await jobs.claimed(cur, job_id=job.id, claim_id=claim.id):
                    return None
                await jobs.finish(cur, job_id=job.id, status=job.status.to(Status.FAILED), failure=failure)
                return await jobs.find(cur, job.id)

        job = await self._persist(save)
        if job:
            await self._publish(job)

    async def _persist(self, save: Callable[[], Awaitable[T]]) -> T:
        """Save, again and again while the database is away; raises DatabaseUnavailable when it stays away."""
        began = time.monotonic()
        pause_s, longest_s = SAVE_PAUSE_S
        while True:
            try:
                return await save()
            except DatabaseUnavailable:
                if self._stopping.is_set() or time.monotonic() - began > SAVE_BOUND_S:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, longest_s)

    async def _publish(self, job: Job) -> None:
        """Show a job's new state to its readers."""
        await self._resources.cache.put_job(CachedJob.of(job), job_id=job.id)
        if job.status.final:
            failure = {"error": asdict(job.failure)} if job.failure else {}
            log.info(
                "job finished",
                extra={"status": job.status, "pages": job.pages_total, "pages_failed": job.pages_failed, **failure},
            )

    async def _announce(self, job_id: UUID) -> None:
        try:
            await self._resources.queue.announce(job_id)
        except RedisUnavailable:
            log.info("job not announced")

    async def _give_back(self, job_id: UUID, claim_id: UUID) -> None:
        """Free what the claim still holds, so that others need not wait for the lease to run out."""
        try:
            async with self._resources.db.session() as cur:
                await pages.release(cur, claim_id)
                await jobs.release(cur, job_id=job_id, claim_id=claim_id)
        except DatabaseUnavailable:
            return
        await self._announce(job_id)


def _chosen(job: Job, *, total: int) -> list[int] | Failure:
    if job.options.pages is None:
        return list(range(1, total + 1))
    numbers = select_pages(parse_pages(job.options.pages), total=total)
    if numbers:
        return numbers
    return Failure(
        DocumentErrorCode.PAGE_OUT_OF_RANGE,
        f"Pages {job.options.pages} were asked for, but the document has {total}.",
    )


def _lost() -> Failure:
    return Failure(
        DocumentErrorCode.LOST, f"Reading it was begun {LOSSES} times, and each time the worker disappeared."
    )


def _backoff_s(tries: int) -> float:
    return random.uniform(0, BACKOFF_S * 2**tries)  # noqa: S311 - spreads load, guards nothing
