"""Reads an upload while it arrives, and writes it to the disk. Nothing here knows of documents."""

import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import BinaryIO

from docserver.errors import TooLarge
from docserver.room import Room
from docserver.sniff import HEAD_BYTES
from docserver.storage import Received
from docserver.storage.disk import on_disk

WRITE_BYTES = 1 << 18
"""Bytes of an upload that are collected in memory before a thread hashes and writes them."""


def make_again(incoming: Path) -> None:
    """Create the directory of uploads if somebody has removed it, but not where the data directory is not mounted."""
    if not incoming.is_dir() and (incoming.parent / "originals").is_dir():
        incoming.mkdir(mode=0o700, exist_ok=True)


class Arrival:
    """An upload that arrives, and what is known of it so far."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.size = 0
        self.head = b""
        """The first bytes, HEAD_BYTES at most."""
        self.is_complete = False
        """True once all bytes have arrived; the last piece may not have been taken yet."""

    async def pieces(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The upload in pieces that are worth a thread's work; raises TooLarge, and every error of `chunks`."""
        pending: list[bytes] = []
        waiting = 0
        async for chunk in chunks:
            self.size += len(chunk)
            if self.size > self._max_bytes:
                raise TooLarge(f"The file is larger than the {self._max_bytes / 1_000_000:g} MB that are accepted.")
            if len(self.head) < HEAD_BYTES:
                self.head += chunk[: HEAD_BYTES - len(self.head)]
            pending.append(chunk)
            waiting += len(chunk)
            if waiting >= WRITE_BYTES:
                yield b"".join(pending)
                pending.clear()
                waiting = 0
        self.is_complete = True
        yield b"".join(pending)


async def write(path: Path, chunks: AsyncIterator[bytes], *, max_bytes: int, room: Room) -> Received:
    digest, arrival = hashlib.sha256(), Arrival(max_bytes)

    def create() -> BinaryIO:
        make_again(path.parent)
        room.require()
        return path.open("xb", buffering=0)

    def flush(file: BinaryIO, data: bytes) -> None:
        room.require(len(data))
        digest.update(data)
        # On a disk that is nearly full, a write may store only a part of the data.
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        if arrival.is_complete:
            os.fsync(file.fileno())

    with await on_disk(create) as file:
        async with aclosing(arrival.pieces(chunks)) as pieces:
            async for piece in pieces:
                await on_disk(flush, file, piece)
    return Received(path, arrival.size, digest.digest(), arrival.head)
