"""The SQL of claims, which stand on jobs while their documents are opened and on pages while those are read."""

from collections.abc import Sequence
from uuid import UUID

from docserver.database.connection import Cursor, each


async def extend(cur: Cursor, claim_ids: Sequence[UUID], *, lease_s: float) -> None:
    """Extend the leases of these claims, each table's in one statement."""
    arguments = (int(lease_s * 1_000_000), *(claim_id.bytes for claim_id in claim_ids))
    await cur.execute(
        f"UPDATE jobs SET lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND WHERE claim IN ({each(claim_ids)})",  # noqa: S608 - placeholders alone
        arguments,
    )
    await cur.execute(
        f"UPDATE pages SET lease_until = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND WHERE claim IN ({each(claim_ids)})",  # noqa: S608 - placeholders alone
        arguments,
    )


async def standing(cur: Cursor, claim_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the claims that nobody has taken away, seen at one moment: a claim moves from its job to pages."""
    found = [claim_id.bytes for claim_id in claim_ids]
    await cur.execute(
        f"""
        SELECT claim FROM jobs WHERE claim IN ({each(found)})
        UNION SELECT claim FROM pages WHERE claim IN ({each(found)})
        """,  # noqa: S608 - placeholders alone
        (*found, *found),
    )
    return {UUID(bytes=row["claim"]) for row in cur.rows()}


async def release(cur: Cursor, claim_ids: Sequence[UUID]) -> int:
    """Give all that these claims hold back, as if it had not been taken; returns how many rows that frees."""
    arguments = [claim_id.bytes for claim_id in claim_ids]
    freed = await cur.execute(
        f"UPDATE jobs SET claim = NULL, lease_until = NULL WHERE claim IN ({each(claim_ids)})",  # noqa: S608 - placeholders alone
        arguments,
    )
    return freed + await cur.execute(
        f"UPDATE pages SET claim = NULL, lease_until = NULL WHERE claim IN ({each(claim_ids)})",  # noqa: S608 - placeholders alone
        arguments,
    )


async def expired(cur: Cursor, *, limit: int) -> list[UUID]:
    """Jobs of which a lease has run out, on the job itself or on a page."""
    await cur.execute(
        """
        SELECT id FROM jobs WHERE lease_until < UTC_TIMESTAMP(6)
        UNION SELECT job_id FROM pages WHERE lease_until < UTC_TIMESTAMP(6) LIMIT %s
        """,
        (limit,),
    )
    return [UUID(bytes=row["id"]) for row in cur.rows()]
