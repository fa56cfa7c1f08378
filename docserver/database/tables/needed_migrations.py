"""The SQL of `needed_migrations`: the migrations that a version must know to use the database."""

from docserver.database.connection import Cursor


async def newest(cur: Cursor) -> int:
    """The number of the newest of them; 0 if there is none."""
    await cur.execute("SELECT COALESCE(MAX(number), 0) AS number FROM needed_migrations")
    return int(cur.only_row()["number"])
