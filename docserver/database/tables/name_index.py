"""The SQL of `name_parts`: which documents have which parts of names, so that few names are compared with a filter.

Maintenance numbers the documents of a tenant in the order of their creation, a block at a time, and records for each
part (see `name_parts`) which documents of the block have it in their name. A letter is its weight in the collation of
names. A block stays as it was recorded, except that the deletions of its documents are added. It is removed when all of
them are deleted. Documents without a number, and further names, are searched as they are.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, Row, each
from docserver.database.tables import name_parts
from docserver.database.tables.name_parts import DELETED

SETTLED_S = 60
"""A document is numbered after this time: earlier, a transaction that began before might still add one before it."""

PARTS_AT_ONCE = 8192
"""Most parts that one statement reads. Together they are below `driver.LONGEST_GROUP`."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What the index has of a tenant."""

    blocks: range
    """Oldest first."""
    numbered_until: datetime | None
    """When the last document with a number was created. Numbers are in the order of creation."""

    @property
    def first_beyond(self) -> int:
        """The lowest number of a document that is not in the index."""
        return self.blocks.stop * name_parts.BLOCK


def contains(column: str) -> str:
    """The condition that a column of names has the letters of the argument `filename` in it."""
    return f"""
        CONVERT(WEIGHT_STRING({column}) USING ucs2) LIKE CONVERT(CONCAT(X'0025', {_WEIGHTS}, X'0025') USING ucs2)
    """


_WEIGHTS = "WEIGHT_STRING(CONVERT(%(filename)s USING utf8mb4) COLLATE utf8mb4_unicode_520_ci)"
"""As a text of UCS-2, each weight is one character of two bytes, so that LIKE compares weight by weight. No weight is a
character with a meaning in LIKE: the lowest is 0201, and the percent sign is 0025.
"""


async def look_up(cur: Cursor, tenant: str, text: str) -> tuple[Extent, bytes]:
    """What the index has of a tenant, and the weights of the letters of a text."""
    await cur.execute(f"{_EXTENT}, {_WEIGHTS} AS weights", {"tenant": tenant, "filename": text})
    row = cur.only_row()
    return _extent(row), bytes(row["weights"])


async def extent(cur: Cursor, tenant: str) -> Extent:
    """What the index has of a tenant."""
    await cur.execute(_EXTENT, {"tenant": tenant})
    return _extent(cur.only_row())


_EXTENT = """
    SELECT (SELECT MIN(block) FROM name_parts WHERE tenant = %(tenant)s) AS oldest,
           (SELECT MAX(block) FROM name_parts WHERE tenant = %(tenant)s) AS newest,
           (SELECT created_at FROM documents FORCE INDEX (by_name_number)
            WHERE tenant = %(tenant)s AND name_number IS NOT NULL ORDER BY name_number DESC LIMIT 1) AS numbered_until
"""


def _extent(row: Row) -> Extent:
    blocks = range(0) if row["newest"] is None else range(row["oldest"], row["newest"] + 1)
    return Extent(blocks, row["numbered_until"])


async def parts(
    cur: Cursor, tenant: str, *, wanted: Sequence[bytes], blocks: Sequence[int]
) -> dict[int, dict[bytes, bytes]]:
    """The wanted parts that each block has, with their packed places."""
    found: dict[int, dict[bytes, bytes]] = {block: {} for block in blocks}
    size = max(1, PARTS_AT_ONCE // max(1, len(wanted)))
    for start in range(0, len(blocks) if wanted else 0, size):
        some = blocks[start : start + size]
        # As one text, parts arrive in a tenth of the time of as many rows.
        await cur.execute(
            f"""
            SELECT GROUP_CONCAT(
                LPAD(HEX(block), 8, '0'), LPAD(HEX(part), 16, ' '), LPAD(HEX(LENGTH(places)), 4, '0'), places
                SEPARATOR ''
            ) AS parts
            FROM name_parts WHERE tenant = %s AND block IN ({each(some)}) AND part IN ({each(wanted)})
            """,  # noqa: S608 - placeholders alone
            (tenant, *some, *wanted),
        )
        for block, part, places in _separate(cur.only_row()["parts"] or b""):
            found[block][part] = places
    return found


def _separate(text: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The block, the part and the packed places of each part in a text."""
    start = 0
    while start < len(text):
        block, part, size = text[start : start + 8], text[start + 8 : start + 24], text[start + 24 : start + 28]
        end = start + 28 + int(size, 16)
        yield int(block, 16), bytes.fromhex(part.decode()), text[start + 28 : end]
        start = end


async def first_number(cur: Cursor, tenant: str, indexed: Extent, *, since: datetime, after: UUID | None = None) -> int:
    """The lowest number in the index of a document that was created at `since` or later; with `after`, at `since` only
    if its id is higher. The first number beyond the index if there is no such document.
    """
    await cur.execute(
        """
        SELECT name_number FROM documents FORCE INDEX (by_tenant)
        WHERE tenant = %(tenant)s AND created_at >= %(since)s AND created_at <= %(numbered_until)s
          AND (%(after)s IS NULL OR created_at > %(since)s OR id > %(after)s) AND name_number < %(first_beyond)s
        ORDER BY created_at, id LIMIT 1
        """,
        {
            "tenant": tenant,
            "since": since,
            "after": after.bytes if after else None,
            "numbered_until": indexed.numbered_until,
            "first_beyond": indexed.first_beyond,
        },
    )
    row = cur.row()
    return int(row["name_number"]) if row else indexed.first_beyond


async def last_number(cur: Cursor, tenant: str, indexed: Extent, *, until: datetime, before: UUID | None = None) -> int:
    """The highest number in the index of a document that was created before `until`; with `before`, also at `until` if
    its id is lower. -1 if there is no such document.
    """
    await cur.execute(
        """
        SELECT name_number FROM documents FORCE INDEX (by_tenant)
        WHERE tenant = %(tenant)s AND created_at <= LEAST(%(until)s, %(numbered_until)s)
          AND (created_at < %(until)s OR id < %(before)s) AND name_number < %(first_beyond)s
        ORDER BY created_at DESC, id DESC LIMIT 1
        """,
        {
            "tenant": tenant,
            "until": until,
            "before": before.bytes if before else None,
            "numbered_until": indexed.numbered_until,
            "first_beyond": indexed.first_beyond,
        },
    )
    row = cur.row()
    return int(row["name_number"]) if row else -1


async def number_block(cur: Cursor, tenant: str) -> int | None:
    """Number the next documents of a tenant. Returns their block; None if there are not enough for one.

    The caller makes a transaction, and rolls it back if this is None.
    """
    indexed = await extent(cur, tenant)
    block = indexed.blocks.stop
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
            "last": indexed.numbered_until or "1970-01-01",
            "limit": name_parts.BLOCK,
            "first": block * name_parts.BLOCK,
        },
    )
    return block if numbered == name_parts.BLOCK else None


async def names(cur: Cursor, tenant: str, block: int) -> list[tuple[int, bytes, str]]:
    """The place, the weights of the name, and the content type of each document of a block."""
    first = block * name_parts.BLOCK
    await cur.execute(
        """
        SELECT name_number, WEIGHT_STRING(filename) AS weights, content_type
        FROM documents WHERE tenant = %s AND name_number BETWEEN %s AND %s
        """,
        (tenant, first, first + name_parts.BLOCK - 1),
    )
    return [(row["name_number"] - first, bytes(row["weights"]), row["content_type"]) for row in cur.rows()]


async def insert(cur: Cursor, tenant: str, block: int, parts: Iterable[tuple[bytes, bytes]]) -> None:
    """Record parts of a block, with their packed places. Those that it has already are replaced."""
    await cur.insert_all(
        """
        INSERT INTO name_parts (tenant, block, part, places) VALUES (%s, %s, %s, %s)
        ON DUPLICATE KEY UPDATE places = VALUES(places)
        """,
        [(tenant, block, part, places) for part, places in parts],
    )


async def record_deletion(cur: Cursor, document_id: UUID) -> None:
    """Record that a document, which the caller has locked and is about to delete, is no longer in its block.

    A block that an earlier release has recorded says nothing about deletions until maintenance completes it.
    """
    await cur.execute(
        """
        UPDATE name_parts p JOIN documents d
            ON p.tenant = d.tenant AND p.block = d.name_number DIV %(block)s AND p.part = %(deleted)s
        SET p.places = CONCAT(p.places, CHAR(d.name_number MOD %(block)s MOD 256, d.name_number MOD %(block)s DIV 256))
        WHERE d.id = %(id)s
        """,
        {"id": document_id.bytes, "block": name_parts.BLOCK, "deleted": DELETED},
    )


async def lock_deleted(cur: Cursor, tenant: str, block: int) -> list[int] | None:
    """The recorded places of deleted documents; None if the block has no record of them. The record is locked until the
    transaction ends.
    """
    await cur.execute(
        "SELECT places FROM name_parts WHERE tenant = %s AND block = %s AND part = %s FOR UPDATE",
        (tenant, block, DELETED),
    )
    row = cur.row()
    return name_parts.unpack_each(row["places"]) if row else None


async def places(cur: Cursor, tenant: str, block: int) -> list[int]:
    """The places of the documents of a block that are not deleted."""
    first = block * name_parts.BLOCK
    await cur.execute(
        """
        SELECT CONCAT('[', GROUP_CONCAT(name_number - %s), ']') AS places FROM documents FORCE INDEX (by_name_number)
        WHERE tenant = %s AND name_number BETWEEN %s AND %s
        """,
        (first, tenant, first, first + name_parts.BLOCK - 1),
    )
    found: list[int] = orjson.loads(cur.only_row()["places"] or "[]")
    return found


async def incomplete_block(cur: Cursor, tenant: str) -> int | None:
    """A block that lacks parts, because an earlier release has recorded it; None if there is none."""
    await cur.execute(
        """
        SELECT b.block FROM (SELECT DISTINCT block FROM name_parts WHERE tenant = %(tenant)s) b
        LEFT JOIN name_parts p ON p.tenant = %(tenant)s AND p.block = b.block AND p.part = %(deleted)s
        WHERE p.part IS NULL LIMIT 1
        """,
        {"tenant": tenant, "deleted": DELETED},
    )
    row = cur.row()
    return int(row["block"]) if row else None


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
        (tenant, name_parts.BLOCK - 1),
    )
    return cur.row() is not None


async def has_documents(cur: Cursor, tenant: str, block: int) -> bool:
    """True if a document of the block is left."""
    first = block * name_parts.BLOCK
    await cur.execute(
        "SELECT 1 FROM documents WHERE tenant = %s AND name_number BETWEEN %s AND %s LIMIT 1",
        (tenant, first, first + name_parts.BLOCK - 1),
    )
    return cur.row() is not None


async def delete(cur: Cursor, tenant: str, *, block: int | None = None, limit: int) -> int:
    """Remove some of the parts of a block, or of all blocks of a tenant; returns how many."""
    return await cur.execute(
        "DELETE FROM name_parts WHERE tenant = %(tenant)s AND block = COALESCE(%(block)s, block) LIMIT %(limit)s",
        {"tenant": tenant, "block": block, "limit": limit},
    )
