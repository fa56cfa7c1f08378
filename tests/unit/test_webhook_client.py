"""What a receiver of webhooks may answer: the client reads the head of the answer, and little more."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ipaddress import ip_network

import pytest

from docserver.webhook_types import Fault
from docserver.webhooks.addresses import Guard
from docserver.webhooks.bounded_answer import MAX_ANSWER_BYTES
from docserver.webhooks.client import Answer, Client
from tests.support.waiting import FOREVER_S, in_time


@contextmanager
def answering(head: bytes, *, forever: bytes) -> Iterator[int]:
    """A receiver that answers a request with this head, and then with `forever` again and again; its port."""

    def answer(server: socket.socket) -> None:
        with server.accept()[0] as connection, suppress(ConnectionError):
            connection.recv(MAX_ANSWER_BYTES)
            connection.sendall(head)
            while True:
                connection.sendall(forever)

    # In a thread: in the client's own event loop, neither of the two would leave time to the other.
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as threads:
        threads.submit(answer, server)
        yield server.getsockname()[1]


async def posted(port: int) -> Answer:
    client = Client(Guard((ip_network("127.0.0.0/8"),), (port,)), timeout_s=FOREVER_S, connections=1)
    try:
        async with in_time():
            return await client.post(f"http://127.0.0.1:{port}/", b"{}", {})
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("head", "forever"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 1000),
    ],
)
async def test_an_answer_whose_head_never_ends_is_none(head: bytes, forever: bytes) -> None:
    with answering(head, forever=forever) as port:
        assert (await posted(port)).fault is Fault.CONNECTION


async def test_an_answer_after_an_interim_one_counts_whatever_the_size_of_its_body() -> None:
    head = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"

    with answering(head, forever=b"x" * 100_000) as port:
        assert await posted(port) == Answer(200)
