"""Tenants as tests need them: with a key, and with quotas."""

from collections.abc import Iterable

from docserver.caller import DEFAULT_TENANT, Scope
from docserver.database.connection import Database
from docserver.resources import Resources
from docserver.tenants import administration


async def key_of(
    resources: Resources, tenant: str, scopes: Iterable[Scope] = (Scope.READ, Scope.WRITE)
) -> dict[str, str]:
    """The headers of a new key of a tenant, which is made if there is none."""
    made = await administration.create_key(
        resources.db,
        tenant=tenant,
        name="a test",
        scopes=scopes,
        expires_in_s=None,
        actor="a test",
    )
    return {"Authorization": f"Bearer {made.text}"}


async def limit(db: Database, tenant: str = DEFAULT_TENANT, **limits: int | None) -> None:
    """Set quotas of a tenant, and its weight, as far as they are given."""
    await administration.set_tenant(db, tenant, actor="a test", **limits)


async def key_for_everything(mysql_url: str, *, tenant: str) -> str:
    """A new key of a tenant that has every scope."""
    db = Database(mysql_url, size=1, timeout_s=10)
    try:
        new = await administration.create_key(
            db, tenant=tenant, name="", scopes=list(Scope), expires_in_s=None, actor="a test"
        )
    finally:
        await db.close()
    return new.text
