"""Webhooks: what is recorded with a job's end, and how it is delivered, tried again, given up and replayed."""

import asyncio
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from standardwebhooks.webhooks import WebhookVerificationError

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import backlog, deliveries, webhook_endpoints
from docserver.jobs import notify, transitions
from docserver.resources import Resources
from docserver.tenants import administration
from docserver.webhooks import sender as sender_module
from docserver.webhooks.endpoints import Callback, callback_endpoint
from tests.support.client import Client, MakeClient, get, post
from tests.support.metric_values import value as metric
from tests.support.receiver import SECRET, Receiver, receiving
from tests.support.rows import READING, TIMEOUT, change, claim_pages, make_job, value
from tests.support.waiting import until
from tests.support.webhooks import (
    LOCAL,
    StartSender,
    cancelled,
    cancelled_with_callback,
    create,
    log_of,
    settled,
)


@pytest.fixture
async def client(make_client: MakeClient, receiver: Receiver) -> Client:
    return await make_client(rate_limit=False, webhook_networks=LOCAL, webhook_ports=(receiver.port,))


async def test_an_endpoint_is_told_of_a_jobs_end_and_the_public_library_accepts_the_signature(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    made = await create(client, receiver.url("/hook?of=all"), events=["job.cancelled"])
    await start_sender()

    job_id = await cancelled(client)

    (arrived,) = await receiver.arrived()
    event = arrived.verified()
    job = await get(client, f"/v1/jobs/{job_id}")
    assert (event["type"], event["timestamp"], event["data"]) == ("job.cancelled", job["finished_at"], job)
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.headers["host"] == f"127.0.0.1:{receiver.port}"
    delivery = await settled(client, job_id, "delivered")
    assert (delivery["delivery_id"], delivery["webhook_id"]) == (arrived.id, made["webhook_id"])
    assert (delivery["attempts"][0]["http_status"], delivery["attempts"][0]["fault"]) == (204, None)
    with pytest.raises(WebhookVerificationError):
        arrived.verified("whsec_" + SECRET[:5:-1])


async def test_the_end_of_a_job_wakes_the_sender_only_if_somebody_is_told_of_it(resources: Resources) -> None:
    woken = []
    for has_callback in (False, True):
        _, job_id = await make_job(resources.db)
        if has_callback:
            callback = callback_endpoint(
                resources, Callback("https://example.org", SECRET), tenant=DEFAULT_TENANT, job_id=job_id
            )
            async with resources.db.session() as cur:
                await webhook_endpoints.insert(cur, callback)
        await notify.publish(resources, await transitions.cancel(resources.db, job_id, tenant=DEFAULT_TENANT))
        woken.append(resources.webhooks_due.is_set())

    assert woken == [False, True]


async def test_the_callback_of_an_upload_is_told_beside_the_endpoints(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    await create(client, receiver.url("/endpoint"))
    await start_sender()

    await cancelled(client, callback_url=receiver.url("/callback"), callback_secret=SECRET)
    await cancelled(client)

    arrived = await receiver.arrived(3)
    assert sorted(delivered.path for delivered in arrived) == ["/callback", "/endpoint", "/endpoint"]
    assert {delivered.verified()["type"] for delivered in arrived} == {"job.cancelled"}
    assert len({delivered.id for delivered in arrived}) == 3


async def test_pages_are_told_to_those_who_ask_for_them(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await create(client, receiver.url("/all"), events=["page.completed", "job.completed"])
    await create(client, receiver.url("/failures"), events=["job.failed"])
    _, job_id = await make_job(resources.db, total=2)

    for result in ({1: READING}, {2: TIMEOUT}):
        claim_id, _ = await claim_pages(resources.db, job_id, limit=1)
        job = await transitions.settle_pages(resources.db, job_id=job_id, claim_id=claim_id, results=result)
        assert job
    await start_sender()

    told = {delivered.event["type"]: delivered for delivered in await receiver.arrived(2)}
    assert told.keys() == {"page.completed", "job.completed"}
    assert {delivered.path for delivered in told.values()} == {"/all"}
    assert told["page.completed"].event["data"]["page"] == 1
    assert told["job.completed"].event["data"]["pages"] == {"total": 2, "done": 1, "failed": 1}


async def test_what_waits_to_be_sent_and_what_was_sent_is_measured(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await create(client, receiver.url())
    job_id = await cancelled(client)
    await change(resources.db, "UPDATE deliveries SET run_after = run_after - INTERVAL 100 SECOND")
    before = metric("docserver_webhook_attempts_total", outcome="delivered")

    async with resources.db.session() as cur:
        due = await backlog.measure_deliveries(cur)
    await start_sender()
    await settled(client, job_id, "delivered")

    assert due.count == 1
    assert 100 <= due.oldest_age_s < 1000
    await until(lambda: metric("docserver_webhook_attempts_total", outcome="delivered") == before + 1)
    async with resources.db.session() as cur:
        assert await backlog.measure_deliveries(cur) == backlog.DueDeliveries(0, 0.0)


async def test_what_is_committed_while_nobody_sends_is_delivered_later(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    await create(client, receiver.url())
    job_id = await cancelled(client)
    assert [delivery["status"] for delivery in await log_of(client, job_id)] == ["pending"]

    await asyncio.gather(*(start_sender() for _ in range(3)))

    await settled(client, job_id, "delivered")
    assert len(receiver.received) == 1


async def test_a_delivery_of_a_process_that_died_is_sent_by_another_with_the_same_id(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await create(client, receiver.url())
    job_id = await cancelled(client)
    async with resources.db.transaction() as cur:
        ((tenant, place),) = await deliveries.due(cur, limit=10)
        (lost,) = await deliveries.claim(cur, tenant=tenant, receiver=place, claim_id=uuid4(), limit=5, lease_s=60)
        assert await deliveries.due(cur, limit=10) == []
    await change(resources.db, "UPDATE deliveries SET run_after = UTC_TIMESTAMP(6)")

    await start_sender()

    await settled(client, job_id, "delivered")
    assert [delivered.id for delivered in receiver.received] == [str(lost.id)]


async def test_one_that_kills_each_process_is_given_up(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await create(client, receiver.url())
    job_id = await cancelled(client)
    await change(resources.db, "UPDATE deliveries SET tries = %s", sender_module.MAX_ATTEMPTS)

    await start_sender()

    assert (await settled(client, job_id, "failed"))["attempts"][0]["fault"] == "lost"
    assert receiver.received == []


async def test_a_failed_try_is_repeated_with_the_same_id_and_body(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    receiver.answers(500, 404, 200)
    made = await create(client, receiver.url())
    await start_sender()

    job_id = await cancelled(client)

    delivery = await settled(client, job_id, "delivered", attempts=3)
    assert [attempt["http_status"] for attempt in delivery["attempts"]] == [500, 404, 200]
    assert len({(delivered.id, delivered.body) for delivered in receiver.received}) == 1
    for delivered in receiver.received:
        delivered.verified()
    assert (await get(client, f"/v1/webhooks/{made['webhook_id']}"))["failing_since"] is None


async def test_the_last_failure_is_final_until_somebody_replays_it(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    receiver.answers(503)
    await create(client, receiver.url())
    await start_sender()
    job_id = await cancelled(client)
    failed = await settled(client, job_id, "failed", attempts=sender_module.MAX_ATTEMPTS)
    assert len(receiver.received) == sender_module.MAX_ATTEMPTS

    receiver.answers(200)
    status, replayed = await post(client, f"/v1/jobs/{job_id}/deliveries/{failed['delivery_id']}/replay")

    assert (status, replayed["status"], replayed["delivery_id"]) == (202, "pending", failed["delivery_id"])
    await settled(client, job_id, "delivered", attempts=sender_module.MAX_ATTEMPTS + 1)
    assert len({(delivered.id, delivered.body) for delivered in receiver.received}) == 1


async def test_gone_disables_an_endpoint_until_it_is_enabled_again(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    receiver.answers(410)
    path = f"/v1/webhooks/{(await create(client, receiver.url()))['webhook_id']}"
    await start_sender()
    job_id = await cancelled(client)

    failed = await settled(client, job_id, "failed")
    disabled = await get(client, path)
    assert disabled["disabled_at"]
    assert disabled["disabled_reason"] == "gone"
    unheard = await cancelled(client)
    assert await log_of(client, unheard) == []
    for refused in (f"{path}/test", f"/v1/jobs/{job_id}/deliveries/{failed['delivery_id']}/replay"):
        assert (await post(client, refused))[0] == 409

    receiver.answers(200)
    assert (await post(client, f"{path}/enable"))[1]["disabled_at"] is None
    assert (await post(client, f"{path}/test"))[0] == 202
    arrived = await receiver.arrived(2)
    assert arrived[-1].verified()["type"] == "webhook.test"


async def test_an_endpoint_that_fails_for_long_is_disabled_and_what_waits_is_given_up(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    path = f"/v1/webhooks/{(await create(client, receiver.url()))['webhook_id']}"
    jobs = [await cancelled(client) for _ in range(2)]
    await change(
        resources.db,
        "UPDATE deliveries SET run_after = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE job_id = %s",
        UUID(jobs[1]).bytes,
    )
    await change(resources.db, "UPDATE webhook_endpoints SET failing_since = UTC_TIMESTAMP(6) - INTERVAL 6 DAY")
    receiver.answers(500)

    await start_sender()

    for job_id in jobs:
        await settled(client, job_id, "failed", attempts=0)
    assert (await get(client, path))["disabled_reason"] == "failing"
    assert len(receiver.received) == 1


@pytest.mark.parametrize("retry_after", ["7200", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_retry_after_is_honoured(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender, retry_after: str
) -> None:
    receiver.answers(429, **{"Retry-After": retry_after})
    await create(client, receiver.url())
    await start_sender()
    job_id = await cancelled(client)

    await settled(client, job_id, "pending")

    waits_s = await value(resources.db, "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), run_after) FROM deliveries")
    assert 7000 < waits_s <= 86_400


async def test_a_rotated_secret_signs_too_for_a_while(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    path = f"/v1/webhooks/{(await create(client, receiver.url()))['webhook_id']}"
    await start_sender()

    status, rotated = await post(client, f"{path}/rotate")
    await cancelled(client)
    (first,) = await receiver.arrived()
    await change(resources.db, "UPDATE webhook_endpoints SET previous_until = UTC_TIMESTAMP(6)")
    await cancelled(client)
    second = (await receiver.arrived(2))[1]

    assert status == 200
    assert len(first.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, rotated["secret"]):
        assert first.verified(secret)["type"] == "job.cancelled"
    assert second.verified(rotated["secret"])
    with pytest.raises(WebhookVerificationError):
        second.verified(SECRET)


async def test_slow_receivers_leave_connections_for_others(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    answered = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.path == "/slow":
            await answered.wait()
        return web.Response()

    receiver.answer = slow
    # Another host name is another receiver.
    await create(client, receiver.url("/slow"), events=["job.cancelled"])
    await create(client, receiver.url("/slow", host="127.0.0.3"), events=["job.cancelled"])
    for _ in range(8):
        await cancelled(client)
    await start_sender(webhook_connections=8)
    await receiver.arrived(2)

    await cancelled(client, callback_url=receiver.url("/quick", host="127.0.0.2"), callback_secret=SECRET)

    await until(lambda: any(delivered.path == "/quick" for delivered in receiver.received))
    assert [delivered.path for delivered in receiver.received].count("/slow") == 2
    answered.set()
    # Nine jobs for each slow receiver.
    await receiver.arrived(9 + 9 + 1)


async def test_one_receiver_of_each_tenant_is_due_before_a_second_one_of_any(
    client: Client, resources: Resources, receiver: Receiver
) -> None:
    await administration.set_tenant(resources.db, "other", actor="a test")
    for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        await create(client, receiver.url(host=host), events=["job.cancelled"])
    await cancelled(client)
    async with resources.db.session() as cur:
        names = [name for _, name in await deliveries.due(cur, limit=10)]
    for number, name in enumerate(names):
        sql = "UPDATE deliveries SET run_after = run_after - INTERVAL %s SECOND WHERE receiver = %s"
        await change(resources.db, sql, 30 - number, name)
    await change(resources.db, "UPDATE deliveries SET tenant = 'other' WHERE receiver = %s", names[2])

    async with resources.db.session() as cur:
        due = await deliveries.due(cur, limit=10)

    assert due == [(DEFAULT_TENANT, names[0]), ("other", names[2]), (DEFAULT_TENANT, names[1])]


async def test_an_answer_that_comes_too_late_is_a_failure(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    answered = asyncio.Event()

    async def late(request: web.Request) -> web.StreamResponse:
        await answered.wait()
        return web.Response()

    receiver.answer = late
    await create(client, receiver.url())
    await start_sender(webhook_timeout_s=0.3)
    job_id = await cancelled(client)

    delivery = await settled(client, job_id, "pending")
    answered.set()

    assert (delivery["attempts"][0]["fault"], delivery["attempts"][0]["http_status"]) == ("timeout", None)


async def test_the_body_of_an_answer_is_not_waited_for(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    ended = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 100_000)
        except (ConnectionError, asyncio.CancelledError):
            ended.append(request)
            raise

    receiver.answer = endless
    await create(client, receiver.url())
    await start_sender()

    await settled(client, await cancelled(client), "delivered")

    await until(lambda: len(ended) == 1)


async def test_a_redirect_is_not_followed(client: Client, receiver: Receiver, start_sender: StartSender) -> None:
    receiver.answers(307, Location=receiver.url("/elsewhere"))
    await create(client, receiver.url())
    await start_sender()

    delivery = await settled(client, await cancelled(client), "failed", attempts=sender_module.MAX_ATTEMPTS)

    assert {attempt["http_status"] for attempt in delivery["attempts"]} == {307}
    assert {delivered.path for delivered in receiver.received} == {"/hook"}


async def test_a_receiver_that_is_away_gets_it_when_it_is_back(
    client: Client, receiver: Receiver, resources: Resources, start_sender: StartSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "DELAYS_S", (3600.0,) * len(sender_module.DELAYS_S))
    async with receiving() as other:
        port = other.port
    url = other.url()
    await change(resources.db, "SELECT 1")
    await start_sender(webhook_ports=(port,))
    made = await cancelled_with_callback(resources, url)

    async def is_refused() -> bool:
        return bool(await value(resources.db, "SELECT COUNT(*) FROM delivery_attempts WHERE fault = 'connection'"))

    await until(is_refused)
    async with receiving(port=port) as back:
        await change(resources.db, "UPDATE deliveries SET run_after = UTC_TIMESTAMP(6)")
        await back.arrived()
    assert back.received[0].event["data"]["job_id"] == str(made)
