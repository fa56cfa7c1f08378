"""Server side: watches an OCR process from outside, because a process that was taken over would not watch itself."""

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from docserver.ocr.limits import Limits

MAX_PROCESSES = 32
"""Most processes of one child. Reading a page needs three: the OCR process, a program, and one more if that program is
a script."""

MEMORY_SHARES = 2
"""Most memory of a child in all, as a multiple of the limit of one process: the OCR process and one program may both
reach this limit."""

FILE_SHARES = 3
"""Most disk space of a child in all, as a multiple of the largest file: a page as it was drawn, the same page as
Tesseract gets it, and one step between."""

MAX_FILES = 1000
"""Most files of one child. A page needs about five; the limit also keeps the check short."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 512

SHELL = "/bin/sh"
KILL_GROUP_AT_EOF = 'read -r nothing; kill -s KILL -- "-$1"'
"""The shell's standard input ends when the server ends for any reason; then the shell kills the group."""


class Watchdog:
    """A shell outside the sandbox that kills an OCR process's group when the server ends.

    The OCR process also does this itself, unless it was taken over.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, group: int) -> "Watchdog":
        return cls(
            await asyncio.create_subprocess_exec(
                SHELL,
                "-c",
                KILL_GROUP_AT_EOF,
                "docserver-watchdog",
                str(group),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # A signal that a terminal or supervisor sends to the server's group must not reach the shell.
                start_new_session=True,
                env={},
            )
        )

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def exceeded_limit(process: int, limits: Limits) -> str | None:
    """The resource of which a process and its descendants use too much; None if they stay within all limits."""
    family = descendants(process)
    if len(family) > MAX_PROCESSES:
        return "processes"
    if sum(map(_resident_bytes, family)) > MEMORY_SHARES * limits.memory_bytes:
        return "memory"
    sizes = list(_sizes_below(Path(limits.scratch)))
    if len(sizes) > MAX_FILES or sum(sizes) + sum(map(_unlinked_bytes, family)) > FILE_SHARES * limits.file_bytes:
        return "disk"
    return None


def descendants(process: int) -> list[int]:
    """The ids of a process and all its descendants. The search stops soon after MAX_PROCESSES."""
    family: list[int] = []
    unseen = [process]
    while unseen and len(family) <= MAX_PROCESSES:
        family.append(unseen.pop())
        for task in Path(f"/proc/{family[-1]}/task").glob("*/children"):
            with suppress(OSError):
                unseen += map(int, task.read_text().split())
    return family


def _resident_bytes(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
    return 0


def _sizes_below(directory: Path) -> Iterator[int]:
    """The bytes on disk of each file and directory. The search stops soon after MAX_FILES."""
    unseen, count = [directory], 0
    while unseen and count <= MAX_FILES:
        with suppress(OSError), os.scandir(unseen.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        unseen.append(Path(entry.path))
                    count += 1
                    yield status.st_blocks * BLOCK_BYTES
                if count > MAX_FILES:
                    return


def _unlinked_bytes(process: int) -> int:
    """The bytes on disk of deleted files that the process still has open."""
    size = 0
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                status = descriptor.stat()
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    size += status.st_blocks * BLOCK_BYTES
    return size
