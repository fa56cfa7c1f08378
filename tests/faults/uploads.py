"""Uploads of which the server has a half."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.faults.place import Place
from tests.support.raw_http import part, wire
from tests.support.samples import png
from tests.support.service import Service
from tests.support.waiting import until


@asynccontextmanager
async def half_an_upload(place: Place, service: Service) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """While the block runs half an upload has arrived; what is yielded sends the rest and gives the answer's status.

    Where the block does not ask for that, the client hangs up.
    """
    body = part("file", png(), filename="a.png") + b"--b--\r\n"
    half = len(body) // 2
    assert service.http._base_url is not None
    assert service.http._base_url.port is not None
    async with wire(service.http._base_url.port) as connection:

        async def finish() -> int:
            await connection.send(body[half:])
            return (await connection.answer()).status

        await connection.send_head(f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=b")
        await connection.send(body[:half])
        await until(lambda: _arrives(place))
        yield finish


async def _arrives(place: Place) -> bool:
    return bool(place.incoming())
