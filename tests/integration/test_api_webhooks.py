"""The API of webhooks: what is taken and refused, who sees what, and what is kept of it."""

import asyncio
import logging
from typing import Any
from uuid import UUID, uuid4

import pytest

from docserver import maintenance as maintenance_module
from docserver.caller import Scope
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration
from docserver.webhooks import endpoints, events
from tests.support.client import Client, MakeClient, get, post, upload
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import change, value
from tests.support.samples import png
from tests.support.service import form
from tests.support.webhooks import LOCAL, StartSender, cancelled, create, log_of, settled


@pytest.fixture
async def client(make_client: MakeClient, receiver: Receiver) -> Client:
    return await make_client(rate_limit=False, deduplicate=True, webhook_networks=LOCAL, webhook_ports=(receiver.port,))


async def test_a_webhook_is_created_shown_listed_and_deleted(client: Client, receiver: Receiver) -> None:
    async with client.post("/v1/webhooks", json={"url": receiver.url()}) as response:
        made = await response.json()
        assert (response.status, response.headers["Cache-Control"]) == (201, "no-store")
        path = response.headers["Location"]

    shown = await get(client, path)
    assert {**shown, "secret": made["secret"]} == made
    assert shown["events"] == ["job.completed", "job.failed", "job.cancelled", "batch.completed"]
    assert made["secret"].startswith("whsec_")
    assert await get(client, "/v1/webhooks") == {"items": [shown]}
    async with client.delete(path) as response:
        assert response.status == 204
    async with client.get(path) as response:
        assert response.status == 404
    assert await get(client, "/v1/webhooks") == {"items": []}


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://example.org/"}, "/url"),
        ({"url": "//example.org/"}, "/url"),
        ({"url": "https://user:secret@example.org/"}, "/url"),
        ({"url": "https://example.org:22/"}, "/url"),
        ({"url": "https://example.org:99999/"}, "/url"),
        ({"url": "http://exa mple.org/"}, "/url"),
        ({"url": "https://example.org/" + "x" * 2000}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "OK", "secret": "whsec_c2hvcnQ="}, "/secret"),
        ({"url": "OK", "secret": SECRET.removeprefix("whsec_")}, "/secret"),
        ({"url": "OK", "secret": "whsec_" + "ü" * 40}, "/secret"),
        ({"url": "OK", "events": []}, "/events"),
        ({"url": "OK", "events": ["job.exploded"]}, "/events/0"),
        ({"url": "OK", "events": [7]}, "/events/0"),
        ({"url": "OK", "events": "job.failed"}, "/events"),
        ({"url": "OK", "more": 1}, "/more"),
    ],
)
async def test_what_is_wrong_is_named_and_a_secret_is_not_repeated(
    client: Client, receiver: Receiver, given: dict[str, Any], pointer: str
) -> None:
    if given.get("url") == "OK":
        given = {**given, "url": receiver.url()}

    status, body = await post(client, "/v1/webhooks", json=given)

    assert status == 422
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert "secret" not in given or given["secret"] not in str(body)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"callback_url": "OK"}, ["callback_secret"]),
        ({"callback_url": "https://example.org:1/"}, ["callback_secret", "callback_url"]),
        ({"callback_secret": SECRET}, ["callback_url"]),
        ({"callback_url": "https://example.org:1/", "callback_secret": SECRET}, ["callback_url"]),
        ({"callback_url": "http://127.0.0.1.:80/", "callback_secret": "wrong"}, ["callback_secret", "callback_url"]),
        (
            {"callback_url": "ftp://a/", "languages": "xxx", "mode": "x", "engine": "ppocr"},
            ["callback_secret", "callback_url", "languages", "mode"],
        ),
    ],
)
async def test_a_callback_that_cannot_be_used_refuses_the_upload_with_all_that_is_wrong(
    client: Client, resources: Resources, receiver: Receiver, options: dict[str, str], wrong: list[str]
) -> None:
    if options.get("callback_url") == "OK":
        options = {**options, "callback_url": receiver.url()}
    path = "/v1/documents/upload-document"
    status, body = await post(client, path, data=form(png(), **options))
    status_of_query, of_query = await post(client, path, data=form(png()), params=options)
    status_of_raw, of_raw = await post(client, "/v1/documents", data=png(), params=options)

    assert (status, status_of_query, status_of_raw) == (422, 422, 422)
    assert sorted(error["pointer"] for error in body["errors"]) == [f"/{name}" for name in wrong]
    for problem in (of_query, of_raw):
        assert sorted(error["parameter"] for error in problem["errors"]) == wrong
        assert all(name in problem["detail"] for name in wrong)
    assert await value(resources.db, "SELECT COUNT(*) FROM documents") == 0


async def test_a_webhook_is_refused_with_all_that_is_wrong(client: Client) -> None:
    status, body = await post(client, "/v1/webhooks", json={"url": "ftp://a/", "secret": "x", "events": ["nothing"]})

    assert status == 422
    assert {error["pointer"].split("/")[1] for error in body["errors"]} == {"url", "secret", "events"}


async def test_a_known_documents_callback_is_told_when_its_job_ends_or_at_once(
    client: Client, receiver: Receiver, start_sender: StartSender
) -> None:
    await start_sender()
    first = await upload(client)
    options = {"callback_url": receiver.url("/before"), "callback_secret": SECRET}
    assert (await upload(client, png(), **options))["job_id"] == first["job_id"]

    await post(client, f"/v1/jobs/{first['job_id']}/cancel")

    (delivered,) = await receiver.arrived()
    assert (delivered.path, delivered.event["data"]["job_id"]) == ("/before", first["job_id"])


async def test_the_callback_of_an_ended_job_is_told_at_once(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    await start_sender()
    first = await upload(client)
    await change(
        resources.db,
        "UPDATE jobs SET status = 'completed', needs_review = '[]', finished_at = UTC_TIMESTAMP(6) WHERE id = %s",
        UUID(first["job_id"]).bytes,
    )

    again = await upload(client, callback_url=receiver.url("/late"), callback_secret=SECRET)

    (delivered,) = await receiver.arrived()
    assert again["deduplicated"]
    assert delivered.verified()["type"] == "job.completed"
    assert delivered.event["data"]["job_id"] == first["job_id"]


async def test_a_job_with_too_many_callbacks_is_left_alone_and_the_document_is_read_anew(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_CALLBACKS", 1)
    options = {"callback_url": receiver.url(), "callback_secret": SECRET}

    made = [await upload(client, png(), **options) for _ in range(3)]

    assert [job["deduplicated"] for job in made] == [False, False, False]
    assert len({job["document_id"] for job in made}) == 3


async def test_a_tenant_has_a_bounded_number_of_webhooks_however_many_ask_at_once(
    client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MAX_ENDPOINTS", 2)

    answers = await asyncio.gather(*(post(client, "/v1/webhooks", json={"url": receiver.url()}) for _ in range(4)))

    assert sorted(status for status, _ in answers) == [201, 201, 409, 409]


async def test_the_log_is_given_in_parts(client: Client, receiver: Receiver) -> None:
    made = await create(client, receiver.url())
    path = f"/v1/webhooks/{made['webhook_id']}/deliveries"
    for _ in range(3):
        await post(client, f"/v1/webhooks/{made['webhook_id']}/test")

    first = await get(client, path, limit=2)
    second = await get(client, path, limit=2, cursor=first["next_cursor"])

    ids = [delivery["delivery_id"] for part in (first, second) for delivery in part["items"]]
    assert (len(ids), second["next_cursor"]) == (3, None)
    assert ids == sorted(ids, reverse=True)
    assert first["items"][0]["type"] == "webhook.test"


async def test_what_belongs_to_another_tenant_does_not_exist(
    make_client: MakeClient, resources: Resources, receiver: Receiver
) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS, webhook_networks=LOCAL, webhook_ports=(receiver.port,))
    acme, other = [
        (
            await administration.create_key(
                resources.db, tenant=tenant, name="", scopes=set(Scope), expires_in_s=None, actor="a test"
            )
        ).text
        for tenant in ("acme", "other")
    ]
    client.session.headers["Authorization"] = f"Bearer {acme}"
    webhook_id = (await create(client, receiver.url()))["webhook_id"]
    job_id = await cancelled(client)
    (delivery,) = await log_of(client, job_id)

    async def refusals(webhook_id: str, job_id: str, delivery_id: str) -> list[Any]:
        answers = []
        for method, path in (
            ("GET", f"/v1/webhooks/{webhook_id}"),
            ("DELETE", f"/v1/webhooks/{webhook_id}"),
            ("GET", f"/v1/webhooks/{webhook_id}/deliveries"),
            ("POST", f"/v1/webhooks/{webhook_id}/test"),
            ("POST", f"/v1/webhooks/{webhook_id}/rotate"),
            ("POST", f"/v1/webhooks/{webhook_id}/enable"),
            ("GET", f"/v1/jobs/{job_id}/deliveries"),
            ("POST", f"/v1/jobs/{job_id}/deliveries/{delivery_id}/replay"),
        ):
            headers = {"Authorization": f"Bearer {other}", "X-Request-ID": "same"}
            async with client.request(method, path, headers=headers) as response:
                text = await response.text()
                for known in (webhook_id, job_id, delivery_id):
                    text = text.replace(known, "ID")
                answers.append((response.status, text))
        return answers

    foreign = await refusals(webhook_id, job_id, delivery["delivery_id"])
    unknown = await refusals(*(str(uuid4()) for _ in range(3)))

    assert foreign == unknown
    assert {status for status, _ in foreign} == {404}
    async with client.get("/v1/webhooks", headers={"Authorization": f"Bearer {other}"}) as response:
        assert await response.json() == {"items": []}
    # Another tenant's job ends without a word.
    client.session.headers["Authorization"] = f"Bearer {other}"
    assert await log_of(client, await cancelled(client)) == []


async def test_neither_the_database_nor_the_log_has_a_secret_or_a_url_of_a_callback(
    client: Client,
    resources: Resources,
    receiver: Receiver,
    start_sender: StartSender,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers(500, 200)
    await start_sender()
    made = await create(client, receiver.url("/hook?token=hidden"))
    await post(client, f"/v1/webhooks/{made['webhook_id']}/rotate")
    await settled(client, await cancelled(client), "delivered", attempts=2)

    async with resources.db.session() as cur:
        await cur.execute("SELECT * FROM webhook_endpoints")
        (row,) = cur.rows()
    raw = SECRET.removeprefix("whsec_")
    assert raw not in str(row)
    assert row["previous_secret"]
    logged = "".join(
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name.startswith("docserver")
    )
    for hidden in (raw, "token=hidden", made["secret"]):
        assert hidden not in logged


async def test_deleting_a_document_removes_its_callbacks_and_deliveries(
    client: Client, resources: Resources, receiver: Receiver
) -> None:
    await create(client, receiver.url())
    job_id = await cancelled(client, callback_url=receiver.url(), callback_secret=SECRET)
    assert await value(resources.db, "SELECT COUNT(*) FROM deliveries") == 2
    document_id = (await get(client, f"/v1/jobs/{job_id}"))["document_id"]

    async with client.delete(f"/v1/documents/{document_id}") as response:
        assert response.status == 204

    assert await value(resources.db, "SELECT COUNT(*) FROM deliveries") == 0
    assert await value(resources.db, "SELECT COUNT(*) FROM webhook_endpoints") == 1


async def test_maintenance_removes_old_deliveries(
    client: Client, resources: Resources, receiver: Receiver, maintenance: Maintenance, start_sender: StartSender
) -> None:
    await start_sender()
    await create(client, receiver.url())
    old, new = await cancelled(client), await cancelled(client)
    for job_id in (old, new):
        await settled(client, job_id, "delivered")
    await change(
        resources.db,
        "UPDATE deliveries SET finished_at = finished_at - INTERVAL %s SECOND WHERE job_id = %s",
        int(maintenance_module.DELIVERIES_KEPT_S),
        UUID(old).bytes,
    )

    await maintenance.round()
    assert [len(await log_of(client, job_id)) for job_id in (old, new)] == [0, 1]


async def test_a_process_that_stops_gives_back_what_it_is_sending(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    answered = asyncio.Event()

    async def late(request: Any) -> Any:
        await answered.wait()

    accept, receiver.answer = receiver.answer, late
    await create(client, receiver.url())
    stopping = await start_sender()
    job_id = await cancelled(client)
    await receiver.arrived()

    await stopping.stop(grace_s=0)
    receiver.answer = accept
    answered.set()
    await start_sender()

    await settled(client, job_id, "delivered")
    assert await value(resources.db, "SELECT tries FROM deliveries") == 1
    assert len({delivered.id for delivered in receiver.received}) == 1


async def test_a_process_without_connections_sends_nothing(
    client: Client, resources: Resources, receiver: Receiver, start_sender: StartSender
) -> None:
    idle = await start_sender(webhook_connections=0)
    await create(client, receiver.url())
    job_id = await cancelled(client)

    assert idle._running is None
    assert (await log_of(client, job_id))[0]["attempts"] == []
