"""The SQL of `deployment`: the identities of this database and of its data directory, in one row."""

import logging
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.faults import TableMissing
from docserver.errors import DatabaseUnavailable
from docserver.model import Identity

log = logging.getLogger("docserver.db")


async def find(cur: Cursor) -> Identity | None:
    """The identities; None before the first start."""
    await cur.execute("SELECT directory_identity, database_identity FROM deployment WHERE number = 1")
    row = cur.row()
    return Identity(UUID(bytes=row["directory_identity"]), UUID(bytes=row["database_identity"])) if row else None


EXCHANGED = "the database is not the one that this process started with: restore that one, or restart docserver"

NO_REPLICA = "the replica has another database than the primary, or an empty one: correct its URL, or replicate"


async def require(cur: Cursor, database: UUID, *, setting: str, otherwise: str = EXCHANGED) -> None:
    """Raise DatabaseUnavailable if this is not the database with this identity: somebody may have replaced it.

    `setting` is the variable that has its URL, and `otherwise` what the log says then.
    """
    try:
        identity = await find(cur)
    except TableMissing:
        identity = None
    if identity is None or identity.database != database:
        log.error(otherwise, extra={"setting": setting})
        raise DatabaseUnavailable("The database does not answer; try again soon.")


async def insert_if_missing(cur: Cursor, identity: Identity) -> None:
    """Set the identities, unless another process has set them."""
    await cur.execute(
        """
        INSERT IGNORE INTO deployment (number, directory_identity, database_identity, created_at)
        VALUES (1, %s, %s, UTC_TIMESTAMP(6))
        """,
        (identity.directory.bytes, identity.database.bytes),
    )


async def replace(cur: Cursor, identity: Identity) -> None:
    """Set the identities, whatever they were."""
    await cur.execute(
        """
        REPLACE INTO deployment (number, directory_identity, database_identity, created_at)
        VALUES (1, %s, %s, UTC_TIMESTAMP(6))
        """,
        (identity.directory.bytes, identity.database.bytes),
    )
