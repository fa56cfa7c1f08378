"""Makes the transitions of claimed work, again while the database does not answer, and publishes what came of them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from functools import partial

from docserver import metrics, tracing
from docserver.backoff import doubling
from docserver.database.faults import CommitUnknown
from docserver.database.tables import jobs
from docserver.errors import DatabaseUnavailable, Failure
from docserver.jobs import notify, transitions
from docserver.jobs.leases import Claim, ClaimLost, Claims
from docserver.logs import log_context
from docserver.model import Job, Reading, Source
from docserver.resources import Resources

log = logging.getLogger("docserver.worker")

SAVE_PAUSE_S = (0.2, 5.0)
"""First and longest pause, in seconds, between tries to save pages while the database does not answer."""

SAVE_BOUND_S = 600.0
"""Seconds without a database after which pages that were read but not saved are dropped. Their leases have run out long
before, so another worker reads them again."""


@dataclass(frozen=True, slots=True)
class PageResult:
    """What came of reading a page."""

    result: Reading | Failure
    took_s: float
    context: Context = field(default_factory=copy_context)
    """What the line that is logged when the page is saved says of it, as the span in which it was read."""


class Saver:
    """Saves what the slots of one process have done under their claims."""

    def __init__(self, resources: Resources, claims: Claims, *, stopping: asyncio.Event) -> None:
        self._resources = resources
        self._claims = claims
        self._stopping = stopping

    async def pages(self, claim: Claim, results: dict[int, PageResult]) -> None:
        """Save pages that were read or have failed for good, by their numbers, in one transaction. Raises ClaimLost if
        none could be saved.
        """
        settled = {number: page.result for number, page in results.items()}
        transition = partial(transitions.settle_pages, results=settled)
        await self.make(claim, transition, on_saved=partial(self.note_pages, results))

    async def make(
        self,
        claim: Claim,
        transition: Callable[..., Awaitable[Job | None]],
        *,
        on_saved: Callable[[], None] = lambda: None,
    ) -> None:
        """Make a transition, call `on_saved`, and publish the job. Tries again while the database does not answer.

        Raises ClaimLost, or DatabaseUnavailable if the database does not come back.
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
            raise ClaimLost
        if job.status.final:
            self._claims.end(claim)
        on_saved()
        await notify.publish(self._resources, job)

    def note_pages(self, results: dict[int, PageResult]) -> None:
        """Log and count pages that are saved."""
        for number, page in results.items():
            page.context.run(self._note_page, number, page)

    def _note_page(self, number: int, page: PageResult) -> None:
        result, duration_ms = page.result, round(page.took_s * 1000)
        with log_context(page=number):
            if isinstance(result, Failure):
                metrics.PAGES.labels("failed", "none", "none").inc()
                count_failure(result, retried=False)
                log.warning("page failed", extra={"code": result.code, "duration_ms": duration_ms})
            else:
                engine = "none" if result.source is Source.TEXT_LAYER else self._resources.engine.binding
                metrics.PAGES.labels("read", result.source, engine).inc()
                facts = {"confidence": round(result.confidence, 1), "source": result.source}
                log.info("page read", extra={**facts, "duration_ms": duration_ms})

    async def _job(self, claim: Claim) -> Job | None:
        async with self._resources.db.session() as cur:
            return await jobs.find(cur, claim.job.id)


def count_failure(failure: Failure, *, retried: bool) -> None:
    """Count a try that failed."""
    metrics.PAGE_FAILURES.labels(failure.code, "yes" if retried else "no").inc()
