"""Writes the search index: adds the words of pages, some pages at a time, soon after they were saved.

One process writes it for all. If it dies, another one goes on from what was committed. The words of a page are
committed together with the record that they are there. Merging is in `search_merging`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from uuid import uuid4

from docserver import metrics
from docserver.database.connection import Cursor
from docserver.database.retries import transactional
from docserver.database.tables import leader, search_index, search_segments
from docserver.database.tables.search_index import DuePage, Indexed
from docserver.database.tables.search_segments import Row
from docserver.documents import search_merging
from docserver.documents.search_merging import Outrun, Writing
from docserver.documents.search_pace import Pace
from docserver.errors import DatabaseUnavailable
from docserver.resources import Resources
from docserver.search import segments

log = logging.getLogger("docserver.search")

TASK = "search"

POLL_S = 0.4
"""Interval at which the process that writes the index looks for pages that were read."""

MERGE_POLL_S = 2.0
"""The same for segments to merge. A search hardly takes longer with the few that are added meanwhile."""

BEGUN_ANEW_S = 2.0
"""Interval at which it looks whether the index was begun anew, or is to be compared with all jobs."""

LEASE_S = 6.0
"""How long the process that writes the index may be silent before another takes over."""

RESIGN_S = 1.0
"""Longest wait for the database when a stopping process gives up its task."""

JOBS_AT_ONCE = 200
PAGES_AT_ONCE = 60
"""Most jobs and pages of one transaction: it takes a tenth of a second. Segments of so few pages have no keys."""

INDEXING_SHARE = 0.12
MERGING_SHARE = 0.04
"""Largest share of a core while pages wait to be read: to index pages, and to merge segments of either size."""

WALKED_AT_ONCE = 1000
"""Jobs that are compared with the index by one statement."""

WALK_EVERY_S = 300.0
"""Time between two comparisons of all jobs with the index, to find pages that processes of an earlier release read."""

WALK_SHARE = 0.05
"""Largest share of the time for these comparisons."""

THIN_OUT_SHARE = 0.05
"""Share of the time for looking for deleted pages in segments."""

BEHIND_S = 10.0
"""Pages that waited longer than this are worth a line in the log."""


class Indexer:
    """Writes the index while this process holds the lease."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self.id = uuid4()
        self._lease_until = 0.0
        self._walk_from = 0.0
        self._walk_began = 0.0
        self._look_from = 0.0
        """When it is looked next whether to walk."""
        self._was_full = False
        """True if the last pages that were added were as many as one transaction adds."""
        self._thinned_to = 0
        """The segment that was last looked at for deleted pages."""
        self._is_behind = False
        self._pace = Pace(resources.index_db, share=INDEXING_SHARE)

    async def run(self) -> None:
        """Write, merge and clean the index while this process leads, until cancelled."""
        try:
            await asyncio.gather(
                self._repeat(self.lead, POLL_S),
                self._repeat(partial(self._merge, self.writing(), search_merging.SMALL), MERGE_POLL_S),
                self._repeat(partial(self._merge, self.writing(), search_merging.LARGE), MERGE_POLL_S),
                self._repeat(partial(self._clean, self.writing()), self._resources.settings.maintenance_s),
                self._repeat(partial(self._thin_out, self.writing()), 1.0),
            )
        finally:
            await self._resign()

    async def _repeat(self, act: Callable[[], Awaitable[bool]], pause_s: float) -> None:
        """Repeat an act, also after failures: at once while it says that there is more to do, else after a pause."""
        while True:
            has_more = False
            try:
                has_more = await act()
            except Outrun:
                self._lease_until = 0.0
            except DatabaseUnavailable:
                log.info("the search index waits for the database")
            except Exception:
                log.exception("the search index met an unexpected fault")
            await asyncio.sleep(0 if has_more else pause_s)

    async def lead(self) -> bool:
        """Index some pages, or look whether to, if this process leads; True if more wait to be indexed or compared."""
        if not await self._is_leader():
            return False
        # After less, a pause: pages that were read meanwhile are added together.
        has_more = await self.index_some() and self._was_full
        now = time.monotonic()
        if now < self._look_from:
            return has_more
        if await self.walk():
            return True
        self._look_from = now + BEGUN_ANEW_S
        return has_more

    async def _merge(self, writing: Writing, sizes: range) -> bool:
        return self._leads and await search_merging.merge(writing, sizes)

    async def _clean(self, writing: Writing) -> bool:
        return self._leads and await search_merging.clean(writing)

    async def _thin_out(self, writing: Writing) -> bool:
        began = time.monotonic()
        if self._leads:
            self._thinned_to = await search_merging.thin_out(writing, after=self._thinned_to)
            await asyncio.sleep((time.monotonic() - began) / THIN_OUT_SHARE)
        return False

    @property
    def _leads(self) -> bool:
        return time.monotonic() < self._lease_until

    def writing(self) -> Writing:
        """What merging needs to write the index in the name of this process."""
        db = self._resources.index_db
        return Writing(db, self.id, Pace(db, share=MERGING_SHARE))

    async def _is_leader(self) -> bool:
        """Become or stay the process that writes the index; False if another one is."""
        began = time.monotonic()
        if began < self._lease_until - LEASE_S / 2:
            return True
        async with self._resources.index_db.session() as cur:
            is_new = not self._leads
            leads = await leader.acquire(cur, TASK, holder=self.id, lease_s=LEASE_S)
            if leads and is_new:
                await search_index.become_holder(cur, self.id)
        self._lease_until = began + LEASE_S if leads else 0.0
        return leads

    async def _resign(self) -> None:
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(RESIGN_S), self._resources.index_db.session() as cur:
                await leader.resign(cur, TASK, holder=self.id)

    async def index_some(self) -> bool:
        """Add some pages to the index; False if none is left. Raises DatabaseUnavailable, Outrun."""
        async with self._resources.index_db.session() as cur:
            jobs = await search_index.due_jobs(cur, limit=JOBS_AT_ONCE)
            if not jobs:
                return False
            generation = (await search_index.progress(cur)).generation
            pages = await search_index.due_pages(cur, jobs, generation=generation, limit=PAGES_AT_ONCE)
        self._was_full = len(pages) == PAGES_AT_ONCE or len(jobs) == JOBS_AT_ONCE
        if len(pages) == PAGES_AT_ONCE:
            # The pages of later jobs are not among them, and perhaps not all of the last one.
            jobs = {job_id: version for job_id, version in jobs.items() if job_id < pages[-1].job_id}
        by_tenant = groupby(sorted(pages, key=lambda page: page.tenant), key=lambda page: page.tenant)
        await self._add({tenant: list(some) for tenant, some in by_tenant}, jobs, generation)
        self._note(pages)
        await self._pace.rest()
        return True

    @transactional
    async def _add(self, pages: dict[str, list[DuePage]], jobs: dict[bytes, int], generation: int) -> None:
        async with self._resources.index_db.transaction() as cur:
            if await search_index.lock(cur, self.id) != generation:
                raise Outrun
            for tenant, some in pages.items():
                await self._add_segment(cur, tenant, some, generation)
            last = {page.job_id: (page.version, page.number) for some in pages.values() for page in some}
            positions = [(job_id, *place) for job_id, place in last.items()]
            await search_index.record_jobs(cur, positions, generation=generation)
            # The last statement, because workers may wait for these rows.
            await search_index.settle_jobs(cur, jobs)

    async def _add_segment(self, cur: Cursor, tenant: str, pages: Sequence[DuePage], generation: int) -> None:
        first = await search_segments.last_number(cur, tenant) + 1
        numbered = [Indexed(number, page.job_id, page.number, page.version) for number, page in enumerate(pages, first)]
        await search_index.insert_pages(cur, tenant, numbered)
        last = numbered[-1].number
        segment = await search_segments.insert(
            cur, tenant, generation=generation, state="live", first=first, last=last, pages=len(pages), has_keys=False
        )
        texts = {number: page.text for number, page in enumerate(pages, first)}
        rows = await self._pace.run(_rows, segment, texts)
        await search_segments.insert_rows(cur, rows)

    def _note(self, pages: Sequence[DuePage]) -> None:
        """Count pages that can be found now, and log if they have waited long."""
        for page in pages:
            metrics.SEARCH_LAG.observe(page.age_s)
        oldest_s = max((page.age_s for page in pages), default=0.0)
        if oldest_s > BEHIND_S and not self._is_behind:
            log.info("the search index is behind", extra={"seconds": round(oldest_s, 1)})
        self._is_behind = oldest_s > BEHIND_S

    async def walk(self) -> bool:
        """Compare some jobs with the index, and mark those that are to be indexed, if it is time for that. True if more
        are left. Raises DatabaseUnavailable.
        """
        now = time.monotonic()
        async with self._resources.index_db.session() as cur:
            progress = await search_index.progress(cur)
            if progress.is_complete and now < self._walk_from:
                return False
            if await search_index.count_due(cur, most=1):
                # What was marked is indexed first.
                return True
            self._walk_began = self._walk_began or now
            if await self._walk_on(cur, progress.generation):
                return True
            if not progress.is_complete:
                log.info("the search index is complete")
            now = time.monotonic()
            self._walk_from = now + max(WALK_EVERY_S, (now - self._walk_began) / WALK_SHARE)
            self._walk_began = 0.0
            return False

    async def _walk_on(self, cur: Cursor, generation: int) -> bool:
        walked_to = await search_index.walked_to(cur, generation=generation)
        if walked_to is None:
            return True
        if walked_to == search_index.NO_JOB:
            await search_index.count_jobs(cur, holder=self.id)
        job_ids = await search_index.next_jobs(cur, walked_to, limit=WALKED_AT_ONCE)
        await search_index.forget_jobs(cur, after=walked_to, to=job_ids[-1] if job_ids else None)
        if not job_ids:
            await search_index.complete(cur, holder=self.id, generation=generation)
            return False
        forgotten = await search_index.forgotten(cur, first=job_ids[0], last=job_ids[-1], generation=generation)
        if forgotten:
            await search_index.mark_due(cur, forgotten)
        await search_index.walk(cur, to=job_ids[-1], jobs=len(job_ids), holder=self.id, generation=generation)
        return True


def _rows(segment: int, texts: dict[int, str]) -> list[Row]:
    return [Row(segment, *chunk) for chunk in segments.of_texts(texts)]
