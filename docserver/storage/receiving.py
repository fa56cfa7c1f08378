"""Writes an upload to the disk while it arrives. Nothing here knows of documents."""

import hashlib
import os
from collections.abc import AsyncIterator
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


async def write(path: Path, chunks: AsyncIterator[bytes], *, max_bytes: int, room: Room) -> Received:
    digest, size, head = hashlib.sha256(), 0, b""
    pending: list[bytes] = []
    waiting = 0

    def create() -> BinaryIO:
        room.require()
        make_again(path.parent)
        return path.open("xb", buffering=0)

    def flush(file: BinaryIO, data: bytes) -> None:
        room.require(len(data))
        digest.update(data)
        # On a disk that is nearly full, a write may store only a part of the data.
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]

    def finish(file: BinaryIO, data: bytes) -> None:
        flush(file, data)
        os.fsync(file.fileno())

    with await on_disk(create) as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge(f"The file is larger than the {max_bytes / 1_000_000:g} MB that are accepted.")
            if len(head) < HEAD_BYTES:
                head += chunk[: HEAD_BYTES - len(head)]
            pending.append(chunk)
            waiting += len(chunk)
            if waiting >= WRITE_BYTES:
                await on_disk(flush, file, b"".join(pending))
                pending.clear()
                waiting = 0
        await on_disk(finish, file, b"".join(pending))
    return Received(path, size, digest.digest(), head)
