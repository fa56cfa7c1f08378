"""Following a job by server-sent events: what a client gets, and how it goes on after a cut."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from docserver.database.tables import settled_pages
from docserver.documents import events as module
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, upload
from tests.support.followed import Event, all_of, events, kind, pages_of, refused, settle, stream
from tests.support.redis_state import listening
from tests.support.results import make_completed
from tests.support.rows import change, make_job
from tests.support.samples import PAGES, pdf_scanned, words
from tests.support.waiting import in_time


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)


async def test_a_client_follows_a_document_from_the_upload_to_the_end(client: Client, worker: Worker) -> None:
    job = await upload(client, pdf_scanned(PAGES))
    assert job["links"]["events"] == f"/v1/jobs/{job['job_id']}/events"

    received = await all_of(client, job["job_id"], text="true")

    pages = [event for event in received if event.kind == "page"]
    assert [words(event.data["text"]) for event in pages] == [words(text) for text in PAGES]
    assert [event.number for event in pages] == [1, 2, 3]
    assert all(event.data["source"] == "ocr" and "blocks" not in event.data for event in pages)
    assert [event.kind for event in received].count("done") == 1
    assert received[-1].data["status"] == "completed"
    states = [event.data for event in received if event.kind == "status"]
    assert states[-1] == received[-1].data
    assert [state["pages"]["done"] for state in states] == sorted(state["pages"]["done"] for state in states)


async def test_a_stream_has_the_headers_of_every_answer_and_those_that_keep_proxies_from_holding_it(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client()
    job_id = await make_completed(resources, "text")

    for request in (client.get, client.head):
        async with request(f"/v1/jobs/{job_id}/events", headers={"X-Request-ID": "mine"}) as response:
            headers = response.headers
            assert response.status == 200
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("text/event-stream", "no-store")
    assert (headers["X-Accel-Buffering"], headers["X-Request-ID"]) == ("no", "mine")
    # A token comes back each 50 ms.
    assert headers["RateLimit"].startswith('"reads";r=119')


async def test_page_events_have_texts_only_on_request_and_failed_pages_their_errors(
    client: Client, resources: Resources
) -> None:
    _, job_id = await make_job(resources.db, total=2)
    await settle(resources, job_id)
    await settle(resources, job_id, fails=True)

    first, second = [event.data for event in await all_of(client, job_id) if event.kind == "page"]
    (with_text, _) = [event.data for event in await all_of(client, job_id, text="1") if event.kind == "page"]

    assert with_text == {**first, "text": "page 1"}
    assert "text" not in first
    assert (second["number"], second["error"]["code"]) == (2, "page_timeout")


async def test_after_each_event_a_client_goes_on_without_loss_and_gets_nothing_twice(
    client: Client, resources: Resources
) -> None:
    _, job_id = await make_job(resources.db, total=7)
    for pages in (1, 3, 1, 2):
        await settle(resources, job_id, pages=pages)

    whole = await all_of(client, job_id)
    named = [event for event in whole if event.id]

    assert pages_of(whole) == [1, 2, 3, 4, 5, 6, 7]
    for place, event in enumerate(named[:-1], start=1):
        assert event.id
        assert [later for later in await all_of(client, job_id, event.id) if later.id] == named[place:]
    async with client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": named[-1].id or ""}) as response:
        assert (response.status, await response.read()) == (204, b"")


@pytest.mark.parametrize("last", ["nonsense", "9999999.1", "-1", "1.2.3", "²"])
async def test_an_id_that_no_event_of_the_job_had_gives_all_pages(
    client: Client, resources: Resources, last: str
) -> None:
    job_id = await make_completed(resources, "one", "two")

    async with client.get(
        f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last.encode().decode("latin-1")}
    ) as got:
        received = [event async for event in events(got.content)]

    assert pages_of(received) == [1, 2]
    assert received[-1].kind == "done"


async def test_pages_from_before_the_migration_come_too(client: Client, resources: Resources) -> None:
    job_id = await make_completed(resources, "one", "two", "three")
    await change(resources.db, "UPDATE pages SET settled_version = 0")

    received = await all_of(client, job_id)

    assert pages_of(received) == [1, 2, 3]
    assert pages_of(await all_of(client, job_id, received[1].id or "")) == [2, 3]


async def test_many_pages_come_in_parts_each_once(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGES_AT_ONCE", 3)
    monkeypatch.setattr(module, "TEXT_BYTES_AT_ONCE", 10)
    job_id = await make_completed(resources, *("x" * 6 for _ in range(9)))

    for query in ({}, {"text": "true"}):
        received = await all_of(client, job_id, **query)
        assert pages_of(received) == list(range(1, 10))
        assert [event.kind for event in received].count("status") == 1


async def test_a_client_that_is_cut_off_misses_nothing_that_happens_meanwhile(
    client: Client, resources: Resources
) -> None:
    _, job_id = await make_job(resources.db, total=4)
    async with stream(client, job_id) as received:
        await settle(resources, job_id)
        first = await kind(received, "page")
        await settle(resources, job_id)
        # The client hangs up before it reads this page.
    await settle(resources, job_id)

    async with stream(client, job_id, first.id or "") as received:
        second, third = await kind(received, "page"), await kind(received, "page")
        await settle(resources, job_id)
        rest = [event async for event in received]

    assert [first.number, second.number, third.number, *pages_of(rest)] == [1, 2, 3, 4]
    assert rest[-1].kind == "done"


async def test_without_redis_a_client_follows_too(without_redis: Resources) -> None:
    _, job_id = await make_job(without_redis.db, total=2)
    async with (
        TestServer(make_app(without_redis)) as server,
        aiohttp.ClientSession(server.make_url("/")) as session,
        stream(session, job_id) as received,
    ):
        await kind(received, "status")
        await settle(without_redis, job_id)
        first = await kind(received, "page")
        await settle(without_redis, job_id)
        rest = [event async for event in received]

    assert [first.number, *pages_of(rest)] == [1, 2]


async def test_a_change_that_redis_does_not_tell_comes_from_the_database(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAFETY_POLL_S", 0.0)
    _, job_id = await make_job(resources.db, total=1)
    await listening(resources)
    async with stream(client, job_id) as received:
        await kind(received, "status")
        await settle(resources, job_id, told=False)

        assert (await kind(received, "done")).data["status"] == "completed"


async def test_many_clients_of_a_job_get_all_of_it_from_few_reads(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    after = settled_pages.after

    async def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal reads
        reads += 1
        return await after(*arguments, **more)

    monkeypatch.setattr(module, "POLL_S", 1000.0)
    monkeypatch.setattr(settled_pages, "after", counted)
    _, job_id = await make_job(resources.db, total=3)
    await listening(resources)
    clients = 40

    async def follow(ready: asyncio.Semaphore) -> list[Event]:
        async with stream(client, job_id) as received:
            await kind(received, "status")
            ready.release()
            return [event async for event in received]

    ready = asyncio.Semaphore(0)
    following = [asyncio.create_task(follow(ready)) for _ in range(clients)]
    for _ in range(clients):
        await ready.acquire()
    before = reads
    for _ in range(3):
        await settle(resources, job_id)
    async with in_time():
        received = await asyncio.gather(*following)

    assert all(pages_of(events) == [1, 2, 3] for events in received)
    # Each client by itself would need one read for each page.
    assert reads - before < clients


async def test_what_cannot_be_followed_is_refused(client: Client, resources: Resources) -> None:
    job_id = await make_completed(resources, "text")

    assert await refused(client, "01a226d4-bcd4-77d4-a715-162b4ee02d57") == (404, "not_found")
    assert await refused(client, job_id, headers={"Accept": "application/json"}) == (406, "not_acceptable")
    assert await refused(client, job_id, params={"text": "perhaps"}) == (422, "invalid")
    assert await refused(client, job_id, params={"last": "1"}) == (422, "invalid")
    for taken in ("text/event-stream", "text/*", "*/*;q=0.1, application/json"):
        async with client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": taken}) as response:
            assert response.status == 200
