"""Writes an upload to a bucket while it arrives.

What is not sent yet waits on the local disk. A part is in memory only while it is sent, and few are sent at the same
time, so the memory that uploads take does not grow with their number.
"""

import asyncio
import errno
import hashlib
import mmap
import os
import queue
import tempfile
import threading
from collections.abc import AsyncIterator, Generator
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing, suppress
from io import FileIO
from pathlib import Path

from docserver.room import Room
from docserver.storage import BucketError
from docserver.storage.bucket import Bucket

PART_BYTES = 8 << 20
"""Size of a part. S3 wants at least 5 MiB. A smaller upload is sent by one request when it has arrived."""

MAX_PARTS = 10_000
"""Most parts of an object, as S3 counts them."""

PARTS_AT_ONCE = 4
"""Most parts that a process holds in memory and sends. One connection to a bucket takes some 50 MB a second, so four
use up most networks."""

FREE_BYTES = 1 << 20
"""A file that is not larger is sent at once, beside the parts: the threads of `Bucket` bound how many there are."""


class _Aborted(Exception):
    """Raised in the thread that sends, so that the bucket forgets the parts it has."""


class ObjectUpload:
    """An object that is being written. Its methods raise OSError; one at a time may be called."""

    def __init__(
        self, bucket: Bucket, key: str, *, directory: Path, room: Room, max_bytes: int, turns: asyncio.Semaphore
    ) -> None:
        """`directory` is a local one for what is not sent yet, on a disk whose `room` is respected. Who sends a part
        holds one of `turns`, which all uploads share.
        """
        self._bucket, self._key, self._directory, self._room, self._turns = bucket, key, directory, room, turns
        self._part_bytes = max(PART_BYTES, max_bytes // MAX_PARTS + 1)
        self._part: FileIO | None = None
        self._size = 0
        self._sending: asyncio.Task[None] | None = None
        self._orders: queue.SimpleQueue[FileIO | _Aborted | None] = queue.SimpleQueue()
        """For the thread that sends: a part, or the end. It gets an order when it has done the one before."""
        self._done: Future[None] = Future()
        self._has_thread = False
        self._is_aborted = False
        # A cancelled upload is aborted while a thread may still write a piece of it.
        self._lock = threading.Lock()
        self.digest = hashlib.sha256()

    async def write(self, data: bytes) -> None:
        """Add data."""
        rest = memoryview(data)
        while rest:
            rest = await asyncio.to_thread(self._fill, rest)
            if self._size == self._part_bytes:
                await self._send_part()

    async def finish(self) -> None:
        """Wait until the object is stored."""
        if self._sending is None:
            await self._put_whole()
            return
        await self._send_part(is_last=True)
        await self._sent()

    async def abort(self) -> None:
        """Let the bucket forget what it has of an upload that is not finished."""
        self._is_aborted = True
        await asyncio.to_thread(self._close_part)
        with suppress(Exception):
            await self._sent()
        if self._has_thread:
            with suppress(Exception):
                await self._order(_Aborted())

    def _fill(self, data: memoryview) -> memoryview:
        """Write data until the part is full; returns the rest."""
        with self._lock:
            if self._is_aborted:
                return data[:0]
            # Somebody may have removed it.
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._part is None:
                self._part = _unnamed(self._directory)
            piece = data[: self._part_bytes - self._size]
            self._room.require(len(piece))
            written = self._part.write(piece)
            self.digest.update(piece[:written])
            self._size += written
            return data[written:]

    def _close_part(self) -> None:
        with self._lock:
            if self._part:
                self._part.close()

    async def _put_whole(self) -> None:
        if self._size <= FREE_BYTES:
            await self._bucket.run(self._put_part)
            return
        async with self._turn():
            await self._bucket.run(self._put_part)

    def _put_part(self) -> None:
        with self._lock:
            if self._part is None:
                self._bucket.put(self._key, b"")
                return
            with self._part as part:
                self._bucket.put(self._key, _contents(part))

    async def _send_part(self, *, is_last: bool = False) -> None:
        """Let the part be sent while the next one is filled. The last may be smaller, even empty."""
        await self._sent()
        part, self._part, self._size = self._part, None, 0
        self._sending = asyncio.create_task(self._send(part, is_last=is_last))

    async def _sent(self) -> None:
        """Wait until the last order is done, which goes on if the upload is cancelled."""
        if self._sending:
            await asyncio.wait({self._sending})
            self._sending.result()

    async def _send(self, part: FileIO | None, *, is_last: bool) -> None:
        try:
            async with self._turn():
                if part and not self._is_aborted:
                    await self._order(part)
                # The library sends a part that is not full only at the end.
                if is_last and not self._is_aborted:
                    await self._order(None)
        finally:
            if part:
                part.close()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._bucket.timeout_s):
                await self._turns.acquire()
        except TimeoutError:
            raise BucketError(errno.ETIMEDOUT, "too many uploads wait for the bucket") from None
        try:
            yield
        finally:
            self._turns.release()

    async def _order(self, order: FileIO | _Aborted | None) -> None:
        """Have the thread do something, and wait until it has."""
        self._done = Future()
        self._orders.put(order)
        if not self._has_thread:
            self._has_thread = True
            threading.Thread(target=self._store, name="bucket upload", daemon=True).start()
        await asyncio.wrap_future(self._done)

    def _store(self) -> None:
        """The thread's work. It has one of its own because it lasts as long as the client sends."""
        try:
            with closing(self._pieces()) as pieces:
                self._bucket.put_parts(self._key, pieces, part_bytes=self._part_bytes)
        except BaseException as error:  # noqa: BLE001 - whoever has given the order raises it
            self._has_thread = False
            self._done.set_exception(error)
        else:
            self._has_thread = False
            self._done.set_result(None)

    def _pieces(self) -> Generator[bytes | mmap.mmap, None, None]:
        while (order := self._orders.get()) is not None:
            if isinstance(order, _Aborted):
                raise order
            yield _contents(order)
            # An empty piece is taken once the part before is stored.
            yield b""
            self._done.set_result(None)


def _unnamed(directory: Path) -> FileIO:
    """A new file that is gone when it is closed."""
    file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - who calls this closes it
    assert isinstance(file, FileIO)
    return file


def _contents(part: FileIO) -> mmap.mmap:
    """All bytes of a file, which has some."""
    # In memory of its own, which the system gets back at once. The allocator would keep some for each thread.
    contents = mmap.mmap(-1, part.seek(0, os.SEEK_END))
    part.seek(0)
    part.readinto(contents)
    return contents
