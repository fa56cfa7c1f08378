"""Connections to the database as tests look at them and end them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Cursor, Database
from docserver.database.tables import deletions
from docserver.resources import Resources
from tests.support.waiting import until

MakeDatabase = Callable[..., Database]


def with_databases(resources: Resources, db: Any) -> Resources:
    """The resources, with this in place of each database pool."""
    return replace(resources, db=db, reads=db, lists=db, maintenance_db=db, index_db=db, health_db=db)


async def connection_id(cur: Cursor) -> int:
    await cur.execute("SELECT CONNECTION_ID() AS id")
    row = cur.row()
    assert row
    return int(row["id"])


async def one(cur: Cursor, sql: str) -> Any:
    """The one value that a query gives."""
    await cur.execute(sql)
    row = cur.row()
    assert row
    (value,) = row.values()
    return value


async def remembered(db: Database, document_id: UUID) -> bool:
    async with db.session() as cur:
        return await deletions.was_deleted(cur, document_id, tenant=DEFAULT_TENANT)


async def kill(db: Database, victim: int) -> None:
    """End another connection, and wait until the server has forgotten it."""
    async with db.session() as cur:
        await cur.execute(f"KILL {victim}")

    async def gone() -> bool:
        async with db.session() as cur:
            return await cur.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (victim,)) == 0

    await until(gone)


async def sleeping(db: Database, victim: int) -> None:
    """Wait until a connection is in the middle of SLEEP."""

    async def asleep() -> bool:
        async with db.session() as cur:
            sleeping = await cur.execute(
                "SELECT 1 FROM information_schema.processlist WHERE id = %s AND info LIKE 'SELECT SLEEP%%'", (victim,)
            )
        return sleeping > 0

    await until(asleep)
