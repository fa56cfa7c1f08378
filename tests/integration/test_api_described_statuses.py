"""Every operation describes all statuses that it answers, also to requests with odd headers and bodies."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from docserver.setting_types import Auth, Rate
from tests.support import openapi
from tests.support.listeners import Serve, port_of
from tests.support.raw_http import Answer, wire

VALUES = {"name": "a.png", "number": "1", "tenant": "acme"}
PLAIN = "Host: localhost"
NO_ID = "01a20ad8-2046-729e-bbd1-5bce8a788392"

ODD: dict[str, tuple[str, bytes, int]] = {
    "plain": (PLAIN, b"", 200),
    "of another host": ("Host: evil.example", b"", 421),
    "without a host's form": ("Host: a b", b"", 400),
    "with an expectation": ("Host: localhost\nExpect: nonsense", b"", 417),
    "with a compressed body": ("Host: localhost\nContent-Encoding: gzip\nContent-Length: 3", b"abc", 415),
    "with a large body": ("Host: localhost\nContent-Length: 100000000000", b"", 413),
    "with a body that does not come": ("Host: localhost\nContent-Length: 3", b"", 408),
    "with a body of text": ("Host: localhost\nContent-Type: text/plain\nContent-Length: 3", b"abc", 415),
    "with half a form": (
        "Host: localhost\nContent-Type: multipart/form-data; boundary=b\nContent-Length: 5",
        b"--b\r\n",
        400,
    ),
    "with broken chunks": ("Host: localhost\nTransfer-Encoding: chunked", b"zz\r\n", 400),
    "with two lengths": ("Host: localhost\nContent-Length: 1\nContent-Length: 2", b"", 400),
    "with a long header": (f"Host: localhost\nX-Long: {'a' * 20_000}", b"", 400),
    "for another format": ("Host: localhost\nAccept: application/nothing", b"", 406),
    "for a part": ('Host: localhost\nRange: bytes=999999999-\nIf-Range: "x"', b"", 404),
    "of another version": ('Host: localhost\nIf-Match: "x"', b"", 404),
    "of any version": ("Host: localhost\nIf-None-Match: *", b"", 304),
    "with a wrong Idempotency-Key": (f"Host: localhost\nIdempotency-Key: {'a' * 300}", b"", 400),
    "with a wrong key": ("Host: localhost\nAuthorization: Bearer dsk_nonsense", b"", 200),
    "for an upgrade": ("Host: localhost\nConnection: Upgrade\nUpgrade: websocket", b"", 200),
}
"""What is sent, headers and a body, and a status that some operations answer."""


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Method, path with values, and the description of each operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            filled = re.sub(r"{(\w+)}", lambda name: VALUES.get(name[1], NO_ID), path)
            yield method.upper(), filled, operation


async def answer_to(port: int, method: str, target: str, headers: str, body: bytes) -> Answer:
    async with wire(port) as sender:
        head = f"{method} {target} HTTP/1.1\n{headers}".replace("\n", "\r\n")
        await sender.send(f"{head}\r\n\r\n".encode() + body)
        return await sender.answer()


async def check_all(port: int, headers: str = PLAIN, body: bytes = b"", *, query: str = "") -> set[int]:
    """Ask all operations, and check that their answers are described; returns the statuses."""
    document = openapi.description()
    asked = [(method, path + query, operation) for method, path, operation in operations(document)]
    answers = await asyncio.gather(*(answer_to(port, method, path, headers, body) for method, path, _ in asked))
    for (method, path, operation), answer in zip(asked, answers, strict=True):
        described = operation["responses"].get(str(answer.status))
        assert described is not None, (method, path, answer.status, answer.body)
        content = openapi.resolved(document, described).get("content", {})
        if content:
            assert answer.headers["content-type"].partition(";")[0] in content, (method, path, answer.headers)
    return {answer.status for answer in answers}


@pytest.mark.parametrize("what", ODD)
async def test_the_answer_to_a_request_is_described(serve: Serve, what: str) -> None:
    port = port_of(await serve(body_timeout_s=1.0))
    headers, body, status = ODD[what]
    assert status in await check_all(port, headers, body)


@pytest.mark.parametrize("query", ["?nonsense=1", "?limit=x&offset=-1&wait=x&pages=0&q=%22", "?%ff=%fe&cursor=%00"])
async def test_the_answer_to_a_wrong_query_is_described(serve: Serve, query: str) -> None:
    await check_all(port_of(await serve()), query=query)


async def test_the_answer_to_a_client_without_a_key_is_described(serve: Serve) -> None:
    assert 401 in await check_all(port_of(await serve(auth=Auth.KEYS)))


async def test_the_answer_to_a_client_that_asks_too_much_is_described(serve: Serve) -> None:
    once = Rate(1, 86_400)
    listener = await serve(rate_limit=True, rate_limit_default=once, rate_limit_reads=once)

    assert 429 in await check_all(port_of(listener))
