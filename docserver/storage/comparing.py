"""Reads originals and compares them with what was uploaded."""

import asyncio
import hashlib
import os
import time
from pathlib import Path
from typing import BinaryIO

from docserver.sniff import HEAD_BYTES
from docserver.storage import Received

READ_BYTES = 1 << 20
"""Bytes of an original that are read and hashed in one step of a thread; a step takes about a millisecond."""

TRUSTED_S = 60.0
"""For this time, a file that was compared and has not changed since is not read again: a long document is taken page by
page."""

TRUSTED_FILES = 1000
"""Most files that are remembered; a process works on a few at a time."""


class Comparison:
    """Compares files, and remembers for a short time which were compared."""

    def __init__(self) -> None:
        self._trusted: dict[tuple[object, ...], float] = {}

    async def equal(self, path: Path, *, size: int, sha256: bytes) -> bool:
        """True if the file has these bytes. Raises OSError."""
        status = await asyncio.to_thread(path.lstat)
        if status.st_size != size:
            return False
        # The time of the last change of the inode is left out: a hard link for an OCR process changes it too.
        file = (path, status.st_dev, status.st_ino, status.st_mtime_ns, sha256)
        if time.monotonic() < self._trusted.get(file, 0.0):
            return True
        if (await examine(path)).sha256 != sha256:
            return False
        while len(self._trusted) >= TRUSTED_FILES:
            del self._trusted[next(iter(self._trusted))]
        self._trusted[file] = time.monotonic() + TRUSTED_S
        return True


async def examine(path: Path) -> Received:
    """What an upload with the bytes of this file would be."""
    digest = hashlib.sha256()
    # A small file is opened, read and hashed in one step: to give a thread its work takes as long as to hash 50 kB.
    file, head, has_more = await asyncio.to_thread(_begin, path, digest)
    with file:
        while has_more:
            has_more = await asyncio.to_thread(_hash_piece, file, digest)
        return Received(path, file.tell(), digest.digest(), head)


def _begin(path: Path, digest: "hashlib._Hash") -> tuple[BinaryIO, bytes, bool]:
    """Open a file and hash its first piece; returns also its head, and False if that was all of it."""
    file = _open_original(path)
    try:
        head = file.read(HEAD_BYTES)
        digest.update(head)
        return file, head, _hash_piece(file, digest)
    except BaseException:
        file.close()
        raise


def _open_original(path: Path) -> BinaryIO:
    # Without O_NONBLOCK, a pipe in the place of the file would block the thread for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb", buffering=0)


def _hash_piece(file: BinaryIO, digest: "hashlib._Hash") -> bool:
    """Hash the next piece of a file; False at its end."""
    left = READ_BYTES
    while left:
        # A read may give less than is asked for, also before the end of the file.
        piece = file.read(left)
        if not piece:
            return False
        digest.update(piece)
        left -= len(piece)
    return True
