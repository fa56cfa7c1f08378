"""The SQL of `tenants`."""

from docserver.database.connection import Cursor


async def insert_if_missing(cur: Cursor, name: str) -> bool:
    """Add a tenant; False if it exists already, perhaps deleted."""
    return await cur.execute("INSERT IGNORE INTO tenants (name, created_at) VALUES (%s, UTC_TIMESTAMP(6))", (name,)) > 0


async def lock(cur: Cursor, name: str) -> bool:
    """Lock a tenant against its deletion until the transaction ends; False if there is none."""
    return await cur.execute("SELECT 1 FROM tenants WHERE name = %s AND deleted_at IS NULL FOR UPDATE", (name,)) > 0
