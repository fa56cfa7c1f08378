"""Batches as clients follow them: by server-sent events, and by webhooks when all jobs have ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import batches
from docserver.documents import batch_events
from docserver.documents.batch_states import Completion
from docserver.resources import Resources
from docserver.setting_types import Auth
from tests.support.client import Client, MakeClient, get, post
from tests.support.followed import Event, events
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import change, value
from tests.support.samples import png
from tests.support.tenants import key_of
from tests.support.uploaded_batches import PATH, accepted
from tests.support.waiting import until
from tests.support.webhooks import StartSender, create


@pytest.fixture(autouse=True)
def frequent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_events, "POLL_S", 0.01)


@pytest.fixture
def files() -> list[tuple[str, bytes]]:
    return [("a.png", png()), ("b.png", png("b")), ("notes.txt", b"plain text")]


def job_ids(batch: Any) -> list[str]:
    return [item["job_id"] for item in batch["items"] if item["job_id"]]


async def cancel(client: Client, job_id: str) -> None:
    assert (await post(client, f"/v1/jobs/{job_id}/cancel"))[0] == 200


async def accepted_and_ended(client: Client, resources: Resources, files: list[tuple[str, bytes]], **more: str) -> Any:
    """A batch of which webhooks are told."""
    batch = await accepted(client, files, **more)
    for job_id in job_ids(batch):
        await cancel(client, job_id)
    await Completion(resources).run()
    return batch


@asynccontextmanager
async def stream(client: Client, batch_id: str, last: str = "") -> AsyncIterator[AsyncIterator[Event]]:
    headers = {"Last-Event-ID": last} if last else {}
    async with client.get(f"{PATH}/{batch_id}/events", headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream"), await response.text()
        received = events(response.content)
        assert (await anext(received)).kind == "retry"
        yield received


def counts(event: Event) -> tuple[str, str, int, int]:
    return event.kind, event.data["status"], event.data["jobs"]["pending"], event.data["jobs"]["cancelled"]


async def test_a_client_gets_the_counts_as_they_change_and_the_end(
    client: Client, files: list[tuple[str, bytes]]
) -> None:
    batch = await accepted(client, files)
    first, second = job_ids(batch)

    async with stream(client, batch["batch_id"]) as received:
        begun = await anext(received)
        await cancel(client, first)
        changed = await anext(received)
        await cancel(client, second)
        rest = [event async for event in received]

    assert begun.data == {name: its for name, its in batch.items() if name not in ("items", "next_cursor")}
    assert counts(begun) == ("status", "processing", 2, 0)
    assert counts(changed) == ("status", "processing", 1, 1)
    assert [counts(event) for event in rest] == [("status", "completed", 0, 2), ("done", "completed", 0, 2)]
    done = await client.get(f"{PATH}/{batch['batch_id']}/events", headers={"Last-Event-ID": rest[-1].id or ""})
    assert done.status == 204


async def test_after_a_retry_the_batch_goes_on(client: Client, files: list[tuple[str, bytes]]) -> None:
    batch = await accepted(client, files[:1])
    (job_id,) = job_ids(batch)
    await cancel(client, job_id)
    async with stream(client, batch["batch_id"]) as received:
        *_, done = [event async for event in received]
    assert (await post(client, f"/v1/jobs/{job_id}/retry"))[0] == 202

    async with stream(client, batch["batch_id"], last=done.id or "") as received:
        assert counts(await anext(received)) == ("status", "processing", 1, 0)
        await cancel(client, job_id)
        *_, again = [event async for event in received]

    assert int(again.id or "") > int(done.id or "")


@pytest.fixture
def never_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes before the client: a service that runs is already waiting for its next poll."""
    monkeypatch.setattr(batch_events, "POLL_S", 1000.0)


async def test_clients_of_one_batch_share_what_is_read(
    never_polled: None, client: Client, files: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await accepted(client, files[:1])
    reads = []
    count = batches.count

    async def counted(cur: Any, batch_id: UUID) -> Any:
        reads.append(batch_id)
        return await count(cur, batch_id)

    monkeypatch.setattr(batches, "count", counted)
    async with stream(client, batch["batch_id"]) as first, stream(client, batch["batch_id"]) as second:
        assert counts(await anext(first)) == counts(await anext(second)) == ("status", "processing", 1, 0)

    assert len(reads) == 1


async def test_the_stream_of_a_forgotten_batch_ends(
    client: Client, resources: Resources, files: list[tuple[str, bytes]]
) -> None:
    batch = await accepted(client, files[:1])

    async with stream(client, batch["batch_id"]) as received:
        await anext(received)
        await change(resources.db, "DELETE FROM batches")
        assert [event async for event in received] == []


async def test_a_webhook_and_the_callback_are_told_once_that_a_batch_is_completed(
    make_client: MakeClient, start_sender: StartSender, receiver: Receiver, files: list[tuple[str, bytes]]
) -> None:
    sender = await start_sender()
    resources = sender._resources
    client = await make_client(
        rate_limit=False,
        webhook_networks=resources.settings.webhook_networks,
        webhook_ports=resources.settings.webhook_ports,
    )
    await create(client, receiver.url("/webhook"), events=["batch.completed"])
    callback = {"callback_url": receiver.url("/callback"), "callback_secret": SECRET}

    batch = await accepted_and_ended(client, resources, files, **callback)
    await asyncio.gather(*(Completion(resources).run() for _ in range(3)))

    arrived = await receiver.arrived(4)
    told = {(sent.path, sent.verified()["type"]) for sent in arrived}
    assert told == {("/webhook", "batch.completed"), ("/callback", "batch.completed"), ("/callback", "job.cancelled")}
    assert len(arrived) == 4
    data = next(sent.event["data"] for sent in arrived if sent.event["type"] == "batch.completed")
    assert data == {
        **{name: its for name, its in batch.items() if name not in ("items", "next_cursor")},
        "status": "completed",
        "jobs": {**batch["jobs"], "pending": 0, "cancelled": 2},
    }


async def test_what_was_sent_about_a_batch_is_listed_and_sent_again(
    make_client: MakeClient, start_sender: StartSender, receiver: Receiver, files: list[tuple[str, bytes]]
) -> None:
    sender = await start_sender()
    resources = sender._resources
    settings = resources.settings
    client = await make_client(
        rate_limit=False, webhook_networks=settings.webhook_networks, webhook_ports=settings.webhook_ports
    )
    await create(client, receiver.url())
    batch = await accepted_and_ended(client, resources, files[2:], callback_url=receiver.url(), callback_secret=SECRET)
    log = f"{PATH}/{batch['batch_id']}/deliveries"

    async def is_delivered() -> bool:
        return [item["status"] for item in (await get(client, log))["items"]] == ["delivered", "delivered"]

    await until(is_delivered)
    listed = (await get(client, log))["items"]
    assert {item["webhook_id"] is None for item in listed} == {True, False}
    assert {(item["type"], item["batch_id"], item["job_id"]) for item in listed} == {
        ("batch.completed", batch["batch_id"], None)
    }
    # The callback is none of the tenant's webhooks.
    assert len((await get(client, "/v1/webhooks"))["items"]) == 1

    status, replayed = await post(client, f"{log}/{listed[0]['delivery_id']}/replay")

    assert (status, replayed["status"]) == (202, "pending")
    assert [sent.id for sent in await receiver.arrived(3)].count(listed[0]["delivery_id"]) == 2


async def test_a_batch_completes_again_after_a_retry(
    client: Client, resources: Resources, files: list[tuple[str, bytes]]
) -> None:
    batch = await accepted_and_ended(client, resources, files[:1])
    (job_id,) = job_ids(batch)
    completed = "SELECT COUNT(*) FROM batches WHERE completed_at IS NOT NULL"
    assert await value(resources.db, completed) == 1

    assert (await post(client, f"/v1/jobs/{job_id}/retry"))[0] == 202
    await Completion(resources).run()
    assert await value(resources.db, completed) == 0
    await cancel(client, job_id)
    await Completion(resources).run()
    assert await value(resources.db, completed) == 1


async def test_a_batch_that_is_not_accepted_whole_is_not_completed(
    client: Client, resources: Resources, files: list[tuple[str, bytes]]
) -> None:
    batch = await accepted(client, files[:1])
    await cancel(client, job_ids(batch)[0])
    await change(resources.db, "UPDATE batches SET accepted_at = NULL")

    await Completion(resources).run()

    async with resources.db.session() as cur:
        assert await batches.lock_uncompleted(cur, UUID(batch["batch_id"])) == DEFAULT_TENANT


async def test_another_tenant_follows_nothing(
    make_client: MakeClient, resources: Resources, files: list[tuple[str, bytes]]
) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    own, other = [await key_of(resources, tenant) for tenant in ("own", "other")]
    batch = await accepted(client, files[:1], headers=own)

    for path in ("events", "deliveries"):
        async with client.get(f"{PATH}/{batch['batch_id']}/{path}", headers=other) as response:
            assert response.status == 404
    async with client.get(f"{PATH}/{batch['batch_id']}/deliveries", headers=own) as response:
        assert (await response.json())["items"] == []
