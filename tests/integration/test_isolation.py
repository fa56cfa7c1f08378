"""Tenants apart: every operation of the API answers another tenant's ids as it answers ids that nobody has.

A new operation makes a test here fail until it is covered: the ids in its path need a value in `things_of`, and one
without ids an entry in `WITHOUT_IDS`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from docserver.caller import Scope
from docserver.database.tables import deliveries
from docserver.jobs import notify
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration
from docserver.web.callers import ADMIN_ROUTES, METRICS
from docserver.web.documentation import DOCUMENT
from docserver.webhooks.events import delivery_of_test
from tests.support.client import Client, MakeClient, get, upload
from tests.support.rows import finish_job, found
from tests.support.webhooks import create

WITHOUT_IDS = {
    "upload_document": "makes what belongs to the caller; equal bytes of two tenants are two documents (test_api_keys)",
    "post_document": "makes what belongs to the caller",
    "put_document": "makes what belongs to the caller",
    "put_named_document": "makes what belongs to the caller",
    "inspect_document": "shows what was sent, and keeps nothing",
    "begin_upload": "makes what belongs to the caller",
    "create_batch": "makes what belongs to the caller",
    "search_documents": "finds what the caller has (test_search)",
    "list_documents": "shows what the caller has",
    "list_webhooks": "shows what the caller has",
    "create_webhook": "makes what belongs to the caller",
    "get_usage": "shows what the caller has used",
    "get_languages": "the same for all",
    "get_liveness": "the same for all",
    "get_readiness": "the same for all",
    "create_key": "for administrators, who see all tenants",
    "list_keys": "for administrators",
    "list_tenants": "for administrators",
    "get_audit_log": "for administrators",
    "get_metrics": "for administrators, and no label is a tenant",
}
"""The operations without an id in their path, and why that keeps tenants apart."""

VARIANTS: tuple[Mapping[str, str], ...] = (
    {},
    {"Prefer": "wait=1"},
    {"If-None-Match": "*", "If-Match": '"x"', "Range": "bytes=0-0"},
    {"Accept": "application/pdf"},
)
"""Headers that must not tell whether something exists."""


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    method: str
    path: str
    is_for_admins: bool

    @property
    def has_ids(self) -> bool:
        # A file's name is not the id of something that exists.
        return "{" in self.path.replace("{name}", "")

    def of(self, things: Mapping[str, str]) -> str:
        """The path with these ids in it."""
        return self.path.format(**things)


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    return await make_client(rate_limit=False, auth=Auth.KEYS)


def operations(client: Client) -> Iterator[Operation]:
    """All operations of the OpenAPI document."""
    assert client.app is not None
    names = {
        (route.resource.canonical, route.method): route.name for route in client.app.router.routes() if route.resource
    }
    for path, item in client.app[DOCUMENT]()["paths"].items():
        for method, described in item.items():
            is_for_admins = names[path, method.upper()] in {*ADMIN_ROUTES, METRICS}
            yield Operation(described["operationId"], method.upper(), path, is_for_admins)


async def key_of(resources: Resources, tenant: str) -> administration.NewKey:
    return await administration.create_key(
        resources.db, tenant=tenant, name="", scopes=[Scope.READ, Scope.WRITE], expires_in_s=None, actor="a test"
    )


async def things_of(client: Client, resources: Resources, key: administration.NewKey, data: bytes) -> dict[str, str]:
    """A tenant's things, by the names that ids have in paths."""
    client.session.headers["Authorization"] = f"Bearer {key.text}"
    job = await upload(client, data)
    form = aiohttp.FormData()
    form.add_field("file", data, filename="one.pdf")
    async with client.post("/v1/batches", data=form) as response:
        batch = await response.json()
    webhook = await create(client, "https://example.org/")
    delivery = delivery_of_test(UUID(webhook["webhook_id"]), tenant=key.key.tenant, receiver=bytes(16))
    async with resources.db.transaction() as cur:
        await deliveries.insert(cur, [replace(delivery, job_id=UUID(job["job_id"]))])
    return {
        "document_id": job["document_id"],
        "job_id": job["job_id"],
        "batch_id": batch["batch_id"],
        "webhook_id": webhook["webhook_id"],
        "delivery_id": str(delivery.id),
        # Where there is no bucket, none exists: test_link_uploads has one.
        "upload_id": str(uuid4()),
        "number": "1",
        "key_id": str(key.key.id),
        "tenant": key.key.tenant,
    }


def like(things: Mapping[str, str]) -> dict[str, str]:
    """Ids of the same shape that nobody has."""
    return {
        name: value if name == "number" else str(uuid4()) if "-" in value else "x" * len(value)
        for name, value in things.items()
    }


async def answer(client: Client, operation: Operation, things: Mapping[str, str], headers: Mapping[str, str]) -> Any:
    """Status, body and headers of an answer, without the ids that were asked for."""
    async with client.request(
        operation.method, operation.of(things), headers={**headers, "X-Request-ID": "same"}
    ) as response:
        text = await response.text()
        for name, value in things.items():
            text = text.replace(value, name) if name != "number" else text
        shown = sorted((name, value) for name, value in response.headers.items() if name != "Date")
        return response.status, text, shown


async def test_every_operation_answers_another_tenants_ids_as_ids_that_nobody_has(
    client: Client, resources: Resources
) -> None:
    acme, other = await key_of(resources, "acme"), await key_of(resources, "other")
    things = [await things_of(client, resources, acme, data) for data in (b"%PDF-1.4 waits", b"%PDF-1.4 is done")]
    done = UUID(things[1]["job_id"])
    await finish_job(resources.db, done)
    await notify.publish(resources, await found(resources.db, done))
    before = [await get(client, f"/v1/documents/{each['document_id']}") for each in things]
    # What acme reads is in the cache then, which must not show it to others.
    cached = [await get(client, f"/v1/jobs/{each['job_id']}") for each in things]

    client.session.headers["Authorization"] = f"Bearer {other.text}"
    for operation in operations(client):
        if not operation.has_ids:
            continue
        for each in things:
            for headers in VARIANTS:
                foreign = await answer(client, operation, each, headers)
                assert foreign == await answer(client, operation, like(each), headers), operation
                # An operation may refuse a format before it looks for what has it.
                refused = foreign[0] == 406 and "Accept" in headers
                assert refused or foreign[0] == (403 if operation.is_for_admins else 404), operation

    client.session.headers["Authorization"] = f"Bearer {acme.text}"
    assert [await get(client, f"/v1/documents/{each['document_id']}") for each in things] == before
    assert [await get(client, f"/v1/jobs/{each['job_id']}") for each in things] == cached


async def test_every_operation_without_ids_shows_nothing_of_another_tenant(
    client: Client, resources: Resources
) -> None:
    acme, other = await key_of(resources, "acme"), await key_of(resources, "other")
    things = await things_of(client, resources, acme, b"%PDF-1.4")
    without_ids = [operation for operation in operations(client) if not operation.has_ids]

    assert {operation.name for operation in without_ids} == WITHOUT_IDS.keys()
    client.session.headers["Authorization"] = f"Bearer {other.text}"
    for operation in without_ids:
        status, text, _ = await answer(client, operation, {"name": "no.pdf"}, {})
        assert (status == 403) == operation.is_for_admins, operation
        assert not [value for name, value in things.items() if name != "number" and value in text], operation
