"""The time limits of all requests, with one timer for all of them.

`asyncio.timeout` makes a timer for each, which takes a twentieth of the CPU time of a cached read.
"""

import asyncio
import math
from types import TracebackType
from typing import Self


class Deadline:
    """When a request has to end. Within its block, it cancels the task that has made it, and raises TimeoutError."""

    __slots__ = ("_at", "_cancellations", "_running", "_task", "is_over")

    def __init__(self, running: set["Deadline"], at: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running, self._task, self._at = running, task, at
        self._cancellations = task.cancelling()
        self.is_over = False
        """True once the task was cancelled because the time is over."""

    @property
    def at(self) -> float:
        """The time by the clock of the event loop."""
        return self._at

    def extend(self, more_s: float) -> None:
        """Let the request take so much longer; with `math.inf`, as long as the client stays connected."""
        self._at += more_s

    def cancel(self) -> None:
        """End the request."""
        self.is_over = True
        self._task.cancel()

    def __enter__(self) -> Self:
        self._running.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._running.discard(self)
        # As in asyncio.timeout: somebody else may have cancelled the task too.
        if self.is_over and self._task.uncancel() <= self._cancellations and kind is asyncio.CancelledError:
            raise TimeoutError from error


class Deadlines:
    """The deadlines of the requests that are being answered."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next_check = math.inf
        """When the timer is due. By its own word it may be due later: the loop rounds to milliseconds."""

    def limit(self, seconds: float) -> Deadline:
        """A deadline for the current task, to be used in a `with` statement."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        # Nearly always, the timer is that of an earlier request, and looks at this one when it is due.
        if at < self._next_check:
            self._watch(loop, at)
        return Deadline(self._running, at)

    def _watch(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next_check = loop.call_at(at, self._check, loop), at

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._next_check = None, math.inf
        now = loop.time()
        for deadline in [each for each in self._running if each.at <= now]:
            self._running.discard(deadline)
            deadline.cancel()
        earliest = min((deadline.at for deadline in self._running), default=math.inf)
        if earliest < math.inf:
            self._watch(loop, earliest)
