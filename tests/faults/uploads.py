"""Uploads of which the server has a half."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

from tests.acceptance.service import Service
from tests.faults.place import Place, until
from tests.samples import png

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"


@asynccontextmanager
async def half_an_upload(place: Place, service: Service) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """While the block runs half an upload has arrived; what is yielded sends the rest and gives the answer's status.

    Where the block does not ask for that, the client hangs up.
    """
    body = HEAD + png() + TAIL
    half = len(body) // 2
    assert service.http._base_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", service.http._base_url.port)

    async def finish() -> int:
        writer.write(body[half:])
        async with asyncio.timeout(10):
            return int((await reader.readline()).split()[1])

    with closing(writer):
        writer.write(
            b"POST /v1/documents/upload-document HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" % len(body) + body[:half]
        )
        await writer.drain()
        await until(lambda: _arrives(place))
        yield finish


async def _arrives(place: Place) -> bool:
    return bool(place.incoming())
