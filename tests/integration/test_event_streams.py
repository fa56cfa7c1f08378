"""Streams of events on real connections: clients that hang up or do not read, a service that stops; and any order."""

import asyncio
import re
import socket
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uvloop
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import jobs
from docserver.database.tables.tenants import Quotas
from docserver.documents import events as module
from docserver.documents.events import START, Feed, Position
from docserver.jobs import notify, restarts
from docserver.resources import Resources, checked_engine, opened
from docserver.settings import Settings
from docserver.web.handlers.events import FEED
from docserver.web.listener import Listener
from tests.support.client import Client
from tests.support.followed import Event, events, settle
from tests.support.listeners import Serve, busy, port_of
from tests.support.metric_values import value
from tests.support.raw_http import Wire, wire
from tests.support.results import make_completed
from tests.support.rows import CALLER, found, make_job
from tests.support.waiting import in_time, until

LARGE = 200_000
"""Characters of a page; a socket's buffers hold few of those."""


async def open_stream(sender: Wire, job_id: UUID, query: str = "") -> None:
    """Begin to follow; the head of the answer is read, and no event."""
    await sender.send_head(method="GET", path=f"/v1/jobs/{job_id}/events{query}")
    async with in_time():
        head = await sender.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_hangs_up_is_forgotten_at_once(serve: Serve, resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    timed = value("docserver_http_request_duration_seconds_count", route="events")
    requests = value("docserver_http_requests_total", route="events", status="200")
    listener = await serve()
    async with wire(port_of(listener)) as sender:
        await open_stream(sender, job_id)
        await until(lambda: busy(listener) == 1)
        assert value("docserver_event_streams") == 1

    # The next comment would notice it too, but long after this test's time.
    await until(lambda: busy(listener) == 0)
    await until(lambda: feed_of(listener)._topics == {})
    assert value("docserver_event_streams") == 0
    await until(lambda: value("docserver_http_requests_total", route="events", status="200") == requests + 1)
    # How long a client follows a job says nothing about the service.
    assert value("docserver_http_request_duration_seconds_count", route="events") == timed


async def test_a_service_that_stops_ends_its_streams(serve: Serve, resources: Resources) -> None:
    _, job_id = await make_job(resources.db, total=1)
    listener = await serve(grace_s=1000.0)
    async with wire(port_of(listener)) as sender:
        await open_stream(sender, job_id)
        await until(lambda: busy(listener) == 1)

        async with in_time():
            await listener.close()

        # The body is chunked, and has its end: the client knows that it was not cut off.
        received = await sender.reader.read()
        assert received.endswith(b"0\r\n\r\n")


async def test_a_client_that_does_not_read_keeps_no_other_waiting_and_gets_all_in_the_end(
    serve: Serve, resources: Resources
) -> None:
    pages = 40
    job_id = await make_completed(resources, *("x" * LARGE for _ in range(pages)))
    listener = await serve()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", port_of(listener)))
    reader, writer = await asyncio.open_connection(sock=slow, limit=4 * LARGE)
    behind = Wire(reader, writer)
    await behind.send_head("Connection: close", method="GET", path=f"/v1/jobs/{job_id}/events?text=true")

    numbers = [await followed_by(job_id, listener) for _ in range(2)]

    assert busy(listener) == 1
    assert numbers == [list(range(1, pages + 1))] * 2
    assert pages_of([event async for event in events(Dechunked(behind.reader))]) == numbers[0]
    writer.close()


async def followed_by(job_id: UUID, listener: Listener) -> list[int]:
    """The pages that a client gets who reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(listener), limit=4 * LARGE)
    sender = Wire(reader, writer)
    await sender.send_head("Connection: close", method="GET", path=f"/v1/jobs/{job_id}/events?text=true")
    received = [event async for event in events(Dechunked(reader))]
    writer.close()
    return pages_of(received)


def pages_of(received: list[Event]) -> list[int]:
    return [event.number for event in received if event.kind == "page"]


def feed_of(listener: Listener) -> Feed:
    assert listener._runner is not None
    assert listener._runner.app is not None
    return listener._runner.app[FEED]


class Dechunked:
    """The lines of an answer's body, without those that the chunks have: each event is a chunk of its own."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._lines: list[bytes] | None = None

    async def readline(self) -> bytes:
        if self._lines is None:
            await self._reader.readuntil(b"\r\n\r\n")
            self._lines = []
        if not self._lines:
            size = int(await self._reader.readline(), 16)
            self._lines = (await self._reader.readexactly(size)).splitlines(keepends=True)
            await self._reader.readline()
        return self._lines.pop(0) if self._lines else b""


async def test_the_page_of_documentation_shows_events_as_they_are(client: Client, resources: Resources) -> None:
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    urls = re.findall(r'curl -N (?:-H "Last-Event-ID: [\d.]+" )?"localhost:8000([^"]+)"', page)
    shown = [event async for event in events(Shown(page))]
    _, job_id = await make_job(resources.db, total=2)
    await settle(resources, job_id)
    await settle(resources, job_id, fails=True)

    for url, expected in zip(urls, (shown, shown[-3:]), strict=True):
        path = re.sub(r"/jobs/[^/]+/", f"/jobs/{job_id}/", url)
        headers = {} if expected is shown else {"Last-Event-ID": shown[2].id or ""}
        async with client.get(path, headers=headers) as response:
            received = [event async for event in events(response.content)]
        # What happened before is told in one.
        assert [event.kind for event in received] == (
            ["retry", "status", "page", "page", "done"] if expected is shown else ["retry", "status", "page", "done"]
        )
        for event in received[1:]:
            example = next(other for other in shown if (other.kind, other.id) == (event.kind, event.id))
            assert example.data.keys() - {"…"} <= event.data.keys()
            if event.kind == "page":
                assert example.data.keys() - {"text"} == event.data.keys() - {"text"}


class Shown:
    """The lines of the first example of a page; what it leaves out is marked."""

    def __init__(self, page: str) -> None:
        example = page.partition("$ curl")[2].partition("\n")[2].partition("```")[0]
        self._lines = [line.replace(",…}", "}").encode() + b"\n" for line in [*example.splitlines(), ""]]

    async def readline(self) -> bytes:
        return self._lines.pop(0) if self._lines else b""


async def test_a_retry_in_the_middle_of_a_read_does_not_make_a_page_of_the_earlier_attempt_one_of_the_new(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_id = await make_job(resources.db, total=2)
    await settle(resources, job_id, pages=2)
    client = ModelClient(resources, job_id)
    of_tenant = jobs.of_tenant

    async def retried_first(*arguments: Any, **more: Any) -> Any:
        monkeypatch.setattr(jobs, "of_tenant", of_tenant)
        await restarts.retry(
            resources.db,
            job_id,
            tenant=DEFAULT_TENANT,
            selection=[range(1, 2)],
            changes={},
            request_id="r",
            quotas=Quotas(),
        )
        return await of_tenant(*arguments, **more)

    monkeypatch.setattr(jobs, "of_tenant", retried_first)
    await client.read()
    assert (client.has_all, client.pages) == (False, {})
    await client.read()
    assert client.pages.keys() == {2}
    await settle(resources, job_id)
    await client.read()

    assert (client.has_all, client.pages) == (True, await stored(resources, job_id, [1, 2]))
    client.subscription.close()


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("settle"), st.integers(1, 3)),
        st.tuples(st.just("fail"), st.just(1)),
        st.tuples(st.just("read"), st.integers(0, 1)),
        st.tuples(st.just("reconnect"), st.integers(0, 1)),
        st.tuples(st.just("retry"), st.integers(0, 5)),
    ),
    min_size=8,
    max_size=25,
)


def test_whatever_happens_between_two_reads_a_client_has_each_page_once_in_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGES_AT_ONCE", 2)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        @hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(acts=ACTS)
        def lives(acts: list[tuple[str, int]]) -> None:
            runner.run(live(resources, acts))

        context = opened(settings, runner.run(checked_engine(settings)))
        resources = runner.run(context.__aenter__())
        try:
            lives()
        finally:
            runner.run(context.__aexit__(None, None, None))


async def live(resources: Resources, acts: list[tuple[str, int]]) -> None:
    """Let all this happen to a job, and a client read what it gets."""
    _, job_id = await make_job(resources.db, total=5)
    client = ModelClient(resources, job_id)
    for act, number in acts:
        job = await found(resources.db, job_id)
        match act:
            case "settle" | "fail" if not job.status.final:
                await settle(resources, job_id, pages=number, fails=act == "fail")
            case "read":
                await client.read()
            case "reconnect":
                client.reconnect(forgets=number == 1)
            case "retry" if job.status.final:
                selection = [range(number, number + 1)] if number else None
                again = await restarts.retry(
                    resources.db,
                    job_id,
                    tenant=DEFAULT_TENANT,
                    selection=selection,
                    changes={},
                    request_id="r",
                    quotas=Quotas(),
                )
                await notify.publish(resources, again)
    while not (await found(resources.db, job_id)).status.final:
        await settle(resources, job_id, pages=2)
    # The client may have had all of an earlier attempt.
    client.has_all = False
    while not client.has_all:
        await client.read()
    assert client.pages == await stored(resources, job_id, [1, 2, 3, 4, 5])
    client.subscription.close()


class ModelClient:
    """A client that keeps what it gets, and its position in it."""

    def __init__(self, resources: Resources, job_id: UUID) -> None:
        self._job_id = job_id
        self.feed = Feed(resources)
        self.subscription = self.feed.subscribe(job_id, caller=CALLER, with_text=True)
        self.pages: dict[int, bytes] = {}
        self.attempts: dict[int, int] = {}
        self.position = START
        self.has_all = False

    async def read(self) -> None:
        updates = await self.subscription.updates(after=self.position)
        attempt = int(re.findall(rb'"attempt":(\d+)', updates.state.body)[-1])
        for position, page in updates.pages:
            number = position.page
            # A page comes once in each attempt, and later ones come later.
            assert self.attempts.get(number, 0) < attempt
            assert position > self.position
            self.pages[number], self.attempts[number], self.position = page, attempt, position
        self.has_all = updates.complete and updates.state.is_final

    def reconnect(self, *, forgets: bool) -> None:
        """Go on at another process, with the id of the last event, or from the beginning."""
        self.subscription.close()
        self.subscription = self.feed.subscribe(self._job_id, caller=CALLER, with_text=True)
        self.position = Position.parse(str(self.position))
        if forgets:
            self.position, self.pages, self.attempts = START, {}, {}


async def stored(resources: Resources, job_id: UUID, numbers: list[int]) -> dict[int, bytes]:
    """The pages as a client gets them who follows only now."""
    client = ModelClient(resources, job_id)
    while not client.has_all:
        await client.read()
    client.subscription.close()
    assert sorted(client.pages) == numbers
    return client.pages
