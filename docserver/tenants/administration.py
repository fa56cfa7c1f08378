"""Makes, revokes and rotates API keys. A key's secret is returned once and never stored."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from docserver.database.connection import Cursor, Database
from docserver.database.tables import api_keys, tenants
from docserver.database.tables.api_keys import ApiKey
from docserver.errors import Conflict, NotFound, Unprocessable
from docserver.model import Scope, new_id
from docserver.tenants import key_text

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")

GRACE_S = 86_400
"""A rotated key stays valid for this long, unless it is told otherwise: time to hand out the new one."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key, with the text that its owner must keep."""

    key: ApiKey
    text: str


async def create_key(
    db: Database, *, tenant: str, name: str, scopes: Iterable[Scope], expires_in_s: int | None
) -> NewKey:
    """Make a key, and its tenant if there is none of that name. Raises Unprocessable, and Conflict if the tenant was
    deleted.
    """
    check_tenant_name(tenant)
    async with db.transaction() as cur:
        await tenants.insert_if_missing(cur, tenant)
        return await _insert(cur, tenant=tenant, name=name, scopes=scopes, expires_in_s=expires_in_s)


async def revoke_key(db: Database, key_id: UUID) -> ApiKey:
    """Refuse a key from now on, in all processes within two seconds; raises NotFound. It may be revoked already."""
    async with db.transaction() as cur:
        await api_keys.revoke(cur, key_id)
        return await _existing(cur, key_id)


async def rotate_key(db: Database, key_id: UUID, *, grace_s: int = GRACE_S) -> NewKey:
    """Make a key that replaces this one, and let this one expire after the grace time. Raises NotFound, and Conflict if
    it is revoked already.
    """
    async with db.transaction() as cur:
        old = await _existing(cur, key_id)
        if old.revoked_at:
            raise Conflict("The key is revoked already; create a new one.")
        await api_keys.expire(cur, key_id, within_s=grace_s)
        return await _insert(cur, tenant=old.tenant, name=old.name, scopes=old.scopes, expires_in_s=None)


def check_tenant_name(name: str) -> None:
    """Raise Unprocessable unless a tenant may have this name."""
    if not _TENANT.fullmatch(name):
        raise Unprocessable(
            "A tenant's name has 1 to 63 characters: small letters a to z, digits, and . _ - between them.",
            errors=[{"detail": "Not a tenant's name.", "pointer": "/tenant"}],
        )


async def _insert(cur: Cursor, *, tenant: str, name: str, scopes: Iterable[Scope], expires_in_s: int | None) -> NewKey:
    if not await tenants.lock(cur, tenant):
        raise Conflict("The tenant was deleted, and its name is not used again.")
    text = key_text.new_key()
    hashed = key_text.hashed(text)
    assert hashed is not None
    key = await api_keys.insert(
        cur,
        key_id=new_id(),
        tenant=tenant,
        name=name,
        prefix=hashed.prefix,
        sha256=hashed.sha256,
        scopes=scopes,
        expires_in_s=expires_in_s,
    )
    return NewKey(key, text)


async def _existing(cur: Cursor, key_id: UUID) -> ApiKey:
    key = await api_keys.find(cur, key_id)
    if key is None:
        raise NotFound("There is no such key.")
    return key
