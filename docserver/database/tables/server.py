"""The SQL that asks the server about itself: version, clock, limits, rights and the encoding of stored text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from docserver.database.connection import Cursor, each


@dataclass(frozen=True, slots=True)
class Server:
    """A MySQL or MariaDB server, as a connection without a database sees it."""

    version: str
    """As in 8.4.3 or 11.8.3-MariaDB-1."""
    now: datetime
    is_read_only: bool
    max_packet_bytes: int
    has_role: bool
    """True if the user has rights by a role, which `missing_rights` does not know."""


async def describe(cur: Cursor) -> Server:
    """The server that this connection leads to."""
    await cur.execute(
        """
        SELECT VERSION() AS version, UTC_TIMESTAMP(6) AS now, @@global.read_only AS is_read_only,
               @@max_allowed_packet AS max_packet_bytes, COALESCE(CURRENT_ROLE(), 'NONE') AS role
        """
    )
    row = cur.only_row()
    return Server(
        version=row["version"],
        now=row["now"].replace(tzinfo=UTC),
        # MariaDB 12 has names instead of numbers.
        is_read_only=str(row["is_read_only"]) not in ("0", "OFF"),
        max_packet_bytes=row["max_packet_bytes"],
        has_role=row["role"] != "NONE",
    )


async def name(cur: Cursor) -> tuple[str, ...]:
    """What tells this server from others, whatever the address that leads to it."""
    await cur.execute("SELECT @@hostname AS host, @@port AS port, @@datadir AS directory")
    return tuple(map(str, cur.only_row().values()))


async def exists(cur: Cursor, database: str) -> bool:
    """True if there is such a database and the user may see it."""
    return bool(await cur.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (database,)))


async def missing_rights(cur: Cursor, database: str, rights: Sequence[str]) -> list[str]:
    """Those of these rights that the connection's user has neither to all databases nor to this one."""
    await cur.execute(
        f"""
        SELECT privilege_type AS name FROM information_schema.user_privileges
        WHERE grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''',
                               SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
              AND privilege_type IN ({each(rights)})
        UNION
        SELECT privilege_type AS name FROM information_schema.schema_privileges
        WHERE grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''',
                               SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
              AND %s LIKE table_schema AND privilege_type IN ({each(rights)})
        """,  # noqa: S608 - only placeholders are put in
        (*rights, database, *rights),
    )
    granted = {row["name"] for row in cur.rows()}
    return [right for right in rights if right not in granted]


async def columns_of_other_encodings(cur: Cursor, database: str) -> list[str]:
    """The columns of documents, jobs and pages whose text is neither UTF-8 nor ASCII."""
    await cur.execute(
        """
        SELECT CONCAT(table_name, '.', column_name) AS name FROM information_schema.columns
        WHERE table_schema = %s AND table_name IN ('documents', 'jobs', 'pages')
              AND character_set_name NOT IN ('utf8mb4', 'ascii')
        """,
        (database,),
    )
    return [row["name"] for row in cur.rows()]
