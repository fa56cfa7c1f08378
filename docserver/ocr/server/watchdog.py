"""Server side: what watches an OCR process from outside, as one that was taken over would not watch itself."""

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from docserver.ocr.limits import Limits

MOST_PROCESSES = 32
"""Reading a page takes three: the process, a program, and where that is a script another."""

MEMORY_SHARES = 2
"""The process and one program may each have all the memory that a process may have."""

FILE_SHARES = 3
"""A page as it was drawn, as it is handed to Tesseract, and something between: each as large as a file may be."""

MOST_FILES = 1000
"""A page leaves some five; this also bounds the look at them."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 512

SHELL = "/bin/sh"
LAST_ACT = 'read -r nothing; kill -s KILL -- "-$1"'
"""Its standard input ends when the server does, in whatever way."""


class Watchdog:
    """A process outside of the sandbox that kills an OCR process's group when the server is gone.

    The OCR process does that too, but one that was taken over would not.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, group: int) -> "Watchdog":
        return cls(
            await asyncio.create_subprocess_exec(
                SHELL,
                "-c",
                LAST_ACT,
                "docserver-watchdog",
                str(group),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # What a terminal or a supervisor sends to the server's group is not for it.
                start_new_session=True,
                env={},
            )
        )

    async def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def excess(process: int, limits: Limits) -> str | None:
    """What a process takes too much of, together with all below it; None while it keeps within bounds."""
    family = descendants(process)
    if len(family) > MOST_PROCESSES:
        return "processes"
    if sum(map(_resident_bytes, family)) > MEMORY_SHARES * limits.memory_bytes:
        return "memory"
    sizes = list(_sizes_below(Path(limits.scratch)))
    if len(sizes) > MOST_FILES or sum(sizes) + sum(map(_unlinked_bytes, family)) > FILE_SHARES * limits.file_bytes:
        return "disk"
    return None


def descendants(process: int) -> list[int]:
    """A process and all below it, at most some more than are allowed."""
    found: list[int] = []
    unseen = [process]
    while unseen and len(found) <= MOST_PROCESSES:
        found.append(unseen.pop())
        for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            with suppress(OSError):
                unseen += map(int, task.read_text().split())
    return found


def _resident_bytes(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE_BYTES
    return 0


def _sizes_below(directory: Path) -> Iterator[int]:
    """The bytes on disk of each file and directory, up to some more than are allowed."""
    unseen, seen = [directory], 0
    while unseen and seen <= MOST_FILES:
        with suppress(OSError), os.scandir(unseen.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(facts.st_mode):
                        unseen.append(Path(entry.path))
                    seen += 1
                    yield facts.st_blocks * BLOCK_BYTES
                if seen > MOST_FILES:
                    return


def _unlinked_bytes(process: int) -> int:
    """The bytes of files that have no name any more and are still open."""
    found = 0
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                facts = descriptor.stat()
                if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                    found += facts.st_blocks * BLOCK_BYTES
    return found
