"""The claims of one process: made, extended by a heartbeat, released. Work whose claim is lost is interrupted at once.

A claim is lost when its job was cancelled or deleted, when its lease ran out, and also when its lease could not be
extended for so long that it will soon run out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID, uuid4

from docserver.database.connection import Cursor
from docserver.database.tables import claims, jobs, pages
from docserver.database.tables.claims import Work
from docserver.errors import DatabaseUnavailable
from docserver.jobs import notify
from docserver.model import Job, Mode, Status
from docserver.ocr.limits import PAGES_AT_ONCE
from docserver.resources import Resources

log = logging.getLogger("docserver.worker")

HEARTBEATS_PER_LEASE = 6
"""Several heartbeats may fail before a lease runs out. The work is interrupted one heartbeat earlier, because killing
an OCR process takes time."""

T = TypeVar("T")


class ClaimLost(Exception):
    """The work belongs to nobody or to another worker; this one must not write anything more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a part of a job."""

    id: UUID
    job: Job
    work: Work


@dataclass(eq=False, slots=True)
class _Lease:
    claim: Claim
    good_until: float
    """By this process's own clock, counted from before the lease was asked for."""
    lost: bool = False
    work: asyncio.Future[Any] | None = None
    """What to cancel when the claim is lost."""
    watch: asyncio.TimerHandle | None = None
    """Interrupts the work at `good_until`."""


class Claims:
    """The claims that one process holds; `run_heartbeat` runs as long as the process works."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lease_s = resources.settings.lease_s
        self._leases: dict[UUID, _Lease] = {}
        # Claims that are still to be released, or that may have been made by a commit without an answer: claim → job.
        self._unreleased: dict[UUID, UUID] = {}
        self._heartbeat_due = asyncio.Event()
        resources.changes.on_end(self._on_job_end)

    @asynccontextmanager
    async def claimed(self, job_id: UUID) -> AsyncIterator[Claim | None]:
        """Claim a part of a job for the block, or None if nothing can be claimed; the block may raise ClaimLost.

        When infrastructure fails or the block is cancelled, what is left is released and counts no try.
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
        except (asyncio.CancelledError, DatabaseUnavailable, OSError) as error:
            log.warning("work given back", extra={"fault": type(error).__name__})
            await self.release(claim_id, job_id)
            raise
        finally:
            self._drop(claim_id)

    def end(self, claim: Claim) -> None:
        """Drop a claim whose own work has ended the job: nothing is left to extend or to interrupt."""
        self._drop(claim.id)

    async def guard(self, claim: Claim, work: Coroutine[Any, Any, T]) -> T:
        """Do work that writes nothing. When the claim is lost, the work is cancelled and ClaimLost is raised."""
        lease, loop = self._leases[claim.id], asyncio.get_running_loop()
        if lease.lost or loop.time() >= lease.good_until:
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
        """Release what the claim still holds, so that others need not wait for the lease to run out."""
        self._unreleased[claim_id] = job_id
        try:
            await self._flush_releases()
        except DatabaseUnavailable:
            log.warning("claim not released yet")

    async def run_heartbeat(self) -> None:
        """Extend the leases at each heartbeat, and at once when a job that is worked on has ended; until cancelled."""
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
        """Extend all leases, and interrupt the work of claims that are lost."""
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
                self._mark_lost(lease)

    async def _take(self, job_id: UUID, claim_id: UUID) -> Claim | None:
        async with self._resources.db.transaction() as cur:
            job = await jobs.lock(cur, job_id)
            if job is None or job.status.final:
                return None
            engine = self._engine_for(job)
            if job.pages_total is None:
                taken = changed = await claims.take_opening(
                    cur, job_id=job_id, claim_id=claim_id, lease_s=self._lease_s, engine=engine
                )
            else:
                taken = await self._take_pages(cur, job, claim_id)
                changed = taken and job.status is Status.PENDING
                if changed:
                    job.status.to(Status.PROCESSING)
                    await jobs.begin(cur, job_id=job_id, engine=engine)
            if not taken:
                return None
            work = await claims.work(cur, job_id)
        job = replace(job, history=work.history)
        if changed:
            version = job.version + 1
            job = replace(job, status=Status.PROCESSING, version=version, engine=engine, started_at=work.started_at)
        return Claim(claim_id, job, work)

    async def _take_pages(self, cur: Cursor, job: Job, claim_id: UUID) -> bool:
        job_id = job.id
        limit = self._resources.settings.chunk_pages
        if job.options.mode is Mode.AUTO and await pages.have_own_text(cur, job_id):
            # The next pages probably have text of their own too.
            limit = max(limit, PAGES_AT_ONCE)
        if limit > 1:
            # A page that failed before is read alone, so that a crash costs no other page.
            failures = await pages.failures(cur, job_id=job_id, limit=limit)
            without_failure = next((number for number, count in enumerate(failures) if count), len(failures))
            limit = max(1, without_failure)
        return await claims.take_pages(cur, job_id=job_id, claim_id=claim_id, limit=limit, lease_s=self._lease_s)

    def _engine_for(self, job: Job) -> dict[str, Any]:
        engine = self._resources.engine
        models = engine.models_of(job.options.languages)
        # Pages that an earlier attempt has read were read with that attempt's models.
        earlier = job.engine["models"] if job.engine and job.pages_done else {}
        return {"name": engine.name, "version": engine.version, "models": {**earlier, **models}}

    def _extend(self, lease: _Lease, began: float) -> None:
        lease.good_until = began + self._lease_s * (1 - 1 / HEARTBEATS_PER_LEASE)
        if lease.watch:
            lease.watch.cancel()
        lease.watch = asyncio.get_running_loop().call_at(lease.good_until, self._interrupt, lease)

    def _interrupt(self, lease: _Lease) -> None:
        """Cancel the reading under a lease that could not be extended. What was read already may still be saved."""
        if lease.work:
            log.warning("lease nearly over, work is interrupted", extra={"job_id": str(lease.claim.job.id)})
            self._mark_lost(lease)

    def _mark_lost(self, lease: _Lease) -> None:
        lease.lost = True
        if lease.work:
            lease.work.cancel()

    def _drop(self, claim_id: UUID) -> None:
        lease = self._leases.pop(claim_id, None)
        if lease and lease.watch:
            lease.watch.cancel()

    def _on_job_end(self, job_id: UUID) -> None:
        """Send a heartbeat at once if this process works on the job, because its claim is probably lost."""
        if any(lease.claim.job.id == job_id for lease in self._leases.values()):
            self._heartbeat_due.set()

    async def _flush_releases(self) -> None:
        unreleased = dict(self._unreleased)
        if not unreleased:
            return
        async with self._resources.db.session() as cur:
            freed = await claims.release(cur, list(unreleased))
        for claim_id in unreleased:
            self._unreleased.pop(claim_id, None)
        if freed:
            for job_id in set(unreleased.values()):
                await notify.announce(self._resources, job_id)
