"""The SQL of `audit_log`: who did what to keys, tenants and documents. No entry has a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from docserver.database.connection import Cursor


class Action(StrEnum):
    """What was done."""

    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    KEY_ROTATED = "key.rotated"
    TENANT_CREATED = "tenant.created"
    TENANT_LIMITED = "tenant.limited"
    """Its weight or its quotas were set."""
    TENANT_DELETED = "tenant.deleted"
    DOCUMENT_DELETED = "document.deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the log."""

    id: int
    at: datetime
    actor: str
    action: str
    tenant: str
    subject: str
    details: Mapping[str, Any]


async def record(cur: Cursor, action: Action, *, actor: str, tenant: str, subject: str, **details: Any) -> None:
    """Add an entry, in the transaction that does what it says. The details must be values of JSON, and no secrets."""
    await cur.execute(
        """
        INSERT INTO audit_log (at, actor, action, tenant, subject, details)
        VALUES (UTC_TIMESTAMP(6), %s, %s, %s, %s, %s)
        """,
        (actor, action.value, tenant, subject, orjson.dumps(details).decode()),
    )


async def latest(cur: Cursor, *, tenant: str | None, before: int | None, limit: int) -> list[Entry]:
    """Entries that concern a tenant, or all if it is None, the latest first; only those before the entry `before`."""
    await cur.execute(
        """
        SELECT * FROM audit_log
        WHERE (%(tenant)s IS NULL OR tenant = %(tenant)s) AND (%(before)s IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"tenant": tenant, "before": before, "limit": limit},
    )
    return [Entry(**{**row, "details": orjson.loads(row["details"])}) for row in cur.rows()]


async def forget(cur: Cursor, *, older_than_s: float, limit: int) -> int:
    """Remove entries that are older than this, the oldest first; returns how many."""
    return await cur.execute(
        "DELETE FROM audit_log WHERE at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND ORDER BY at LIMIT %s",
        (int(older_than_s), limit),
    )
