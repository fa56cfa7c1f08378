"""The deletion of a tenant: its keys stop at once, its documents are removed in steps, and a receipt stays."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from docserver.caller import DEFAULT_TENANT, Scope
from docserver.database.tables import deletions, deliveries, tenant_deletions, tenants
from docserver.documents import deletion, intake, tenant_deletion
from docserver.errors import Conflict, DatabaseUnavailable, NotFound, Unauthorized
from docserver.maintenance import Maintenance
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration, authentication, queries
from docserver.webhooks import endpoints
from tests.support.client import Client, MakeClient, kept_files, upload
from tests.support.receiver import SECRET
from tests.support.redis_state import announced
from tests.support.rows import CALLER, value
from tests.support.samples import png
from tests.support.service import form
from tests.support.webhooks import cancelled, create

GOES = {
    "documents",
    "jobs",
    "api_keys",
    "webhook_endpoints",
    "deliveries",
    "bytes_kept",
    "pages_used",
    "idempotency_keys",
    "batches",
    "name_parts",
    "search_pages",
    "search_segments",
}
"""The tables with a column `tenant` of which a deletion leaves no row of the tenant. Whoever adds a table with such a
column decides where it belongs, and has `tenant_deletion` remove its rows."""

STAYS = {"tenant_deletions", "audit_log", "deleted_documents"}
"""Those that may name a deleted tenant: the receipt, what was done, and the ids of its documents, which are forgotten
after a month."""


class _Died(Exception):
    """The process died."""


@pytest.fixture
async def client(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)
    return await make_client(rate_limit=False, auth=Auth.KEYS)


async def key_of(resources: Resources, tenant: str, *scopes: Scope) -> str:
    new = await administration.create_key(
        resources.db,
        tenant=tenant,
        name="",
        scopes=scopes or (Scope.READ, Scope.WRITE),
        expires_in_s=None,
        actor="a test",
    )
    return new.text


async def upload_as(client: Client, key: str, number: int = 0) -> dict[str, Any]:
    client.session.headers["Authorization"] = f"Bearer {key}"
    return await upload(client, png() + bytes(number))


async def deletion_of(client: Client, tenant: str, key: str, method: str = "GET") -> Any:
    async with client.request(method, f"/v1/tenants/{tenant}", headers={"Authorization": f"Bearer {key}"}) as response:
        assert response.status == (202 if method == "DELETE" else 200)
        return (await response.json())["deletion"]


async def tables_that_name(resources: Resources, tenant: str) -> set[str]:
    """The tables with rows of a tenant, of all tables that have such a column."""
    async with resources.db.session() as cur:
        await cur.execute(
            "SELECT table_name AS name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND column_name = 'tenant'"
        )
        names = {row["name"] for row in cur.rows()}
    assert names == GOES | STAYS
    return {
        name for name in names if await value(resources.db, f"SELECT COUNT(*) FROM {name} WHERE tenant = %s", tenant)
    }


async def test_a_deleted_tenant_leaves_its_receipt_and_nothing_else(
    client: Client, resources: Resources, maintenance: Maintenance
) -> None:
    admin, acme, other = [await key_of(resources, *given) for given in (("ops", Scope.ADMIN), ("acme",), ("other",))]
    kept = await upload_as(client, other)
    made = [await upload_as(client, acme, number) for number in range(3)]
    headers = {"Authorization": f"Bearer {acme}"}
    async with client.post("/v1/batches", data=form(b"no document"), headers=headers) as response:
        assert response.status == 202
    webhook = await create(client, "https://example.org/")
    await endpoints.test(resources, UUID(webhook["webhook_id"]), tenant="acme")
    async with client.post(
        f"/v1/webhooks/{webhook['webhook_id']}/rotate", headers={"Idempotency-Key": "k"}
    ) as response:
        assert response.status == 200
    await cancelled(client, callback_url="https://example.org/", callback_secret=SECRET)
    sizes = sum(file.stat().st_size for file in kept_files(resources))

    begun = await deletion_of(client, "acme", admin, "DELETE")
    async with client.get("/v1/documents/list-document", headers={"Authorization": f"Bearer {acme}"}) as response:
        assert response.status == 401
    await maintenance.round()
    finished = await deletion_of(client, "acme", admin)

    assert (begun["finished_at"], begun["removed"]["keys"], begun["removed"]["documents"]) == (None, 1, 0)
    (left,) = kept_files(resources)
    assert UUID(left.name) == UUID(kept["document_id"])
    assert finished["finished_at"] > finished["started_at"]
    assert finished["removed"] == {
        "documents": 4,
        "jobs": 4,
        "pages": 0,
        "bytes": sizes - left.stat().st_size,
        "keys": 1,
        "webhooks": 2,
        "deliveries": 3,
    }
    assert await tables_that_name(resources, "acme") <= STAYS
    assert await announced(resources) == [UUID(kept["job_id"])]
    for job in made:
        assert await resources.cache.job(UUID(job["job_id"]), tenant="acme", stale=True) is None


async def test_a_deletion_is_asked_for_once_or_more_often_and_the_name_is_not_used_again(
    client: Client, resources: Resources, maintenance: Maintenance
) -> None:
    admin = await key_of(resources, "ops", Scope.ADMIN)
    await key_of(resources, "acme")

    first = await deletion_of(client, "acme", admin, "DELETE")
    await maintenance.round()
    second = await deletion_of(client, "acme", admin, "DELETE")

    assert second == {**first, "finished_at": second["finished_at"]}
    assert second["finished_at"]
    for again in (
        administration.create_key(
            resources.db, tenant="acme", name="", scopes=[Scope.READ], expires_in_s=None, actor="a test"
        ),
        administration.set_tenant(resources.db, "acme", actor="a test"),
    ):
        with pytest.raises(Conflict, match="not used again"):
            await again
    entries = await queries.audit_entries(resources.db, tenant="acme", before=None, limit=10)
    assert [entry.action for entry in entries].count("tenant.deleted") == 1


async def test_the_tenant_of_what_has_no_other_cannot_be_deleted_and_neither_can_nobody(resources: Resources) -> None:
    with pytest.raises(Conflict, match="cannot be deleted"):
        await tenant_deletion.begin(resources, DEFAULT_TENANT, actor="a test")
    with pytest.raises(NotFound):
        await tenant_deletion.begin(resources, "nobody", actor="a test")


async def test_an_upload_in_flight_of_a_tenant_that_is_deleted_meanwhile_is_refused_and_leaves_no_file(
    resources: Resources,
) -> None:
    await administration.set_tenant(resources.db, "acme", actor="a test")

    async def chunks() -> AsyncIterator[bytes]:
        yield png()

    received = await intake.receive(resources, chunks())
    await tenant_deletion.begin(resources, "acme", actor="a test")
    with pytest.raises(Unauthorized, match="The tenant was deleted"):
        await intake.accept(
            resources,
            received,
            intake.Upload("a.png", Options("eng"), caller=replace(CALLER, tenant="acme"), request_id="r"),
        )

    assert kept_files(resources) == []
    assert (await tenant_deletion.advance(resources, "acme", limit=10)).finished_at


async def test_a_deletion_waits_for_an_upload_that_is_being_committed(resources: Resources) -> None:
    await administration.set_tenant(resources.db, "acme", actor="a test")
    async with resources.db.transaction() as uploading, resources.db.transaction() as another:
        # Uploads do not wait for each other.
        assert [await tenants.lock_shared(cur, "acme") for cur in (uploading, another)] == [True, True]
        async with resources.maintenance_db.session() as cur:
            await cur.execute("SET innodb_lock_wait_timeout = 1")
            with pytest.raises(DatabaseUnavailable):
                await tenants.mark_deleted(cur, "acme")


async def test_a_deletion_that_dies_between_any_two_steps_goes_on_and_counts_each_document_once(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await key_of(resources, "acme")
    for number in range(4):
        await upload_as(client, acme, number)
    await tenant_deletion.begin(resources, "acme", actor="a test")
    monkeypatch.setattr(tenant_deletion, "REMOVED_TOGETHER", 1)
    clear, calls = deletion.clear, 0

    async def dies(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise _Died
        await clear(*given)

    monkeypatch.setattr(deletion, "clear", dies)
    receipt = await tenant_deletion.receipt_of(resources, "acme")
    for _ in range(20):
        with suppress(_Died):
            receipt = await tenant_deletion.advance(resources, "acme", limit=2)
        if receipt.finished_at:
            break

    assert (receipt.documents, receipt.jobs) == (4, 4)
    assert receipt.finished_at
    assert kept_files(resources) == []
    assert await announced(resources) == []
    async with resources.db.session() as cur:
        assert await deletions.uncleared(cur, tenant="acme", limit=10) == []


async def test_nothing_is_sent_to_the_webhooks_of_a_deleted_tenant(client: Client, resources: Resources) -> None:
    await upload_as(client, await key_of(resources, "acme"))
    webhook = await create(client, "https://example.org/")
    await endpoints.test(resources, UUID(webhook["webhook_id"]), tenant="acme")

    async def due() -> int:
        async with resources.db.session() as cur:
            return len(await deliveries.due(cur, limit=10))

    before = await due()
    await tenant_deletion.begin(resources, "acme", actor="a test")

    assert (before, await due()) == (1, 0)
    assert "deliveries" in await tables_that_name(resources, "acme")
    assert (await tenant_deletion.advance(resources, "acme", limit=10)).finished_at
    assert await tables_that_name(resources, "acme") <= STAYS


async def test_a_receipt_is_not_finished_while_files_are_left(
    client: Client, resources: Resources, without_redis: Resources
) -> None:
    await upload_as(client, await key_of(resources, "acme"))
    await tenant_deletion.begin(without_redis, "acme", actor="a test")

    unfinished = [await tenant_deletion.advance(without_redis, "acme", limit=10) for _ in range(2)]
    repaired = [await tenant_deletion.advance(resources, "acme", limit=10) for _ in range(2)]

    assert [(receipt.documents, receipt.finished_at) for receipt in unfinished] == [(1, None), (1, None)]
    assert [receipt.finished_at is None for receipt in repaired] == [True, False]


async def test_two_processes_remove_the_same_documents_and_each_is_counted_once(
    client: Client, resources: Resources
) -> None:
    document_id = UUID((await upload_as(client, await key_of(resources, "acme")))["document_id"])
    await tenant_deletion.begin(resources, "acme", actor="a test")

    for _ in range(2):
        await deletion.remove(resources, [document_id], deleted_tenant="acme")

    assert (await tenant_deletion.receipt_of(resources, "acme")).documents == 1
    async with resources.db.session() as cur:
        assert await tenant_deletions.finish(cur, "acme") is True
        assert await tenant_deletions.finish(cur, "acme") is False
