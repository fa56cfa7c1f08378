"""The SQL of `search_segments` and `search_chunks`: the words of the search index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from docserver.database.connection import Cursor, each

LOOKUPS_AT_ONCE = 60
"""Most rows that one statement looks up."""

INSERTED_BYTES = 1 << 17
"""About how many bytes one statement inserts: to write down more would keep the event loop busy for too long."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of the index."""

    id: int
    tenant: str
    first: int
    last: int
    """The numbers of its first and its last page."""
    pages: int
    has_keys: bool
    """False if it is small, and has rows of words alone."""


class Row(NamedTuple):
    """A row of a segment."""

    segment: int
    kind: int
    first: bytes
    data: bytes


_COLUMNS = "id, tenant, first_number AS first, last_number AS last, pages, has_keys"


def _segment(row: Mapping[str, Any]) -> Segment:
    return Segment(**{**row, "has_keys": bool(row["has_keys"])})


async def live(cur: Cursor, tenant: str, *, generation: int) -> list[Segment]:
    """The segments that a search reads, earliest pages first."""
    await cur.execute(
        f"""
        SELECT {_COLUMNS} FROM search_segments FORCE INDEX (by_tenant)
        WHERE tenant = %s AND generation = %s AND state = 'live' ORDER BY first_number
        """,  # noqa: S608 - a constant
        (tenant, generation),
    )
    return [_segment(row) for row in cur.rows()]


async def next_tenant(cur: Cursor, *, after: str) -> str | None:
    """The next tenant with segments, in the order of names, or None."""
    await cur.execute("SELECT MIN(tenant) AS tenant FROM search_segments WHERE tenant > %s", (after,))
    tenant: str | None = cur.only_row()["tenant"]
    return tenant


async def last_number(cur: Cursor, tenant: str) -> int:
    """The highest number that a page of the tenant has or had in the index."""
    await cur.execute(
        "SELECT COALESCE(MAX(last_number), 0) AS number FROM search_segments WHERE tenant = %s", (tenant,)
    )
    return int(cur.only_row()["number"])


async def insert(
    cur: Cursor, tenant: str, *, generation: int, state: str, first: int, last: int, pages: int, has_keys: bool
) -> int:
    """Add a segment; returns its id."""
    await cur.execute(
        """
        INSERT INTO search_segments (tenant, generation, state, first_number, last_number, pages, has_keys, changed_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6))
        """,
        (tenant, generation, state, first, last, pages, has_keys),
    )
    return cur.last_insert_id


async def insert_rows(cur: Cursor, rows: Sequence[Row]) -> None:
    """Add rows of segments."""
    some: list[Row] = []
    size = 0
    for row in rows:
        if some and size + len(row.data) > INSERTED_BYTES:
            await _insert_rows(cur, some)
            some, size = [], 0
        some.append(row)
        size += len(row.data)
    if some:
        await _insert_rows(cur, some)


async def _insert_rows(cur: Cursor, rows: Sequence[Row]) -> None:
    await cur.insert_all("INSERT INTO search_chunks (segment, kind, first, data) VALUES (%s, %s, %s, %s)", rows)


async def replace(cur: Cursor, old: Sequence[int], *, new: int) -> bool:
    """Put a segment in the place of others; False if one of these is no longer live."""
    dead = await cur.execute(
        f"""
        UPDATE search_segments SET state = 'dead', changed_at = UTC_TIMESTAMP(6)
        WHERE id IN ({each(old)}) AND state = 'live'
        """,  # noqa: S608 - placeholders alone
        old,
    )
    await cur.execute(
        "UPDATE search_segments SET state = 'live', changed_at = UTC_TIMESTAMP(6) WHERE id = %s AND state = 'building'",
        (new,),
    )
    return dead == len(old)


async def rows_at(cur: Cursor, kind: int, places: Sequence[tuple[int, bytes]]) -> list[Row]:
    """For each of these places, the row of the segment that begins there or, if none does, the last one before."""
    found = []
    for start in range(0, len(places), LOOKUPS_AT_ONCE):
        some = places[start : start + LOOKUPS_AT_ONCE]
        # With the names of the rows first, this takes half of the time of reading each row by ORDER BY and LIMIT.
        name = f"""
            SELECT %s AS segment, (
                SELECT MAX(first) FROM search_chunks WHERE segment = %s AND kind = {int(kind)} AND first <= %s
            ) AS first
            """  # noqa: S608 - a number
        await cur.execute(
            f"""
            SELECT c.segment, c.kind, c.first, c.data
            FROM ({" UNION ".join([name] * len(some))}) named
            STRAIGHT_JOIN search_chunks c
                ON c.segment = named.segment AND c.kind = {int(kind)} AND c.first = named.first
            """,  # noqa: S608 - placeholders and a number
            [value for segment, first in some for value in (segment, segment, first)],
        )
        found += cur.rows()
    return [Row(**row) for row in found]


async def rows_between(
    cur: Cursor, segments: Sequence[int], ranges: Sequence[tuple[int, bytes, bytes]], *, limit: int
) -> list[Row]:
    """The rows of segments that begin in one of these ranges: each has a kind, and two places between which rows begin.
    At most so many of a range.
    """
    of_range = (
        f"(SELECT segment, kind, first, data FROM search_chunks WHERE segment IN ({each(segments)}) AND kind = %s "  # noqa: S608 - placeholders and a number
        f"AND first > %s AND first < %s LIMIT {int(limit)})"
    )
    await cur.execute(
        " UNION ALL ".join([of_range] * len(ranges)), [value for part in ranges for value in (*segments, *part)]
    )
    return [Row(**row) for row in cur.rows()]


async def all_rows(cur: Cursor, segments: Sequence[int]) -> list[Row]:
    """All rows of small segments, each in the order of its words."""
    if not segments:
        return []
    await cur.execute(
        f"""
        SELECT segment, kind, first, data FROM search_chunks WHERE segment IN ({each(segments)})
        ORDER BY segment, kind, first
        """,  # noqa: S608 - placeholders alone
        segments,
    )
    return [Row(**row) for row in cur.rows()]


async def rows_after(cur: Cursor, segment: int, kind: int, *, after: bytes | None, limit: int) -> list[Row]:
    """The next rows of a kind of a segment; the first ones if `after` is None."""
    await cur.execute(
        f"""
        SELECT segment, kind, first, data FROM search_chunks
        WHERE segment = %s AND kind = %s AND first {">=" if after is None else ">"} %s ORDER BY first LIMIT %s
        """,  # noqa: S608 - constants
        (segment, kind, after or b"", limit),
    )
    return [Row(**row) for row in cur.rows()]


async def next_live(cur: Cursor, *, after: int, generation: int) -> Segment | None:
    """The segment with the next id that a search reads."""
    await cur.execute(
        f"""
        SELECT {_COLUMNS} FROM search_segments WHERE id > %s AND state = 'live' AND generation = %s ORDER BY id LIMIT 1
        """,  # noqa: S608 - a constant
        (after, generation),
    )
    row = cur.row()
    return _segment(row) if row else None


async def is_older(cur: Cursor, segment: int, *, than_s: int) -> bool:
    """True if a segment was not touched for longer than this."""
    return (
        await cur.execute(
            "SELECT 1 FROM search_segments WHERE id = %s AND changed_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND",
            (segment, than_s),
        )
        > 0
    )


async def removable(
    cur: Cursor, *, generation: int, unused_s: int, building_s: int, limit: int
) -> list[tuple[Segment, bool]]:
    """Segments that nobody uses any more: replaced some time ago, left by a process that died, or of an earlier
    generation; and True for the last kind.
    """
    await cur.execute(
        f"""
        SELECT {_COLUMNS}, generation <> %s AS is_earlier FROM search_segments
        WHERE (state = 'dead' AND changed_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND)
           OR (state = 'building' AND changed_at < UTC_TIMESTAMP(6) - INTERVAL %s SECOND) OR generation <> %s
        ORDER BY id LIMIT %s
        """,  # noqa: S608 - a constant
        (generation, unused_s, building_s, generation, limit),
    )
    return [
        (_segment({name: row[name] for name in row if name != "is_earlier"}), bool(row["is_earlier"]))
        for row in cur.rows()
    ]


async def keep_building(cur: Cursor, segment: int) -> bool:
    """Record that a segment is still being built, and lock it until the transaction ends; False if it was removed."""
    return await cur.execute("UPDATE search_segments SET changed_at = UTC_TIMESTAMP(6) WHERE id = %s", (segment,)) > 0


async def delete_rows(cur: Cursor, segment: int, *, limit: int) -> int:
    """Remove some of the rows of a segment; returns how many."""
    return await cur.execute("DELETE FROM search_chunks WHERE segment = %s LIMIT %s", (segment, limit))


async def delete(cur: Cursor, segment: int) -> None:
    """Remove a segment that has no rows."""
    await cur.execute("DELETE FROM search_segments WHERE id = %s", (segment,))


async def delete_tenant(cur: Cursor, tenant: str, *, limit: int) -> int:
    """Remove some of the rows of all segments of a tenant; returns how many. With the last of them, the segments go."""
    await cur.execute("SELECT id FROM search_segments WHERE tenant = %s FOR UPDATE", (tenant,))
    ids = [row["id"] for row in cur.rows()]
    removed = 0
    if ids:
        removed = await cur.execute(
            f"DELETE FROM search_chunks WHERE segment IN ({each(ids)}) LIMIT %s",  # noqa: S608 - placeholders alone
            (*ids, limit),
        )
    if not removed:
        await cur.execute("DELETE FROM search_segments WHERE tenant = %s", (tenant,))
    return removed
