"""Keys, tenants and the audit log, for callers with the scope `admin`."""

from typing import Any

from aiohttp import web

from docserver.database.tables.api_keys import ApiKey
from docserver.database.tables.audit_log import Entry
from docserver.database.tables.tenant_deletions import Receipt
from docserver.database.tables.tenants import Tenant
from docserver.documents import tenant_deletion
from docserver.tenants import administration, queries
from docserver.tenants.administration import NewKey
from docserver.web import administration_schemas as schemas
from docserver.web import request_schemas
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
_NO_QUERY = request_schemas.Strict()

BODY_ERRORS = (400, 408, 413, 415, 422)
"""What can be wrong with a body."""


@operation(
    summary="Make a key, and its tenant if there is none of that name; the secret is shown in this response alone",
    tag="administration",
    body=schemas.NewKey,
    schema=schemas.KeyWithSecret,
    responses={201: "The key with its secret"},
    errors=(*BODY_ERRORS, 409, 429, 503),
    headers={201: ("Cache-Control",)},
)
async def create_key(request: web.Request) -> web.Response:
    given = request_schemas.load(_NEW_KEY, await json_body(request), kind="pointer")
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
    tag="administration",
    query=schemas.KeysQuery,
    schema=schemas.KeyList,
    responses={200: "A part of the list"},
    errors=(422, 429, 503),
)
async def list_keys(request: web.Request) -> web.Response:
    query = request_schemas.load(_KEYS_QUERY, request.query)
    limit = query["limit"]
    keys = await queries.key_list(
        request.app[RESOURCES].lists, tenant=query.get("tenant"), after=query.get("cursor"), limit=limit + 1
    )
    return list_response(keys, limit=limit, as_json=ApiKey.as_json, cursor=lambda key: key.id)


@operation(
    summary="Refuse a key from now on",
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
    tag="administration",
    path=["key_id"],
    body=schemas.Rotation,
    schema=schemas.KeyWithSecret,
    responses={201: "The new key with its secret; the old one expires after the grace time"},
    errors=(*BODY_ERRORS, 404, 409, 429, 503),
    headers={201: ("Cache-Control",)},
)
async def rotate_key(request: web.Request) -> web.Response:
    given = request_schemas.load(_ROTATION, await json_body(request), kind="pointer")
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
    tag="administration",
    query=schemas.TenantsQuery,
    schema=schemas.TenantList,
    responses={200: "A part of the list"},
    errors=(422, 429, 503),
)
async def list_tenants(request: web.Request) -> web.Response:
    query = request_schemas.load(_TENANTS_QUERY, request.query)
    limit = query["limit"]
    tenants = await queries.tenant_list(request.app[RESOURCES].lists, after=query.get("cursor", ""), limit=limit + 1)
    return list_response(tenants, limit=limit, as_json=Tenant.as_json, cursor=lambda tenant: tenant.name)


@operation(
    summary="A tenant, and what its deletion has removed if it is deleted",
    tag="administration",
    path=["tenant"],
    schema=schemas.TenantWithDeletion,
    responses={200: "The tenant"},
    errors=(404, 429, 503),
)
async def get_tenant(request: web.Request) -> web.Response:
    return json_response(_tenant(*await queries.tenant(request.app[RESOURCES].reads, request.match_info["tenant"])))


@operation(
    summary="Make a tenant, if there is none of this name, and set its weight and quotas",
    tag="administration",
    path=["tenant"],
    body=schemas.TenantChange,
    schema=schemas.TenantWithDeletion,
    responses={200: "It was there already", 201: "It is made"},
    errors=(*BODY_ERRORS, 409, 429, 503),
)
async def set_tenant(request: web.Request) -> web.Response:
    given = request_schemas.load(_TENANT, await json_body(request), kind="pointer")
    tenant, is_new = await administration.set_tenant(
        request.app[RESOURCES].db, request.match_info["tenant"], actor=request[CALLER].actor, **given
    )
    return json_response(_tenant(tenant, None), status=201 if is_new else 200)


@operation(
    summary="Delete a tenant with all it has; its keys stop within two seconds, and its documents are removed in steps",
    tag="administration",
    path=["tenant"],
    schema=schemas.TenantWithDeletion,
    responses={202: "The tenant, with what is removed so far"},
    errors=(404, 409, 422, 429, 503),
)
async def delete_tenant(request: web.Request) -> web.Response:
    request_schemas.load(_NO_QUERY, request.query)
    resources, name = request.app[RESOURCES], request.match_info["tenant"]
    await tenant_deletion.begin(resources, name, actor=request[CALLER].actor)
    return json_response(_tenant(*await queries.tenant(resources.db, name)), status=202)


@operation(
    summary="Who changed keys and tenants, and deleted documents, the latest first",
    tag="administration",
    query=schemas.AuditQuery,
    schema=schemas.AuditLog,
    responses={200: "A part of the audit log"},
    errors=(422, 429, 503),
)
async def audit(request: web.Request) -> web.Response:
    query = request_schemas.load(_AUDIT_QUERY, request.query)
    limit = query["limit"]
    entries = await queries.audit_entries(
        request.app[RESOURCES].lists, tenant=query.get("tenant"), before=query.get("cursor"), limit=limit + 1
    )
    return list_response(entries, limit=limit, as_json=Entry.as_json, cursor=lambda entry: entry.id)


def _with_secret(new: NewKey) -> web.Response:
    # Nothing between here and the client may keep the secret.
    return json_response({**new.key.as_json(), "secret": new.text}, status=201, headers={"Cache-Control": "no-store"})


def _tenant(tenant: Tenant, receipt: Receipt | None) -> dict[str, Any]:
    return {**tenant.as_json(), "deletion": receipt.as_json() if receipt else None}
