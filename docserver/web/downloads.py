"""Sends files, with limits on slow clients: a lowest speed for each answer, and a longest time for large ones.

The limits are those of uploads: DOCSERVER_BODY_TIMEOUT_S, DOCSERVER_UPLOAD_TIMEOUT_S, and MIN_BYTES_PER_S.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from docserver.errors import Unauthorized
from docserver.storage.open_file import OpenFile
from docserver.web.compression import Coding
from docserver.web.upload_body import MIN_BYTES_PER_S

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


async def pieces(
    read: Callable[[int, int], bytes], *, part: range, threads: Executor | None = None
) -> AsyncIterator[bytes]:
    """These bytes of a file in pieces. `read` takes a size and an offset; it is called in a thread.

    Raises ConnectionResetError if the file ends early: the client must not take what it has for the whole.
    """
    while part:
        piece = await asyncio.get_running_loop().run_in_executor(
            threads or _threads, read, min(PIECE_BYTES, len(part)), part.start
        )
        if not piece:
            raise ConnectionResetError("The file is shorter than it was.")
        part = part[len(piece) :]
        yield piece


class Download(web.StreamResponse):
    """A file, or a part of it, that a client must read in time. It closes the file when it is sent.

    aiohttp sends it when the handler has returned, so the middlewares have added their headers by then.
    """

    def __init__(
        self,
        file: OpenFile,
        *,
        total_s: float,
        headers: Mapping[str, str],
        part: range | None = None,
        coding: Coding | None = None,
        check_caller: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """`part` has the positions of the bytes to send; None for all. With a `coding`, they are compressed.
        `check_caller` raises Unauthorized if the client's API key is not valid any more; then the client is cut off.
        """
        super().__init__(status=200 if part is None else 206, headers=headers)
        self._file = file
        self._check_caller = check_caller
        self._part = range(file.size) if part is None else part
        self._total_s = total_s
        self._coding = coding
        if coding:
            self.headers["Content-Encoding"] = coding.name
        else:
            self.content_length = len(self._part)
        if part is not None:
            self.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers and the file."""
        with closing(self._file), in_time(request, total_s=self._total_s):
            writer = await super().prepare(request)
            if request.method != "HEAD":
                async for piece in self._pieces():
                    await self._check(request)
                    await self.write(piece)
            await self.write_eof()
            return writer

    async def _pieces(self) -> AsyncIterator[bytes]:
        plain = pieces(self._file.read, part=self._part, threads=self._file.threads)
        if self._coding is None:
            async for piece in plain:
                yield piece
            return
        compressor, loop = self._coding.start(), asyncio.get_running_loop()
        async for piece in plain:
            if compressed := await loop.run_in_executor(_threads, compressor.compress, piece):
                yield compressed
        yield compressor.flush()

    async def _check(self, request: web.BaseRequest) -> None:
        if self._check_caller is None:
            return
        try:
            await self._check_caller()
        except Unauthorized as error:
            _cut_off(request.transport, "key not valid any more")
            raise ConnectionResetError("The API key is not valid any more.") from error


def _cut_off(transport: Any, reason: str) -> None:
    if transport is not None:
        if not transport.is_closing():
            log.info("download cut off", extra={"reason": reason})
        # Without this, a connection that is closing stays open until the client has read what was sent to it.
        transport.abort()
