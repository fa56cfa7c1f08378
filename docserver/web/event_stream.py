"""Sends what happens to a job as server-sent events (WHATWG HTML, 9.2), for as long as the client follows."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from docserver import metrics
from docserver.documents.events import Follower, News, Position
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
    """The events of a job. It ends with `done`, when the job is deleted, or when the client is to connect again.

    As with `downloads.Download`, aiohttp sends it when the handler has returned.
    """

    def __init__(
        self, follower: Follower, first: News, *, position: Position, check_caller: Callable[[], Awaitable[object]]
    ) -> None:
        """The client is at `position`, and `first` is what follows. `check_caller` raises Unauthorized if the client's
        API key is not valid any more. The stream closes the follower.
        """
        super().__init__(headers=HEADERS)
        self._follower = follower
        self._first: News | None = first
        self._position = position
        self._check_caller = check_caller
        self._sent_version: int | None = None
        """The version of the job in the last `status`."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers and all events."""
        lost = _called_when_lost(request, self._follower.changed.set)
        with closing(self._follower), metrics.EVENT_STREAMS.track_inprogress(), lost:
            writer = await super().prepare(request)
            if request.method != "HEAD":
                await self._send_events(request)
            await self.write_eof()
            return writer

    async def _send_events(self, request: web.BaseRequest) -> None:
        time = asyncio.get_running_loop().time
        comment_at, end_at = time() + COMMENT_S, time() + STREAM_S
        await self.write(b"retry: %d\n\n" % random.randint(*RETRY_MS))  # noqa: S311 - only spreads load
        news, self._first = self._first, None
        while not (news and await self._send_news(news)):
            is_complete = news is None or news.complete
            if is_complete:
                await self._follower.wait_for_change(at_most_s=min(comment_at, end_at) - time())
            if request.transport is None or self._follower.is_dismissed or time() >= end_at:
                return
            if time() >= comment_at:
                await self.write(b":\n\n")
                comment_at = time() + COMMENT_S
            try:
                news = await self._next_news(read=not is_complete or self._follower.changed.is_set())
            except (NotFound, Unauthorized):
                return

    async def _next_news(self, *, read: bool) -> News | None:
        """What follows, or None: there is nothing, or it cannot be read now. Then the feed wakes this client again.

        Raises NotFound if the job was deleted, and Unauthorized.
        """
        self._follower.changed.clear()
        try:
            await self._check_caller()
            return await self._follower.news(after=self._position) if read else None
        except Unavailable:
            return None

    async def _send_news(self, news: News) -> bool:
        """Send news; True if nothing can follow, because the job has ended."""
        job = news.job
        if job.version != self._sent_version:
            # It comes before the pages: if the job was retried, they are those of the new attempt.
            await self.write(b"event: status\ndata: %s\n\n" % job.body)
            self._sent_version = job.version
        for position, page in news.pages:
            await self.write(b"event: page\nid: %s\ndata: %s\n\n" % (str(position).encode(), page))
            self._position = position
        if not (news.complete and job.status.final):
            return False
        end = str(Position.end(job.version)).encode()
        await self.write(b"event: done\nid: %s\ndata: %s\n\n" % (end, job.body))
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
