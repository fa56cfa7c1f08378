"""The program started before its servers: it listens, says for what it waits, and serves once they are there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from docserver.database.address import Address
from tests.support.samples import png
from tests.support.servers import Servers
from tests.support.service import Service, environment_of, form
from tests.support.waiting import in_time

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def server_at(path: Path, real: Callable[[], Awaitable[Streams]]) -> AsyncIterator[None]:
    """A server that appears at this socket: in truth the one that `real` connects with."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await real()
        await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    server = await asyncio.start_unix_server(connect, path)
    try:
        yield
    finally:
        server.close()


async def connected(address: Address) -> Streams:
    if address.unix_socket:
        return await asyncio.open_unix_connection(address.unix_socket)
    return await asyncio.open_connection(address.host, address.port)


async def state(http: aiohttp.ClientSession) -> str:
    async with http.get("/readyz") as response:
        body = await response.json()
        assert response.status == (200 if body["status"] in ("ok", "degraded") else 503)
        return str(body["status"])


async def test_it_serves_as_soon_as_its_servers_are_there(empty_servers: Servers, tmp_path: Path) -> None:
    mysql, redis = tmp_path / "mysql.sock", tmp_path / "redis.sock"
    environment = environment_of(
        mysql_url=f"mysql:///docserver_late?unix_socket={mysql}",
        redis_url=f"unix://{redis}",
        data_dir=tmp_path / "data",
        rate_limit="off",
    )
    service = Service(environment)
    starting = asyncio.create_task(service.start())
    try:
        port = (await until_listening(service))["port"]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            await says_that_it_waits(http)
            async with server_at(mysql, lambda: connected(Address.parse(empty_servers.mysql_url))):
                await starting
                assert await state(http) == "degraded"
                job = await service.upload(png())
                assert (await service.finished(job["job_id"]))["status"] == "completed"
                socket = empty_servers.redis_url.removeprefix("unix://")
                async with server_at(redis, lambda: asyncio.open_unix_connection(socket)):
                    while await state(http) != "ok":
                        await asyncio.sleep(0.1)
                    job = await service.upload(png("another"))
                    assert (await service.finished(job["job_id"]))["status"] == "completed"
                    assert await service.stop() == 0
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await service.stop()


async def until_listening(service: Service) -> dict[str, int]:
    async with in_time():
        while not (line := service.find("listening")):
            await asyncio.sleep(0.05)
        return line


async def says_that_it_waits(http: aiohttp.ClientSession) -> None:
    async with http.get("/livez") as response:
        assert response.status == 200
    async with in_time():
        while True:
            async with http.get("/readyz") as response:
                assert response.status == 503
                if await response.json() == {"status": "starting", "checks": {"mysql": {"status": "waiting"}}}:
                    break
    async with http.post("/v1/documents/upload-document", data=form(png())) as response:
        assert (response.status, (await response.json())["code"]) == (503, "starting")
        assert int(response.headers["Retry-After"]) > 0
