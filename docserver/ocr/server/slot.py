"""The server's side of the OCR processes: one slot each, which can be killed with all that it started, and replaced."""

import asyncio
import contextlib
import errno
import logging
import os
import re
import shutil
import signal
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode, Failure
from docserver.model import Options, Page, Reading
from docserver.ocr.engine import Engine
from docserver.ocr.languages import candidates
from docserver.ocr.limits import Limits
from docserver.ocr.requests import (
    Answer,
    Failed,
    MakeSearchable,
    OpenDocument,
    Opened,
    ReadOwnTexts,
    ReadPage,
    Request,
)
from docserver.ocr.server.files import open_made, show
from docserver.ocr.server.process import Child
from docserver.settings import Settings

A = TypeVar("A", bound=Answer)

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
        answer = await self._run(OpenDocument(content_type, reading), source, timeout_s=self._settings.page_timeout_s)
        if isinstance(answer, Opened):
            self._count(len(answer.results))
        return answer

    async def own_texts(
        self, source: Path, content_type: str, *, pages: Sequence[int], options: Options
    ) -> Sequence[Reading] | Failure:
        """The texts that these pages have of their own, up to the first page that must be recognised."""
        request = ReadOwnTexts(content_type, pages, options)
        answer = await self._run(request, source, timeout_s=self._settings.page_timeout_s)
        if isinstance(answer, Failure):
            return answer
        self._count(len(answer.readings))
        return answer.readings

    async def read(self, source: Path, content_type: str, *, page: int, options: Options) -> Reading | Failure:
        """Read one page, counted from 1."""
        request = ReadPage(content_type, page, options)
        answer = await self._run(request, source, timeout_s=self._settings.page_timeout_s)
        self._count(1)
        return replace(answer, page=page) if isinstance(answer, Failure) else answer.reading

    async def make_searchable(self, source: Path, content_type: str, pages: Sequence[Page]) -> BinaryIO | Failure:
        """A PDF of these pages and their words, as an open file, which is the caller's to close."""
        request = MakeSearchable(content_type, pages)
        answer = await self._run(request, source, timeout_s=self._settings.pdf_timeout_s)
        if isinstance(answer, Failure):
            return answer
        try:
            return await asyncio.to_thread(open_made, self._scratch / request.result_file)
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

    async def _run(self, request: Request[A], source: Path, *, timeout_s: float) -> A | Failure:
        """Carry out a request on a document in the child.

        Raises OSError where the machine is short of something, for which no document can be blamed.
        """
        answer = await self._call(request, source, timeout_s=timeout_s)
        if isinstance(answer, Failed):
            await self._clear_after(answer)
            return answer.failure
        return answer

    async def _call(self, request: Request[A], source: Path, *, timeout_s: float) -> A | Failed | Failure:
        """What the child answers; whatever interrupts it kills the child, cancellation included."""
        running = None
        try:
            running = await self._started()
            shown = await asyncio.to_thread(show, source, self._source)
            try:
                async with asyncio.timeout(timeout_s):
                    return await running.call(request, str(shown), self._limits(timeout_s))
            finally:
                await asyncio.to_thread(shown.unlink, missing_ok=True)
        except TimeoutError:
            self._kill()
            await self._ended()
            log.warning("OCR process killed: out of time", extra={"slot": self.number, "timeout_s": timeout_s})
            message = f"{request.activity} took longer than {timeout_s:g} seconds."
            return Failure(DocumentErrorCode.PAGE_TIMEOUT, message)
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

    async def _clear_after(self, failed: Failed) -> None:
        """Log a failure, and replace a process that may lack something since.

        Raises OSError if the scratch directory's disk is to blame.
        """
        code = failed.failure.code
        log.info(
            "not readable",
            extra={"slot": self.number, "code": code.value, "detail": _without_paths(failed.detail)},
        )
        if code not in RESOURCE_FAULTS:
            return
        # What is left of its memory, or of its scratch directory, may not be enough for the next page.
        self._kill()
        await self._ended()
        if failed.disk_full and await asyncio.to_thread(self._others_fill_the_disk):
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
