"""The SQL of `name_parts`: which documents have which parts of names, so that few names are compared with a filter.

Maintenance numbers the documents of a tenant in the order of their creation, a block at a time, and records for each
run of one to three letters which documents of the block have it in their name. A letter is its weight in the collation
by which names are compared. So a name that matches a filter has all runs of the filter; not every name that has them
matches. What is recorded of a block never changes. Documents without a number, and further names, are searched as they
are. Deleted documents stay in a block until all of it is deleted.
"""

from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import compress

from docserver.database.connection import Cursor, each

BLOCK = 8192
"""Documents of a block. The larger a block is, the more documents wait until it is full; the smaller, the more rows."""

SETTLED_S = 60
"""A document is numbered after this time: earlier, a transaction that began before might still add one before it."""

LONGEST = 3
"""Letters of the longest parts: each is in few enough names, and there are not too many of them."""

_WEIGHT_BYTES = 2

_BITS_BYTES = BLOCK // 8


def parts_of(weights: bytes, content_type: str) -> set[bytes]:
    """All parts that are recorded of a document whose name has these weights."""
    sizes = range(_WEIGHT_BYTES, LONGEST * _WEIGHT_BYTES + 1, _WEIGHT_BYTES)
    parts = {
        weights[start : start + size] for size in sizes for start in range(0, len(weights) - size + 1, _WEIGHT_BYTES)
    }
    parts.add(part_of_type(content_type))
    return parts


def parts_to_find(weights: bytes) -> list[bytes]:
    """Parts that each name with these weights in it has: as few as cover all of them."""
    size = min(len(weights), LONGEST * _WEIGHT_BYTES)
    starts = {*range(0, len(weights) - size, size), len(weights) - size}
    return sorted({weights[start : start + size] for start in starts})


def part_of_type(content_type: str) -> bytes:
    """The part that stands for a content type. It is longer than those of names."""
    return sha256(content_type.encode()).digest()[:8]


def pack(places: Sequence[int]) -> bytes:
    """Places in a block: as two bytes each or, if that is not longer, as a bit for each document of the block."""
    if len(places) * 2 < _BITS_BYTES:
        return b"".join(place.to_bytes(2, "little") for place in places)
    bits = bytearray(_BITS_BYTES)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def bits_of(packed: bytes) -> int:
    """The places as the bits of a number."""
    if len(packed) == _BITS_BYTES:
        return int.from_bytes(packed, "little")
    bits = bytearray(_BITS_BYTES)
    for start in range(0, len(packed), 2):
        bits[packed[start + 1] << 5 | packed[start] >> 3] |= 1 << (packed[start] & 7)
    return int.from_bytes(bits, "little")


def places_of(bits: int) -> list[int]:
    """The places of the bits that are set, lowest first."""
    if bits.bit_count() * 8 > BLOCK // 8:
        return list(compress(_PLACES, f"{bits:b}"[::-1].encode().translate(_DIGITS)))
    places = array("H")
    while bits:
        lowest = bits & -bits
        places.append(lowest.bit_length() - 1)
        bits ^= lowest
    return list(places)


_DIGITS = bytes.maketrans(b"01", b"\0\1")
"""For `bytes.translate`: binary digits as truth values."""

_PLACES = tuple(range(BLOCK))
"""All places. To make them anew each time would take most of the time of `places_of`."""


async def weights(cur: Cursor, text: str) -> bytes:
    """The weights of the letters of a text."""
    await cur.execute(
        "SELECT WEIGHT_STRING(CONVERT(%s USING utf8mb4) COLLATE utf8mb4_unicode_520_ci) AS weights", (text,)
    )
    return bytes(cur.only_row()["weights"])


async def newest_block(cur: Cursor, tenant: str) -> int | None:
    """The latest block of a tenant, or None."""
    await cur.execute("SELECT MAX(block) AS block FROM name_parts WHERE tenant = %s", (tenant,))
    block: int | None = cur.only_row()["block"]
    return block


async def oldest_block(cur: Cursor, tenant: str) -> int | None:
    """The earliest block of a tenant, or None."""
    await cur.execute("SELECT MIN(block) AS block FROM name_parts WHERE tenant = %s", (tenant,))
    block: int | None = cur.only_row()["block"]
    return block


async def block_at(cur: Cursor, tenant: str, moment: datetime, *, first_after: bool) -> int | None:
    """The block of the first numbered document that was created at this time or later, or of the last that was not
    later; None if there is none.
    """
    comparison, order = (">=", "ASC") if first_after else ("<=", "DESC")
    await cur.execute(
        f"""
        SELECT name_number DIV %s AS block FROM documents FORCE INDEX (by_tenant)
        WHERE tenant = %s AND created_at {comparison} %s AND name_number IS NOT NULL
        ORDER BY created_at {order}, id {order} LIMIT 1
        """,  # noqa: S608 - constants
        (BLOCK, tenant, moment),
    )
    row = cur.row()
    return int(row["block"]) if row else None


async def candidates(cur: Cursor, tenant: str, *, parts: Sequence[bytes], blocks: Sequence[int]) -> dict[int, int]:
    """For each block, the places of documents that have all of the parts, as bits. Blocks without any are left out."""
    await cur.execute(
        f"""
        SELECT block, places FROM name_parts
        WHERE tenant = %s AND block IN ({each(blocks)}) AND part IN ({each(parts)})
        """,  # noqa: S608 - placeholders alone
        (tenant, *blocks, *parts),
    )
    found: dict[int, list[bytes]] = {}
    for row in cur.rows():
        found.setdefault(int(row["block"]), []).append(row["places"])
    common = {block: _common(packed) for block, packed in found.items() if len(packed) == len(parts)}
    return {block: bits for block, bits in common.items() if bits}


def _common(packed: Iterable[bytes]) -> int:
    # The shortest first: often nothing is left soon.
    bits = -1
    for each_packed in sorted(packed, key=len):
        bits &= bits_of(each_packed)
        if not bits:
            break
    return bits


async def number_block(cur: Cursor, tenant: str) -> int | None:
    """Number the next documents of a tenant. Returns their block; None if there are not enough for one.

    The caller makes a transaction, and rolls it back if this is None.
    """
    newest = await newest_block(cur, tenant)
    block = 0 if newest is None else newest + 1
    await cur.execute(
        """
        SELECT created_at FROM documents FORCE INDEX (by_name_number)
        WHERE tenant = %s AND name_number IS NOT NULL ORDER BY name_number DESC LIMIT 1
        """,
        (tenant,),
    )
    last = cur.row()
    numbered = await cur.execute(
        """
        UPDATE documents d
        JOIN (
            SELECT id, ROW_NUMBER() OVER (ORDER BY created_at, id) - 1 AS place
            FROM (
                SELECT id, created_at FROM documents FORCE INDEX (by_tenant)
                WHERE tenant = %(tenant)s AND created_at < UTC_TIMESTAMP(6) - INTERVAL %(settled)s SECOND
                  AND created_at > %(last)s AND name_number IS NULL
                ORDER BY created_at, id LIMIT %(limit)s
            ) next
        ) placed ON placed.id = d.id
        SET d.name_number = %(first)s + placed.place
        WHERE d.name_number IS NULL
        """,
        {
            "tenant": tenant,
            "settled": SETTLED_S,
            "last": last["created_at"] if last else "1970-01-01",
            "limit": BLOCK,
            "first": block * BLOCK,
        },
    )
    return block if numbered == BLOCK else None


async def names(cur: Cursor, tenant: str, block: int) -> list[tuple[int, bytes, str]]:
    """The place, the weights of the name, and the content type of each document of a block."""
    await cur.execute(
        """
        SELECT name_number, WEIGHT_STRING(filename) AS weights, content_type
        FROM documents WHERE tenant = %s AND name_number BETWEEN %s AND %s
        """,
        (tenant, block * BLOCK, block * BLOCK + BLOCK - 1),
    )
    return [(row["name_number"] - block * BLOCK, bytes(row["weights"]), row["content_type"]) for row in cur.rows()]


async def insert(cur: Cursor, tenant: str, block: int, parts: Iterable[tuple[bytes, bytes]]) -> None:
    """Record the parts of a block, with their packed places."""
    await cur.insert_all(
        "INSERT INTO name_parts (tenant, block, part, places) VALUES (%s, %s, %s, %s)",
        [(tenant, block, part, places) for part, places in parts],
    )


async def tenants_with_documents(cur: Cursor, *, after: str) -> str | None:
    """The next tenant that has documents, in the order of names, or None."""
    await cur.execute("SELECT MIN(tenant) AS tenant FROM documents WHERE tenant > %s", (after,))
    tenant: str | None = cur.only_row()["tenant"]
    return tenant


async def is_block_due(cur: Cursor, tenant: str) -> bool:
    """True if a tenant may have enough documents without a number for a block."""
    await cur.execute(
        """
        SELECT 1 FROM documents FORCE INDEX (by_name_number)
        WHERE tenant = %s AND name_number IS NULL LIMIT 1 OFFSET %s
        """,
        (tenant, BLOCK - 1),
    )
    return cur.row() is not None


async def has_documents(cur: Cursor, tenant: str, block: int) -> bool:
    """True if a document of the block is left."""
    first = block * BLOCK
    await cur.execute(
        "SELECT 1 FROM documents WHERE tenant = %s AND name_number BETWEEN %s AND %s LIMIT 1",
        (tenant, first, first + BLOCK - 1),
    )
    return cur.row() is not None


async def delete(cur: Cursor, tenant: str, *, block: int | None = None, limit: int) -> int:
    """Remove some of the parts of a block, or of all blocks of a tenant; returns how many."""
    return await cur.execute(
        "DELETE FROM name_parts WHERE tenant = %(tenant)s AND block = COALESCE(%(block)s, block) LIMIT %(limit)s",
        {"tenant": tenant, "block": block, "limit": limit},
    )
