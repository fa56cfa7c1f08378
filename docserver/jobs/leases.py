"""The claims of one process: taken, kept by beats, given back. Work whose claim is lost is interrupted at once.

A claim is lost when somebody has taken it away (its job was cancelled or deleted, or its lease ran out), and also when
its lease could not be extended for so long that it may soon be taken away.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
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

BEATS_PER_LEASE = 6
"""Several beats may fail before a lease runs out. When all but one did, the work is given up: killing it takes time."""

T = TypeVar("T")


class ClaimLost(Exception):
    """The work belongs to nobody or to another worker; nothing is to be written any more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a part of a job."""

    id: UUID
    job: Job
    work: Work


@dataclass(eq=False, slots=True)
class _Held:
    claim: Claim
    good_until: float
    """By this process's own clock, reckoned from before the lease was asked for."""
    lost: bool = False
    work: asyncio.Future[Any] | None = None
    watch: asyncio.TimerHandle | None = field(default=None)


class Claims:
    """What one process holds; `keep` runs as long as it works."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lease_s = resources.settings.lease_s
        self._held: dict[UUID, _Held] = {}
        # Claims that could not be given back, or of which it is not known whether they were taken: claim → job.
        self._owed: dict[UUID, UUID] = {}
        self._nudged = asyncio.Event()
        resources.changes.on_end(self._look_after)

    @asynccontextmanager
    async def taken(self, job_id: UUID) -> AsyncIterator[Claim | None]:
        """Hold a part of a job, if there is one to be had; the work inside may raise ClaimLost.

        When infrastructure fails or the work is cancelled, what is left is given back and counts no try.
        """
        claim_id, began = uuid4(), asyncio.get_running_loop().time()
        try:
            claim = await self._take(job_id, claim_id)
            if claim:
                self._extend(self._held.setdefault(claim_id, _Held(claim, began)), began)
            yield claim
        except ClaimLost:
            log.warning("work forgotten, its claim is lost")
            self._owed[claim_id] = job_id
        except (asyncio.CancelledError, DatabaseUnavailable, OSError) as error:
            log.warning("work given back", extra={"fault": type(error).__name__})
            await self.give_back(claim_id, job_id)
            raise
        finally:
            self._forget(claim_id)

    def end(self, claim: Claim) -> None:
        """The job has ended by this claim's own work: nothing is left to be kept or interrupted."""
        self._forget(claim.id)

    async def guard(self, claim: Claim, work: Coroutine[Any, Any, T]) -> T:
        """Do work that writes nothing; as soon as the claim is lost it is cancelled, and ClaimLost is raised."""
        held, loop = self._held[claim.id], asyncio.get_running_loop()
        if held.lost or loop.time() >= held.good_until:
            work.close()
            raise ClaimLost
        held.work = loop.create_task(work)
        try:
            return await held.work  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if held.lost and not (task and task.cancelling()):
                raise ClaimLost from None
            raise
        finally:
            held.work = None

    async def give_back(self, claim_id: UUID, job_id: UUID) -> None:
        """Free what the claim still holds, so that others need not wait for the lease to run out."""
        self._owed[claim_id] = job_id
        try:
            await self._pay_back()
        except DatabaseUnavailable:
            log.warning("claim not given back yet")

    async def keep(self) -> None:
        """Extend the leases again and again, at once when a job that is worked on has ended, until cancelled."""
        beat_s = self._lease_s / BEATS_PER_LEASE
        while True:
            try:
                async with asyncio.timeout(beat_s):
                    await self._nudged.wait()
            except TimeoutError:
                pass
            self._nudged.clear()
            try:
                await self.beat()
            except DatabaseUnavailable:
                log.warning("leases not extended")
            except Exception:
                log.exception("a beat met an unexpected fault")

    async def beat(self) -> None:
        """Extend the leases of all that is held, and interrupt what is not held any more."""
        await self._pay_back()
        held = {claim_id: held for claim_id, held in self._held.items() if not held.lost}
        if not held:
            return
        began = asyncio.get_running_loop().time()
        async with self._resources.db.session() as cur:
            await claims.extend(cur, list(held), lease_s=self._lease_s)
            standing = await claims.valid(cur, list(held))
        for claim_id, one in held.items():
            if claim_id in standing:
                self._extend(one, began)
            else:
                self._lose(one)

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
            # So may the next ones.
            limit = max(limit, PAGES_AT_ONCE)
        if limit > 1:
            # A page that failed before is read alone, so that it takes no other along.
            failures = await pages.failures(cur, job_id=job_id, limit=limit)
            calm = next((number for number, count in enumerate(failures) if count), len(failures))
            limit = max(1, calm)
        return await claims.take_pages(cur, job_id=job_id, claim_id=claim_id, limit=limit, lease_s=self._lease_s)

    def _engine_for(self, job: Job) -> dict[str, Any]:
        engine = self._resources.engine
        models = engine.models_of(job.options.languages)
        # Pages that an earlier attempt has read were read with its models.
        earlier = job.engine["models"] if job.engine and job.pages_done else {}
        return {"name": engine.name, "version": engine.version, "models": {**earlier, **models}}

    def _extend(self, held: _Held, began: float) -> None:
        held.good_until = began + self._lease_s * (1 - 1 / BEATS_PER_LEASE)
        if held.watch:
            held.watch.cancel()
        held.watch = asyncio.get_running_loop().call_at(held.good_until, self._fence, held)

    def _fence(self, held: _Held) -> None:
        """The lease could not be extended: end what is being read. What was read already may still be saved."""
        if held.work:
            log.warning("lease nearly over, work is ended", extra={"job_id": str(held.claim.job.id)})
            self._lose(held)

    def _lose(self, held: _Held) -> None:
        held.lost = True
        if held.work:
            held.work.cancel()

    def _forget(self, claim_id: UUID) -> None:
        held = self._held.pop(claim_id, None)
        if held and held.watch:
            held.watch.cancel()

    def _look_after(self, job_id: UUID) -> None:
        """A job has ended, or begins anew: whoever works on it has probably lost its claim."""
        if any(held.claim.job.id == job_id for held in self._held.values()):
            self._nudged.set()

    async def _pay_back(self) -> None:
        owed = dict(self._owed)
        if not owed:
            return
        async with self._resources.db.session() as cur:
            freed = await claims.release(cur, list(owed))
        for claim_id in owed:
            self._owed.pop(claim_id, None)
        if freed:
            for job_id in set(owed.values()):
                await notify.announce(self._resources, job_id)
