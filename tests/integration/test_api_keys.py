"""API keys: who gets in, what a key may do, and that a tenant sees what it has itself."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientPayloadError

from docserver.caller import Scope
from docserver.database.tables import api_keys
from docserver.errors import DatabaseUnavailable
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration, authentication, key_text
from docserver.tenants.administration import NewKey
from tests.support.client import Client, MakeClient, kept_files, upload
from tests.support.raw_http import UPLOAD, part
from tests.support.rows import change
from tests.support.samples import png
from tests.support.service import form
from tests.support.waiting import until

LARGE = 20_000_000
"""Bytes that no socket's buffers hold."""

READ, WRITE = frozenset({Scope.READ}), frozenset({Scope.READ, Scope.WRITE})


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    return await make_client(rate_limit=False, auth=Auth.KEYS)


async def make_key(
    resources: Resources, tenant: str, scopes: frozenset[Scope] = WRITE, expires_in_s: int | None = None
) -> NewKey:
    return await administration.create_key(
        resources.db, tenant=tenant, name="a test", scopes=scopes, expires_in_s=expires_in_s, actor="a test"
    )


async def status(client: Client, key: str | None, path: str = "/v1/documents/list-document") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with client.get(path, headers=headers) as response:
        return response.status


def mine(key: NewKey) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {key.text}"}}


async def test_a_request_without_a_key_is_told_how_to_send_one(client: Client) -> None:
    async with client.get("/v1/documents/list-document") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="docserver"'
        assert (await response.json())["code"] == "unauthorized"


async def test_a_key_is_taken_from_either_header(client: Client, resources: Resources) -> None:
    key = await make_key(resources, "acme")

    assert await status(client, key.text) == 200
    async with client.get("/v1/languages", headers={"X-API-Key": key.text}) as response:
        assert response.status == 200


async def test_two_different_keys_are_refused(client: Client, resources: Resources) -> None:
    acme, beta = await make_key(resources, "acme"), await make_key(resources, "beta")
    one, other = f"Bearer {acme.text}", f"Bearer {beta.text}"

    for headers, expected in (
        ([("Authorization", one), ("X-API-Key", beta.text)], 401),
        ([("Authorization", one), ("Authorization", other)], 401),
        ([("X-API-Key", acme.text), ("X-API-Key", beta.text)], 401),
        ([("Authorization", one), ("X-API-Key", acme.text)], 200),
        ([("Authorization", "Basic YTpi"), ("X-API-Key", acme.text)], 200),
    ):
        async with client.get("/v1/languages", headers=headers) as response:
            assert response.status == expected


async def test_what_is_no_valid_key_is_refused(client: Client, resources: Resources) -> None:
    key = await make_key(resources, "acme")
    unknown = key_text.new_key()

    for wrong in ("x", "dsk_", key.text[:-1], key.text.swapcase(), unknown, f"{key.text}x", "Größe"):
        assert await status(client, wrong.encode().decode("latin-1")) == 401, wrong


async def test_the_prefix_of_a_key_with_another_secret_is_refused(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make_key(resources, "acme")
    characters = iter(key.text[4:12] + "0" * 32)
    monkeypatch.setattr(secrets, "choice", lambda _: next(characters))
    forged = key_text.new_key()

    assert forged[:12] == key.key.prefix
    assert await status(client, forged) == 401


async def test_health_and_documentation_need_no_key(client: Client) -> None:
    for path in ("/livez", "/readyz", "/docs", "/openapi.json"):
        assert await status(client, None, path) == 200, path


async def test_a_key_does_what_its_scopes_say(client: Client, resources: Resources) -> None:
    key = await make_key(resources, "acme", READ)

    assert await status(client, key.text) == 200
    async with client.post("/v1/documents/upload-document", data=b"", **mine(key)) as response:
        body = await response.json()
    assert (response.status, body["code"]) == (403, "insufficient_scope")
    assert "has the scopes read; this needs write" in body["detail"]


async def test_a_revoked_an_expired_and_a_deleted_tenants_key_stop(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)
    revoked, expired, deleted = [await make_key(resources, tenant) for tenant in ("acme", "acme", "gone")]
    assert [await status(client, key.text) for key in (revoked, expired, deleted)] == [200, 200, 200]

    await administration.revoke_key(resources.db, revoked.key.id, actor="a test")
    await change(resources.db, "UPDATE api_keys SET expires_at = UTC_TIMESTAMP(6) WHERE id = %s", expired.key.id.bytes)
    await change(resources.db, "UPDATE tenants SET deleted_at = UTC_TIMESTAMP(6) WHERE name = 'gone'")

    assert [await status(client, key.text) for key in (revoked, expired, deleted)] == [401, 401, 401]


async def test_a_key_that_is_revoked_during_a_request_stops_that_request(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)
    keys = [await make_key(resources, "acme") for _ in range(5)]
    client.session.headers["Authorization"] = f"Bearer {keys[0].text}"
    job = await upload(client)
    large = await upload(client, png() + bytes(LARGE))

    async def revoke(key: NewKey) -> None:
        await administration.revoke_key(resources.db, key.key.id, actor="a test")

    async def slow_body() -> AsyncIterator[bytes]:
        yield part("file", png() + bytes(1_000_000), filename="large.png")
        await until(lambda: bool(kept_files(resources, "incoming")))
        await revoke(keys[1])
        yield b"--b--\r\n"

    async with client.post(
        UPLOAD,
        data=slow_body(),
        headers={**mine(keys[1])["headers"], "Content-Type": "multipart/form-data; boundary=b"},
    ) as response:
        assert response.status == 401
    assert kept_files(resources, "incoming") == []

    waiting = asyncio.create_task(status(client, keys[2].text, f"/v1/jobs/{job['job_id']}?wait=30"))
    headers = {**mine(keys[3])["headers"], "Prefer": "wait=30"}
    uploading = asyncio.create_task(client.session.post(client.make_url(UPLOAD), data=form(png()), headers=headers))
    await until(lambda: len(resources.changes._watchers) == 2)
    await revoke(keys[2])
    await revoke(keys[3])
    for job_id in list(resources.changes._watchers):
        async with client.post(f"/v1/jobs/{job_id}/cancel") as response:
            assert response.status == 200
    assert await waiting == 401
    async with await uploading as response:
        assert response.status == 401

    async with client.get(f"/v1/documents/{large['document_id']}/file", **mine(keys[4])) as response:
        await response.content.readany()
        await revoke(keys[4])
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_a_rotated_key_stays_valid_for_its_grace_time(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)
    kept, ended = await make_key(resources, "acme", READ), await make_key(resources, "acme", READ)

    new = await administration.rotate_key(resources.db, kept.key.id, actor="a test")
    await administration.rotate_key(resources.db, ended.key.id, grace_s=0, actor="a test")

    assert (new.key.tenant, new.key.name, new.key.scopes) == ("acme", "a test", READ)
    assert [await status(client, key.text) for key in (new, kept, ended)] == [200, 200, 401]


async def test_a_key_that_was_checked_a_moment_ago_costs_no_statement(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make_key(resources, "acme")
    monkeypatch.setattr(authentication, "FRESH_S", 60.0)
    looked_up = []
    real = api_keys.valid

    async def valid(cur: Any, prefix: str) -> Any:
        looked_up.append(prefix)
        return await real(cur, prefix)

    monkeypatch.setattr(api_keys, "valid", valid)

    await asyncio.gather(*(status(client, key.text, "/v1/languages") for _ in range(20)))
    await status(client, key.text, "/v1/languages")

    assert looked_up == [key.key.prefix]


async def test_a_known_key_is_valid_for_a_while_without_the_database_but_no_unknown_one(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = await make_key(resources, "acme"), await make_key(resources, "acme")
    checking = authentication.Authentication(resources)
    caller = await checking.caller(known.text)

    async def no_answer(*_: Any) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(api_keys, "valid", no_answer)
    monkeypatch.setattr(authentication, "FRESH_S", 0.0)

    assert await checking.caller(known.text) == caller
    with pytest.raises(DatabaseUnavailable):
        await checking.caller(unknown.text)
    monkeypatch.setattr(authentication, "STALE_S", 0.0)
    with pytest.raises(DatabaseUnavailable):
        await checking.caller(known.text)


async def test_equal_bytes_of_two_tenants_are_two_documents(make_client: MakeClient, resources: Resources) -> None:
    client = await make_client(rate_limit=False, auth=Auth.KEYS, deduplicate=True)
    acme, other, same = [await make_key(resources, tenant) for tenant in ("acme", "other", "acme")]
    made = []
    for key in (acme, other, same):
        client.session.headers["Authorization"] = f"Bearer {key.text}"
        made.append(await upload(client, b"%PDF-1.4 the same"))

    assert made[0]["document_id"] != made[1]["document_id"]
    assert made[2]["document_id"] == made[0]["document_id"]
    assert [job["deduplicated"] for job in made] == [False, False, True]


async def test_the_list_shows_what_the_tenant_has(client: Client, resources: Resources) -> None:
    acme, other = await make_key(resources, "acme"), await make_key(resources, "other")
    client.session.headers["Authorization"] = f"Bearer {acme.text}"
    made = await upload(client)

    lists = []
    for key in (acme, other):
        async with client.get("/v1/documents/list-document", **mine(key)) as response:
            lists.append(await response.json())

    assert [item["document_id"] for item in lists[0]["items"]] == [made["document_id"]]
    assert (lists[1]["items"], lists[1]["total"]) == ([], 0)


async def test_a_deleted_document_is_gone_for_its_tenant_and_unknown_to_others(
    client: Client, resources: Resources
) -> None:
    acme, other = await make_key(resources, "acme"), await make_key(resources, "other")
    client.session.headers["Authorization"] = f"Bearer {acme.text}"
    path = f"/v1/documents/{(await upload(client))['document_id']}"
    async with client.delete(path) as response:
        assert response.status == 204

    assert [await status(client, key.text, path) for key in (acme, other)] == [410, 404]
