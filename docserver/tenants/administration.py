"""Makes tenants; makes, revokes and rotates API keys. A key's secret is returned once and never stored.

Each change is recorded in the audit log, in the same transaction.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from docserver.caller import Scope
from docserver.database.connection import Cursor, Database
from docserver.database.retries import transactional
from docserver.database.tables import api_keys, audit_log, tenants
from docserver.database.tables.api_keys import ApiKey
from docserver.database.tables.audit_log import Action
from docserver.database.tables.tenants import QUOTAS, Tenant
from docserver.errors import Conflict, NotFound, Unprocessable
from docserver.model import new_id
from docserver.setting_types import MAX_QUOTA, MAX_WEIGHT
from docserver.tenants import key_text

log = logging.getLogger("docserver.tenants")

TENANT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")

TENANT_NAME_RULE = "1 to 63 characters: small letters a to z, digits, and . _ - between them"

GRACE_S = 86_400
"""By default, a rotated key stays valid for this long: time to hand out the new one."""

MAX_KEY_NAME = 100
"""Most characters of a key's name: the database column holds no more."""

MAX_KEY_S = 36_500 * 86_400
"""A hundred years, the longest time for which a key is valid: within the range of a DATETIME column."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key, with the text that its owner must keep."""

    key: ApiKey
    text: str


@transactional
async def create_key(
    db: Database, *, tenant: str, name: str, scopes: Iterable[Scope], expires_in_s: int | None, actor: str
) -> NewKey:
    """Make a key, and its tenant if there is none of that name. Raises Unprocessable, and Conflict if the tenant was
    deleted.
    """
    check_tenant_name(tenant)
    _check_key_name(name)
    async with db.transaction() as cur:
        await _insert_tenant(cur, tenant, actor=actor)
        new = await _insert(cur, tenant=tenant, name=name, scopes=scopes, expires_in_s=expires_in_s)
        await _record(cur, Action.KEY_CREATED, new.key, actor=actor, scopes=sorted(new.key.scopes))
    _log(Action.KEY_CREATED, new.key, actor=actor)
    return new


@transactional
async def revoke_key(db: Database, key_id: UUID, *, actor: str) -> ApiKey:
    """Refuse a key from now on, in all processes within two seconds; raises NotFound. It may be revoked already."""
    async with db.transaction() as cur:
        revoked = await api_keys.revoke(cur, key_id)
        key = await _existing(cur, key_id)
        if not revoked:
            return key
        await _record(cur, Action.KEY_REVOKED, key, actor=actor)
    _log(Action.KEY_REVOKED, key, actor=actor)
    return key


@transactional
async def rotate_key(
    db: Database, key_id: UUID, *, actor: str, grace_s: int = GRACE_S, expires_in_s: int | None = None
) -> NewKey:
    """Make a key that replaces this one, and let this one expire after the grace time.

    Raises NotFound, and Conflict if it is revoked already.
    """
    async with db.transaction() as cur:
        old = await _existing(cur, key_id)
        if old.revoked_at:
            raise Conflict("The key is revoked already; create a new one.")
        await api_keys.expire(cur, key_id, within_s=grace_s)
        new = await _insert(cur, tenant=old.tenant, name=old.name, scopes=old.scopes, expires_in_s=expires_in_s)
        await _record(cur, Action.KEY_ROTATED, old, actor=actor, new_key=str(new.key.id), grace_s=grace_s)
    _log(Action.KEY_ROTATED, old, actor=actor)
    return new


@transactional
async def set_tenant(db: Database, name: str, *, actor: str, **limits: int | None) -> tuple[Tenant, bool]:
    """Make a tenant if there is none of this name, and set its `weight` and quotas, as far as they are given. All
    processes go by them within seconds. Returns the tenant, and True if it is new.

    Raises Unprocessable, and Conflict if it was deleted.
    """
    check_tenant_name(name)
    _check_limits(limits)
    async with db.transaction() as cur:
        is_new = await _insert_tenant(cur, name, actor=actor)
        if not await tenants.lock(cur, name):
            raise _deleted()
        tenant = await tenants.find(cur, name)
        assert tenant is not None
        if limits:
            quotas = replace(tenant.quotas, **{quota: limits[quota] for quota in QUOTAS if quota in limits})
            tenant = replace(tenant, weight=limits.get("weight") or tenant.weight, quotas=quotas)
            await tenants.set_limits(cur, name, weight=tenant.weight, quotas=quotas)
            await audit_log.record(cur, Action.TENANT_LIMITED, actor=actor, tenant=name, subject=name, **limits)
        return tenant, is_new


def is_tenant_name(text: str) -> bool:
    """True if a tenant may have this name."""
    return TENANT_NAME.fullmatch(text) is not None


def check_tenant_name(name: str) -> None:
    """Raise Unprocessable unless a tenant may have this name."""
    if not is_tenant_name(name):
        raise Unprocessable(
            f"A tenant's name has {TENANT_NAME_RULE}.",
            errors=[{"detail": "Not a tenant's name.", "pointer": "/tenant"}],
        )


def no_such_tenant() -> NotFound:
    """The error for the name of a tenant that never existed."""
    return NotFound("There is no such tenant.")


def _check_limits(limits: Mapping[str, int | None]) -> None:
    for name, value in limits.items():
        least, most = (1, MAX_WEIGHT) if name == "weight" else (0, MAX_QUOTA)
        if value is not None and not least <= value <= most:
            raise Unprocessable(
                f"{name} must be {least} to {most}.",
                errors=[{"detail": f"Must be {least} to {most}.", "pointer": f"/{name}"}],
            )


def _check_key_name(name: str) -> None:
    if len(name) > MAX_KEY_NAME or not name.isprintable():
        raise Unprocessable(
            f"A key's name has at most {MAX_KEY_NAME} characters, all printable.",
            errors=[{"detail": "Not a key's name.", "pointer": "/name"}],
        )


async def _insert_tenant(cur: Cursor, name: str, *, actor: str) -> bool:
    # Inserts that find the tenant lock its row for each other, and then none of them can change it.
    is_new = await tenants.find(cur, name) is None and await tenants.insert_if_missing(cur, name)
    if is_new:
        await audit_log.record(cur, Action.TENANT_CREATED, actor=actor, tenant=name, subject=name)
    return is_new


async def _insert(cur: Cursor, *, tenant: str, name: str, scopes: Iterable[Scope], expires_in_s: int | None) -> NewKey:
    if not await tenants.lock(cur, tenant):
        raise _deleted()
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


def _deleted() -> Conflict:
    return Conflict("The tenant was deleted, and its name is not used again.")


async def _record(cur: Cursor, action: Action, key: ApiKey, *, actor: str, **details: Any) -> None:
    await audit_log.record(
        cur, action, actor=actor, tenant=key.tenant, subject=str(key.id), prefix=key.prefix, name=key.name, **details
    )


def _log(action: Action, key: ApiKey, *, actor: str) -> None:
    facts = {"action": action.value, "key_id": str(key.id), "prefix": key.prefix, "tenant": key.tenant, "actor": actor}
    log.info("API key changed", extra=facts)
