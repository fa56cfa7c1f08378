"""Requests that do not end, that are many in one, or that two parsers may read in two ways, over a real socket."""

import asyncio
import tracemalloc
from contextlib import suppress
from ipaddress import ip_network

import pytest

from docserver.setting_types import Rate
from docserver.web import connections
from tests.support.client import MakeClient, post, upload
from tests.support.listeners import Serve, ask, busy, port_of
from tests.support.raw_http import UPLOAD, Wire, part, wire
from tests.support.samples import png
from tests.support.waiting import in_time, until

LIST = "/v1/documents/list-document"
HEAD = b"POST " + UPLOAD.encode() + b" HTTP/1.1\r\nHost: test\r\nContent-Type: multipart/form-data; boundary=b\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"

ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "a method": (b"G", b"G" * 65536),
    "a path": (b"GET /", b"x" * 65536),
    "a query": (b"GET /?a=1", b"&a=1" * 16384),
    "the name of a header": (HEAD, b"x" * 65536),
    "a header": (HEAD + b"X-Long: ", b"x" * 65536),
    "headers": (HEAD, b"X-Many: 1\r\n" * 1000),
    "a trailer": (CHUNKED + b"0\r\nX-Long: ", b"x" * 65536),
    "trailers": (CHUNKED + b"0\r\n", b"X-Many: 1\r\n" * 1000),
    "what follows an upgrade": (
        b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"x" * 65536,
    ),
}
"""What comes first, and what then comes again and again."""

STALLED: dict[str, tuple[bytes, bytes]] = {
    "line ends before a request": (b"", b"\r\n" * 1000),
    "an extension of a chunk": (CHUNKED + b"1;", b"x" * 1000),
    "the size of a chunk": (CHUNKED, b"0" * 1000),
}
"""What no parser bounds, so that only the time bounds it."""

MISFRAMED: dict[str, bytes] = {
    "both a length and chunks": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both chunks and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 0\r\n\r\nabcd",
    "the same length twice": b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": b"Content-Length: 4, 4\r\n\r\nabcd",
    "a length with a sign": b"Content-Length: +4\r\n\r\nabcd",
    "a negative length": b"Content-Length: -4\r\n\r\nabcd",
    "a length beyond 64 bits": b"Content-Length: 18446744073709551617\r\n\r\na",
    "a space before the colon": b"Content-Length : 4\r\n\r\nabcd",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and then something else": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding like chunked": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked behind a control character": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked on a folded line": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a header in two lines": b"X-A: 1\r\n Content-Length: 4\r\n\r\nabcd",
    "a line end without a carriage return": b"X-A: 1\nContent-Length: 4\r\n\r\nabcd",
    "a null in a name": b"Content\x00-Length: 4\r\n\r\nabcd",
}
"""The rest of a request's headers, and its body."""


async def flood(sender: Wire, again: bytes) -> None:
    """Send the same again and again, until the server hangs up."""
    with suppress(ConnectionError):
        async with in_time():
            while True:
                await sender.send(again)
                await asyncio.sleep(0)


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_does_not_end_is_hung_up_on_and_costs_no_memory(serve: Serve, what: str) -> None:
    first, again = ENDLESS[what]
    async with wire(port_of(await serve())) as sender:
        tracemalloc.start()
        try:
            await sender.send(first)
            await flood(sender, again)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 4_000_000


@pytest.mark.parametrize("what", STALLED)
async def test_what_does_not_come_to_an_end_is_hung_up_on_in_time(
    serve: Serve, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.5)
    monkeypatch.setattr(connections, "LINGER_S", 0.2)
    first, again = STALLED[what]
    async with wire(port_of(await serve(body_timeout_s=0.5))) as sender:
        await sender.send(first)
        await flood(sender, again)


@pytest.mark.parametrize("what", MISFRAMED)
async def test_a_request_that_two_parsers_may_end_at_two_places_is_refused_with_all_that_follows(
    serve: Serve, what: str
) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send(HEAD + MISFRAMED[what] + SMUGGLED)
        answer = await sender.answer()
        rest = await sender.reader.read()

    assert (answer.status, answer.json()["code"]) == (400, "bad_request")
    assert rest == b""


@pytest.mark.parametrize("size", [b"0x4", b"-4", b"+4", b"4 4", b"", b"g", b"1" * 17])
async def test_a_chunk_whose_size_is_no_number_ends_the_connection(serve: Serve, size: bytes) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send(CHUNKED + size + b"\r\nabcd\r\n0\r\n\r\n" + SMUGGLED)
        answer = await sender.answer()
        rest = await sender.reader.read()

    assert answer.status in (400, 422)
    assert rest.count(b"HTTP/1.") <= 1
    assert b'"status":"ok"' not in rest


async def test_chunks_have_no_place_in_http_1_0(serve: Serve) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send(
            HEAD.replace(b"HTTP/1.1", b"HTTP/1.0")
            + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            + SMUGGLED
        )
        answer = await sender.answer()
        rest = await sender.reader.read()

    assert (answer.status, answer.json()["code"]) == (400, "bad_request")
    assert rest == b""


async def test_an_upload_in_chunks_of_a_byte_costs_no_memory(serve: Serve) -> None:
    body = part("file", png(), filename="a.png") + b"--b--\r\n"
    body = b"x" * 30_000 + b"\r\n" + body
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    async with wire(port_of(await serve())) as sender:
        tracemalloc.start()
        try:
            await sender.send(CHUNKED)
            await sender.send(chunks)
            answer = await sender.answer()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert answer.status == 202, answer.body
    assert peak < len(chunks) + 8_000_000


@pytest.mark.parametrize("name", ["x", "file", ""])
async def test_an_upload_of_thousands_of_parts_is_refused_at_one_of_the_first(serve: Serve, name: str) -> None:
    listener = await serve()
    async with wire(port_of(listener)) as sender:
        body = part(name, b"", filename="a" if name == "file" else None) * 5000 + b"--b--\r\n"
        await sender.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await sender.answer()

    assert answer.status in (400, 422)


@pytest.mark.parametrize(
    "query",
    [
        "&".join(["limit=1"] * 900),
        "&".join(f"a{number}=1" for number in range(900)),
        "=" * 7000,
        "filename=" + "x" * 7000,
    ],
)
async def test_thousands_of_parameters_are_refused(serve: Serve, query: str) -> None:
    async with wire(port_of(await serve())) as sender:
        await sender.send_head(method="GET", path=f"{LIST}?{query}")
        answer = await sender.answer()

    assert (answer.status, answer.json()["code"]) == (422, "invalid")
    assert len(answer.body) < 20_000


async def test_requests_sent_without_waiting_are_answered_in_turn_and_few_are_held_in_memory(
    serve: Serve, make_client: MakeClient
) -> None:
    client = await make_client(rate_limit=False)
    job_id = (await upload(client))["job_id"]
    listener = await serve()
    async with wire(port_of(listener)) as sender:
        await sender.send_head(method="GET", path=f"/v1/jobs/{job_id}?wait=60")
        await until(lambda: busy(listener) == 1)
        pipelined = b"".join(
            b"GET /livez HTTP/1.1\r\nHost: test\r\nX-Request-ID: %d\r\n\r\n" % number for number in range(500)
        )
        await sender.send(pipelined)
        (connection,) = next(iter(listener._connections._open.values()))
        await until(lambda: connection._reading_paused or connection._buffer_paused)
        held = len(connection._messages)
        await post(client, f"/v1/jobs/{job_id}/cancel")
        answers = [await sender.answer() for _ in range(501)]

    assert 0 < held <= 64
    assert [answer.headers["x-request-id"] for answer in answers[1:]] == [str(number) for number in range(500)]


async def statuses(serve: Serve, *forwarded: str, **settings: object) -> list[int]:
    """The statuses of one request for each value of X-Forwarded-For, all from this machine."""
    listener = await serve(rate_limit=True, rate_limit_reads=Rate(2, 1000), **settings)
    async with wire(port_of(listener)) as sender:
        return [await ask(sender, LIST, f"X-Forwarded-For: {value}") for value in forwarded]


async def test_a_forged_address_gets_no_bucket_of_its_own(serve: Serve) -> None:
    assert await statuses(serve, "203.0.113.1", "203.0.113.2", "203.0.113.3") == [200, 200, 429]


async def test_behind_a_trusted_proxy_the_address_that_the_proxy_adds_counts_and_not_what_the_client_sent(
    serve: Serve,
) -> None:
    trusted = (ip_network("127.0.0.0/8"),)
    forged = ("1.1.1.1, 203.0.113.1", "2.2.2.2, 203.0.113.1", "nonsense, 203.0.113.1", ", ".join(["1.1.1.1"] * 800))

    assert await statuses(serve, *forged, trusted_proxies=trusted) == [200, 200, 429, 200]
