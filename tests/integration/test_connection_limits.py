"""Limits on connections and requests, in all and for each client, and the reserve for health checks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from docserver.resources import Resources
from docserver.web import connection_limits, connections
from docserver.web.connection_limits import CLIENTS_AT_LEAST
from docserver.web.listener import Listener
from tests.support.client import Client, MakeClient, post, upload
from tests.support.listeners import Serve, ask, busy, port_of
from tests.support.raw_http import UPLOAD, Answer, Wire, wire
from tests.support.waiting import until

GREEDY, OTHER, THIRD, FOURTH, FIFTH, LATE = (f"127.0.0.{number}" for number in range(2, 8))
"""Clients: every address of 127.0.0.0/8 is this machine's."""

TRUSTED = (ip_network("127.0.0.0/8"),)

COSTS_NOTHING = "/v1/languages"


@pytest.fixture
async def job(make_client: MakeClient) -> AsyncIterator["Job"]:
    """A job that nobody reads, to wait for."""
    client = await make_client(rate_limit=False)
    made = Job(client, (await upload(client))["job_id"])
    yield made
    await made.cancel()


class Job:
    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._id = job_id

    async def poll(self, sender: Wire, *headers: str) -> None:
        """Ask for the job when it is final."""
        await sender.send_head(*headers, method="GET", path=f"/v1/jobs/{self._id}?wait=60")

    async def cancel(self) -> None:
        """Let those who wait have their answer."""
        await post(self._client, f"/v1/jobs/{self._id}/cancel")


@asynccontextmanager
async def polls(listener: Listener, job: Job, *clients: str) -> AsyncIterator[list[Wire]]:
    """Connections of these clients, each in the middle of a long poll."""
    async with AsyncExitStack() as stack:
        senders = [await stack.enter_async_context(wire(port_of(listener), client)) for client in clients]
        for sender in senders:
            await job.poll(sender)
        await until(lambda: busy(listener) == len(clients))
        yield senders


async def only_answer(listener: Listener, client: str, path: str = COSTS_NOTHING) -> Answer:
    """The answer to a request on a connection that is then closed by the server."""
    async with wire(port_of(listener), client) as sender:
        await sender.send_head(method="GET", path=path)
        answer = await sender.answer()
        await sender.closed()
    return answer


async def status_for(listener: Listener, client: str, path: str = COSTS_NOTHING, *headers: str) -> int:
    async with wire(port_of(listener), client) as sender:
        return await ask(sender, path, *headers)


async def test_a_client_that_has_its_part_of_the_connections_gets_429_and_others_are_answered(
    serve: Serve, job: Job
) -> None:
    listener = await serve(max_connections=2 * CLIENTS_AT_LEAST)
    async with polls(listener, job, GREEDY, GREEDY) as waiting:
        refused = await only_answer(listener, GREEDY)
        assert await status_for(listener, OTHER) == 200
        await job.cancel()
        answers = [await sender.answer() for sender in waiting]

    assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (429, "rate_limited", "1")
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    assert [answer.status for answer in answers] == [200, 200]


async def test_beyond_the_limit_in_all_a_new_connection_gets_503(serve: Serve, job: Job) -> None:
    listener = await serve(max_connections=4)
    async with polls(listener, job, GREEDY, OTHER, THIRD, FOURTH) as waiting:
        refused = await only_answer(listener, LATE)
        await job.cancel()
        assert (await waiting[0].answer()).status == 200
        assert await ask(waiting[0], COSTS_NOTHING) == 200

    assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "unavailable", "1")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_beyond_every_limit_health_is_answered_and_the_connection_closed(
    serve: Serve, job: Job, path: str
) -> None:
    listener = await serve(max_connections=4)
    async with polls(listener, job, GREEDY, OTHER, THIRD, FOURTH):
        assert (await only_answer(listener, GREEDY, path)).status == 200
        assert (await only_answer(listener, LATE, path)).status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_reserve_full_of_silent_connections_has_room_for_health_checks(
    serve: Serve, job: Job, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "RESERVE", 5)
    listener = await serve(max_connections=4)
    async with polls(listener, job, GREEDY, OTHER, THIRD, FOURTH), AsyncExitStack() as stack:
        for number in range(30):
            silent = await stack.enter_async_context(wire(port_of(listener), GREEDY))
            await silent.send(b"GET /livez HT"[: number % 14])

        assert (await only_answer(listener, LATE, path)).status == 200
        assert (await only_answer(listener, GREEDY, path)).status == 200
        assert len(listener._connections._reserve) <= 5
    await until(lambda: not listener._connections._reserve)


async def test_in_a_full_reserve_the_client_that_has_most_of_it_loses_a_connection(
    serve: Serve, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "RESERVE", 3)
    listener = await serve(max_connections=4)
    async with polls(listener, job, GREEDY, OTHER, THIRD, FOURTH), wire(port_of(listener), LATE) as slow:
        await slow.send(b"GET /livez HTTP/1.1\r\n")
        await until(lambda: len(listener._connections._reserve) == 1)
        async with AsyncExitStack() as stack:
            for _ in range(10):
                await stack.enter_async_context(wire(port_of(listener), GREEDY))
            assert (await only_answer(listener, GREEDY, "/livez")).status == 200
            await slow.send(b"Host: test\r\n\r\n")
            assert (await slow.answer()).status == 200


async def test_a_silent_connection_in_the_reserve_is_closed_soon(
    serve: Serve, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "RESERVE_S", 0.3)
    listener = await serve(max_connections=4)
    async with polls(listener, job, GREEDY, OTHER, THIRD, FOURTH), wire(port_of(listener), LATE) as silent:
        await silent.send(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        await silent.closed()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"POST {UPLOAD} HTTP/1.1\r\nContent-Length: 100000000", 503),
        ("GET /livez HTTP/1.1\r\nContent-Length: 100000000", 503),
        ("POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked", 503),
        ("GET /livez/ HTTP/1.1", 503),
        ("GET /livez HTTP/1.1\r\nExpect: nonsense", 417),
        ("GET /livez?long HTTP/1.1\r\nConnection: keep-alive", 200),
        ("HEAD /livez HTTP/1.1", 200),
        ("GET /livez HTTP/1.1\r\nContent-Length: x", 400),
    ],
)
async def test_in_the_reserve_one_health_check_without_a_body_is_answered_and_nothing_else(
    serve: Serve, job: Job, head: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "RESERVE_S", 1.0)
    listener = await serve(max_connections=4)
    async with polls(listener, job, GREEDY, OTHER, THIRD, FOURTH), wire(port_of(listener), LATE) as sender:
        await sender.send(f"{head}\r\nHost: test\r\n\r\n".encode())
        line = await sender.reader.readline()
        await sender.closed()

    assert int(line.split()[1]) == status


@asynccontextmanager
async def unread(listener: Listener, client: str, number: int) -> AsyncIterator[None]:
    """Connections of a client that asks for some 85 kB and reads nothing of them."""
    with ExitStack() as stack:
        for _ in range(number):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            # With such small packets, the system takes a part of the answer only.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            sock.bind((client, 0))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, ("127.0.0.1", port_of(listener)))
            await loop.sock_sendall(sock, b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n")
        yield


async def test_connections_whose_answers_are_not_read_are_not_idle_and_are_closed_in_time(serve: Serve) -> None:
    listener = await serve(max_connections=2 * CLIENTS_AT_LEAST, body_timeout_s=2.0)
    async with unread(listener, GREEDY, 2):
        await until(lambda: busy(listener) == 2)
        assert await status_for(listener, GREEDY) == 429
        assert await status_for(listener, OTHER) == 200
        await until(lambda: not listener._connections._open.get(GREEDY))


async def test_at_its_limit_a_client_loses_its_own_oldest_idle_connections(serve: Serve) -> None:
    listener = await serve(max_connections=5 * CLIENTS_AT_LEAST)
    port = port_of(listener)
    async with wire(port, OTHER) as other, AsyncExitStack() as stack:
        assert await ask(other, COSTS_NOTHING) == 200
        idle = [await stack.enter_async_context(wire(port, GREEDY)) for _ in range(20)]
        async with wire(port, GREEDY) as sender:
            assert await ask(sender, COSTS_NOTHING) == 200
        for sender in idle[:14]:
            await sender.closed()
        assert await ask(idle[-1], COSTS_NOTHING) == 200
        assert await ask(other, COSTS_NOTHING) == 200


async def test_at_the_limit_in_all_the_client_with_the_most_connections_loses_an_idle_one(
    serve: Serve, job: Job
) -> None:
    listener = await serve(max_connections=2 * CLIENTS_AT_LEAST)
    port = port_of(listener)
    async with wire(port, OTHER) as other, AsyncExitStack() as stack:
        assert await ask(other, COSTS_NOTHING) == 200
        greedy = [await stack.enter_async_context(wire(port, GREEDY)) for _ in range(2)]
        assert [await ask(sender, COSTS_NOTHING) for sender in greedy] == [200, 200]
        async with polls(listener, job, THIRD, THIRD, FOURTH, FOURTH, FIFTH):
            assert await status_for(listener, LATE) == 200

            await greedy[0].closed()
            assert await ask(greedy[1], COSTS_NOTHING) == 200
            assert await ask(other, COSTS_NOTHING) == 200


async def test_a_connection_is_not_idle_from_the_arrival_of_a_request_on(serve: Serve) -> None:
    listener = await serve()
    async with wire(port_of(listener)) as sender:
        assert await ask(sender) == 200
        (connection,) = next(iter(listener._connections._open.values()))
        await until(lambda: connection.idle)

        connection.data_received(b"GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n")
        while not connection._request_in_progress:
            assert not connection.idle
            await asyncio.sleep(0)
        assert not connection.idle


async def test_behind_a_trusted_proxy_the_requests_of_each_client_are_bounded_and_not_the_proxy(
    serve: Serve, job: Job
) -> None:
    listener = await serve(max_connections=2 * CLIENTS_AT_LEAST, trusted_proxies=TRUSTED)
    greedy, other = "X-Forwarded-For: 1.1.1.1, 203.0.113.1", "X-Forwarded-For: 203.0.113.2"
    async with AsyncExitStack() as stack:
        first, second, third = [await stack.enter_async_context(wire(port_of(listener))) for _ in range(3)]
        await job.poll(first, greedy)
        await job.poll(second, greedy.replace("1.1.1.1", "2.2.2.2"))
        await until(lambda: busy(listener) == 2)

        await third.send_head(greedy.replace("1.1.1.1", "3.3.3.3"), method="GET", path=COSTS_NOTHING)
        refused = await third.answer()
        assert await ask(third, COSTS_NOTHING, other) == 200
        assert await ask(third, "/livez", greedy) == 200
        await job.cancel()
        assert [(await sender.answer()).status for sender in (first, second)] == [200, 200]
        assert await ask(third, COSTS_NOTHING, greedy) == 200

    assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (429, "rate_limited", "1")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
async def test_nobody_gets_more_by_claiming_to_be_others(serve: Serve, job: Job, header: str) -> None:
    listener = await serve(max_connections=CLIENTS_AT_LEAST)
    async with wire(port_of(listener), GREEDY) as sender:
        await job.poll(sender, f"{header}: for=203.0.113.1")
        await until(lambda: busy(listener) == 1)

        assert await status_for(listener, GREEDY, COSTS_NOTHING, f"{header}: 203.0.113.2") == 429
        assert await status_for(listener, OTHER) == 200


async def test_requests_whose_client_has_hung_up_count_until_they_end(serve: Serve, job: Job) -> None:
    listener = await serve(max_connections=2 * CLIENTS_AT_LEAST)
    async with polls(listener, job, GREEDY, GREEDY):
        pass
    await until(lambda: busy(listener) == 0)

    assert await status_for(listener, GREEDY) == 429
    await job.cancel()

    async def is_answered() -> bool:
        return await status_for(listener, GREEDY) == 200

    await until(is_answered)


async def test_many_refused_connections_are_one_line_in_the_log(
    serve: Serve, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    listener = await serve(max_connections=CLIENTS_AT_LEAST)
    async with polls(listener, job, GREEDY):
        await asyncio.gather(*(only_answer(listener, GREEDY) for _ in range(10)))

    lines: list[Any] = [record for record in caplog.records if record.message == "connections refused"]
    assert [line.last_client for line in lines] == [GREEDY]


async def test_readiness_checks_each_part_once_for_all_that_ask_at_the_same_time(
    serve: Serve, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []
    go_on = asyncio.Event()

    async def check() -> None:
        checks.append("storage")
        await go_on.wait()

    monkeypatch.setattr(resources.storage, "check", check)
    listener = await serve()
    async with AsyncExitStack() as stack:
        senders = [await stack.enter_async_context(wire(port_of(listener))) for _ in range(20)]
        for sender in senders:
            await sender.send_head(method="GET", path="/readyz")
        await until(lambda: busy(listener) == len(senders))
        go_on.set()
        assert {(await sender.answer()).status for sender in senders} == {200}

    assert checks == ["storage"]
