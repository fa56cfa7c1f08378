"""Server side: starts, watches and kills the OCR process of a slot, with everything that the process has started."""

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
from typing import Any, TypeVar, cast

from docserver.ocr.child import main
from docserver.ocr.limits import Limits
from docserver.ocr.protocol import AnswerQueue, ChildFault, PrivateContext
from docserver.ocr.requests import A, Failed, Ready, Request
from docserver.ocr.server import watchdog
from docserver.ocr.server.cgroup import Cgroup, Cgroups
from docserver.ocr.server.watchdog import Watchdog

T = TypeVar("T")

log = logging.getLogger(__name__)

START_TIMEOUT_S = 30.0
"""Longest time for a child to start. It takes 0.3 s; on a machine that was swapping it took 10 s."""

END_TIMEOUT_S = 15.0
"""Longest wait for the end of a killed process. It ends within milliseconds unless it waits for a disk that hangs, or
for processor time, as it runs at a lower priority: with a load of 35 on two cores, one took longer than 5 s."""

GONE_POLL_S = 0.005

CHECK_INTERVAL_S = 1.0
"""Interval between two checks of a child's resource use; one check takes 0.3 ms."""


@dataclass(slots=True)
class Child:
    """A running OCR process."""

    executor: ProcessPoolExecutor
    answers: AnswerQueue
    process: BaseProcess
    ready_answer: Future[Ready]
    slot: int
    cgroups: Cgroups | None
    entering: asyncio.Task[Cgroup | None] | None = None
    """Moves the process into its cgroup; None before that starts, and if there are no cgroups."""
    scratch: int | None = None
    """The open scratch directory, as the process sees it; None before the process is ready and after its end."""
    watchdog: Watchdog | None = None
    watching: asyncio.Task[None] | None = None
    exceeded: str | None = None
    """The resource of which the process used too much, so that it was killed; None otherwise."""

    @classmethod
    def spawn(cls, limits: Limits, *, slot: int, cgroups: Cgroups | None = None) -> "Child":
        """Start a process. It accepts calls after `wait_until_ready`. Raises OSError."""
        # The process is spawned and not forked: a forked one would inherit the server's sockets, connections and locks.
        executor = ProcessPoolExecutor(
            max_workers=1, mp_context=PrivateContext(), initializer=main.start, initargs=(limits,)
        )
        # The executor's queues and process have no public names. We need them to notice the end of the process and to
        # kill it.
        answers: AnswerQueue = executor._result_queue  # type: ignore[assignment]  # noqa: SLF001
        answers.answers_to(partial(_is_running, executor))
        answers.expect(Ready)
        requests: Any = executor._call_queue  # type: ignore[attr-defined]  # noqa: SLF001
        # A process that was taken over can make sending fail; the executor would print a traceback.
        requests._on_queue_feeder_error = lambda *_: _kill_processes(executor)  # noqa: SLF001
        try:
            ready_answer = executor.submit(main.ready, replace(limits, call_s=START_TIMEOUT_S))
        except BaseException as error:
            # The process may have started, but not the executor's thread that would end it.
            _kill_processes(executor)
            executor.shutdown(wait=False)
            if isinstance(error, RuntimeError):
                raise OSError(errno.EAGAIN, "The system cannot start another thread.") from error
            raise
        answers.close_sender()
        # With a reading end of its own, the server could wait for ever to send to a process that has ended.
        requests._reader.close()  # noqa: SLF001
        (process,) = executor._processes.values()  # noqa: SLF001
        return cls(executor, answers, process, ready_answer, slot, cgroups)

    async def call(self, request: Request[A], source: str, limits: Limits) -> A | Failed:
        """Let the process carry out a request on a document. Raises BrokenProcessPool and ChildFault."""
        self.answers.expect(request.answer, fits=partial(request.fits, limits=limits))
        answer = await _result(self.executor.submit(main.run, request, source, limits))
        # The queue of answers has checked the type of the answer.
        return cast("A | Failed", answer)

    async def wait_until_ready(self, limits: Limits) -> None:
        """Wait until the process has confined itself, and watch its resource use from then on.

        Raises BrokenProcessPool, ChildFault, and OSError if the machine lacks a resource.
        """
        self.watchdog = await self._enter_cgroup(self.pid, limits)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await _result(self.ready_answer)
        except TimeoutError as error:
            raise BrokenProcessPool("the OCR process did not start in time") from error
        except ChildFault as fault:
            # The process has not seen a document yet, so its answer can be trusted.
            if fault.errno is not None:
                raise OSError(fault.errno, str(fault)) from fault
            raise
        try:
            self.scratch = os.open(
                f"/proc/{self.pid}/root{limits.scratch}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            )
        except (FileNotFoundError, ProcessLookupError) as error:
            raise BrokenProcessPool("the OCR process or its scratch directory is gone") from error
        self.watching = asyncio.create_task(self._watch(limits))

    async def _enter_cgroup(self, pid: int, limits: Limits) -> Watchdog:
        """Move the process into a cgroup of its own, and start the watchdog that kills both when the server ends."""
        if self.cgroups:
            self.entering = asyncio.create_task(asyncio.to_thread(self.cgroups.enter, pid, limits))
            # Shield the task: a running thread cannot be cancelled, and the cgroup that it makes has to be removed.
            if cgroup := await asyncio.shield(self.entering):
                return await Watchdog.start(pid, kill_file=cgroup.kill_file)
        return await Watchdog.start(pid)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None, "the process has been started"
        return self.process.pid

    @property
    def dead(self) -> bool:
        """True if the process has ended or must end. Other processes of its group may still be running."""
        return self.exceeded is not None or self.answers.ended or self.process.exitcode is not None

    async def _watch(self, limits: Limits) -> None:
        """Kill the process when it and its descendants together use too much of a resource that no rlimit limits."""
        assert self.scratch is not None
        while self.exceeded is None:
            await asyncio.sleep(CHECK_INTERVAL_S)
            check = asyncio.create_task(
                asyncio.to_thread(watchdog.exceeded_limit, self.pid, limits, scratch=self.scratch)
            )
            try:
                self.exceeded = await asyncio.shield(check)
            except asyncio.CancelledError:
                # A running check cannot be cancelled, and still uses the descriptor of the scratch directory.
                await asyncio.wait({check})
                raise
        log.warning("OCR process killed: it used too much", extra={"slot": self.slot, "of": self.exceeded})
        self.kill()

    def kill(self) -> None:
        """Kill the process and everything that it has started, without waiting for their end."""
        self.answers.abandon()
        # Kill the group even if its leader has ended already. If the process is just starting, it has no group yet.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.kill()

    async def wait_until_gone(self) -> int | None:
        """Wait until the killed process, its group and its executor's thread have ended; returns the exit code."""
        if self.watching:
            self.watching.cancel()
            await asyncio.wait({self.watching}, timeout=END_TIMEOUT_S)
            # The cancelled task refers to this object and would keep its pipes open until the next garbage collection.
            self.watching = None
        await self._end_cgroup()
        shutdown = asyncio.get_running_loop().create_task(
            asyncio.to_thread(self.executor.shutdown, wait=True, cancel_futures=True)
        )
        _, late = await asyncio.wait({shutdown}, timeout=END_TIMEOUT_S)
        if late or not await _group_is_gone(self.pid):
            log.error("OCR process does not end", extra={"slot": self.slot, "pid": self.pid})
        if self.scratch is not None:
            os.close(self.scratch)
            self.scratch = None
        if self.watchdog:
            await self.watchdog.stop()
        return self.process.exitcode

    async def _end_cgroup(self) -> None:
        """Kill also what has left the process group."""
        cgroup = await self.entering if self.entering else None
        if cgroup is None:
            return
        if await asyncio.to_thread(cgroup.end):
            self.exceeded = self.exceeded or "memory"
            log.warning("OCR process killed: it used too much", extra={"slot": self.slot, "of": self.exceeded})


async def _result(call: Future[T]) -> T:
    """The result of a call. If the wait is cancelled, the call is not.

    A process that was taken over can keep the executor's thread from noticing a cancelled call. When such a process is
    killed, the thread of Python 3.11 would end with a traceback.
    """
    result = asyncio.wrap_future(call)
    # Without this, asyncio logs an exception of a call that nobody waits for any more.
    result.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({result})
    return result.result()


def _is_running(executor: ProcessPoolExecutor, call: int) -> bool:
    """True if the executor has sent this call to its process, and waits for the result."""
    item = executor._pending_work_items.get(call)  # noqa: SLF001
    return item is not None and item.future.running()


def _kill_processes(executor: ProcessPoolExecutor) -> None:
    for process in executor._processes.values():  # noqa: SLF001
        process.kill()


async def _group_is_gone(group: int) -> bool:
    """Wait until no member of a killed process group is running; False if that takes longer than END_TIMEOUT_S."""
    for _ in range(round(END_TIMEOUT_S / GONE_POLL_S)):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        if not await asyncio.to_thread(_any_member_runs, group):
            return True
        await asyncio.sleep(GONE_POLL_S)
    return False


def _any_member_runs(group: int) -> bool:
    """True if a member of the group is still running. Zombies do not count: a container without init keeps them."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the command in brackets, the next fields are state, parent and group (proc(5)).
            state, _, member_of = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(member_of) == group and state not in ("Z", "X"):
                return True
    return False
