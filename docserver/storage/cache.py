"""Local copies of originals that are in a bucket: a directory of bounded size that the processes of a machine share.

A copy that somebody reads has a shared lock, so no process removes it; the one that was used least recently goes first.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

LEFTOVER_S = 3600.0
"""A copy that was not finished for this time was left by a process that was killed."""

log = logging.getLogger("docserver.storage")


class FileCache:
    """All methods block."""

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self.directory = directory
        self._max_bytes = max_bytes

    def prepare(self) -> None:
        """Create the directory if it is missing."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, document_id: UUID) -> Path:
        return self.directory / str(document_id)

    def open(self, document_id: UUID) -> BinaryIO | None:
        """Open a copy, which is not removed until it is closed; None if there is none."""
        path = self.path(document_id)
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH)
            status = os.fstat(file.fileno())
            # Until the lock was there, another process could still remove it.
            if status.st_nlink and path.stat().st_ino == status.st_ino:
                # The last use. The time of the last change stays: `Comparison` knows the file by it.
                os.utime(file.fileno(), ns=(time.time_ns(), status.st_mtime_ns))
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def add(self, document_id: UUID, write: Callable[[BinaryIO], None]) -> None:
        """Let `write` write a copy, then remove others if there are too many; raises OSError."""
        self.prepare()
        part = self.directory / f"{uuid4()}.part"
        try:
            with part.open("xb") as file:
                write(file)
            part.rename(self.path(document_id))
        finally:
            part.unlink(missing_ok=True)
        self._trim(document_id)

    def remove(self, document_id: UUID) -> None:
        """Remove a copy, if there is one, also while somebody reads it."""
        self.path(document_id).unlink(missing_ok=True)

    def _trim(self, newest: UUID) -> None:
        """Remove the copies that were not used for the longest time, until the rest is small enough."""
        total, copies, now = 0, [], time.time()
        with os.scandir(self.directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    total += status.st_size
                    if not entry.name.endswith(".part") or now - status.st_mtime > LEFTOVER_S:
                        copies.append((status.st_atime_ns, status.st_size, entry.name))
        for _, size, name in sorted(copies):
            if total <= self._max_bytes:
                return
            if name != str(newest) and _remove_unused(self.directory / name):
                total -= size


def _remove_unused(path: Path) -> bool:
    """Remove a copy; False if somebody reads it."""
    with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        path.unlink()
    return True
