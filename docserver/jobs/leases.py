"""Makes, extends and releases the claims of one process, and interrupts work whose claim is lost.

A claim is lost when its job was cancelled or deleted, when its lease ran out, and when its lease will soon run out
because the heartbeat could not extend it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID, uuid4

from docserver import metrics
from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import claims, jobs, pages
from docserver.database.tables.claims import ClaimedPage, Work
from docserver.errors import DatabaseUnavailable, Unavailable
from docserver.jobs import notify
from docserver.jobs.paces import Paces
from docserver.model import Job, Status
from docserver.ocr.limits import PAGES_AT_ONCE
from docserver.reading_options import Mode
from docserver.resources import Resources

log = logging.getLogger("docserver.worker")

HEARTBEATS_PER_LEASE = 6
"""Several heartbeats may fail before a lease runs out. The work is interrupted one heartbeat earlier, because killing
an OCR process takes time."""

OWN_TEXTS = 2 * PAGES_AT_ONCE
"""Most pages that are claimed at once because they probably have a text layer; two calls read them."""

MIN_SHARE = PAGES_AT_ONCE // 4
"""Fewest quick pages that are claimed at once, unless fewer wait."""

MAX_OPEN = 1000
"""Most jobs of which it is known that their documents are open. To read one more before it is locked takes 0.3 ms."""

T = TypeVar("T")


class ClaimLost(Exception):
    """This worker no longer has the right to do the work, and must not write anything more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a part of a job."""

    id: UUID
    job: Job
    work: Work
    pages: Sequence[ClaimedPage] = ()
    """The pages to read, lowest first; none while the document is to be opened."""
    more: bool = False
    """True if further pages of the job can be claimed."""
    has_own_text: bool = False
    """True if the pages probably have a text layer, as the page that was read last."""
    password: str | None = field(default=None, repr=False)
    """That of an encrypted PDF, once it is decrypted."""


@dataclass(eq=False, slots=True)
class _Lease:
    claim: Claim
    good_until: float
    """Time of this process's own clock at which the work must stop. It is counted from the moment before the lease was
    requested, so it is never too late."""
    lost: bool = False
    work: asyncio.Future[Any] | None = None
    """The running work; it is cancelled when the claim is lost."""
    watch: asyncio.TimerHandle | None = None
    """Interrupts the work at `good_until`."""


class Claims:
    """The claims that one process holds. Their leases are extended only while `run_heartbeat` is running."""

    def __init__(self, resources: Resources) -> None:
        self.paces = Paces()
        self._resources = resources
        self._lease_s = resources.settings.lease_s
        self._leases: dict[UUID, _Lease] = {}
        # Claims that are still to be released (claim → job). Some may not exist: a commit without an answer may or may
        # not have made them.
        self._unreleased: dict[UUID, UUID] = {}
        # Jobs that had an open document when they were last looked at, the latest last. Others are not locked at first.
        self._open: dict[UUID, None] = {}
        self._heartbeat_due = asyncio.Event()
        resources.changes.on_end(self._on_job_end)

    @asynccontextmanager
    async def claimed(self, job_id: UUID) -> AsyncIterator[Claim | None]:
        """Claim a part of a job for the block; gives None if nothing can be claimed. The block may raise ClaimLost.

        If the block is cancelled, or the database, the storage or the disk fails, the rest of the work is released.
        This is not counted as a failed try.
        """
        claim_id, began = uuid4(), asyncio.get_running_loop().time()
        try:
            claim = await self._take(job_id, claim_id)
            if claim:
                self._extend(self._leases.setdefault(claim_id, _Lease(claim, began)), began)
            yield claim
        except ClaimLost:
            log.warning("work forgotten, its claim is lost")
            self._unreleased[claim_id] = job_id
        except (asyncio.CancelledError, Unavailable, OSError) as error:
            log.warning("work given back", extra={"fault": type(error).__name__})
            await self.release(claim_id, job_id)
            raise
        finally:
            self._drop(claim_id)

    def end(self, claim: Claim) -> None:
        """Forget a claim whose job has ended: its lease is no longer extended."""
        self._drop(claim.id)

    async def guard(self, claim: Claim, work: Coroutine[Any, Any, T]) -> T:
        """Run work that writes nothing to the database. If the claim is lost, cancel the work and raise ClaimLost."""
        # A claim of several pages ends with its job, which others may have ended while its first pages were saved.
        lease, loop = self._leases.get(claim.id), asyncio.get_running_loop()
        if lease is None or lease.lost or loop.time() >= lease.good_until:
            work.close()
            raise ClaimLost
        lease.work = loop.create_task(work)
        try:
            return await lease.work  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if lease.lost and not (task and task.cancelling()):
                raise ClaimLost from None
            raise
        finally:
            lease.work = None

    async def release(self, claim_id: UUID, job_id: UUID) -> None:
        """Release everything that the claim still holds, so that others need not wait until the lease runs out."""
        self._unreleased[claim_id] = job_id
        try:
            await self._flush_releases()
        except DatabaseUnavailable:
            log.warning("claim not released yet")

    async def run_heartbeat(self) -> None:
        """Send heartbeats until cancelled: at a fixed interval, and at once when a job of this process has ended."""
        interval_s = self._lease_s / HEARTBEATS_PER_LEASE
        while True:
            try:
                async with asyncio.timeout(interval_s):
                    await self._heartbeat_due.wait()
            except TimeoutError:
                pass
            self._heartbeat_due.clear()
            try:
                await self.heartbeat()
            except DatabaseUnavailable:
                log.warning("leases not extended")
            except Exception:
                log.exception("a heartbeat met an unexpected fault")

    async def heartbeat(self) -> None:
        """Extend all leases, and interrupt the work whose claim is lost."""
        await self._flush_releases()
        leases = {claim_id: lease for claim_id, lease in self._leases.items() if not lease.lost}
        if not leases:
            return
        began = asyncio.get_running_loop().time()
        async with self._resources.db.session() as cur:
            await claims.extend(cur, list(leases), lease_s=self._lease_s)
            valid = await claims.valid(cur, list(leases))
        for claim_id, lease in leases.items():
            if claim_id in valid:
                self._extend(lease, began)
            else:
                self._mark_lost(lease, reason="taken")

    async def _take(self, job_id: UUID, claim_id: UUID) -> Claim | None:
        if job_id in self._open:
            claim = await self._take_of_open(job_id, claim_id)
            if claim or job_id in self._open:
                return claim
        async with self._resources.db.session() as cur:
            found = await claims.job_and_work(cur, job_id)
            if found is None or found[0].status.final:
                return None
            if found[0].pages_total is None:
                return await self._take_opening(cur, *found, claim_id)
        while len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]
        self._open[job_id] = None
        return await self._take_of_open(job_id, claim_id)

    async def _take_opening(self, cur: Cursor, job: Job, work: Work, claim_id: UUID) -> Claim | None:
        """Claim the opening of a job that was read without a lock. The statement that claims it is a transaction of its
        own, and changes nothing if anybody else has changed the job meanwhile.
        """
        engine = self._engine_for(job)
        started_at = await claims.take_opening(
            cur, job_id=job.id, version=job.version, claim_id=claim_id, lease_s=self._lease_s, engine=engine
        )
        if started_at is None:
            return None
        # After a lost lease, the job is processing already.
        claimed = replace(job, status=Status.PROCESSING, version=job.version + 1, engine=engine, started_at=started_at)
        return Claim(claim_id, claimed, work)

    @transactional
    async def _take_of_open(self, job_id: UUID, claim_id: UUID) -> Claim | None:
        """Claim some pages of a job whose document is open. If it is not, it is no longer known to be."""
        async with self._resources.db.transaction() as cur:
            job = await jobs.lock(cur, job_id)
            if job is None or job.status.final or job.pages_total is None:
                self._open.pop(job_id, None)
                return None
            engine = self._engine_for(job)
            has_own_text = job.options.mode is Mode.AUTO and await pages.have_own_text(cur, job_id)
            chunk, more = await self._take_pages(cur, job, claim_id, has_own_text=has_own_text)
            if not chunk:
                return None
            changed = job.status is Status.PENDING
            if changed:
                job.status.to(Status.PROCESSING)
                await jobs.begin(cur, job_id=job_id, engine=engine)
            work = await claims.work(cur, job_id)
        job = replace(job, history=work.history)
        if changed:
            version = job.version + 1
            job = replace(job, status=Status.PROCESSING, version=version, engine=engine, started_at=work.started_at)
        return Claim(claim_id, job, work, chunk, more, has_own_text)

    async def _take_pages(
        self, cur: Cursor, job: Job, claim_id: UUID, *, has_own_text: bool
    ) -> tuple[list[ClaimedPage], bool]:
        """Claim the next pages of a locked job; returns them, and whether further ones could be claimed."""
        least = self._resources.settings.chunk_pages
        # Quick pages are claimed together, as those with a text layer probably are: claims would take as long as pages.
        limit = max(least, self.paces.pages_in_turn(job), OWN_TEXTS if has_own_text else 1)
        waiting = await claims.waiting_pages(cur, job_id=job.id, limit=2 * limit)
        # Leave half of the last pages to another slot, which would have nothing to do.
        chunk = waiting[: max(least, min(limit, max(MIN_SHARE, len(waiting) // 2)))]
        # A page that failed before is claimed alone, so that another crash does not affect other pages.
        without_failure = list(takewhile(lambda page: not (page.tries or page.lost_leases), chunk))
        chunk = without_failure or chunk[:1]
        if chunk:
            numbers = [page.number for page in chunk]
            await claims.take_pages(cur, job_id=job.id, claim_id=claim_id, numbers=numbers, lease_s=self._lease_s)
        return chunk, len(waiting) > len(chunk)

    def _engine_for(self, job: Job) -> dict[str, Any]:
        engine = self._resources.engine.described(job.options)
        if job.engine and job.pages_done:
            # Pages of an earlier attempt are kept, so its models are also part of the job's engine.
            engine["models"] = {**job.engine["models"], **engine["models"]}
            engine["second"] = engine["second"] or job.engine.get("second")
        return engine

    def _extend(self, lease: _Lease, began: float) -> None:
        lease.good_until = began + self._lease_s * (1 - 1 / HEARTBEATS_PER_LEASE)
        if lease.watch:
            lease.watch.cancel()
        lease.watch = asyncio.get_running_loop().call_at(lease.good_until, self._interrupt, lease)

    def _interrupt(self, lease: _Lease) -> None:
        """Cancel the work in progress because the lease could not be extended. Finished results may still be saved."""
        if lease.work:
            log.warning("lease nearly over, work is interrupted", extra={"job_id": str(lease.claim.job.id)})
            self._mark_lost(lease, reason="late")

    def _mark_lost(self, lease: _Lease, *, reason: str) -> None:
        lease.lost = True
        metrics.CLAIMS_LOST.labels(reason).inc()
        if lease.work:
            lease.work.cancel()

    def _drop(self, claim_id: UUID) -> None:
        lease = self._leases.pop(claim_id, None)
        if lease and lease.watch:
            lease.watch.cancel()

    def _on_job_end(self, job_id: UUID) -> None:
        """If this process works on the job, send a heartbeat at once, because the claim is probably lost."""
        if any(lease.claim.job.id == job_id for lease in self._leases.values()):
            self._heartbeat_due.set()

    async def _flush_releases(self) -> None:
        unreleased = dict(self._unreleased)
        if not unreleased:
            return
        async with self._resources.db.session() as cur:
            freed = await claims.release(cur, list(unreleased))
            clients = await jobs.clients(cur, list(unreleased.values())) if freed else {}
        for claim_id in unreleased:
            self._unreleased.pop(claim_id, None)
        for job_id, client in clients.items():
            await notify.announce(self._resources, client, job_id)
