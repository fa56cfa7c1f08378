"""Server side: watches an OCR process from outside, because a process that was taken over would not watch itself."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from docserver.ocr.limits import MAX_FILES, Limits
from docserver.ocr.server.files import has_own_file_system

MAX_PROCESSES = 32
"""Most processes of one child. Reading a page needs three: the OCR process, a program, and one more if that program is
a script."""

MAX_THREADS = 128
"""Most threads of all processes of one child together. Reading a page needs about six."""

MEMORY_SHARES = 2
"""Most memory of a child in all, as a multiple of the limit of one process: the OCR process and one program may both
reach this limit."""

MAX_DEPTH = 4
"""Most levels of directories in the scratch directory. Reading needs one."""

MAX_MAPPINGS = 10_000
"""Most mappings of one process. An OCR process has about 700; the limit keeps the check short."""

ENDING_S = 0.05
"""Longest time between the end of a process's first thread and that of its others, when the process ends."""

ENDED = ("Z", "X")
"""The states of a thread that has ended."""

BLOCK_BYTES = 512

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors of a check that are the server's own. The next check tries again."""

SHELL = "/bin/sh"
KILL_AT_EOF = 'read -r nothing; kill -s KILL -- "-$1"; echo 1 >"$2"'
"""The shell's standard input ends when the server ends for any reason; then the shell kills group and cgroup."""


class Watchdog:
    """A shell outside the sandbox that kills an OCR process's group and cgroup when the server ends.

    The OCR process also does this itself, unless it was taken over.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, group: int, *, kill_file: Path = Path(os.devnull)) -> "Watchdog":
        """`kill_file` is the one of the process's cgroup, if it has one."""
        return cls(
            await asyncio.create_subprocess_exec(
                SHELL,
                "-c",
                KILL_AT_EOF,
                "docserver-watchdog",
                str(group),
                str(kill_file),
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


def exceeded_limit(process: int, limits: Limits, *, scratch: int) -> str | None:
    """The resource of which a process and its descendants use too much; None if they stay within all limits.

    `scratch` is the open scratch directory. A check that fails counts as an excess, because a process that was taken
    over could make it fail.
    """
    try:
        family = _family(process)
        if family is None:
            return "processes"
        family = [member for member in family if not _has_ended(member)]
        if sum(map(_memory_bytes, family)) > MEMORY_SHARES * limits.memory_bytes:
            return "memory"
        if has_own_file_system(scratch, limits):
            full = _is_full(scratch, limits)
        else:
            full = _uses_too_much_disk(scratch, family, limits)
    except _GONE:
        # The process or its directory is gone, which the server notices in other ways.
        return None
    except OSError as error:
        return None if error.errno in SHORTAGES else "resources"
    return "disk" if full else None


_GONE = (FileNotFoundError, ProcessLookupError)


def _family(process: int) -> list[int] | None:
    """The ids of a process and all its descendants; None if they or their threads are too many."""
    family: list[int] = []
    unseen = [process]
    threads = 0
    while unseen:
        family.append(unseen.pop())
        with suppress(*_GONE), os.scandir(f"/proc/{family[-1]}/task") as tasks:
            for task in tasks:
                threads += 1
                if len(family) > MAX_PROCESSES or threads > MAX_THREADS:
                    return None
                with suppress(*_GONE):
                    unseen += map(int, Path(task.path, "children").read_text().split())
    return family


def _has_ended(process: int) -> bool:
    """True if a process has ended. Its parent may not have been told yet: then even its owner may not look at it.

    Raises OSError if only the first thread has ended: then nothing shows the memory and the files of the others.
    """
    deadline = time.monotonic() + ENDING_S
    while True:
        try:
            # After the command in brackets, the first field is the state, and the 18th counts the threads (proc(5)).
            fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except _GONE:
            return True
        if fields[0] not in ENDED:
            return False
        if int(fields[17]) <= 1:
            return True
        if time.monotonic() > deadline:
            raise OSError(errno.EACCES, "The process hides what it uses.")
        time.sleep(ENDING_S / 10)


def _memory_bytes(process: int) -> int:
    """The memory of a process, including what was swapped out."""
    with suppress(*_GONE):
        # The name of the process is in the first line and may hold any other separator of lines.
        lines = Path(f"/proc/{process}/status").read_bytes().split(b"\n")
        # A zombie has no memory and no such lines.
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith((b"VmRSS:", b"VmSwap:")))
    return 0


def _is_full(scratch: int, limits: Limits) -> bool:
    """True if a scratch directory that is a file system of its own has reached its limits."""
    usage = os.fstatvfs(scratch)
    used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
    return used > limits.disk_bytes or usage.f_files - usage.f_ffree > MAX_FILES


def _uses_too_much_disk(scratch: int, family: Sequence[int], limits: Limits) -> bool:
    """True if the files in the scratch directory, or files that were deleted from it, are too many or too large."""
    sizes: list[int] = []
    with suppress(*_GONE):
        for size in _sizes_below(scratch, depth=0):
            sizes.append(size)
            if len(sizes) > MAX_FILES:
                return True
    path = str(Path(f"/proc/self/fd/{scratch}").readlink())
    deleted: dict[tuple[int, int], int] = {}
    for process in family:
        with suppress(*_GONE):
            deleted |= dict.fromkeys(_deleted_but_mapped(process, path), limits.file_bytes)
            deleted |= _deleted_but_open(process)
    return sum(sizes) + sum(deleted.values()) > limits.disk_bytes


def _sizes_below(directory: int, *, depth: int) -> Iterator[int]:
    """The bytes on disk of each file and directory. Directories below MAX_DEPTH raise an OSError."""
    if depth > MAX_DEPTH:
        raise OSError(errno.ELOOP, "The directories are nested too deeply.")
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(*_GONE):
                status = entry.stat(follow_symlinks=False)
                yield status.st_blocks * BLOCK_BYTES
                if stat.S_ISDIR(status.st_mode):
                    inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
                    try:
                        yield from _sizes_below(inner, depth=depth + 1)
                    finally:
                        os.close(inner)


def _deleted_but_open(process: int) -> dict[tuple[int, int], int]:
    """Device and inode → bytes on disk, of deleted files that the process has open."""
    sizes = {}
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(*_GONE):
            status = descriptor.stat()
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                sizes[status.st_dev, status.st_ino] = status.st_blocks * BLOCK_BYTES
    return sizes


def _deleted_but_mapped(process: int, directory: str) -> Iterator[tuple[int, int]]:
    """Device and inode of each file deleted from this directory that the process has mapped into memory.

    Only a privileged process could see the size of such a file, and the mapping may be smaller. So the caller counts
    each as the largest file that a page needs. Source: proc_pid_maps(5).
    """
    with Path(f"/proc/{process}/maps").open(errors="replace") as maps:
        for count, line in enumerate(maps):
            if count > MAX_MAPPINGS:
                raise OSError(errno.E2BIG, "The process has too many mappings.")
            _, _, _, device, inode, *path = line.split(maxsplit=5)
            if path and path[0].startswith(directory) and path[0].rstrip("\n").endswith(" (deleted)"):
                major, minor = (int(part, 16) for part in device.split(":"))
                yield os.makedev(major, minor), int(inode)
