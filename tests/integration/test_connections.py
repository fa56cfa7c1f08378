"""Connections: how long each may be silent, and what is answered to those that speak no HTTP."""

import asyncio
import resource
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import replace

import pytest
from aiohttp import web

from docserver.resources import Resources
from docserver.settings import Settings, SettingsError
from docserver.web import connections
from docserver.web.app import make_app
from docserver.web.connection_limits import OTHER_DESCRIPTORS
from docserver.web.listener import listening
from docserver.web.starting import Progress, make_starting_app
from tests.support.listeners import Serve, ask, busy, port_of
from tests.support.raw_http import part, wire
from tests.support.samples import png
from tests.support.waiting import until


@contextmanager
def open_files(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "beginning", [b"", b"G", b"GET /livez HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\nHost: test\r\nX-Slow: "]
)
async def test_a_client_that_does_not_come_to_its_request_is_hung_up_on(
    serve: Serve, beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.3)
    async with wire(port_of(await serve())) as sender:
        await sender.send(beginning)
        await sender.closed()


async def test_a_client_that_sends_its_head_a_byte_now_and_then_is_hung_up_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.5)
    async with wire(port_of(await serve())) as sender:
        await sender.send(b"GET /livez HTTP/1.1\r\n")
        closed = asyncio.create_task(sender.closed())
        while not closed.done():
            await asyncio.sleep(0.1)
            with suppress(ConnectionError):
                await sender.send(b"X-Slow: 1\r\n")
        await closed


async def test_a_client_that_is_idle_after_its_request_is_hung_up_on_after_the_keep_alive_time(serve: Serve) -> None:
    async with wire(port_of(await serve(keepalive_s=0.3))) as sender:
        assert await ask(sender) == 200
        await sender.send(b"GET /livez HTTP/1.1\r\nX-Slow")
        await sender.closed()


async def test_a_connection_outlives_the_time_for_its_first_head_when_it_has_asked(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 2.0)
    async with wire(port_of(await serve())) as sender:
        for _ in range(4):
            assert await ask(sender) == 200
            await asyncio.sleep(0.7)


async def test_a_client_that_does_not_take_its_answer_is_hung_up_on(serve: Serve, resources: Resources) -> None:
    listener = await serve(body_timeout_s=1.0)
    async with wire(port_of(await serve())) as sender:
        body = part("file", png() + bytes(20_000_000), filename="a.png") + b"--b--\r\n"
        await sender.send_head("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}")
        await sender.send(body)
        document_id = (await sender.answer()).json()["document_id"]
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", port_of(listener)))
        lazy.sendall(f"GET /v1/documents/{document_id}/file HTTP/1.1\r\nHost: test\r\n\r\n".encode())

        await until(lambda: busy(listener) == 1)
        await until(lambda: busy(listener) == 0)


async def test_the_limit_on_open_files_is_raised_to_what_the_connections_need(serve: Serve) -> None:
    with open_files(OTHER_DESCRIPTORS + 2 * 4):
        port = port_of(await serve(max_connections=100))

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 2 * 100 + OTHER_DESCRIPTORS
        async with AsyncExitStack() as stack:
            for _ in range(50):
                sender = await stack.enter_async_context(wire(port))
                assert await ask(sender) == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n",
    ],
)
async def test_what_is_no_http_is_answered_with_a_problem_and_hung_up_on(serve: Serve, request_bytes: bytes) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send(request_bytes)
        answer = await sender.answer()
        await sender.closed()

    assert (answer.status, answer.json()["code"]) == (400, "bad_request")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["server"] == "docserver"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert b"x" * 20 not in answer.body


async def test_a_compressed_upload_is_told_to_come_uncompressed(serve: Serve) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send_head(
            "Content-Type: multipart/form-data; boundary=b", "Content-Encoding: gzip", "Content-Length: 10"
        )
        await sender.send(b"\x1f\x8b" + bytes(8))
        answer = await sender.answer()

    assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_while_starting_it_is_alive_and_says_for_what_it_waits(resources: Resources) -> None:
    settings = replace(resources.settings, host="127.0.0.1", port=0, rate_limit=False, grace_s=1.0)
    progress = Progress(waits_for="mysql")
    async with listening(settings) as listener:
        await listener.serve(make_starting_app(progress))
        port = port_of(listener)
        async with wire(port) as sender:
            assert await ask(sender) == 200
        async with wire(port) as sender:
            await sender.send_head(method="GET", path="/readyz")
            ready = await sender.answer()
        async with wire(port) as sender:
            await sender.send_head("Content-Length: 0")
            refused = await sender.answer()
        await listener.serve(make_app(replace(resources, settings=settings)))
        async with wire(port) as sender:
            assert await ask(sender, "/readyz") == 200

    assert (ready.status, ready.json()) == (
        503,
        {"status": "starting", "checks": {"mysql": {"status": "waiting"}}},
    )
    assert (refused.status, refused.json()["code"]) == (503, "starting")
    assert int(refused.headers["retry-after"]) > 0


async def test_nothing_listens_once_the_listener_is_closed(resources: Resources) -> None:
    settings = replace(resources.settings, host="127.0.0.1", port=0, grace_s=1.0)
    async with listening(settings) as listener:
        await listener.serve(web.Application())
        port = port_of(listener)
        await listener.close()

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "nonsense.invalid"])
async def test_a_host_that_is_not_this_machine_is_a_wrong_setting(settings: Settings, host: str) -> None:
    with pytest.raises(SettingsError, match=r"^DOCSERVER_HOST must be an address of this machine"):
        async with listening(replace(settings, host=host)) as listener:
            await listener.serve(web.Application())
