"""Lets clients follow batches: each gets the state of its batch when that has changed. Knows no HTTP.

All clients of a process that follow the same batch share what is read, however many they are.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from docserver.caller import Caller
from docserver.documents import batch_states
from docserver.documents.batch_states import POLL_S
from docserver.documents.events import Position, State, Subscription, Updates
from docserver.errors import NotFound, Unavailable
from docserver.exclusive import SingleFlight, Turns
from docserver.resources import Resources

log = logging.getLogger("docserver.api")

READS_AT_ONCE = 2
"""Most reads at the same time, of which each client has one, so that other requests get connections."""


@dataclass(slots=True)
class _Topic:
    """A batch of a tenant that has subscriptions."""

    tenant: str
    state: State | None = None
    """As it was read last; None if it was not read yet, or does not exist."""
    subscriptions: set["BatchSubscription"] = field(default_factory=set)


class BatchSubscription(Subscription):
    """Lets one client follow one batch."""

    def __init__(self, feed: "BatchFeed", batch_id: UUID, caller: Caller) -> None:
        super().__init__(caller)
        self.batch_id = batch_id
        self._feed = feed

    @property
    def is_closing(self) -> bool:
        return self._feed.is_closing

    async def updates(self, *, after: Position) -> Updates:  # noqa: ARG002 - the stream also follows jobs
        self.changed.clear()
        return Updates(await self._feed.state(self), [], complete=True)

    def close(self) -> None:
        self._feed.unsubscribe(self)


class BatchFeed:
    """All subscriptions of this process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._topics: dict[tuple[UUID, str], _Topic] = {}
        self._turns = Turns(READS_AT_ONCE, of_one=1)
        self._reads: SingleFlight[tuple[UUID, str], State] = SingleFlight()
        self.is_closing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look for changes during the block."""
        looking = asyncio.create_task(self._run())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    def subscribe(self, batch_id: UUID, *, caller: Caller) -> BatchSubscription:
        """Let a client follow a batch, which need not exist."""
        subscription = BatchSubscription(self, batch_id, caller)
        self._topics.setdefault((batch_id, caller.tenant), _Topic(caller.tenant)).subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: BatchSubscription) -> None:
        """Remove a subscription, if it is still there."""
        key = (subscription.batch_id, subscription.caller.tenant)
        topic = self._topics.get(key)
        if topic:
            topic.subscriptions.discard(subscription)
            if not topic.subscriptions:
                del self._topics[key]

    def close(self) -> None:
        """Wake all clients to end their streams: the service is stopping."""
        self.is_closing = True
        for topic in self._topics.values():
            _wake(topic)

    async def state(self, subscription: BatchSubscription) -> State:
        """The state of a batch, as it was read last; raises NotFound, Unavailable."""
        key = (subscription.batch_id, subscription.caller.tenant)
        topic = self._topics[key]
        if topic.state is None:
            topic.state = await self._reads.do(key, lambda: self._read(key, subscription.caller.client))
        return topic.state

    async def _read(self, key: tuple[UUID, str], client: str) -> State:
        batch_id, tenant = key
        timeout_s = self._resources.settings.mysql_timeout_s
        async with self._turns.turn(
            client, within_s=timeout_s, refusal="Too many batches are followed; try again soon."
        ):
            batch = await batch_states.get(self._resources, batch_id, tenant=tenant)
        return State(batch.version, orjson.dumps(batch.as_json()), is_final=batch.is_completed)

    async def _run(self) -> None:
        """Read all followed batches again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            for key, topic in list(self._topics.items()):
                try:
                    await self._look(key, topic)
                except Unavailable:
                    break
                except Exception:
                    log.exception("asking for changes of a batch met an unexpected fault")

    async def _look(self, key: tuple[UUID, str], topic: _Topic) -> None:
        before = topic.state
        try:
            topic.state = await self._read(key, client="")
        except NotFound:
            topic.state = None
        if topic.state is None or topic.state != before:
            _wake(topic)


def _wake(topic: _Topic) -> None:
    for subscription in topic.subscriptions:
        subscription.changed.set()
