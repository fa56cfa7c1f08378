"""Lets clients follow jobs: which pages are settled (read, or failed for good), and how the jobs change. Knows no HTTP.

However many clients follow, a process listens to Redis once, and has one task that polls the database. Clients that
have got the same pages of the same job share what is read for them.
"""

import asyncio
import logging
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from docserver.caller import Caller
from docserver.database.tables import jobs, settled_pages
from docserver.database.tables.settled_pages import SettledPage
from docserver.documents import queries
from docserver.errors import DatabaseUnavailable, NotFound
from docserver.exclusive import SingleFlight, Turns
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

log = logging.getLogger("docserver.api")

POLL_S = 1.0
"""Interval at which the versions of all followed jobs are read while Redis reports no changes."""

SAFETY_POLL_S = 5.0
"""The same interval while Redis reports changes: one may get lost on its way there."""

POLLED_AT_ONCE = 500
"""Most jobs in one statement; it takes a few milliseconds."""

READS_AT_ONCE = 2
"""Most reads at the same time for all who follow, and one for each client, so that other requests get connections."""

PAGES_AT_ONCE, TEXT_BYTES_AT_ONCE = 100, 256_000
"""Most pages of one read, and most bytes of text; a page that has more comes alone. A client that receives slowly keeps
them in memory."""

_LAST = 2**31 - 1
"""In a position, it stands for the end of a version: the largest number of the columns."""

_POSITION = re.compile(r"(\d{1,10})(?:\.(\d{1,7}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far a client has got: it has all pages that were settled before this version of the job, and those up to
    this number that were settled in this version.
    """

    version: int
    page: int

    @classmethod
    def end(cls, version: int) -> "Position":
        """The end of this version."""
        return cls(version, _LAST)

    @classmethod
    def parse(cls, text: str) -> "Position":
        """The inverse of `str`. A text that is no position gives START, because that loses nothing."""
        match = _POSITION.fullmatch(text)
        return cls(int(match[1]), int(match[2] or _LAST)) if match else START

    def __str__(self) -> str:
        return str(self.version) if self.page == _LAST else f"{self.version}.{self.page}"


START = Position(0, 0)


@dataclass(frozen=True, slots=True)
class State:
    """The state of what a client follows, a job or a batch."""

    version: int
    body: bytes
    """Its JSON."""
    is_final: bool


@dataclass(frozen=True, slots=True)
class Updates:
    """What a client has not got yet of a job, or the first part of that. A batch has no pages."""

    state: State
    pages: Sequence[tuple[Position, bytes]]
    """The pages as JSON, in the order in which they were settled."""
    complete: bool
    """True if no other pages are settled in this version of the job."""


@dataclass(slots=True)
class _Topic:
    """A job that has subscriptions."""

    subscriptions: set["JobSubscription"] = field(default_factory=set)
    reads: SingleFlight[tuple[str, Position, bool], Updates] = field(default_factory=SingleFlight)
    """The reads that began after the last change, by tenant, position and whether with texts."""


class Subscription(ABC):
    """What lets one client follow a job or a batch. It must be closed."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.changed = asyncio.Event()

    @property
    @abstractmethod
    def is_closing(self) -> bool:
        """True if the service is stopping."""

    @abstractmethod
    async def updates(self, *, after: Position) -> Updates:
        """What the client lacks at this position; raises NotFound, Unavailable."""

    @abstractmethod
    def close(self) -> None:
        """End the subscription."""

    async def wait_for_change(self, *, at_most_s: float) -> None:
        """Wait until `changed` is set: there has probably been a change, or somebody else wakes the client."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self.changed.wait()


class JobSubscription(Subscription):
    """Lets one client follow one job."""

    def __init__(self, feed: "Feed", job_id: UUID, *, caller: Caller, with_text: bool) -> None:
        super().__init__(caller)
        self.job_id = job_id
        self.with_text = with_text
        self.version: int | None = None
        """The version of the job of which the client has everything."""
        self._feed = feed

    @property
    def is_closing(self) -> bool:
        return self._feed.is_closing

    async def updates(self, *, after: Position) -> Updates:
        self.changed.clear()
        updates = await self._feed.updates(self, after)
        if updates.complete:
            self.version = updates.state.version
        return updates

    def close(self) -> None:
        self._feed.unsubscribe(self)


class Feed:
    """All subscriptions of this process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._topics: dict[UUID, _Topic] = {}
        self._turns = Turns(READS_AT_ONCE, of_one=1)
        self.is_closing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Learn of changes during the block."""
        with self._resources.changes.every_change(self._wake):
            polling = asyncio.create_task(self._run_polls())
            try:
                yield
            finally:
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)

    def subscribe(self, job_id: UUID, *, caller: Caller, with_text: bool) -> JobSubscription:
        """Let a client follow a job, which need not exist."""
        subscription = JobSubscription(self, job_id, caller=caller, with_text=with_text)
        self._topics.setdefault(job_id, _Topic()).subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: JobSubscription) -> None:
        """Remove a subscription, if it is still there."""
        topic = self._topics.get(subscription.job_id)
        if topic:
            topic.subscriptions.discard(subscription)
            if not topic.subscriptions:
                del self._topics[subscription.job_id]

    def close(self) -> None:
        """Wake all clients to end their streams: the service is stopping."""
        self.is_closing = True
        for job_id in self._topics:
            self._wake(job_id)

    async def updates(self, subscription: JobSubscription, after: Position) -> Updates:
        """What a client lacks at this position; read once for all clients that ask for the same at the same time."""
        reads = self._topics[subscription.job_id].reads
        key = (subscription.caller.tenant, after, subscription.with_text)
        return await reads.do(key, lambda: self._read(subscription, after))

    async def _read(self, subscription: JobSubscription, after: Position) -> Updates:
        job_id, tenant, client = subscription.job_id, subscription.caller.tenant, subscription.caller.client
        timeout_s = self._resources.settings.mysql_timeout_s
        async with (
            self._turns.turn(client, within_s=timeout_s, refusal="Too many jobs are followed; try again soon."),
            self._resources.reads.session() as cur,
        ):
            settled = await settled_pages.after(
                cur, job_id=job_id, tenant=tenant, version=after.version, page=after.page, limit=PAGES_AT_ONCE
            )
            if settled and after.version > settled.job_version:
                # The database is older than what the client has: a backup was restored.
                settled = await settled_pages.after(
                    cur, job_id=job_id, tenant=tenant, version=START.version, page=START.page, limit=PAGES_AT_ONCE
                )
            pages = _first_part(settled.pages, with_text=subscription.with_text) if settled else []
            numbers = [page.number for page in pages if "error" not in page.facts] if subscription.with_text else []
            texts = await settled_pages.texts(cur, job_id=job_id, numbers=numbers) if numbers else {}
            job = await jobs.of_tenant(cur, job_id, tenant=tenant)
        if settled is None or job is None:
            raise NotFound("There is no such job.")
        if job.attempt != settled.attempt:
            # A retry may have reset some of these pages.
            pages = []
        all_of_version = len(settled.pages) < PAGES_AT_ONCE and len(pages) == len(settled.pages)
        shown = await queries.with_queue_position(self._resources, CachedJob.of(job), job_id)
        return Updates(
            State(shown.version, shown.body, is_final=shown.status.final),
            [_event(page, texts) for page in pages],
            complete=all_of_version and job.version == settled.job_version,
        )

    def _wake(self, job_id: UUID) -> None:
        topic = self._topics.get(job_id)
        if topic:
            # A read that began before the change may lack it.
            topic.reads = SingleFlight()
            for subscription in topic.subscriptions:
                subscription.changed.set()

    async def _run_polls(self) -> None:
        """Ask the database for changes that Redis did not report, until cancelled."""
        changes, polled_at, was_listening = self._resources.changes, 0.0, False
        while True:
            await asyncio.sleep(POLL_S)
            now, listening = time.monotonic(), changes.is_listening
            # Redis does not report what changed before the subscription: one more poll finds it.
            if listening and was_listening and now < polled_at + SAFETY_POLL_S:
                continue
            try:
                await self._poll()
            except DatabaseUnavailable:
                continue
            except Exception:
                log.exception("asking for changes of jobs met an unexpected fault")
                continue
            polled_at, was_listening = now, listening

    async def _poll(self) -> None:
        followed_ids = list(self._topics)
        for start in range(0, len(followed_ids), POLLED_AT_ONCE):
            job_ids = followed_ids[start : start + POLLED_AT_ONCE]
            async with self._resources.reads.session() as cur:
                versions = await jobs.versions(cur, job_ids)
            for job_id in job_ids:
                topic = self._topics.get(job_id)
                version = versions.get(job_id)
                # A deleted job has no version, but its subscriptions have one.
                if topic and any(subscription.version != version for subscription in topic.subscriptions):
                    self._wake(job_id)


def _first_part(pages: Sequence[SettledPage], *, with_text: bool) -> Sequence[SettledPage]:
    """The first of the pages, as many as one read may have."""
    if not with_text:
        return pages
    text_bytes = 0
    for place, page in enumerate(pages):
        text_bytes += page.text_bytes
        if place and text_bytes > TEXT_BYTES_AT_ONCE:
            return pages[:place]
    return pages


def _event(page: SettledPage, texts: dict[int, str]) -> tuple[Position, bytes]:
    text = {"text": texts[page.number]} if page.number in texts else {}
    return Position(page.version, page.number), orjson.dumps({**page.facts, **text})
