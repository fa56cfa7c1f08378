"""Requests that are sent again with the same Idempotency-Key: one is carried out, and all get its answer."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from docserver.documents import idempotency
from docserver.documents.idempotency import KeyedRequest
from docserver.maintenance import Maintenance
from docserver.resources import Resources
from docserver.setting_types import Auth
from tests.support.client import Client, MakeClient, get, kept_files
from tests.support.raw_http import UPLOAD
from tests.support.receiver import Receiver
from tests.support.rows import CALLER, change, value
from tests.support.samples import png
from tests.support.service import form
from tests.support.tenants import key_of
from tests.support.webhooks import LOCAL

LIST = "/v1/documents/list-document"

Sent = tuple[int, bool, dict[str, Any]]
"""The status of an answer, whether it is that of an earlier request, and its body."""


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of an API that makes a document of each upload, so that keys alone keep them from becoming several."""
    return await make_client(rate_limit=False, deduplicate=False)


async def send(client: Client, path: str, key: str, **more: Any) -> Sent:
    headers = {"Idempotency-Key": key, **more.pop("headers", {})}
    async with client.post(path, headers=headers, **more) as response:
        return response.status, response.headers.get("Idempotency-Replayed") == "true", await response.json()


async def upload(
    client: Client, key: str, data: bytes | None = None, *, headers: dict[str, str] | None = None, **fields: str
) -> Sent:
    return await send(client, UPLOAD, key, data=form(data or png(), **fields), headers=headers or {})


async def total(client: Client) -> int:
    return int((await get(client, LIST))["total"])


async def test_equal_uploads_with_one_key_are_one_document_and_have_one_answer(
    client: Client, make_client: MakeClient, resources: Resources
) -> None:
    second = await make_client(rate_limit=False, deduplicate=False)

    sent = await asyncio.gather(*(upload(each, "a-key") for _ in range(15) for each in (client, second)))
    (again, is_replayed, job) = await upload(second, '"a-key"')

    assert (again, is_replayed) == (202, True)
    answered = [body for status, _, body in sent if status == 202]
    assert answered
    assert all(body == job for body in answered)
    refused = {(status, body["code"]) for status, _, body in sent if status != 202}
    assert refused <= {(409, "key_in_use")}
    assert [is_replay for status, is_replay, _ in sent if status == 202].count(False) == 1
    assert await total(client) == len(kept_files(resources)) == 1
    assert job["deduplicated"] is False


async def test_an_answer_is_given_again_as_it_was_with_its_address(client: Client) -> None:
    headers = {"Idempotency-Key": "k"}
    async with client.post(UPLOAD, data=form(png()), headers=headers) as response:
        first = (response.status, response.headers["Location"], await response.read())
        assert "Idempotency-Replayed" not in response.headers
    job_id = first[1].rsplit("/", 1)[-1]
    async with client.post(f"/v1/jobs/{job_id}/cancel") as response:
        assert response.status == 200

    async with client.post(UPLOAD, data=form(png()), headers=headers) as response:
        assert (response.status, response.headers["Location"], await response.read()) == first


@pytest.mark.parametrize(
    "other",
    [
        {"data": png("another text")},
        {"pages": "1"},
        {"filename": "other.png"},
    ],
    ids=["bytes", "options", "name"],
)
async def test_another_upload_with_the_key_of_an_earlier_one_is_refused(
    client: Client, resources: Resources, other: dict[str, Any]
) -> None:
    await upload(client, "k")

    status, _, problem = await upload(client, "k", **other)

    assert (status, problem["code"]) == (422, "key_reused")
    assert await total(client) == len(kept_files(resources)) == 1


async def test_another_request_with_the_key_of_an_upload_is_refused(client: Client) -> None:
    _, _, job = await upload(client, "k")

    status, _, problem = await send(client, f"/v1/jobs/{job['job_id']}/cancel", "k")

    assert (status, problem["code"]) == (422, "key_reused")


async def test_while_a_request_is_carried_out_another_with_its_key_waits_for_its_turn(
    client: Client, resources: Resources
) -> None:
    caller = replace(CALLER, client="127.0.0.1")
    async with idempotency.begun(resources, caller, "k") as held:
        async with client.post(UPLOAD, data=form(png()), headers={"Idempotency-Key": "k"}) as response:
            assert (response.status, response.headers["Retry-After"]) == (409, "1")
        await held.give_up(changed_nothing=True)

    assert (await upload(client, "k"))[0] == 202


async def test_an_upload_whose_process_died_before_it_answered_is_found_again(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(KeyedRequest, "finish", _dies)
        _, _, first = await upload(client, "k")
    assert (await upload(client, "k"))[0] == 409
    await change(resources.db, "UPDATE idempotency_keys SET lease_until = UTC_TIMESTAMP(6)")

    other = await upload(client, "k", png("another text"))
    status, is_replayed, again = await upload(client, "k")

    assert (other[0], other[2]["code"]) == (422, "key_reused")
    assert (status, is_replayed, again["job_id"]) == (202, False, first["job_id"])
    assert await total(client) == len(kept_files(resources, "originals")) == 1


async def _dies(*_: object) -> None:
    """Nothing is kept."""


async def test_a_request_that_was_refused_leaves_its_key_for_a_better_one(client: Client) -> None:
    assert (await upload(client, "k", b"no image"))[0] == 415
    assert (await upload(client, "k", languages="xxx"))[0] == 422

    assert (await upload(client, "k"))[:2] == (202, False)


async def test_a_job_is_cancelled_once_and_each_request_gets_the_same_answer(client: Client) -> None:
    _, _, job = await upload(client, "upload")
    path = f"/v1/jobs/{job['job_id']}/cancel"

    first, again = await send(client, path, "cancel"), await send(client, path, "cancel")
    without = await client.post(path)

    assert (first[0], again[0], without.status) == (200, 200, 409)
    assert (first[1], again[1]) == (False, True)
    assert first[2] == again[2]


async def test_a_secret_is_given_again_and_is_not_readable_in_the_database(
    make_client: MakeClient, resources: Resources, receiver: Receiver
) -> None:
    client = await make_client(rate_limit=False, webhook_networks=LOCAL, webhook_ports=(receiver.port,))

    made = [await send(client, "/v1/webhooks", "k", json={"url": receiver.url()}) for _ in range(2)]

    assert made[0][2] == made[1][2]
    assert made[0][2]["secret"].encode() not in await value(resources.db, "SELECT answer FROM idempotency_keys")
    assert len((await get(client, "/v1/webhooks"))["items"]) == 1


async def test_tenants_have_keys_of_their_own(make_client: MakeClient, resources: Resources) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS)

    jobs = [
        await upload(client, "k", headers=await key_of(resources, tenant)) for tenant in ("first", "second", "first")
    ]

    assert [is_replayed for _, is_replayed, _ in jobs] == [False, False, True]
    assert len({job["job_id"] for _, _, job in jobs}) == 2


async def test_keys_are_forgotten_after_a_day(client: Client, resources: Resources, maintenance: Maintenance) -> None:
    _, _, first = await upload(client, "k")
    await upload(client, "other")
    await change(resources.db, "UPDATE idempotency_keys SET expires_at = UTC_TIMESTAMP(6)")

    _, is_replayed, second = await upload(client, "k")
    await maintenance.round()

    assert not is_replayed
    assert first["job_id"] != second["job_id"]
    assert await value(resources.db, "SELECT COUNT(*) FROM idempotency_keys") == 1


async def test_what_is_no_key_is_refused(client: Client) -> None:
    status, _, problem = await upload(client, '"open')

    assert (status, problem["errors"][0]["header"]) == (400, "Idempotency-Key")
