"""A multipart upload read as a stream: one file to the storage, options beside it. Nothing is held whole in memory.

aiohttp's own reader is not used: it puts no bound on what stands before the first part and on parts that are skipped,
and interprets headers of parts (base64, charset) that no upload needs.
"""

import asyncio
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import content_disposition_filename, parse_content_disposition, web
from multidict import MultiDict
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from docserver.errors import BadRequest, RequestTimeout, TooLarge, Unprocessable, UnsupportedMedia
from docserver.storage import Received

MAX_FIELD_BYTES = 4096
"""Longest value of an option: far more than any has."""

MAX_FIELDS = 32
"""More parts than there are options are a mistake or an attack."""

MAX_HEADERS = 8
"""RFC 7578 knows three headers of a part."""

MAX_HEADER_BYTES = 8190
"""As long as one of the request itself may be; a file name is the only long thing in it."""

MIN_BYTES_PER_S = 1000
"""A slower upload, on average, is given up: a client that sends a byte now and then must not keep its place. Any modem
is faster."""

OVERHEAD_BYTES = 1 << 20
"""Of a multipart body beside its file: preamble, headers of parts, options, boundaries, epilogue."""

Event: TypeAlias = MultipartSegment | bytes | None
"""A part begins, goes on, ends."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an upload may be at most."""

    file_bytes: int
    silence_s: float
    """Longest time without any byte; also how long the whole upload may be slower than MIN_BYTES_PER_S."""
    total_s: float


@dataclass(frozen=True, slots=True)
class Upload:
    received: Received
    filename: str
    fields: MultiDict[str]


Receive = Callable[[AsyncIterator[bytes]], Awaitable[Received]]
Discard = Callable[[Received], Awaitable[None]]


async def read(request: web.Request, *, receive: Receive, discard: Discard, bounds: Bounds) -> Upload:
    """Read a multipart body with one part `file`; raises BadRequest, RequestTimeout, TooLarge, Unprocessable."""
    parser = _parser(request)
    if (request.content_length or 0) > bounds.file_bytes + OVERHEAD_BYTES:
        raise TooLarge(f"The upload is larger than the {bounds.file_bytes / 1_000_000:g} MB that are accepted.")
    parts = _Parts(receive)
    try:
        async with aclosing(_events(_Body(request, bounds), parser, parts)) as events:
            await parts.read(events)
    except MultipartError as error:
        await parts.drop(discard)
        raise BadRequest(f"The multipart body is malformed: {error.args[0]}.") from error
    except BaseException:
        await parts.drop(discard)
        raise
    if parts.received is None:
        raise Unprocessable("The part named file is missing.", errors=[{"detail": "No such part.", "pointer": "/file"}])
    return Upload(parts.received, parts.filename, parts.fields)


def _parser(request: web.Request) -> PushMultipartParser:
    content_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if content_type != "multipart/form-data":
        raise UnsupportedMedia("Send the document as multipart/form-data with a part named file.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    try:
        return PushMultipartParser(
            options.get("boundary", ""), max_header_size=MAX_HEADER_BYTES, max_header_count=MAX_HEADERS
        )
    except (MultipartError, UnicodeError) as error:
        raise BadRequest("The Content-Type has no usable boundary.") from error


class _Body:
    """The bytes of a request, as long as they come in time."""

    def __init__(self, request: web.Request, bounds: Bounds) -> None:
        self._content = request.content
        self._bounds = bounds
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + bounds.total_s
        self._waited_s = 0.0
        self.size = 0
        """Bytes that have arrived."""

    async def chunk(self) -> bytes:
        """What has arrived, b"" at the end; raises RequestTimeout."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._patience_s(began)):
                arrived: bytes = await self._content.readany()
        except TimeoutError as error:
            raise RequestTimeout(
                f"The upload fell silent, or was slower than it may be, after {self.size} bytes."
            ) from error
        # Time that the storage took is not the client's.
        self._waited_s += self._clock() - began
        self.size += len(arrived)
        return arrived

    def _patience_s(self, now: float) -> float:
        bounds = self._bounds
        late_s = bounds.silence_s + self.size / MIN_BYTES_PER_S - self._waited_s
        return min(bounds.silence_s, self._until - now, late_s)


async def _events(body: _Body, parser: PushMultipartParser, parts: "_Parts") -> AsyncGenerator[Event, None]:
    while chunk := await body.chunk():
        for event in parser.parse(chunk):
            yield event
        if body.size - parts.file_bytes > OVERHEAD_BYTES:
            raise BadRequest("The multipart body has too much beside its file.")
    parser.close()


class _Parts:
    """What has been read of a body so far."""

    def __init__(self, receive: Receive) -> None:
        self.received: Received | None = None
        self.filename = ""
        self.fields: MultiDict[str] = MultiDict()
        self.file_bytes = 0
        self._receive = receive

    async def read(self, events: AsyncGenerator[Event, None]) -> None:
        async for event in events:
            if isinstance(event, MultipartSegment):
                await self._take(event, events)

    async def drop(self, discard: Discard) -> None:
        """Leave nothing of a file that has arrived before the rest turned out wrong."""
        if self.received is not None:
            await asyncio.shield(discard(self.received))

    async def _take(self, part: MultipartSegment, events: AsyncGenerator[Event, None]) -> None:
        if part.name == "file":
            if self.received is not None:
                raise Unprocessable(
                    "One file an upload.", errors=[{"detail": "Given more than once.", "pointer": "/file"}]
                )
            self.filename = _filename(part)
            self.received = await self._receive(self._file(events))
            return
        if len(self.fields) == MAX_FIELDS:
            raise BadRequest(f"The body has more than {MAX_FIELDS} fields.")
        value = bytearray()
        async for chunk in _content(events):
            value += chunk
            if len(value) > MAX_FIELD_BYTES:
                raise BadRequest(f"A field is longer than {MAX_FIELD_BYTES} bytes; is the document's part named file?")
        try:
            self.fields.add(part.name or "", value.decode())
        except UnicodeDecodeError as error:
            raise BadRequest("A field is not UTF-8 text.") from error

    async def _file(self, events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
        async for chunk in _content(events):
            self.file_bytes += len(chunk)
            yield chunk


async def _content(events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    """The bytes of the part that has begun, up to its end."""
    async for event in events:
        if not isinstance(event, bytes):
            return
        yield event


def _filename(part: MultipartSegment) -> str:
    """The name as the client gave it; some clients add an encoded form (RFC 8187), which then is the exact one."""
    header = part.header("Content-Disposition", "")
    if "filename*" not in header:
        return part.filename or ""
    with warnings.catch_warnings():
        # Of a header that it cannot read aiohttp warns, quoting it.
        warnings.simplefilter("ignore")
        _, given = parse_content_disposition(header)
        encoded = content_disposition_filename({key: name for key, name in given.items() if key != "filename"})
    return encoded or part.filename or ""
