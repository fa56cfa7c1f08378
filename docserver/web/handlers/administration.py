"""Keys, tenants and the audit log, for callers with the scope `admin`."""

from dataclasses import asdict
from typing import Any

from aiohttp import web

from docserver.database.tables.api_keys import ApiKey
from docserver.database.tables.audit_log import Entry
from docserver.database.tables.tenant_deletions import Receipt
from docserver.database.tables.tenants import Tenant
from docserver.documents import tenant_deletion
from docserver.tenants import administration, queries
from docserver.tenants.administration import NewKey
from docserver.timestamps import rfc3339
from docserver.web import administration_examples as examples
from docserver.web import administration_schemas as schemas
from docserver.web import validation
from docserver.web.handlers.common import json_response, list_response, path_id
from docserver.web.handlers.options import json_body
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

_NEW_KEY = schemas.NewKey()
_ROTATION = schemas.Rotation()
_TENANT = schemas.TenantChange()
_KEYS_QUERY = schemas.KeysQuery()
_TENANTS_QUERY = schemas.TenantsQuery()
_AUDIT_QUERY = schemas.AuditQuery()
_NO_QUERY = validation.Strict()


@operation(
    summary="Make a key, and its tenant if there is none of that name; the secret is shown in this response alone",
    description="A key lets its holder act for one tenant, within its scopes. The service keeps only a digest of the "
    "secret, so it cannot be shown again.",
    tag="administration",
    body=schemas.NewKey,
    body_example=examples.NEW_KEY,
    schema=schemas.KeyWithSecret,
    responses={201: "The key with its secret"},
    examples={201: examples.KEY_WITH_SECRET},
    errors=(409, 429, 503),
    headers={201: ("Cache-Control",)},
)
async def create_key(request: web.Request) -> web.Response:
    given = validation.load(_NEW_KEY, await json_body(request), places=validation.IN_BODY)
    new = await administration.create_key(
        request.app[RESOURCES].db,
        tenant=given["tenant"],
        name=given["name"],
        scopes=given["scopes"],
        expires_in_s=given.get("expires_in"),
        actor=request[CALLER].actor,
    )
    return _with_secret(new)


@operation(
    summary="The keys, oldest first, without their secrets",
    description="Revoked and expired keys are listed too. Follow `next_cursor` to the next part.",
    tag="administration",
    query=schemas.KeysQuery,
    schema=schemas.KeyList,
    responses={200: "A part of the list"},
    examples={200: examples.KEYS},
    errors=(422, 429, 503),
)
async def list_keys(request: web.Request) -> web.Response:
    query = validation.load(_KEYS_QUERY, request.query)
    limit = query["limit"]
    keys = await queries.key_list(
        request.app[RESOURCES].lists, tenant=query.get("tenant"), after=query.get("cursor"), limit=limit + 1
    )
    return list_response(keys, limit=limit, as_json=_key, cursor=lambda key: key.id)


@operation(
    summary="Refuse a key from now on",
    description="The key is kept in the list, with the time at which it was revoked.",
    tag="administration",
    path=["key_id"],
    responses={204: "It is revoked, and stops within two seconds"},
    errors=(404, 429, 503),
)
async def revoke_key(request: web.Request) -> web.Response:
    await administration.revoke_key(request.app[RESOURCES].db, path_id(request, "key_id"), actor=request[CALLER].actor)
    return web.Response(status=204)


@operation(
    summary="Make a key that replaces this one; the secret is shown in this response alone",
    description="The new key has the tenant, name and scopes of the old one, which stays valid for the grace time, so "
    "that clients can change over.",
    tag="administration",
    path=["key_id"],
    body=schemas.Rotation,
    body_example={"grace": 3600},
    schema=schemas.KeyWithSecret,
    responses={201: "The new key with its secret; the old one expires after the grace time"},
    examples={201: examples.KEY_WITH_SECRET},
    errors=(404, 409, 429, 503),
    headers={201: ("Cache-Control",)},
)
async def rotate_key(request: web.Request) -> web.Response:
    given = validation.load(_ROTATION, await json_body(request), places=validation.IN_BODY)
    new = await administration.rotate_key(
        request.app[RESOURCES].db,
        path_id(request, "key_id"),
        grace_s=given["grace"],
        expires_in_s=given.get("expires_in"),
        actor=request[CALLER].actor,
    )
    return _with_secret(new)


@operation(
    summary="The tenants by their names, deleted ones too",
    description="Each with its weight and quotas. Follow `next_cursor` to the next part.",
    tag="administration",
    query=schemas.TenantsQuery,
    schema=schemas.TenantList,
    responses={200: "A part of the list"},
    examples={200: examples.TENANTS},
    errors=(422, 429, 503),
)
async def list_tenants(request: web.Request) -> web.Response:
    query = validation.load(_TENANTS_QUERY, request.query)
    limit = query["limit"]
    tenants = await queries.tenant_list(request.app[RESOURCES].lists, after=query.get("cursor", ""), limit=limit + 1)
    return list_response(tenants, limit=limit, as_json=_tenant, cursor=lambda tenant: tenant.name)


@operation(
    summary="A tenant, and what its deletion has removed if it is deleted",
    description="Its weight, its quotas and, once it is deleted, the receipt that says how far the deletion is.",
    tag="administration",
    path=["tenant"],
    schema=schemas.TenantWithDeletion,
    responses={200: "The tenant"},
    examples={200: examples.TENANT},
    errors=(404, 429, 503),
)
async def get_tenant(request: web.Request) -> web.Response:
    return json_response(
        _tenant_with_deletion(*await queries.tenant(request.app[RESOURCES].reads, request.match_info["tenant"]))
    )


@operation(
    summary="Make a tenant, if there is none of this name, and set its weight and quotas",
    description="What the body does not name stays as it is; null takes a quota away, so that the default holds.",
    tag="administration",
    path=["tenant"],
    body=schemas.TenantChange,
    body_example=examples.TENANT_CHANGE,
    schema=schemas.TenantWithDeletion,
    responses={200: "It was there already", 201: "It is made"},
    examples={200: examples.TENANT, 201: examples.TENANT},
    errors=(409, 429, 503),
)
async def set_tenant(request: web.Request) -> web.Response:
    given = validation.load(_TENANT, await json_body(request), places=validation.IN_BODY)
    tenant, is_new = await administration.set_tenant(
        request.app[RESOURCES].db, request.match_info["tenant"], actor=request[CALLER].actor, **given
    )
    return json_response(_tenant_with_deletion(tenant, None), status=201 if is_new else 200)


@operation(
    summary="Delete a tenant with all it has; its keys stop within two seconds, and its documents are removed in steps",
    description="This cannot be undone. Ask for the tenant to see how far the deletion is.",
    tag="administration",
    path=["tenant"],
    schema=schemas.TenantWithDeletion,
    responses={202: "The tenant, with what is removed so far"},
    examples={202: examples.DELETED_TENANT},
    errors=(404, 409, 422, 429, 503),
)
async def delete_tenant(request: web.Request) -> web.Response:
    validation.load(_NO_QUERY, request.query)
    resources, name = request.app[RESOURCES], request.match_info["tenant"]
    await tenant_deletion.begin(resources, name, actor=request[CALLER].actor)
    return json_response(_tenant_with_deletion(*await queries.tenant(resources.db, name)), status=202)


@operation(
    summary="Who changed keys and tenants, and deleted documents, the latest first",
    description="Entries are written in the transaction of what they tell. Follow `next_cursor` to the next part.",
    tag="administration",
    query=schemas.AuditQuery,
    schema=schemas.AuditLog,
    responses={200: "A part of the audit log"},
    examples={200: examples.AUDIT_LOG},
    errors=(422, 429, 503),
)
async def get_audit_log(request: web.Request) -> web.Response:
    query = validation.load(_AUDIT_QUERY, request.query)
    limit = query["limit"]
    entries = await queries.audit_entries(
        request.app[RESOURCES].lists, tenant=query.get("tenant"), before=query.get("cursor"), limit=limit + 1
    )
    return list_response(entries, limit=limit, as_json=_entry, cursor=lambda entry: entry.id)


def _with_secret(new: NewKey) -> web.Response:
    # Nothing between here and the client may keep the secret.
    return json_response({**_key(new.key), "secret": new.text}, status=201, headers={"Cache-Control": "no-store"})


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": str(key.id),
        "tenant": key.tenant,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at),
        "revoked_at": rfc3339(key.revoked_at),
    }


def _tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "name": tenant.name,
        "created_at": rfc3339(tenant.created_at),
        "deleted_at": rfc3339(tenant.deleted_at),
        "weight": tenant.weight,
        **asdict(tenant.quotas),
    }


def _tenant_with_deletion(tenant: Tenant, receipt: Receipt | None) -> dict[str, Any]:
    return {**_tenant(tenant), "deletion": _receipt(receipt) if receipt else None}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "actor": receipt.actor,
        "started_at": rfc3339(receipt.started_at),
        "finished_at": rfc3339(receipt.finished_at),
        "removed": {
            "documents": receipt.documents,
            "jobs": receipt.jobs,
            "pages": receipt.pages,
            "bytes": receipt.bytes,
            "keys": receipt.api_keys,
            "webhooks": receipt.webhooks,
            "deliveries": receipt.deliveries,
        },
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "tenant": entry.tenant,
        "subject": entry.subject,
        "details": entry.details,
    }
