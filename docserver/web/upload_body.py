"""Reads the body of an upload as it arrives, within limits of size and time. `multipart` takes forms apart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from docserver.errors import RequestTimeout, TooLarge, UnsupportedMedia
from docserver.storage import Received
from docserver.web import expectations

MIN_BYTES_PER_S = 1000
"""An upload that is slower than this on average is refused, because a client that sends only a byte now and then must
not occupy a connection. Any modem is faster."""

Receive = Callable[[AsyncIterator[bytes]], Awaitable[Received]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of an upload."""

    file_bytes: int
    silence_s: float
    """Longest time without any byte. An upload may also fall behind MIN_BYTES_PER_S by this time in all."""
    total_s: float


async def read(request: web.Request, *, receive: Receive, bounds: Bounds) -> Received:
    """Receive a body that is the file itself; raises RequestTimeout, TooLarge, UnsupportedMedia."""
    if request.content_type.startswith("multipart/"):
        raise UnsupportedMedia("Here the body is the file itself; send forms to /v1/documents/upload-document.")
    check_request(request, max_bytes=bounds.file_bytes, bounds=bounds)
    return await receive(_chunks(Body(request, bounds)))


def check_request(request: web.Request, *, max_bytes: int, bounds: Bounds) -> None:
    """Refuse an upload by its headers; raises TooLarge, UnsupportedMedia."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    if (request.content_length or 0) > max_bytes:
        raise TooLarge(f"The upload is larger than the {bounds.file_bytes / 1_000_000:g} MB that are accepted.")


class Body:
    """The body of a request as chunks; raises RequestTimeout if they arrive too slowly."""

    def __init__(self, request: web.Request, bounds: Bounds) -> None:
        self._request = request
        self._bounds = bounds
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + bounds.total_s
        self._waited_s = 0.0
        self.size = 0
        """Bytes that have arrived."""

    async def chunk(self) -> bytes:
        """The bytes that have arrived since the last call, b"" at the end of the body; raises RequestTimeout."""
        if not self.size:
            await expectations.ask_for_body(self._request)
        began = self._clock()
        try:
            async with asyncio.timeout(self._patience_s(began)):
                arrived: bytes = await self._request.content.readany()
        except TimeoutError as error:
            raise RequestTimeout(f"The upload stopped or was too slow; bytes received: {self.size}.") from error
        # Only the time spent waiting for the client counts, not the time that the storage takes.
        self._waited_s += self._clock() - began
        self.size += len(arrived)
        return arrived

    def _patience_s(self, now: float) -> float:
        bounds = self._bounds
        late_s = bounds.silence_s + self.size / MIN_BYTES_PER_S - self._waited_s
        return min(bounds.silence_s, self._until - now, late_s)


async def _chunks(body: Body) -> AsyncIterator[bytes]:
    while chunk := await body.chunk():
        yield chunk
