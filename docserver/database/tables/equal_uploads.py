"""The SQL of `equal_uploads`: the latest job for each content, which decides between equal uploads at the same time."""

from uuid import UUID

from docserver.database.connection import Cursor


async def register(cur: Cursor, *, content: bytes, job_id: UUID, replaces: UUID | None) -> UUID:
    """Make a job that was inserted before in this transaction the latest one for its content, unless there is one other
    than `replaces`. Returns the latest job. Waits for transactions that register the same content.
    """
    await cur.execute(
        """
        INSERT INTO equal_uploads (content, job_id) VALUES (%s, %s)
        ON DUPLICATE KEY UPDATE job_id = IF(job_id = %s, VALUES(job_id), job_id)
        """,
        (content, job_id.bytes, replaces.bytes if replaces else None),
    )
    await cur.execute("SELECT job_id FROM equal_uploads WHERE content = %s", (content,))
    return UUID(bytes=cur.only_row()["job_id"])
