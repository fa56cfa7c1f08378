"""Reads a multipart upload as a stream: its file goes to the storage, its fields into memory, each within limits.

aiohttp's own reader is not used. It does not limit the bytes before the first part or in skipped parts, and it applies
part headers (base64, charset) that no upload needs.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web
from multidict import MultiDict
from multipart import MultipartError, MultipartSegment, PushMultipartParser

from docserver.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMedia
from docserver.storage import Received
from docserver.web import part_headers
from docserver.web.upload_body import Body, Bounds, Receive, check_request

MAX_FIELD_BYTES = 4096
"""Longest value of a field: far more than any option needs."""

MAX_FIELDS = 32
"""Most fields of one upload. This is more than there are options; a body with even more is a mistake or an attack."""

MAX_HEADERS = 8
"""Most headers of one part; RFC 7578 defines three."""

MAX_HEADER_BYTES = 8190
"""Longest header of one part; the same limit as for a header of the request. Only the file name can be long."""

OVERHEAD_BYTES = 1 << 20
"""Most bytes of a body outside its file: preamble, headers of parts, fields, boundaries, epilogue."""

Event: TypeAlias = MultipartSegment | bytes | None
"""A part begins (MultipartSegment), continues (bytes), or ends (None)."""


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body that was read whole: its file and its fields."""

    received: Received
    filename: str
    fields: MultiDict[str]


@dataclass(frozen=True, slots=True)
class FilesForm:
    """A multipart body with several files that was read whole."""

    files: Sequence[tuple[str, Received]]
    """Names and files, in their order."""
    fields: MultiDict[str]


Discard = Callable[[Received], Awaitable[None]]


async def read(request: web.Request, *, receive: Receive, discard: Discard, bounds: Bounds) -> Form:
    """Read a multipart body with one part `file`; raises BadRequest, RequestTimeout, TooLarge, Unprocessable."""
    form = _FormReader(receive)
    await _read(request, form, discard=discard, bounds=bounds, max_bytes=bounds.file_bytes)
    if form.received is None:
        raise Unprocessable("The part named file is missing.", errors=[{"detail": "No such part.", "pointer": "/file"}])
    return Form(form.received, form.filename, form.fields)


async def read_files(
    request: web.Request, *, receive: Receive, discard: Discard, bounds: Bounds, max_files: int, max_bytes: int
) -> FilesForm:
    """Read a multipart body with parts `file`, of `max_bytes` in all; raises what `read` raises. The caller discards
    the files.
    """
    form = _FilesReader(receive, max_files=max_files, max_bytes=max_bytes)
    await _read(request, form, discard=discard, bounds=bounds, max_bytes=max_bytes)
    if not form.files:
        raise Unprocessable("There is no part named file.", errors=[{"detail": "No such part.", "pointer": "/file"}])
    return FilesForm(form.files, form.fields)


async def _read(request: web.Request, form: "_FormReader", *, discard: Discard, bounds: Bounds, max_bytes: int) -> None:
    parser = _parser(request, form.wanted)
    check_request(request, max_bytes=max_bytes + OVERHEAD_BYTES, bounds=bounds)
    try:
        async with aclosing(_events(Body(request, bounds), parser, form)) as events:
            await form.read(events)
    except MultipartError as error:
        await form.discard_file(discard)
        raise BadRequest(f"The multipart body is malformed: {error.args[0]}.") from error
    except BaseException:
        await form.discard_file(discard)
        raise


def _parser(request: web.Request, wanted: str) -> PushMultipartParser:
    content_type = request.headers.get("Content-Type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise UnsupportedMedia(wanted)
    try:
        return PushMultipartParser(
            next((value for name, value in part_headers.parameters(content_type) if name == "boundary"), ""),
            max_header_size=MAX_HEADER_BYTES,
            max_header_count=MAX_HEADERS,
            # This takes any bytes. `part_headers` decodes what they mean.
            header_charset="latin-1",
        )
    except (MultipartError, UnicodeError) as error:
        raise BadRequest("The Content-Type has no usable boundary.") from error


async def _events(body: Body, parser: PushMultipartParser, form: "_FormReader") -> AsyncGenerator[Event, None]:
    while chunk := await body.chunk():
        for event in parser.parse(chunk):
            yield event
        if body.size - form.file_bytes > OVERHEAD_BYTES:
            raise BadRequest("The multipart body has too much besides its file.")
    parser.close()


class _FormReader:
    """The parts of a form. `read` fills it from the events of the parser."""

    wanted = "Send the document as multipart/form-data with a part named file."
    """What the body has to be."""

    def __init__(self, receive: Receive) -> None:
        self.received: Received | None = None
        self.filename = ""
        self.fields: MultiDict[str] = MultiDict()
        self.file_bytes = 0
        self._receive = receive

    async def read(self, events: AsyncGenerator[Event, None]) -> None:
        async for event in events:
            if isinstance(event, MultipartSegment):
                await self._read_part(event, events)

    async def discard_file(self, discard: Discard) -> None:
        """Discard the file if it was received and a later part of the body is wrong."""
        if self.received is not None:
            await asyncio.shield(discard(self.received))

    async def _read_part(self, part: MultipartSegment, events: AsyncGenerator[Event, None]) -> None:
        if part.name == "file":
            await self._read_file(part, events)
        else:
            await self._read_field(part, events)

    async def _read_file(self, part: MultipartSegment, events: AsyncGenerator[Event, None]) -> None:
        if self.received is not None:
            raise Unprocessable(
                "An upload has one file.", errors=[{"detail": "Given more than once.", "pointer": "/file"}]
            )
        self.filename = part_headers.filename(part.header("Content-Disposition", ""))
        self.received = await self._receive(self._file_content(events))

    async def _read_field(self, part: MultipartSegment, events: AsyncGenerator[Event, None]) -> None:
        if len(self.fields) == MAX_FIELDS:
            raise BadRequest(f"The body has more than {MAX_FIELDS} fields.")
        value = bytearray()
        async for chunk in _part_content(events):
            value += chunk
            if len(value) > MAX_FIELD_BYTES:
                raise BadRequest(f"A field is longer than {MAX_FIELD_BYTES} bytes; is the document's part named file?")
        try:
            self.fields.add(part_headers.text(part.name or ""), value.decode())
        except UnicodeDecodeError as error:
            raise BadRequest("A field is not UTF-8 text; is the document's part named file?") from error

    async def _file_content(self, events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
        async for chunk in _part_content(events):
            self.file_bytes += len(chunk)
            yield chunk


class _FilesReader(_FormReader):
    """The parts of a form with several files."""

    wanted = "Send the files, or one ZIP, as multipart/form-data with parts named file."

    def __init__(self, receive: Receive, *, max_files: int, max_bytes: int) -> None:
        super().__init__(receive)
        self.files: list[tuple[str, Received]] = []
        self._max_files = max_files
        self._max_bytes = max_bytes

    async def discard_file(self, discard: Discard) -> None:
        for _, received in self.files:
            await asyncio.shield(discard(received))

    async def _read_file(self, part: MultipartSegment, events: AsyncGenerator[Event, None]) -> None:
        if len(self.files) == self._max_files:
            raise Unprocessable(f"The form has more than {self._max_files} files; send a ZIP, or several batches.")
        name = part_headers.filename(part.header("Content-Disposition", ""))
        self.files.append((name, await self._receive(self._file_content(events))))
        if self.file_bytes > self._max_bytes:
            raise TooLarge(f"The files have more than {self._max_bytes / 1_000_000:g} MB in all.")


async def _part_content(events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    """The bytes of the current part, up to its end."""
    async for event in events:
        if not isinstance(event, bytes):
            return
        yield event
