"""Writes an upload to a bucket while it arrives. Only a full part is in memory: slow clients take none."""

import hashlib
import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from docserver.room import Room
from docserver.storage.bucket import Bucket

PART_BYTES = 8 << 20
"""Size of a part. S3 wants at least 5 MiB. A smaller upload is sent by one request when it has arrived."""

MAX_PARTS = 10_000
"""Most parts of an object, as S3 counts them."""

POLL_S = 0.5
"""Interval at which somebody who hands over a part looks whether sending has failed meanwhile."""


class _Aborted(Exception):
    """Raised in the thread that sends, so that the bucket forgets the parts it has."""


class ObjectUpload:
    """An object that is being written. All methods block; each waits until another has ended."""

    def __init__(self, bucket: Bucket, key: str, *, directory: Path, room: Room, max_bytes: int) -> None:
        """`directory` is a local one for the part that is not full, on a disk whose `room` is respected."""
        self._bucket, self._key, self._room = bucket, key, room
        self._directory = directory
        self._part_bytes = max(PART_BYTES, max_bytes // MAX_PARTS + 1)
        self._part: BinaryIO | None = None
        self._size = 0
        self._parts: queue.Queue[bytes | _Aborted | None] = queue.Queue(1)
        self._sender: threading.Thread | None = None
        self._sent = threading.Event()
        self._error: BaseException | None = None
        # A cancelled upload is aborted while a thread may still write a piece of it.
        self._lock = threading.Lock()
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Add data; raises OSError."""
        with self._lock:
            self._write(data)

    def finish(self) -> None:
        """Wait until the object is stored; raises OSError."""
        with self._lock:
            if self._sender is None:
                self._bucket.put(self._key, self._take_part())
            else:
                if self._size:
                    self._hand_over(self._take_part())
                self._hand_over(None)
                self._sent.wait()
                if self._error:
                    raise self._error
            self._close()

    def abort(self) -> None:
        """Let the bucket forget what it has of an upload that is not finished."""
        with self._lock:
            self._close()
            if self._sender:
                with suppress(BaseException):
                    self._hand_over(_Aborted())
                self._sent.wait()

    def _write(self, data: bytes) -> None:
        self.digest.update(data)
        self._room.require(len(data))
        if self._part is None:
            self._part = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - `_close` closes it
        rest = memoryview(data)
        while rest:
            written = self._part.write(rest[: self._part_bytes - self._size])
            self._size += written
            rest = rest[written:]
            if self._size == self._part_bytes:
                self._hand_over(self._take_part())

    def _close(self) -> None:
        if self._part:
            self._part.close()

    def _take_part(self) -> bytes:
        if self._part is None:
            return b""
        self._part.seek(0)
        data = self._part.read(self._size)
        self._part.seek(0)
        self._part.truncate()
        self._size = 0
        return data

    def _hand_over(self, part: bytes | _Aborted | None) -> None:
        if self._sender is None:
            self._sender = threading.Thread(target=self._send, name="bucket upload", daemon=True)
            self._sender.start()
        while True:
            if self._sent.is_set():
                raise self._error or RuntimeError("the upload has ended")
            with suppress(queue.Full):
                self._parts.put(part, timeout=POLL_S)
                return

    def _send(self) -> None:
        try:
            self._bucket.put_parts(self._key, self._handed_over(), part_bytes=self._part_bytes)
        except BaseException as error:  # noqa: BLE001 - `finish` raises it
            self._error = error
        finally:
            self._sent.set()

    def _handed_over(self) -> Iterator[bytes]:
        while (part := self._parts.get()) is not None:
            if isinstance(part, _Aborted):
                raise part
            yield part
