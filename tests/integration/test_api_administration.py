"""Keys, tenants and the audit log over HTTP."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any
from uuid import uuid4

import pytest

from docserver.caller import Scope
from docserver.database.tables import audit_log
from docserver.maintenance import AUDIT_KEPT_S, Maintenance
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration, authentication, queries
from tests.support.client import Client, MakeClient, upload
from tests.support.rows import change

NOBODY = "01960000-0000-7000-8000-000000000000"


@pytest.fixture
async def client(make_client: MakeClient, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client whose key has the scope `admin` and no other."""
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)
    client = await make_client(rate_limit=False, auth=Auth.KEYS)
    new = await administration.create_key(
        resources.db, tenant="operators", name="", scopes=[Scope.ADMIN], expires_in_s=None, actor="a test"
    )
    client.session.headers["Authorization"] = f"Bearer {new.text}"
    return client


async def ask(client: Client, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
    """The status and the JSON of an answer, sent with another key if one is given."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with client.request(method, path, json=body, headers=headers) as response:
        return response.status, await response.json() if response.content_length else None


async def make(client: Client, **body: Any) -> Any:
    status, new = await ask(client, "POST", "/v1/keys", body)
    assert status == 201, new
    return new


async def test_a_key_is_made_used_rotated_and_revoked(client: Client) -> None:
    new = await make(client, tenant="acme", name="scanner", expires_in=3600)
    mine = "/v1/documents/list-document"

    assert (new["tenant"], new["name"], new["scopes"]) == ("acme", "scanner", ["read", "write"])
    assert new["secret"].startswith(new["prefix"])
    assert new["expires_at"] > new["created_at"]
    status, newer = await ask(client, "POST", f"/v1/keys/{new['key_id']}/rotate", {"grace": 0})
    assert status == 201
    assert [(await ask(client, "GET", mine, key=each["secret"]))[0] for each in (new, newer)] == [401, 200]
    assert [(await ask(client, "DELETE", f"/v1/keys/{newer['key_id']}"))[0] for _ in range(2)] == [204, 204]
    assert (await ask(client, "GET", mine, key=newer["secret"]))[0] == 401
    assert (await ask(client, "POST", f"/v1/keys/{newer['key_id']}/rotate"))[0] == 409


async def test_many_keys_and_changes_of_one_tenant_at_once_are_all_made(client: Client) -> None:
    def change(number: int) -> Awaitable[tuple[int, Any]]:
        if number % 2:
            return ask(client, "POST", "/v1/keys", {"tenant": "acme", "name": str(number)})
        return ask(client, "PUT", "/v1/tenants/acme", {"max_bytes": number})

    answers = await asyncio.gather(*map(change, range(40)))

    assert {status for status, _ in answers} <= {200, 201}
    _, keys = await ask(client, "GET", "/v1/keys?tenant=acme&limit=100")
    assert len(keys["items"]) == 20
    _, log = await ask(client, "GET", "/v1/audit?tenant=acme&limit=100")
    assert [entry["action"] for entry in log["items"]].count("tenant.created") == 1


async def test_a_secret_is_shown_in_one_answer_that_nobody_may_keep_and_nowhere_else(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client.post("/v1/keys", json={"tenant": "acme", "scopes": ["read"]}) as response:
        headers, new = response.headers, await response.json()
    _, keys = await ask(client, "GET", "/v1/keys?tenant=acme")
    _, entries = await ask(client, "GET", "/v1/audit")

    assert headers["Cache-Control"] == "no-store"
    assert keys["items"] == [{name: value for name, value in new.items() if name != "secret"}]
    logs = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("docserver"))
    assert new["key_id"] in logs
    assert new["secret"] not in logs + str(entries)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/tenant"),
        ({"tenant": "Acme"}, "/tenant"),
        ({"tenant": "acme", "name": "x" * 101}, "/name"),
        ({"tenant": "acme", "name": "a\nb"}, "/name"),
        ({"tenant": "acme", "scopes": []}, "/scopes"),
        ({"tenant": "acme", "scopes": ["read", "root"]}, "/scopes/1"),
        ({"tenant": "acme", "expires_in": 0}, "/expires_in"),
        ({"tenant": "acme", "expires_in": 10**10}, "/expires_in"),
        ({"tenant": "acme", "colour": "red"}, "/colour"),
    ],
)
async def test_a_key_that_cannot_be_made_is_refused_with_the_field(client: Client, body: Any, pointer: str) -> None:
    status, problem = await ask(client, "POST", "/v1/keys", body)

    assert (status, [error["pointer"] for error in problem["errors"]]) == (422, [pointer])


async def test_what_is_not_there_is_404(client: Client) -> None:
    for method, path in (
        ("DELETE", f"/v1/keys/{NOBODY}"),
        ("POST", f"/v1/keys/{NOBODY}/rotate"),
        ("GET", "/v1/tenants/nobody"),
        ("DELETE", "/v1/tenants/nobody"),
        ("GET", "/v1/tenants/Gr%C3%B6%C3%9Fe"),
        ("DELETE", "/v1/tenants/Gr%C3%B6%C3%9Fe"),
    ):
        assert (await ask(client, method, path))[0] == 404, path


async def test_lists_are_read_in_parts(client: Client) -> None:
    for tenant in ("c", "a", "b"):
        assert (await ask(client, "PUT", f"/v1/tenants/{tenant}"))[0] == 201
        await make(client, tenant=tenant)
    assert (await ask(client, "PUT", "/v1/tenants/a", {}))[0] == 200

    async def in_parts(path: str, name: str) -> list[str]:
        values, cursor = [], ""
        while cursor is not None:
            _, body = await ask(client, "GET", f"{path}?limit=2{cursor and f'&cursor={cursor}'}")
            values += [item[name] for item in body["items"]]
            cursor = body["next_cursor"]
        return values

    assert await in_parts("/v1/tenants", "name") == ["a", "b", "c", "default", "operators"]
    assert await in_parts("/v1/keys", "tenant") == ["operators", "c", "a", "b"]
    assert await in_parts("/v1/audit", "tenant") == ["b", "b", "a", "a", "c", "c", "operators", "operators"]
    for path in (
        "/v1/keys?cursor=x",
        "/v1/audit?cursor=x",
        "/v1/audit?limit=0",
        "/v1/tenants?colour=red",
        "/v1/keys?tenant=Größe",
    ):
        assert (await ask(client, "GET", path))[0] == 422, path


async def test_a_key_without_the_scope_admin_cannot_tell_what_exists(client: Client) -> None:
    acme, other = await make(client, tenant="acme"), await make(client, tenant="other")

    for key_id in (other["key_id"], str(uuid4())):
        status, problem = await ask(client, "DELETE", f"/v1/keys/{key_id}", key=acme["secret"])
        assert (status, problem["detail"]) == (403, "The API key has the scopes read, write; this needs admin.")
    for path in ("/v1/tenants/other", "/v1/tenants/nobody", "/v1/tenants", "/v1/keys", "/v1/audit"):
        assert (await ask(client, "GET", path, key=acme["secret"]))[0] == 403, path


async def test_without_keys_nobody_administers_over_http(make_client: MakeClient) -> None:
    client = await make_client(rate_limit=False)

    status, problem = await ask(client, "POST", "/v1/keys", {"tenant": "acme"})

    assert (status, problem["code"]) == (403, "insufficient_scope")
    assert problem["detail"] == (
        "This needs an API key with the scope admin, and the service runs without keys (DOCSERVER_AUTH=off). The "
        "commands docserver keys and docserver tenants work without one."
    )


async def test_the_audit_log_says_who_did_what(client: Client, resources: Resources) -> None:
    admin = (await queries.key_list(resources.db, tenant="operators", after=None, limit=1))[0]
    new = await make(client, tenant="acme")
    mine = {"Authorization": f"Bearer {new['secret']}"}
    client.session.headers.update(mine)
    document_id = (await upload(client))["document_id"]
    async with client.delete(f"/v1/documents/{document_id}") as response:
        assert response.status == 204
    async with client.delete(f"/v1/documents/{document_id}") as response:
        assert response.status == 410
    entries = await queries.audit_entries(resources.db, tenant="acme", before=None, limit=10)

    assert [(entry.action, entry.actor, entry.subject) for entry in reversed(entries)] == [
        ("tenant.created", f"key:{admin.id}", "acme"),
        ("key.created", f"key:{admin.id}", new["key_id"]),
        ("document.deleted", f"key:{new['key_id']}", document_id),
    ]
    assert entries[1].details == {"prefix": new["prefix"], "name": "", "scopes": ["read", "write"]}


async def test_old_entries_of_the_audit_log_are_forgotten(maintenance: Maintenance, resources: Resources) -> None:
    for name in ("old", "young"):
        await administration.set_tenant(resources.db, name, actor="a test")
    old = "UPDATE audit_log SET at = UTC_TIMESTAMP(6) - INTERVAL %s SECOND WHERE subject = %s"
    await change(resources.db, old, int(AUDIT_KEPT_S) + 60, "old")
    await change(resources.db, old, int(AUDIT_KEPT_S) - 60, "young")

    await maintenance.round()

    async with resources.db.session() as cur:
        entries = await audit_log.latest(cur, tenant=None, before=None, limit=10)
    assert [entry.subject for entry in entries] == ["young"]
