"""A multipart upload read as a stream: one file to the storage, options beside it. Nothing is held whole in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import BodyPartReader, web
from multidict import MultiDict

from docserver.errors import BadRequest, RequestTimeout, TooLarge, Unprocessable, UnsupportedMedia
from docserver.storage import Received

CHUNK_BYTES = 1 << 18
MAX_FIELD_BYTES = 4096
"""Longest value of an option: far more than any has."""

MAX_FIELDS = 32
"""More parts than there are options are a mistake or an attack."""

OVERHEAD_BYTES = 1 << 20
"""Of a multipart body beside its file: headers of parts, options, boundaries."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    received: Received
    filename: str
    fields: MultiDict[str]


Receive = Callable[[AsyncIterator[bytes]], Awaitable[Received]]
Discard = Callable[[Received], Awaitable[None]]


async def read(request: web.Request, *, receive: Receive, discard: Discard, max_bytes: int, silence_s: float) -> Upload:
    """Read a multipart body with one part `file`; raises BadRequest, RequestTimeout, TooLarge, Unprocessable."""
    if not request.content_type.startswith("multipart/form-data"):
        raise UnsupportedMedia("Send the document as multipart/form-data with a part named file.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    if (request.content_length or 0) > max_bytes + OVERHEAD_BYTES:
        raise TooLarge(f"The upload is larger than the {max_bytes / 1_000_000:g} MB that are accepted.")
    parts = _Parts(receive, silence_s)
    try:
        await parts.read(request)
    except BaseException:
        if parts.received is not None:
            await asyncio.shield(discard(parts.received))
        raise
    if parts.received is None:
        raise Unprocessable("The part named file is missing.", errors=[{"detail": "No such part.", "pointer": "/file"}])
    return Upload(parts.received, parts.filename, parts.fields)


class _Parts:
    """What has been read of a body so far."""

    def __init__(self, receive: Receive, silence_s: float) -> None:
        self.received: Received | None = None
        self.filename = ""
        self.fields: MultiDict[str] = MultiDict()
        self._receive = receive
        self._silence_s = silence_s

    async def read(self, request: web.Request) -> None:
        try:
            reader = await request.multipart()
            while (part := await self._soon(reader.next())) is not None:
                if not isinstance(part, BodyPartReader):
                    raise BadRequest("A part is itself multipart, which no upload needs.")
                await self._take(part)
        except (ValueError, AssertionError, RuntimeError) as error:
            # aiohttp's parser raises these for whatever is not multipart.
            raise BadRequest("The multipart body is malformed.") from error

    async def _take(self, part: BodyPartReader) -> None:
        if part.name == "file":
            if self.received is not None:
                raise Unprocessable(
                    "One file an upload.", errors=[{"detail": "Given more than once.", "pointer": "/file"}]
                )
            self.filename = part.filename or ""
            self.received = await self._receive(self._chunks(part))
            return
        if len(self.fields) == MAX_FIELDS:
            raise BadRequest(f"The body has more than {MAX_FIELDS} fields.")
        value = bytearray()
        async for chunk in self._chunks(part):
            value += chunk
            if len(value) > MAX_FIELD_BYTES:
                raise BadRequest(f"A field is longer than {MAX_FIELD_BYTES} bytes; is the document's part named file?")
        self.fields.add(part.name or "", value.decode())

    async def _chunks(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while chunk := await self._soon(part.read_chunk(CHUNK_BYTES)):
            yield chunk

    async def _soon(self, reading: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._silence_s):
                return await reading
        except TimeoutError as error:
            raise RequestTimeout(f"Nothing arrived for {self._silence_s:g} seconds.") from error
