"""Server side: a slot. It runs one OCR process at a time, kills it with everything that it has started, and replaces
it.
"""

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
from typing import BinaryIO

from docserver import metrics
from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode, Failure, Unavailable
from docserver.model import Page, Reading
from docserver.ocr.engine import Engine
from docserver.ocr.languages import candidates
from docserver.ocr.limits import Limits
from docserver.ocr.protocol import ChildFault
from docserver.ocr.requests import (
    A,
    DrawPage,
    Failed,
    Inspect,
    Inspected,
    MakeSearchable,
    OpenDocument,
    Opened,
    ReadOwnTexts,
    ReadPage,
    Request,
    Timed,
)
from docserver.ocr.server.cgroup import Cgroups
from docserver.ocr.server.files import expose, open_result
from docserver.ocr.server.process import Child
from docserver.ocr.server.scratch import discard
from docserver.pdf_options import SEARCHABLE, PdfOptions
from docserver.reading_options import Options
from docserver.room import can_reserve
from docserver.settings import Settings

log = logging.getLogger(__name__)

PAGES_PER_CHILD = 1000
"""After this many pages, a new process replaces the old one, so that neither a memory leak nor an intruder stays. A new
process starts within a fraction of a second."""

MAX_LOGGED_DETAIL = 500
"""Most characters of a detail in the log. Some programs repeat the same warning for every object of a file."""

SHORTAGES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""Errors that mean that the server lacks disk space, file descriptors, processes or memory. The document is not at
fault."""

_CRASHED = Failure(DocumentErrorCode.ENGINE_CRASHED, "The process that read the document crashed.")


class Slot:
    """Runs one OCR process at a time, and starts it when it is first needed. Only one call may run at once."""

    def __init__(
        self, *, number: int, settings: Settings, engine: Engine, scratch: Path, cgroups: Cgroups | None = None
    ) -> None:
        """`scratch` is the parent of all slots' directories; each process gets one of the cgroups, if there are any."""
        self.number = number
        self.client = ""
        """Whose document is read next. A process reads documents of at most `clients_per_process` clients."""
        self._directory = (scratch / f"slot-{os.getpid()}-{number}").absolute()
        self._settings = settings
        self._cgroups = cgroups
        self._engine = engine
        self._candidates = candidates(engine.models, preferred=settings.languages.split("+"))
        self._scratch = self._directory / "scratch"
        self._source = self._directory / "source"
        self._directory_fault: OSError | None = None
        """Why the directories could not be made last."""
        self._child: Child | None = None
        self._ending: asyncio.Task[int | None] | None = None
        self._pages_read = 0
        self._clients: set[str] = set()

    async def start(self) -> None:
        """Start the process before it is needed, so that the first document does not wait for it."""
        try:
            await self._running_child()
        except Exception as error:  # noqa: BLE001 - the first call tries again, and reports a second failure
            log.warning("OCR process not started yet", extra={"slot": self.number, "fault": type(error).__name__})
            self._kill("crashed")

    async def open(
        self, source: Path, content_type: str, *, reading: Options | None = None, password: str | None = None
    ) -> Opened | Failure:
        """Count the pages of a document. The arguments are as in `OpenDocument`."""
        request = OpenDocument(content_type, reading, password)
        answer = await self._run(request, source, timeout_s=self._settings.page_timeout_s)
        if isinstance(answer, Opened):
            self._count_pages(len(answer.results))
        return answer

    async def own_texts(
        self, source: Path, content_type: str, *, pages: Sequence[int], options: Options, password: str | None = None
    ) -> Sequence[Reading] | Failure:
        """The text layers of these pages, up to the first page that needs OCR."""
        request = ReadOwnTexts(content_type=content_type, pages=pages, options=options, password=password)
        answer = await self._run(request, source, timeout_s=self._settings.page_timeout_s)
        if isinstance(answer, Failure):
            return answer
        self._count_pages(len(answer.readings))
        return answer.readings

    async def read(
        self, source: Path, content_type: str, *, page: int, options: Options, password: str | None = None
    ) -> Reading | Failure:
        """Read one page, counted from 1."""
        request = ReadPage(content_type=content_type, page=page, options=options, password=password)
        answer = await self._run(request, source, timeout_s=self._settings.page_timeout_s)
        self._count_pages(1)
        return replace(answer, page=page) if isinstance(answer, Failure) else answer.reading

    async def make_searchable(
        self, source: Path, content_type: str, pages: Sequence[Page], options: PdfOptions = SEARCHABLE
    ) -> BinaryIO | Failure:
        """A PDF of these pages and their words, as an open file; the caller closes it."""
        return await self._make_file(
            MakeSearchable(content_type, pages, options), source, timeout_s=self._settings.pdf_timeout_s
        )

    async def draw(self, source: Path, request: DrawPage, *, timeout_s: float) -> BinaryIO | Failure:
        """A picture of a page, as an open file; the caller closes it."""
        drawn = await self._make_file(request, source, timeout_s=timeout_s)
        self._count_pages(1)
        return drawn

    async def inspect(self, source: Path, request: Inspect, *, timeout_s: float) -> Inspected | Failure:
        """What a file is."""
        inspected = await self._run(request, source, timeout_s=timeout_s)
        self._count_pages(1)
        return inspected

    async def _make_file(self, request: Request[A], source: Path, *, timeout_s: float) -> BinaryIO | Failure:
        try:
            answer = await self._run(request, source, timeout_s=timeout_s)
        except OSError as error:
            log.warning("no file can be made now", extra={"slot": self.number, "number": error.errno})
            raise Unavailable("This machine lacks what it takes to make the file; try again soon.") from error
        if isinstance(answer, Failure):
            return answer
        if self._child is None or self._child.scratch is None:
            return _CRASHED
        assert request.result_file is not None
        try:
            return await asyncio.to_thread(
                open_result, self._child.scratch, request.result_file, limits=self._limits(0)
            )
        except OSError as error:
            self._kill("fault")
            log.warning("no file was made", extra={"slot": self.number, "fault": type(error).__name__})
            return _CRASHED

    def _count_pages(self, pages: int) -> None:
        """Count pages that were read. After PAGES_PER_CHILD, kill the process, which is idle now; a new one follows."""
        self._pages_read += pages
        if self._pages_read >= PAGES_PER_CHILD:
            self._kill("pages")

    async def close(self) -> None:
        """Kill the child and everything that it has started, and remove the scratch directory."""
        self._kill("closed")
        await self._wait_until_gone()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(discard, self._directory)

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
            ppocr=self._engine.second.directory if self._engine.second else None,
            review_below=self._settings.review_below,
        )

    async def _run(self, request: Request[A], source: Path, *, timeout_s: float) -> A | Failure:
        """Let the child carry out a request on a document.

        Raises OSError if the machine lacks a resource or a directory, or if the document's file is gone. None of this
        is the document's fault; whether its original is missing is found when it is looked for again.
        """
        answer = await self._call(request, source, timeout_s=timeout_s)
        if isinstance(answer, Failed):
            await self._handle_failure(answer)
            return answer.failure
        if isinstance(answer, Timed):
            for stage, seconds in answer.stages.items():
                metrics.STAGE_SECONDS.labels(stage).observe(seconds)
        return answer

    async def _call(self, request: Request[A], source: Path, *, timeout_s: float) -> A | Failed | Failure:
        """The child's answer, or why there is none. Every error kills the child, and so does cancellation."""
        child = None
        try:
            child = await self._running_child()
            self._clients.add(self.client)
            exposed = await asyncio.to_thread(expose, source, self._source)
            try:
                async with asyncio.timeout(timeout_s):
                    return await child.call(request, str(exposed), self._limits(timeout_s))
            finally:
                await asyncio.to_thread(exposed.unlink, missing_ok=True)
        except TimeoutError:
            self._kill("timeout")
            await self._wait_until_gone()
            log.warning("OCR process killed: out of time", extra={"slot": self.number, "timeout_s": timeout_s})
            message = f"{request.activity} took longer than {timeout_s:g} seconds."
            return Failure(DocumentErrorCode.PAGE_TIMEOUT, message)
        except BrokenProcessPool:
            self._kill("crashed")
            exit_code = await self._wait_until_gone()
            await self._require_directories()
            return _crashed(child, exit_code, slot=self.number)
        except Exception as error:
            if isinstance(error, FileNotFoundError) and not await asyncio.to_thread(source.exists):
                raise
            self._kill("fault")
            if isinstance(error, OSError) and error.errno in SHORTAGES:
                raise
            await self._require_directories()
            if isinstance(error, FileNotFoundError):
                log.warning("scratch directory is gone", extra={"slot": self.number})
            elif isinstance(error, ChildFault):
                # The document may have decided what the process reports, and must not put a traceback into the log.
                detail = _without_paths(str(error))
                log.warning("OCR process failed", extra={"slot": self.number, "detail": detail})
            else:
                log.exception("OCR process failed", extra={"slot": self.number})
            return _CRASHED
        except BaseException:
            self._kill("interrupted")
            raise

    async def _require_directories(self) -> None:
        """Raise OSError if this machine has not let the slot make its directories. Then every document would fail."""
        await self._wait_until_gone()
        if self._directory_fault:
            raise self._directory_fault

    async def _handle_failure(self, failed: Failed) -> None:
        """Log why a request failed, and kill the child if it may now lack memory or disk space.

        Raises OSError if the disk of the scratch directory is full, which is not the document's fault.
        """
        code = failed.failure.code
        detail = {"detail": _without_paths(failed.detail)} if failed.detail else {}
        log.info("not readable", extra={"slot": self.number, "code": code.value, **detail})
        if code not in RESOURCE_FAULTS:
            return
        # The child's memory or scratch directory may have too little free space for the next page.
        self._kill("failure")
        await self._wait_until_gone()
        if failed.disk_full and await asyncio.to_thread(self._disk_is_still_full):
            raise OSError(errno.ENOSPC, "The scratch directory's disk is full.")

    def _disk_is_still_full(self) -> bool:
        """True if the disk is still full after the scratch directory was emptied."""
        disk = shutil.disk_usage(self._directory.parent)
        needed = min(self._limits(0).file_bytes, disk.total // 2)
        return disk.free < needed or not can_reserve(self._directory.parent, needed)

    async def _running_child(self) -> Child:
        """A child that accepts calls. If the last one died while it was idle, or has read the documents of too many
        other clients, starts another.
        """
        if self._child and (self._child.dead or self._has_too_many_clients()):
            self._kill("crashed" if self._child.dead else "clients")
        await self._wait_until_gone()
        if self._child is None:
            await asyncio.to_thread(self._empty_directories)
            self._pages_read, self._clients = 0, set()
            limits = self._limits(self._settings.page_timeout_s)
            self._child = Child.spawn(limits, slot=self.number, cgroups=self._cgroups)
            await self._child.wait_until_ready(limits)
        return self._child

    def _has_too_many_clients(self) -> bool:
        """True if the child may not read a document of the present client too."""
        return self.client not in self._clients and len(self._clients) >= self._settings.clients_per_process

    def _empty_directories(self) -> None:
        try:
            discard(self._directory)
            for directory in (self._scratch, self._source):
                directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        except OSError as error:
            self._directory_fault = error
            raise
        self._directory_fault = None

    def _kill(self, reason: str) -> None:
        """Kill the child without waiting for its end; `_wait_until_gone` waits. The metrics name the reasons."""
        if self._child is None:
            return
        killed, self._child = self._child, None
        killed.kill()
        self._ending = asyncio.get_running_loop().create_task(self._clean_up(killed, reason))

    async def _clean_up(self, killed: Child, reason: str) -> int | None:
        """Wait until a killed child has ended, and delete the files that it has left; returns its exit code."""
        exit_code = await killed.wait_until_gone()
        metrics.OCR_PROCESSES_ENDED.labels("resources" if killed.exceeded else reason).inc()
        # Delete the files now and not when the next child starts: a deleted document must not stay here until then.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._empty_directories)
        return exit_code

    async def _wait_until_gone(self) -> int | None:
        """Wait until the killed child has ended; returns its exit code as in `BaseProcess.exitcode`."""
        ending = self._ending
        if ending is None:
            return None
        try:
            # Shield the task: if the caller is cancelled, the cleaning must go on.
            return await asyncio.shield(ending)
        finally:
            if self._ending is ending and ending.done():
                self._ending = None


def _crashed(child: Child | None, exit_code: int | None, *, slot: int) -> Failure:
    """Log that a child died, and return the reason. `child` is None if it died while starting."""
    if child and child.exceeded:
        return Failure(DocumentErrorCode.ENGINE_CRASHED, f"Reading took more {child.exceeded} than is allowed.")
    log.warning("OCR process died", extra={"slot": slot, "exit_code": exit_code})
    if exit_code == -signal.SIGKILL and not (child and child.answers.invalid):
        return Failure(
            DocumentErrorCode.ENGINE_CRASHED,
            "The process that read the document was killed; the machine may have run out of memory.",
        )
    return _CRASHED


def _without_paths(detail: str) -> str:
    """The text of a program or decoder, shortened and without paths, for the log."""
    return re.sub(r"/\S+", "…", detail)[:MAX_LOGGED_DETAIL]
