"""Sends what happens to a job or batch as server-sent events (WHATWG HTML, 9.2), for as long as the client follows."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from docserver import metrics
from docserver.documents.events import Position, Subscription, Updates
from docserver.errors import NotFound, Unauthorized, Unavailable
from docserver.web.connections import Connection

MEDIA_TYPE = "text/event-stream"

HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    # nginx collects answers in a buffer unless it is told not to.
    "X-Accel-Buffering": "no",
}

COMMENT_S = 15.0
"""Interval of the comments that keep proxies from closing a silent connection."""

STREAM_S = 3600.0
"""Longest time of one stream, in seconds; the client connects again. So no request lasts forever, and after a change of
the machines behind a proxy the clients spread over them again."""

RETRY_MS = (1000, 3000)
"""Shortest and longest pause before a client connects again. Each stream names a random one, so that all the clients of
a process that stops do not come at the same moment."""


class EventStream(web.StreamResponse):
    """The events of a job or batch. It ends with `done`, when that is deleted, or when the client is to connect again.

    As with `downloads.Download`, aiohttp sends it when the handler has returned.
    """

    def __init__(
        self,
        subscription: Subscription,
        first: Updates,
        *,
        position: Position,
        check_caller: Callable[[], Awaitable[object]],
    ) -> None:
        """`first` is what the client lacks at `position`. `check_caller` raises Unauthorized if the client's API key is
        not valid any more. The stream closes the subscription.
        """
        super().__init__(headers=HEADERS)
        self._subscription = subscription
        self._first: Updates | None = first
        self._position = position
        self._check_caller = check_caller
        self._sent_version: int | None = None
        """The version in the last `status`."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers and all events."""
        lost = _called_when_lost(request, self._subscription.changed.set)
        with closing(self._subscription), metrics.EVENT_STREAMS.track_inprogress(), lost:
            writer = await super().prepare(request)
            if request.method != "HEAD":
                await self._send_events(request)
            await self.write_eof()
            return writer

    async def _send_events(self, request: web.BaseRequest) -> None:
        time = asyncio.get_running_loop().time
        comment_at, end_at = time() + COMMENT_S, time() + STREAM_S
        await self.write(b"retry: %d\n\n" % random.randint(*RETRY_MS))  # noqa: S311 - only spreads load
        updates, self._first = self._first, None
        while not (updates and await self._send_updates(updates)):
            is_complete = updates is None or updates.complete
            if is_complete:
                await self._subscription.wait_for_change(at_most_s=min(comment_at, end_at) - time())
            if request.transport is None or self._subscription.is_closing or time() >= end_at:
                return
            if time() >= comment_at:
                await self.write(b":\n\n")
                comment_at = time() + COMMENT_S
            try:
                updates = await self._next_updates(read=not is_complete or self._subscription.changed.is_set())
            except (NotFound, Unauthorized):
                return

    async def _next_updates(self, *, read: bool) -> Updates | None:
        """What the client lacks; None if `read` is False, or if it cannot be read now: then the feed wakes it again.

        Raises NotFound if it was deleted, and Unauthorized.
        """
        self._subscription.changed.clear()
        try:
            await self._check_caller()
            return await self._subscription.updates(after=self._position) if read else None
        except Unavailable:
            return None

    async def _send_updates(self, updates: Updates) -> bool:
        """Send updates; True if they are the last, because the job or batch has ended."""
        state = updates.state
        if state.version != self._sent_version:
            # It comes before the pages: if the job was retried, they are those of the new attempt.
            await self.write(b"event: status\ndata: %s\n\n" % state.body)
            self._sent_version = state.version
        for position, page in updates.pages:
            await self.write(b"event: page\nid: %s\ndata: %s\n\n" % (str(position).encode(), page))
            self._position = position
        if not (updates.complete and state.is_final):
            return False
        end = str(Position.end(state.version)).encode()
        await self.write(b"event: done\nid: %s\ndata: %s\n\n" % (end, state.body))
        return True


@contextmanager
def _called_when_lost(request: web.BaseRequest, call: Callable[[], None]) -> Iterator[None]:
    """During the block, call `call` as soon as the client has hung up."""
    connection = request.protocol if isinstance(request.protocol, Connection) else None
    if connection:
        connection.on_lost = call
    try:
        yield
    finally:
        if connection:
            connection.on_lost = None
