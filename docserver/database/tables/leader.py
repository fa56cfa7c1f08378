"""The SQL of `chores`: work that one process at a time does for all, whichever it is."""

from uuid import UUID

from docserver.database.connection import Cursor


async def take(cur: Cursor, name: str, *, holder: UUID, lease_s: float) -> bool:
    """Take a chore, or keep it, for so long; False while another has it."""
    await cur.execute(
        """
        INSERT INTO chores (name, holder, lease_until)
        VALUES (%(name)s, %(holder)s, UTC_TIMESTAMP(6) + INTERVAL %(lease)s MICROSECOND)
        ON DUPLICATE KEY UPDATE
            holder = IF(lease_until < UTC_TIMESTAMP(6), VALUES(holder), holder),
            lease_until = IF(holder = VALUES(holder), VALUES(lease_until), lease_until)
        """,
        {"name": name, "holder": holder.bytes, "lease": int(lease_s * 1_000_000)},
    )
    await cur.execute("SELECT name FROM chores WHERE name = %s AND holder = %s", (name, holder.bytes))
    return cur.row() is not None


async def give_back(cur: Cursor, name: str, *, holder: UUID) -> None:
    """Let another take the chore at once."""
    await cur.execute("DELETE FROM chores WHERE name = %s AND holder = %s", (name, holder.bytes))
