"""The server's side of the OCR processes: one slot each, which can be killed with all that it started, and replaced."""

import asyncio
import contextlib
import errno
import logging
import os
import re
import shutil
import signal
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode, Failure
from docserver.model import Options, Page, Reading
from docserver.ocr.child import main, searchable
from docserver.ocr.engine import Engine
from docserver.ocr.languages import candidates
from docserver.ocr.limits import Limits, Outcome
from docserver.ocr.server.files import open_made, show
from docserver.ocr.server.process import Child
from docserver.settings import Settings

log = logging.getLogger(__name__)

PAGES_PER_CHILD = 1000
"""Pages after which a fresh process replaces the old one, so that a leak or an intruder does not stay. A new process
takes a fraction of a second to start."""

MOST_SAID = 500
"""Characters of what a program said that are logged: it may repeat one complaint for every object of a file."""

SHORTAGES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""Room, open files, processes, memory: what this process lacks when it starts another or shows it a document."""

_MISSING = Failure(DocumentErrorCode.STORAGE_MISSING, "The stored file is missing.")
_CRASHED = Failure(DocumentErrorCode.ENGINE_CRASHED, "The process that read the document crashed.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A document that can be read."""

    pages: int
    read: tuple[Reading | Failure, ...] = ()
    """What the first pages say, as far as that was found out on the way."""


class Slot:
    """One OCR process at a time, started when first needed. Only one call may run at once."""

    def __init__(self, *, number: int, settings: Settings, engine: Engine, scratch: Path) -> None:
        """`scratch` is a directory for the scratch directories of all slots."""
        self.number = number
        self._directory = (scratch / f"slot-{os.getpid()}-{number}").absolute()
        self._settings = settings
        self._engine = engine
        self._candidates = candidates(engine.models, preferred=settings.languages.split("+"))
        self._scratch = self._directory / "scratch"
        self._source = self._directory / "source"
        self._child: Child | None = None
        self._ending: asyncio.Task[int | None] | None = None
        self._pages_read = 0

    async def start(self) -> None:
        """Start the process before it is needed, so that the first document need not wait for it."""
        try:
            await self._started()
        except Exception as error:  # noqa: BLE001 - whatever it is, the first call tries again, and tells if that fails too
            log.warning("OCR process not started yet", extra={"slot": self.number, "fault": type(error).__name__})
            self._kill()

    async def open(self, source: Path, content_type: str, *, reading: Options | None = None) -> Opened | Failure:
        """Count the pages of a document; `content_type` as `sniff` told it.

        With `reading` its only page is read too, or its first pages as far as they have a text of their own.
        """
        timeout_s = self._settings.page_timeout_s
        outcome = await self._run(
            partial(main.open_document, content_type=content_type, reading=reading, limits=self._limits(timeout_s)),
            source,
            timeout_s=timeout_s,
            late="Opening the document",
            fits=self._is_opened,
        )
        if isinstance(outcome, Failure):
            return outcome
        assert outcome.pages is not None
        failed = () if outcome.failure is None else (replace(outcome.failure, page=1),)
        opened = Opened(outcome.pages, (*outcome.readings, *failed))
        self._count(len(opened.read))
        return opened

    def _is_opened(self, outcome: Outcome) -> bool:
        if outcome.pages is None or not 1 <= outcome.pages <= self._settings.max_pages:
            return False
        return len(outcome.readings) <= (0 if outcome.failure else outcome.pages)

    async def own_texts(
        self, source: Path, content_type: str, *, pages: Sequence[int], options: Options
    ) -> Sequence[Reading] | Failure:
        """What these pages say of themselves, up to the first whose picture must be read."""
        timeout_s = self._settings.page_timeout_s
        limits = self._limits(timeout_s)
        outcome = await self._run(
            partial(main.own_texts, content_type=content_type, pages=pages, options=options, limits=limits),
            source,
            timeout_s=timeout_s,
            late="Looking for the pages' text",
            fits=lambda outcome: len(outcome.readings) <= len(pages),
        )
        if isinstance(outcome, Failure):
            return outcome
        self._count(len(outcome.readings))
        return outcome.readings

    async def read(self, source: Path, content_type: str, *, page: int, options: Options) -> Reading | Failure:
        """Read one page, counted from 1."""
        timeout_s = self._settings.page_timeout_s
        limits = self._limits(timeout_s)
        outcome = await self._run(
            partial(main.read_page, content_type=content_type, page=page, options=options, limits=limits),
            source,
            timeout_s=timeout_s,
            late="Reading the page",
            fits=lambda outcome: len(outcome.readings) == 1,
        )
        self._count(1)
        return replace(outcome, page=page) if isinstance(outcome, Failure) else outcome.readings[0]

    async def make_searchable(self, source: Path, content_type: str, pages: Sequence[Page]) -> BinaryIO | Failure:
        """A PDF of these pages and their words, as an open file, which is the caller's to close."""
        timeout_s = self._settings.pdf_timeout_s
        outcome = await self._run(
            partial(searchable.make, content_type=content_type, pages=pages, limits=self._limits(timeout_s)),
            source,
            timeout_s=timeout_s,
            late="Making the PDF",
            fits=lambda outcome: not outcome.readings,
        )
        if isinstance(outcome, Failure):
            return outcome
        try:
            return await asyncio.to_thread(open_made, self._scratch / searchable.RESULT)
        except OSError as error:
            log.warning("no PDF was made", extra={"slot": self.number, "fault": type(error).__name__})
            return _CRASHED

    def _count(self, pages: int) -> None:
        """Count pages that were read, and replace the process when they are many; it is idle and loses nothing."""
        self._pages_read += pages
        if self._pages_read >= PAGES_PER_CHILD:
            self._kill()

    async def close(self) -> None:
        """Kill the child and all that it started, and remove the scratch directory."""
        self._kill()
        await self._ended()
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)

    def _limits(self, call_s: float) -> Limits:
        return Limits(
            scratch=str(self._scratch),
            source=str(self._source),
            sandbox=self._settings.sandbox,
            memory_mb=self._settings.child_memory_mb,
            max_pages=self._settings.max_pages,
            max_page_pixels=self._settings.max_page_pixels,
            pdf_dpi=self._settings.pdf_dpi,
            call_s=call_s,
            binding=self._engine.binding,
            tessdata=self._engine.tessdata,
            candidates=self._candidates,
            review_below=self._settings.review_below,
        )

    async def _run(
        self,
        call: Callable[[str], Outcome],
        source: Path,
        *,
        timeout_s: float,
        late: str,
        fits: Callable[[Outcome], bool],
    ) -> Outcome | Failure:
        """Run a call on a document in the child. `fits` says whether an outcome can be one of this call.

        Raises OSError where the machine is short of something, for which no document can be blamed.
        """
        outcome = await self._called(call, source, timeout_s=timeout_s, late=late)
        if isinstance(outcome, Failure):
            return outcome
        if outcome.failure and outcome.pages is None:
            await self._failed(outcome.failure, outcome)
            return outcome.failure
        if not fits(outcome):
            log.warning("OCR process answered nonsense", extra={"slot": self.number})
            self._kill()
            return _CRASHED
        return outcome

    async def _called(
        self, call: Callable[[str], Outcome], source: Path, *, timeout_s: float, late: str
    ) -> Outcome | Failure:
        """What the child answers; whatever interrupts it kills the child, cancellation included.

        `late` is what took too long, if it does.
        """
        running = None
        try:
            running = await self._started()
            shown = await asyncio.to_thread(show, source, self._source)
            try:
                async with asyncio.timeout(timeout_s):
                    return await running.call(call, str(shown))
            finally:
                await asyncio.to_thread(shown.unlink, missing_ok=True)
        except TimeoutError:
            self._kill()
            await self._ended()
            log.warning("OCR process killed: out of time", extra={"slot": self.number, "timeout_s": timeout_s})
            return Failure(DocumentErrorCode.PAGE_TIMEOUT, f"{late} took longer than {timeout_s:g} seconds.")
        except BrokenProcessPool:
            self._kill()
            exit_code = await self._ended()
            if running and running.excess:
                return Failure(DocumentErrorCode.ENGINE_CRASHED, f"Reading took more {running.excess} than is allowed.")
            return _crash(exit_code, slot=self.number)
        except FileNotFoundError:
            is_there = await asyncio.to_thread(source.exists)
            if is_there:
                self._kill()
                log.warning("scratch directory is gone", extra={"slot": self.number})
            return _CRASHED if is_there else _MISSING
        except Exception as error:
            self._kill()
            if isinstance(error, OSError) and error.errno in SHORTAGES:
                raise
            log.exception("OCR process failed", extra={"slot": self.number})
            return _CRASHED
        except BaseException:
            self._kill()
            raise

    async def _failed(self, failure: Failure, outcome: Outcome) -> None:
        """Look after a call that came to nothing. Raises OSError if the scratch directory's disk is to blame."""
        log.info(
            "not readable",
            extra={"slot": self.number, "code": failure.code.value, "detail": _without_paths(outcome.detail)},
        )
        if failure.code not in RESOURCE_FAULTS:
            return
        # What is left of its memory, or of its scratch directory, may not be enough for the next page.
        self._kill()
        await self._ended()
        if outcome.full and await asyncio.to_thread(self._others_fill_the_disk):
            raise OSError(errno.ENOSPC, "The scratch directory's disk is full.")

    def _others_fill_the_disk(self) -> bool:
        """Whether a page lacks room also now that all is gone which the last one has written."""
        disk = shutil.disk_usage(self._directory.parent)
        return disk.free < min(self._limits(0).file_bytes, disk.total // 2)

    async def _started(self) -> Child:
        """A process that takes calls: one that died since the last call is no fault of the next document."""
        if self._child and self._child.dead:
            self._kill()
        await self._ended()
        if self._child is None:
            await asyncio.to_thread(self._make_empty)
            self._pages_read = 0
            limits = self._limits(self._settings.page_timeout_s)
            self._child = Child.begin(limits, slot=self.number)
            await self._child.ready(limits)
        return self._child

    def _make_empty(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        for directory in (self._scratch, self._source):
            directory.mkdir(parents=True, mode=0o700, exist_ok=True)

    def _kill(self) -> None:
        """Kill at once, without waiting; `_ended` waits."""
        if self._child is None:
            return
        ended, self._child = self._child, None
        ended.kill()
        self._ending = asyncio.get_running_loop().create_task(self._clear_up(ended))

    async def _clear_up(self, ended: Child) -> int | None:
        exit_code = await ended.end()
        # What it had of the page must not lie about until there is another: the document may have been deleted.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._make_empty)
        return exit_code

    async def _ended(self) -> int | None:
        """Wait until the killed child is gone; its exit code as `BaseProcess.exitcode` has it."""
        ending = self._ending
        if ending is None:
            return None
        try:
            # A cancelled caller must not leave a child behind that nobody waits for.
            return await asyncio.shield(ending)
        finally:
            if self._ending is ending and ending.done():
                self._ending = None


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
