"""The server's side of the OCR processes: one slot each, which can be killed with all that it started, and replaced."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import re
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Reading
from docserver.ocr import child
from docserver.ocr.engine import Engine
from docserver.ocr.limits import Limits, Opened, Outcome
from docserver.settings import Settings

__all__ = ["Opened", "Slot"]

T = TypeVar("T")

log = logging.getLogger(__name__)

START_TIMEOUT_S = 30.0
"""A child is there in 0.3 s; a machine that swaps has been seen to take ten."""

END_TIMEOUT_S = 5.0
"""A killed process is gone in milliseconds unless the disk it waits for does not answer."""

GONE_POLL_S = 0.005

MOST_SAID = 500
"""Characters of what a program said that are logged: it may repeat one complaint for every object of a file."""

_CRASHED = Failure(DocumentErrorCode.ENGINE_CRASHED, "The process that read the document crashed.")

_SPAWN = multiprocessing.get_context("spawn")
"""A forked child would inherit the server's sockets, connections and locks."""


@dataclass(frozen=True, slots=True)
class _Child:
    executor: ProcessPoolExecutor
    process: BaseProcess


class Slot:
    """One OCR process at a time, started when first needed. Only one call may run at once."""

    def __init__(self, *, number: int, settings: Settings, engine: Engine, scratch: Path) -> None:
        """`scratch` is a directory for the scratch directories of all slots."""
        self.number = number
        self._directory = (scratch / f"slot-{os.getpid()}-{number}").absolute()
        self._settings = settings
        self._engine = engine
        self._child: _Child | None = None
        self._ending: asyncio.Task[int | None] | None = None
        self._pages_read = 0

    async def start(self) -> None:
        """Start the process before it is needed, so that the first document need not wait for it."""
        try:
            await self._started()
        except BrokenProcessPool:
            # The first call tries again, and tells if that fails too.
            self._kill()

    async def open(self, source: Path, content_type: str) -> Opened | Failure:
        """Count the pages of a document; `content_type` as `sniff` told it."""
        timeout_s = self._settings.open_timeout_s
        call = partial(child.open_document, _address(source), content_type, self._limits(timeout_s))
        return await self._run(
            call,
            timeout_s=timeout_s,
            late=Failure(
                DocumentErrorCode.PAGE_TIMEOUT, f"Opening the document took longer than {timeout_s:g} seconds."
            ),
        )

    async def read(self, source: Path, content_type: str, *, page: int, languages: str) -> Reading | Failure:
        """Read one page, counted from 1."""
        timeout_s = self._settings.page_timeout_s
        call = partial(
            child.read_page,
            _address(source),
            content_type,
            page=page,
            languages=languages,
            limits=self._limits(timeout_s),
        )
        result = await self._run(
            call,
            timeout_s=timeout_s,
            late=Failure(
                DocumentErrorCode.PAGE_TIMEOUT, f"Reading the page took longer than {timeout_s:g} seconds.", page
            ),
        )
        self._pages_read += 1
        if self._pages_read >= self._settings.pages_per_child:
            # It is idle, so there is nothing that it could lose.
            self._kill()
        if isinstance(result, Failure) and result.page is None:
            return Failure(result.code, result.message, page)
        return result

    async def close(self) -> None:
        """Kill the child and all that it started, and remove the scratch directory."""
        self._kill()
        await self._ended()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    def _limits(self, call_s: float) -> Limits:
        return Limits(
            scratch=str(self._directory),
            memory_mb=self._settings.child_memory_mb,
            max_pages=self._settings.max_pages,
            max_page_pixels=self._settings.max_page_pixels,
            pdf_dpi=self._settings.pdf_dpi,
            call_s=call_s,
            binding=self._engine.binding,
            tessdata=self._engine.tessdata,
        )

    async def _run(self, call: Callable[[], Outcome[T]], *, timeout_s: float, late: Failure) -> T | Failure:
        """Run a call in the child; whatever interrupts it kills the child, cancellation included."""
        try:
            running = await self._started()
            async with asyncio.timeout(timeout_s):
                outcome = await asyncio.wrap_future(running.executor.submit(call))
        except TimeoutError:
            self._kill()
            await self._ended()
            log.warning("OCR process killed: out of time", extra={"slot": self.number, "timeout_s": timeout_s})
            return late
        except BrokenProcessPool:
            self._kill()
            return _crash(await self._ended(), slot=self.number)
        except Exception:
            self._kill()
            log.exception("OCR process failed", extra={"slot": self.number})
            return _CRASHED
        except BaseException:
            self._kill()
            raise
        if isinstance(outcome.value, Failure):
            if outcome.value.code is DocumentErrorCode.OUT_OF_MEMORY:
                # What the page has left of its address space may not be enough for the next.
                self._kill()
            log.info(
                "not readable",
                extra={"slot": self.number, "code": outcome.value.code.value, "detail": _without_paths(outcome.detail)},
            )
        return outcome.value

    async def _started(self) -> _Child:
        await self._ended()
        if self._child is None:
            await asyncio.to_thread(_make_empty, self._directory)
            self._pages_read = 0
            executor = ProcessPoolExecutor(
                max_workers=1,
                mp_context=_SPAWN,
                initializer=child.start,
                initargs=(self._limits(self._settings.page_timeout_s),),
            )
            first = executor.submit(child.ready, self._limits(START_TIMEOUT_S))
            # No public name leads to the process, and only the process tells whom to kill and how it ended.
            (process,) = executor._processes.values()  # noqa: SLF001
            self._child = _Child(executor, process)
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await asyncio.wrap_future(first)
            except TimeoutError as error:
                raise BrokenProcessPool("the OCR process did not start in time") from error
        return self._child

    def _kill(self) -> None:
        """Kill at once, without waiting; `_ended` waits."""
        if self._child is None:
            return
        ended, self._child = self._child, None
        _kill_group(ended.process)
        self._ending = asyncio.get_running_loop().create_task(self._clear_up(ended))

    async def _clear_up(self, ended: _Child) -> int | None:
        exit_code = await _end(ended, slot=self.number)
        # What it had of the page must not lie about until there is another: the document may have been deleted.
        await asyncio.to_thread(_make_empty, self._directory)
        return exit_code

    async def _ended(self) -> int | None:
        """Wait until the killed child is gone; its exit code as `BaseProcess.exitcode` has it."""
        if self._ending is None:
            return None
        # A cancelled caller must not leave a child behind that nobody waits for.
        exit_code = await asyncio.shield(self._ending)
        self._ending = None
        return exit_code


def _kill_group(process: BaseProcess) -> None:
    if process.pid is None:
        return
    # Not its own group yet if it is killed while it starts. What it started stays in the group when it is dead.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ValueError):
        process.kill()


async def _end(ended: _Child, *, slot: int) -> int | None:
    """Wait for a killed child, its group and its executor's thread."""
    shutdown = asyncio.get_running_loop().create_task(
        asyncio.to_thread(ended.executor.shutdown, wait=True, cancel_futures=True)
    )
    _, late = await asyncio.wait({shutdown}, timeout=END_TIMEOUT_S)
    if late or not await _gone(ended.process.pid):
        log.error("OCR process does not end", extra={"slot": slot, "pid": ended.process.pid})
    with contextlib.suppress(ValueError):
        return ended.process.exitcode
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


def _address(source: Path) -> str:
    """Absolute, because the child works in another directory and no name may look like an option."""
    return str(source.absolute())


def _crash(exit_code: int | None, *, slot: int) -> Failure:
    log.warning("OCR process died", extra={"slot": slot, "exit_code": exit_code})
    if exit_code == -signal.SIGKILL:
        return Failure(
            DocumentErrorCode.ENGINE_CRASHED,
            "The process that read the document was killed; the machine may have run out of memory.",
        )
    return _CRASHED


def _without_paths(said: str) -> str:
    """The words of a program or decoder, fit for a log."""
    return re.sub(r"/\S+", "…", said)[:MOST_SAID]


def _make_empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
