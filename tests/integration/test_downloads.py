"""Downloads: how slowly a client may read a result or an original, and what is left of those that it gives up."""

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from docserver.formats import result_writer
from docserver.resources import Resources
from docserver.web import connection_limits
from docserver.web.listener import Listener
from tests.support.listeners import Serve, busy, port_of
from tests.support.raw_http import part, wire
from tests.support.results import make_completed
from tests.support.samples import png
from tests.support.waiting import until

LARGE = 12_000_000
"""Bytes that no socket's buffers hold."""


@pytest.fixture(params=["result", "file", "range"])
async def request_head(
    request: pytest.FixtureRequest, resources: Resources, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    """A request of something large."""
    monkeypatch.setattr(result_writer, "SMALL_WORK", -1)
    if request.param == "result":
        path = f"/v1/jobs/{await make_completed(resources, 'x' * LARGE)}/result"
    else:
        path = f"/v1/documents/{await uploaded(await port(serve))}/file"
    more = "Range: bytes=1-\r\n" if request.param == "range" else ""
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n".encode()


async def port(serve: Serve) -> int:
    return port_of(await serve())


async def uploaded(port: int) -> str:
    async with wire(port) as sender:
        body = part("file", png() + bytes(LARGE), filename="a.png") + b"--b--\r\n"
        await sender.send_head("Content-Type: multipart/form-data; boundary=b", f"Content-Length: {len(body)}")
        await sender.send(body)
        return str((await sender.answer()).json()["document_id"])


def open_files(directory: Path) -> int:
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return len(
        [
            link
            for link in links
            if link.startswith((f"{directory}/originals", f"{directory}/scratch/")) and not link.endswith("lock")
        ]
    )


def answers_wait(listener: Listener) -> bool:
    """True if a client has not read what was sent."""
    connections = [connection for of_client in listener._connections._open.values() for connection in of_client]
    return any(connection._paused for connection in connections)


async def reader(port: int, head: bytes) -> socket.socket:
    """A client that has sent its request, and reads next to nothing by itself."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, head)
    return client


async def read_slowly(client: socket.socket, *, until: Callable[[], bool]) -> None:
    """Read a byte now and then."""
    while not until():
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), 0.05)
        except ConnectionError:
            return
        except TimeoutError:
            continue
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("limit", ["body_timeout_s", "upload_timeout_s"])
async def test_a_client_that_reads_a_byte_now_and_then_is_cut_off_and_the_file_freed(
    serve: Serve, request_head: bytes, resources: Resources, caplog: pytest.LogCaptureFixture, limit: str
) -> None:
    caplog.set_level(logging.INFO)
    before = open_files(resources.settings.data_dir)
    listener = await serve(**{limit: 0.5})

    with await reader(port_of(listener), request_head) as client:
        # On a busy machine, the download may begin and be cut off between two looks. The kernel may cut it off as well,
        # of which the log says nothing but that the request has ended.
        await read_slowly(client, until=lambda: bool({"download cut off", "request"} & set(caplog.messages)))
        await until(lambda: busy(listener) == 0)

    await resources.result_writer.shared.close()
    await until(lambda: open_files(resources.settings.data_dir) == before)
    # Where the client is slow to confirm what it gets, the kernel cuts it off first (TCP_USER_TIMEOUT).
    assert caplog.messages.count("download cut off") <= 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_hangs_up_in_the_middle_is_no_error(
    serve: Serve, request_head: bytes, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_files(resources.settings.data_dir)
    listener = await serve()

    with await reader(port_of(listener), request_head):
        await until(lambda: busy(listener) == 1)
        await until(lambda: answers_wait(listener))
    await until(lambda: busy(listener) == 0)

    await resources.result_writer.shared.close()
    await until(lambda: open_files(resources.settings.data_dir) == before)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_reads_in_time_gets_all(serve: Serve, request_head: bytes) -> None:
    listener = await serve(body_timeout_s=60.0)

    async with wire(port_of(listener)) as sender:
        await sender.send(request_head)
        await until(lambda: answers_wait(listener))
        answer = await sender.answer()

    assert answer.status in (200, 206)
    assert len(answer.body) >= LARGE - 1
    # The headers that every answer has.
    assert answer.headers["server"] == "docserver"
    assert answer.headers["x-request-id"]


async def test_of_answers_that_one_client_leaves_unread_in_memory_the_oldest_is_given_up(
    serve: Serve, resources: Resources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(resources.result_writer, "_max_bytes", 2 * LARGE)
    monkeypatch.setattr(connection_limits, "MAX_UNREAD_BYTES_OF_ONE", LARGE)
    head = f"GET /v1/jobs/{await make_completed(resources, 'x' * LARGE)}/result HTTP/1.1\r\nHost: test\r\n\r\n".encode()
    listener = await serve()

    with await reader(port_of(listener), head):
        await until(lambda: answers_wait(listener))
        assert "download cut off" not in caplog.messages
        with await reader(port_of(listener), head):
            await until(lambda: "download cut off" in caplog.messages)
            assert busy(listener) == 1
            assert answers_wait(listener)
    await until(lambda: busy(listener) == 0)
