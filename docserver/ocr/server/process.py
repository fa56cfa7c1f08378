"""Server side: the process of a slot, started, watched, killed with all that it started, and waited for."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar, cast

from docserver.ocr.child import main
from docserver.ocr.limits import Limits
from docserver.ocr.protocol import AnswerQueue, ChildFault, PrivateContext
from docserver.ocr.requests import Answer, Failed, Ready, Request
from docserver.ocr.server import watchdog
from docserver.ocr.server.watchdog import Watchdog

A = TypeVar("A", bound=Answer)

log = logging.getLogger(__name__)

START_TIMEOUT_S = 30.0
"""A child is there in 0.3 s; a machine that swaps has been seen to take ten."""

END_TIMEOUT_S = 5.0
"""A killed process is gone in milliseconds unless the disk it waits for does not answer."""

GONE_POLL_S = 0.005

LOOK_S = 1.0
"""How often it is looked at what a process uses; a look takes 0.3 ms."""


@dataclass(slots=True)
class Child:
    """A running OCR process."""

    executor: ProcessPoolExecutor
    answers: AnswerQueue
    process: BaseProcess
    first: Future[Ready]
    slot: int
    watchdog: Watchdog | None = None
    watching: asyncio.Task[None] | None = None
    excess: str | None = None
    """What it was killed for taking too much of."""

    @classmethod
    def begin(cls, limits: Limits, *, slot: int) -> "Child":
        """Start a process; it takes calls once it is `ready`. Raises OSError."""
        # Not forked: such a process would inherit the server's sockets, connections and locks.
        executor = ProcessPoolExecutor(
            max_workers=1, mp_context=PrivateContext(), initializer=main.start, initargs=(limits,)
        )
        # No public name leads to the queue and the process, and only the process tells whom to kill and how it ended.
        answers: AnswerQueue = executor._result_queue  # type: ignore[assignment]  # noqa: SLF001
        answers.expect(Ready)
        try:
            first = executor.submit(main.ready, replace(limits, call_s=START_TIMEOUT_S))
        except BaseException as error:
            # Its process may be there without the thread that would look after it.
            for started in executor._processes.values():  # noqa: SLF001
                started.kill()
            executor.shutdown(wait=False)
            if isinstance(error, RuntimeError):
                raise OSError(errno.EAGAIN, "There is no room for another thread.") from error
            raise
        answers.close_sender()
        (process,) = executor._processes.values()  # noqa: SLF001
        return cls(executor, answers, process, first, slot)

    async def call(self, request: Request[A], source: str, limits: Limits) -> A | Failed:
        """Have the process carry out a request on a document. Raises BrokenProcessPool and ChildFault."""
        self.answers.expect(request.answer, fits=partial(request.fits, limits=limits))
        answer = await asyncio.wrap_future(self.executor.submit(main.run, request, source, limits))
        # The queue lets no other through.
        return cast("A | Failed", answer)

    async def ready(self, limits: Limits) -> None:
        """Wait until it has confined itself, and watch it from then on.

        Raises BrokenProcessPool, ChildFault, and OSError where the machine is short of something.
        """
        assert self.process.pid is not None
        self.watchdog = await Watchdog.start(self.process.pid)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await asyncio.wrap_future(self.first)
        except TimeoutError as error:
            raise BrokenProcessPool("the OCR process did not start in time") from error
        except ChildFault as fault:
            # It has met no document yet that could have made it say so.
            if fault.errno is not None:
                raise OSError(fault.errno, str(fault)) from fault
            raise
        self.watching = asyncio.create_task(self._watch(limits))

    @property
    def dead(self) -> bool:
        """Whether it has ended, as far as is known; what is left of its group is for `kill`."""
        return self.excess is not None or self.answers.ended or self.process.exitcode is not None

    async def _watch(self, limits: Limits) -> None:
        """Kill the process if it, with all that it started, takes too much of what no limit of the system counts."""
        assert self.process.pid is not None
        while self.excess is None:
            await asyncio.sleep(LOOK_S)
            self.excess = await asyncio.to_thread(watchdog.excess, self.process.pid, limits)
        log.warning("OCR process killed: it took too much", extra={"slot": self.slot, "of": self.excess})
        self.kill()

    def kill(self) -> None:
        """Kill it and all that it started, at once and without waiting."""
        if self.process.pid is None:
            return
        # Not its own group yet if it is killed while it starts. What it started stays in the group when it is dead.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(ValueError):
            self.process.kill()

    async def end(self) -> int | None:
        """Wait for the killed process, its group and its executor's thread; its exit code as BaseProcess has it."""
        if self.watching:
            self.watching.cancel()
            # A cancelled task holds its frame and that this child: its pipes would stay open until they are collected.
            self.watching = None
        shutdown = asyncio.get_running_loop().create_task(
            asyncio.to_thread(self.executor.shutdown, wait=True, cancel_futures=True)
        )
        _, late = await asyncio.wait({shutdown}, timeout=END_TIMEOUT_S)
        if late or not await _gone(self.process.pid):
            log.error("OCR process does not end", extra={"slot": self.slot, "pid": self.process.pid})
        if self.watchdog:
            await self.watchdog.stop()
        with contextlib.suppress(ValueError):
            return self.process.exitcode
        return None


async def _gone(group: int | None) -> bool:
    """Whether nothing is left of a killed process group."""
    if group is None:
        return True
    for _ in range(round(END_TIMEOUT_S / GONE_POLL_S)):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        if not await asyncio.to_thread(_any_alive, group):
            return True
        await asyncio.sleep(GONE_POLL_S)
    return False


def _any_alive(group: int) -> bool:
    """Whether a member of the group still runs: in a container without an init, the dead stay on as zombies."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The fields after the command in brackets: state, parent, group (proc(5)).
            state, _, member_of = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(member_of) == group and state not in ("Z", "X"):
                return True
    return False
