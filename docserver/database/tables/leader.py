"""The SQL of `leaders`: which process does a task that only one process may do at a time."""

from datetime import datetime
from uuid import UUID

from docserver.database.connection import Cursor, microseconds


async def acquire(cur: Cursor, task: str, *, holder: UUID, lease_s: float) -> bool:
    """Become or stay the leader of a task for the lease; False while another process is the leader."""
    await cur.execute(
        """
        INSERT INTO leaders (task, holder, lease_until)
        VALUES (%(task)s, %(holder)s, UTC_TIMESTAMP(6) + INTERVAL %(lease)s MICROSECOND)
        ON DUPLICATE KEY UPDATE
            holder = IF(lease_until < UTC_TIMESTAMP(6), VALUES(holder), holder),
            lease_until = IF(holder = VALUES(holder), VALUES(lease_until), lease_until)
        """,
        {"task": task, "holder": holder.bytes, "lease": microseconds(lease_s)},
    )
    await cur.execute("SELECT task FROM leaders WHERE task = %s AND holder = %s", (task, holder.bytes))
    return cur.row() is not None


async def is_led(cur: Cursor) -> bool:
    """True if any task has a leader now, as this server knows it. A replica that is behind knows only old leases."""
    return await cur.execute("SELECT 1 FROM leaders WHERE lease_until > UTC_TIMESTAMP(6) LIMIT 1") > 0


async def latest_lease(cur: Cursor) -> datetime | None:
    """When the lease of a task that was renewed last runs out or has run out, by the primary's clock."""
    await cur.execute("SELECT MAX(lease_until) AS lease_until FROM leaders")
    until: datetime | None = cur.only_row()["lease_until"]
    return until


async def resign(cur: Cursor, task: str, *, holder: UUID) -> None:
    """Let another process become the leader at once."""
    await cur.execute("DELETE FROM leaders WHERE task = %s AND holder = %s", (task, holder.bytes))
