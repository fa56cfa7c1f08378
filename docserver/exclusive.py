"""Turns for work that only a few requests may do at the same time, work that requests share, and the client whose
request is being served.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Generic, TypeVar

from docserver.errors import Unavailable

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

current_client: ContextVar[str] = ContextVar("current_client", default="")
"""The client whose request the current task serves; "" for the service's own work."""


class Turns:
    """A limited number of turns at the same time. The clients that wait get them one after another."""

    def __init__(self, number: int, *, of_one: int) -> None:
        """One client has at most `of_one` of these turns at the same time."""
        self._free = number
        self._of_one = of_one
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """The requests that wait, by client. The first client has not had a turn for the longest time."""

    @asynccontextmanager
    async def turn(
        self, client: str, *, within_s: float, refusal: str, retry_after_s: int | None = None
    ) -> AsyncIterator[None]:
        """Have a turn during the block. Raises Unavailable with the text `refusal` if it does not come in time."""
        try:
            async with asyncio.timeout(within_s):
                await self.begin(client)
        except TimeoutError as error:
            headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None
            raise Unavailable(refusal, headers=headers) from error
        try:
            yield
        finally:
            self.end(client)

    @property
    def taken(self) -> int:
        """How many turns are taken."""
        return sum(self._taken.values())

    @property
    def all_waiting(self) -> int:
        """How many requests of all clients wait for their turns."""
        return sum(map(len, self._waiting.values()))

    async def begin(self, client: str) -> None:
        """Wait for a turn. The caller must end it."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(granted)
        self._grant()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.cancelled():
                self._forget(client, granted)
            else:
                self.end(client)
            raise

    def end(self, client: str) -> None:
        """Pass on a client's turn."""
        self._free += 1
        self._taken[client] -= 1
        if not self._taken[client]:
            del self._taken[client]
        self._grant()

    def _grant(self) -> None:
        while self._free and (client := self._next()) is not None:
            waiting = self._waiting.pop(client)
            granted = waiting.popleft()
            # If more of its requests wait, the client comes last now.
            if waiting:
                self._waiting[client] = waiting
            # A request that was cancelled a moment ago may still be here.
            if not granted.cancelled():
                granted.set_result(None)
                self._free -= 1
                self._taken[client] += 1

    def _forget(self, client: str, granted: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(client, deque())
        if granted in waiting:
            waiting.remove(granted)
            if not waiting:
                del self._waiting[client]

    def _next(self) -> str | None:
        return next((client for client in self._waiting if self._taken[client] < self._of_one), None)


class SingleFlight(Generic[Key, Result]):
    """Does work once for all who ask for it at the same time, as Go's `singleflight`."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Result]] = {}

    async def do(self, key: Key, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """What `work` returns or raises. While the work of another caller with the same key runs, its outcome is used.

        The work goes on if a caller is cancelled, because others may wait for it.
        """
        task = self._running.get(key)
        # A task that has ended is here until its callback runs. Waiting for it returns at once, so a caller that asks
        # again and again would block the event loop, and the callback would never run.
        if task is None or task.done():
            task = self._running[key] = asyncio.create_task(work())
            task.add_done_callback(partial(self._forget, key))
        return await asyncio.shield(task)

    def _forget(self, key: Key, task: asyncio.Task[Result]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        # All callers may be gone, and asyncio logs exceptions that nobody has seen.
        if not task.cancelled():
            task.exception()
