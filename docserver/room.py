"""Free space on disks. Before a disk is full, writing stops: uploads first, then large results, then slots.

The rest is for the database. It has to save what was accepted, and it dies when its disk is full.
"""

import asyncio
import errno
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("docserver.storage")

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a write that mean that there is no room: on the disk, in a quota, below the limit of a file's size."""

MAX_SHARE = 0.1
"""Most of a disk that is kept free, as a share of it, so that a small disk can be used too."""

FILES_KEPT = 1000
"""Uploads stop when no more files than this can be created. An upload needs one or two, a slot a few dozen."""

UPLOADS, RESULTS, SLOTS = 1.0, 0.5, 0.25
"""The part of the reserve (`DOCSERVER_MIN_FREE_MB`) that each kind of work leaves free."""

START_BYTES, FILES_TO_START = 1_000_000, 20
"""Room on the disk that a process needs to start: it creates a few directories and lock files."""

WAIT_S, WAIT_POLL_S = 600.0, 1.0
"""Longest wait for room, and the pause between two looks at the disk."""

SAMPLE_S = 1.0
"""How long a measurement of the free space is used. Writes that `require` has allowed since are subtracted."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk's size and free space, and the part of it that uploads leave free."""

    size: int
    free: int
    reserve: float

    @classmethod
    def of(cls, directory: Path, *, min_free_mb: float) -> "Disk":
        """The disk of a directory. All is 0 on a file system that does not know its size. Raises OSError."""
        disk = os.statvfs(directory)
        size = disk.f_blocks * disk.f_frsize
        return cls(size, disk.f_bavail * disk.f_frsize, min(min_free_mb * 1_000_000, size * MAX_SHARE))


class Room:
    """The room that one kind of write has on the disks of some directories. All threads may use it."""

    def __init__(self, directories: Sequence[Path], *, min_free_mb: float, share: float, stops: str) -> None:
        """This kind of write leaves `share` of the reserve free on each disk. `stops` names it in the log. Directories
        that are missing are measured by those above them.
        """
        self._directories = directories
        self._min_free_bytes = min_free_mb * 1_000_000
        self._share = share
        self._stops = stops
        self._lock = threading.Lock()
        self._sampled_at = -math.inf
        self._spare_bytes = math.inf
        self._is_short = False

    def require(self, size: int = 0) -> None:
        """Subtract a write of `size` bytes from the room; raises OSError (ENOSPC) if there is too little."""
        with self._lock:
            if not self.is_measured:
                self._spare_bytes = min((self._spare(path) for path in self._directories), default=math.inf)
                self._sampled_at = time.monotonic()
            is_short = self._spare_bytes < size
            if not is_short:
                self._spare_bytes -= size
            self._log(is_short=is_short)
        if is_short:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @property
    def is_measured(self) -> bool:
        """True if a moment ago the disks were measured, so that nothing here waits for them now."""
        return time.monotonic() - self._sampled_at <= SAMPLE_S

    def is_short(self) -> bool:
        """True if nothing of this kind may be written now."""
        try:
            self.require()
        except OSError:
            return True
        return False

    def _spare(self, directory: Path) -> float:
        """The bytes that may be written here; negative if there are too few, or if too few files can be created."""
        disk = os.statvfs(existing(directory))
        # Some network file systems do not know their size, and some local ones have no limit on the number of files.
        if not disk.f_blocks:
            return math.inf
        if disk.f_files and disk.f_favail < self._share * min(FILES_KEPT, disk.f_files * MAX_SHARE):
            return -1
        total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        return free - self._share * min(self._min_free_bytes, total * MAX_SHARE)

    def _log(self, *, is_short: bool) -> None:
        if is_short == self._is_short:
            return
        self._is_short = is_short
        if is_short:
            log.warning("disk nearly full", extra={"stops": self._stops})
        else:
            log.info("disk has room again", extra={"goes_on": self._stops})


UNLIMITED = Room((), min_free_mb=0, share=0, stops="nothing")
"""For work that does not ask how much room there is."""


async def wait_for(directory: Path, need_bytes: int, *, user: str) -> None:
    """Wait until the disk of a directory, which need not exist yet, has room. `user` names in the log who waits.

    Raises OSError (ENOSPC) after WAIT_S.
    """
    until = time.monotonic() + WAIT_S
    has_waited = False
    while not await has(directory, need_bytes):
        if not has_waited:
            log.warning("waiting for room on the disk", extra={"waits": user, "needed_mb": round(need_bytes / 1e6)})
            has_waited = True
        if time.monotonic() > until:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))
        await asyncio.sleep(WAIT_POLL_S)
    if has_waited:
        log.info("disk has room again", extra={"goes_on": user})


async def has(directory: Path, need_bytes: int) -> bool:
    """True if the disk of a directory, which need not exist yet, has room."""
    return await asyncio.to_thread(_free_bytes, directory) >= need_bytes


def _free_bytes(directory: Path) -> float:
    """The bytes that may be written here; 0 if no further file can be created."""
    disk = os.statvfs(existing(directory))
    if not disk.f_blocks:
        return math.inf
    return 0 if disk.f_files and disk.f_favail < FILES_TO_START else disk.f_bavail * disk.f_frsize


def existing(directory: Path) -> Path:
    """The directory, or the nearest above it that exists."""
    return next(path for path in (directory, *directory.absolute().parents) if path.exists())


def require_writable(directory: Path) -> None:
    """Raise OSError, with the directory's name, if it cannot be written or, where it is missing, not be made."""
    places = (directory, *directory.absolute().parents)
    # A link that leads nowhere is in the way, too.
    place = next(path for path in places if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=place, buffering=0) as probe:
            probe.write(b"ready")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(directory)) from error


def can_reserve(directory: Path, size: int) -> bool:
    """False if a quota, which the free space of the disk does not show, has no room for a file of this size."""
    with tempfile.TemporaryFile(dir=directory) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            return error.errno not in FULL
    return True
