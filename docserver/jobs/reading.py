"""Reads the claimed pages of an open document. How what was read is saved is in `saving`."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from docserver.backoff import full_jitter_s
from docserver.database.tables import claims
from docserver.database.tables.claims import ClaimedPage
from docserver.errors import RESOURCE_FAULTS, Failure, Unavailable
from docserver.jobs import notify, spans, transitions
from docserver.jobs.leases import Claim, ClaimLost, Claims
from docserver.jobs.paces import TURN_S
from docserver.jobs.saving import PageResult, Saver, count_failure
from docserver.logs import log_context
from docserver.model import Reading
from docserver.ocr.limits import PAGES_AT_ONCE
from docserver.ocr.server.slot import Slot
from docserver.resources import Resources
from docserver.tracing import span

log = logging.getLogger("docserver.worker")

BACKOFF_S = 2.0
"""Longest delay before the second try, in seconds. It doubles with each further try."""

SAVE_S = 0.2
"""Quick pages are saved together, this long after the last save at the latest. It is about as long as a client needs to
notice; a page that took longer is saved at once."""

T = TypeVar("T")


class ChunkReader:
    """Reads the pages of one claim, in their order, and saves them."""

    def __init__(
        self, resources: Resources, held: Claims, saver: Saver, *, stopping: asyncio.Event, claim: Claim, slot: Slot
    ) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._claims = held
        self._saver = saver
        self._stopping = stopping
        self._claim = claim
        self._slot = slot
        self._read_s = 0.0
        """How long pages were read in this turn. A busy database, on which saves take long, must not shorten turns: it
        would be busier still."""
        self._saved_at = time.monotonic()
        self._unsaved: dict[int, PageResult] = {}

    async def read(self, source: Path | Failure) -> None:
        """Read the pages, until the turn is over or the worker stops; release the others. Raises ClaimLost."""
        if self._claim.more:
            await self._announce()
        try:
            count = await self._read_own_texts(source, self._claim.pages) if self._claim.has_own_text else 0
            await self._read_others(source, self._claim.pages, first=count)
        except (ClaimLost, Unavailable, OSError):
            # What was read before this fault need not be read again.
            await self._save()
            raise

    async def _read_others(self, source: Path | Failure, chunk: Sequence[ClaimedPage], *, first: int) -> None:
        """Read the pages of the chunk one after the other, beginning with the one at index `first`."""
        most = max(self._settings.chunk_pages, self._claims.paces.pages_in_turn(self._claim.job))
        if len(chunk) - first > most:
            # More were claimed only because they might have a text layer.
            async with self._resources.db.session() as cur:
                await claims.release_pages(cur, claim_id=self._claim.id, first=chunk[first + most].number)
            await self._announce()
            chunk = chunk[: first + most]
        for place in range(first, len(chunk)):
            if self._stopping.is_set() or (place >= self._settings.chunk_pages and self._turn_is_over()):
                await self._save()
                await self._claims.release(self._claim.id, self._claim.job.id)
                return
            await self._read_page(source, chunk[place])
        await self._save()

    async def _read_own_texts(self, source: Path | Failure, chunk: Sequence[ClaimedPage]) -> int:
        """Read the first pages of a chunk as long as they have a good text layer; returns how many.

        A chunk of one page is left to `_read_page`, which also uses the text layer.
        """
        count = 0
        if isinstance(source, Failure) or len(chunk) < 2:
            return count
        while count < len(chunk) and not self._stopping.is_set() and not self._turn_is_over():
            numbers = [page.number for page in chunk[count : count + PAGES_AT_ONCE]]
            began, began_ns = time.monotonic(), time.time_ns()
            content_type, options = self._claim.work.content_type, self._claim.job.options
            own_texts = self._slot.own_texts(
                source, content_type, pages=numbers, options=options, password=self._claim.password
            )
            readings = await self._meanwhile_save(self._claims.guard(self._claim, own_texts))
            # Ignore a failure here: it occurs again when `_read_page` reads the page.
            if isinstance(readings, Failure) or not readings:
                break
            read = dict(zip(numbers, readings, strict=False))
            spans.add_pages(self._claim.job, read, engine=self._resources.engine.name, began_ns=began_ns)
            took_s = time.monotonic() - began
            self._read_s += took_s
            self._unsaved |= {number: PageResult(reading, took_s / len(read)) for number, reading in read.items()}
            count += len(read)
            if len(read) < len(numbers):
                break
        return count

    async def _read_page(self, source: Path | Failure, page: ClaimedPage) -> None:
        """Read one page, and save what was read if that is due."""
        read = await self._meanwhile_save(self._page_result(source, page))
        self._claims.paces.note(self._claim.job, read.took_s)
        self._read_s += read.took_s
        if isinstance(read.result, Failure) and self._may_retry(page, read.result):
            await self._postpone(page, read.result)
            return
        self._unsaved[page.number] = read
        if self._save_is_due_in_s() <= 0:
            await self._save()

    async def _page_result(self, source: Path | Failure, page: ClaimedPage) -> PageResult:
        began = time.monotonic()
        attributes = spans.of_page(self._claim.job, page.number, engine=self._resources.engine.name)
        with log_context(page=page.number), span(spans.READ_PAGE, attributes) as reading_span:
            result = await self._result(source, page)
            again = isinstance(result, Failure) and self._may_retry(page, result)
            spans.end(reading_span, result, again=again)
            return PageResult(result, time.monotonic() - began)

    async def _result(self, source: Path | Failure, page: ClaimedPage) -> Reading | Failure:
        if isinstance(source, Failure):
            return source
        content_type, options = self._claim.work.content_type, self._claim.job.options
        password = self._claim.password
        reading = self._slot.read(source, content_type, page=page.number, options=options, password=password)
        return await self._claims.guard(self._claim, reading)

    def _may_retry(self, page: ClaimedPage, failure: Failure) -> bool:
        return may_retry(failure, page.tries, most=self._settings.page_tries)

    async def _postpone(self, page: ClaimedPage, failure: Failure) -> None:
        count_failure(failure, retried=True)
        with log_context(page=page.number):
            log.warning("page will be tried again", extra={"code": failure.code, "tries": page.tries + 1})
        postpone = partial(
            transitions.postpone_page, number=page.number, code=failure.code, delay_s=delay_s(page.tries)
        )
        await self._saver.make(self._claim, postpone)

    async def _meanwhile_save(self, reading: Coroutine[Any, Any, T]) -> T:
        """Read, and save what was read before as soon as that is due."""
        if not self._unsaved:
            return await reading
        task = asyncio.create_task(reading)
        try:
            await asyncio.wait({task}, timeout=max(0.0, self._save_is_due_in_s()))
            if not task.done():
                await self._save()
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        return await task

    async def _save(self) -> None:
        """Save all pages that were read and are not saved yet. Raises ClaimLost if none of them could be saved."""
        unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            await self._saver.pages(self._claim, unsaved)
            self._saved_at = time.monotonic()

    def _save_is_due_in_s(self) -> float:
        return self._saved_at + SAVE_S - time.monotonic()

    def _turn_is_over(self) -> bool:
        return self._read_s > TURN_S

    async def _announce(self) -> None:
        await notify.announce(self._resources, self._claim.job.client, self._claim.job.id)


def may_retry(failure: Failure, tries: int, *, most: int) -> bool:
    """True if a page or document that failed after so many failed tries gets another one; `most` is for all."""
    return failure.code in RESOURCE_FAULTS and tries + 1 < most


def delay_s(tries: int) -> float:
    """The pause before a page or document that failed is tried again, after so many failed tries before."""
    return full_jitter_s(BACKOFF_S, tries=tries)
