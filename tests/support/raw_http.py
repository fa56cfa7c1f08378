"""HTTP as a hostile or clumsy client speaks it: byte by byte over a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from tests.support.waiting import in_time

UPLOAD = "/v1/documents/upload-document"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Wire:
    """A connection to the server under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def send_head(self, *headers: str, method: str = "POST", path: str = UPLOAD) -> None:
        lines = (f"{method} {path} HTTP/1.1", "Host: test", *headers, "", "")
        await self.send("\r\n".join(lines).encode())

    async def send_chunk(self, data: bytes) -> None:
        """One piece of a body that is sent with Transfer-Encoding: chunked."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def answer(self) -> Answer:
        """The next whole answer."""
        async with in_time():
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status.split(" ")[1]), headers, body)

    async def closed(self) -> None:
        """Wait until the server has closed the connection."""
        async with in_time():
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionResetError:
                pass


@asynccontextmanager
async def wire(port: int, client: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """A connection from a client with this address, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def part(name: str, content: bytes, *headers: bytes, filename: str | None = None, boundary: bytes = b"b") -> bytes:
    """One part of a multipart body."""
    named = f'; filename="{filename}"' if filename else ""
    head = f'Content-Disposition: form-data; name="{name}"{named}'.encode()
    return b"\r\n".join([b"--" + boundary, head, *headers, b"", content, b""])
