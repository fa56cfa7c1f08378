"""Limits on clients that read their answers slowly: a lowest speed for each answer, and a longest time for large ones.

The limits are those of uploads: DOCSERVER_BODY_TIMEOUT_S, DOCSERVER_UPLOAD_TIMEOUT_S, and MIN_BYTES_PER_S.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from docserver.web.multipart import MIN_BYTES_PER_S

log = logging.getLogger("docserver.api")

PIECE_BYTES = 1 << 17
"""Files are sent in pieces of this size. Each client that reads slowly keeps one in memory."""

_threads = ThreadPoolExecutor(4, thread_name_prefix="download")
"""Downloads from a slow disk must not take the threads of asyncio, which store uploads."""


class LowestSpeed:
    """Cuts off a client that reads its answers too slowly."""

    def __init__(self, *, silence_s: float) -> None:
        """Within `silence_s` seconds, a client must read MIN_BYTES_PER_S a second, or all that waits for it."""
        self._silence_s = silence_s
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, transport: asyncio.Transport) -> None:
        """Start to measure: more bytes wait for the client than the connection takes."""
        self.stop()
        self._waiting_bytes = transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(self._silence_s, self._check, transport)

    def stop(self) -> None:
        """Stop measuring: the connection takes more bytes again, or is closed."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _check(self, transport: asyncio.Transport) -> None:
        read_bytes = self._waiting_bytes - transport.get_write_buffer_size()
        if read_bytes < MIN_BYTES_PER_S * self._silence_s:
            _cut_off(transport, "too slow")
        else:
            self.watch(transport)


@contextmanager
def in_time(request: web.BaseRequest, *, total_s: float) -> Iterator[None]:
    """Cut off the client if it has not read the whole answer when this time has passed.

    Raises ConnectionResetError if the client is gone.
    """
    timer = asyncio.get_running_loop().call_later(total_s, _cut_off, request.transport, "took too long")
    try:
        yield
    except ConnectionError as error:
        # Several errors mean that the client is gone. The middleware expects this one.
        raise ConnectionResetError("The client has hung up.") from error
    finally:
        timer.cancel()


async def pieces(read: Callable[[int, int], bytes], *, offset: int = 0, count: int) -> AsyncIterator[bytes]:
    """The next `count` bytes of a file in pieces. `read` takes a size and an offset; it is called in a thread."""
    while count > 0:
        piece = await asyncio.get_running_loop().run_in_executor(_threads, read, min(PIECE_BYTES, count), offset)
        if not piece:
            return
        offset += len(piece)
        count -= len(piece)
        yield piece


class FileDownload(web.FileResponse):
    """A file of the storage, or a part of it, that a client must read in time.

    If the whole file is sent and its bytes are not those of the upload, the connection is closed before the last piece.
    So the client sees that the file is not complete.
    """

    def __init__(self, path: Path, *, size: int, sha256: bytes, total_s: float, headers: dict[str, str]) -> None:
        """`size` and `sha256` are those of the upload."""
        super().__init__(path, headers=headers)
        self._size = size
        self._sha256 = sha256
        self._total_s = total_s

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the whole file; aiohttp calls this when the handler has returned."""
        with in_time(request, total_s=self._total_s):
            return await super().prepare(request)

    async def _sendfile(self, request: web.BaseRequest, fobj: IO[Any], offset: int, count: int) -> AbstractStreamWriter:
        """Send a part of the open file. aiohttp's own method reads it in asyncio's threads."""
        writer = await web.StreamResponse.prepare(self, request)
        assert writer is not None
        digest = hashlib.sha256()

        def read(size: int, at: int) -> bytes:
            piece = os.pread(fobj.fileno(), size, at)
            digest.update(piece)
            return piece

        left = count
        async for piece in pieces(read, offset=offset, count=count):
            left -= len(piece)
            if not left and count == self._size and digest.digest() != self._sha256:
                log.error("original damaged", extra={"document_id": self._path.name})
                _cut_off(request.transport, "damaged")
                raise ConnectionResetError("The file is damaged.")
            await writer.write(piece)
        return writer


def _cut_off(transport: Any, reason: str) -> None:
    if transport is not None:
        if not transport.is_closing():
            log.info("download cut off", extra={"reason": reason})
        # Without this, a connection that is closing stays open until the client has read what was sent to it.
        transport.abort()
