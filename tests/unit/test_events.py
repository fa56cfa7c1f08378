"""How far a client has got with the events of a job, and what clients share of the reads."""

import asyncio
from typing import TYPE_CHECKING, cast
from uuid import UUID

import pytest

from docserver.caller import Caller
from docserver.documents.events import START, Feed, Position, Subscription, Updates

if TYPE_CHECKING:
    from docserver.redis.cache import CachedJob
    from docserver.resources import Resources


@pytest.mark.parametrize("position", [Position(4, 17), Position.end(9), Position(0, 3)])
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    assert Position.parse(str(position)) == position


def test_positions_are_ordered_as_events_come() -> None:
    assert START < Position(0, 1) < Position(4, 1) < Position(4, 2) < Position.end(4) < Position(5, 1)


@pytest.mark.parametrize("text", ["", "x", "4.", ".4", "4.1.2", "-4", "4 ", "²", "99999999999", "4.99999999"])
def test_what_is_no_position_is_the_start(text: str) -> None:
    assert Position.parse(text) == START


async def test_a_read_that_has_ended_is_not_given_to_a_client_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    # The other client's task runs after the read has ended, and before the read's callbacks do. If it got that read, it
    # would not wait at all, and a client that asks again as long as there is more would block the event loop.
    feed = Feed(cast("Resources", None))
    caller = Caller(tenant="default", client="a client", limited_as="a client", scopes=frozenset())
    subscription = feed.subscribe(UUID(int=7), caller=caller, with_text=False)
    read = Updates(cast("CachedJob", None), [], complete=False)
    others: list[asyncio.Task[Updates]] = []
    reads = 0

    async def read_as_another_client_comes(_feed: Feed, _subscription: Subscription, _after: Position) -> Updates:
        nonlocal reads
        reads += 1
        if reads == 1:
            others.append(asyncio.create_task(feed.updates(subscription, START)))
        return read

    monkeypatch.setattr(Feed, "_read", read_as_another_client_comes)

    assert await feed.updates(subscription, START) is read
    assert await asyncio.gather(*others) == [read]
    assert reads == 2
