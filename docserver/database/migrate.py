"""Applies the numbered files of `sql/` to the database, in order and once each, under a lock."""

import asyncio
import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NoReturn

from pymysql.err import InternalError, OperationalError, ProgrammingError

import docserver
from docserver.backoff import doubling
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.driver import UNTRUSTED, connect
from docserver.database.faults import CONTENTION, CUT, FAULTS, NO_WRITES
from docserver.database.tables import needed_migrations
from docserver.errors import DatabaseUnavailable
from docserver.settings import Settings

log = logging.getLogger("docserver.migrate")

LOCK = "docserver.migrate"
LOCK_S = 60
"""Longest wait for another process that is migrating. Only a change of a large table takes longer than moments."""

STATEMENT_S = 600.0
"""Longest time for one statement. It is this long because a statement may rebuild a large table."""

TABLE_LOCK_S = 2
"""Longest wait of a statement for a table that others use, such as a backup. Whoever asks for the table meanwhile waits
behind it, and clients' reads may take 5 s. After it the migration is tried again."""

STARTUP_S = 600.0
"""Longest wait for the database at start. A database that starts at the same time and has to recover its files takes
some minutes."""

OWN_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS migrations (
        number      INT          NOT NULL PRIMARY KEY,
        name        VARCHAR(100) NOT NULL,
        finished_at DATETIME(6)  NULL          -- NULL while it is applied, and if it was interrupted
    ) ENGINE = InnoDB
    """,
    """
    CREATE TABLE IF NOT EXISTS needed_migrations (
        number INT NOT NULL PRIMARY KEY        -- a version that does not know it cannot use the database
    ) ENGINE = InnoDB
    """,
)
"""The tables about migrations: see docs/migrations.md. No migration makes them: older versions know only the first."""

PAUSE_S = (0.2, 3.0)
"""First and longest pause between tries while the database is not ready."""

REFUSED = frozenset({1044, 1045, 1049, 1059, 1102, 1698, UNTRUSTED})
"""Error numbers for access denied, an unknown database, an impossible name of one, and an untrusted certificate.
Waiting does not help."""

ANSWERS = (*FAULTS, ProgrammingError)
"""Errors of connecting, and of creating the database. An impossible name is a ProgrammingError."""

PASSING = frozenset({*CONTENTION, *NO_WRITES, *CUT, 1317})
"""Error numbers after which waiting may help. 1317: somebody killed the query."""


class MigrationError(Exception):
    """The database cannot be changed to the current schema; the message says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """All migrations of this version of docserver, in order."""
    files = [
        Migration(int(name[1]), name[2], file.read_text())
        for file in _directory().iterdir()
        if (name := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name))
    ]
    return sorted(files, key=lambda migration: migration.number)


async def migrate(settings: Settings) -> list[int]:
    """Create the database if it does not exist, and apply the missing migrations; returns the numbers applied.

    If the database does not answer or is read-only, waits for at most STARTUP_S. Raises MigrationError, SettingsError.
    """
    address = Address.parse(settings.mysql_url)
    await asyncio.to_thread(address.check_files)
    until = time.monotonic() + STARTUP_S
    pauses_s = doubling(*PAUSE_S)
    while True:
        try:
            return await _migrate(address, until=until)
        except FAULTS as error:
            pause_s = next(pauses_s)
            if not _passes(error) or time.monotonic() + pause_s > until:
                raise MigrationError(f"the database cannot be migrated: {reason(error)}") from error
            log.info("waiting for the database", extra={"fault": type(error).__name__, "number": _number(error)})
        await asyncio.sleep(pause_s)


async def _migrate(address: Address, *, until: float) -> list[int]:
    await _create_database(address, until=until)
    connection = await _connect(address, database=address.database, script=True, until=until)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute("SET SESSION lock_wait_timeout = %s", (TABLE_LOCK_S,))
            await cursor.execute("SELECT GET_LOCK(%s, %s) AS locked", (LOCK, LOCK_S))
            if not (await cursor.fetchone())["locked"]:
                raise MigrationError("another process has been migrating the database for a minute; try again later")
            return await _apply_missing(cursor)
    finally:
        # Closing the connection releases the lock.
        connection.close()


async def _apply_missing(cursor: Any) -> list[int]:
    for table in OWN_TABLES:
        await cursor.execute(table)
    missing = await find_missing(cursor)
    for migration in missing:
        log.info("migrating", extra={"number": migration.number, "migration": migration.name})
        await cursor.execute(
            "REPLACE INTO migrations (number, name) VALUES (%s, %s)", (migration.number, migration.name)
        )
        await cursor.execute(migration.sql)
        while await cursor.nextset():
            pass
        await cursor.execute(
            "UPDATE migrations SET finished_at = UTC_TIMESTAMP(6) WHERE number = %s", (migration.number,)
        )
    return [migration.number for migration in missing]


async def find_missing(cursor: Any) -> list[Migration]:
    """The migrations that the database lacks, in order.

    Raises MigrationError if a newer version has taken away something that this version uses.
    """
    await cursor.execute("SELECT number, finished_at FROM migrations")
    rows = await cursor.fetchall()
    known = migrations()
    newest_known = known[-1].number
    if any(row["number"] > newest_known for row in rows):
        await _require_usable(cursor, newest_known)
    done = {row["number"] for row in rows if row["finished_at"] is not None}
    return [migration for migration in known if migration.number not in done]


async def _require_usable(cursor: Any, newest_known: int) -> None:
    """Raise MigrationError if this version cannot work with a database that a newer version has migrated."""
    await cursor.execute("SELECT MAX(number) AS needed FROM needed_migrations")
    needed = (await cursor.fetchone())["needed"] or 0
    if needed > newest_known:
        raise _outdated(needed, newest_known)
    log.info("the database is of a newer version, and can be used", extra={"number": newest_known})


async def until_outdated(db: Database, *, pause_s: float) -> NoReturn:
    """Raise MigrationError as soon as a newer version takes away something that this version uses."""
    newest_known = migrations()[-1].number
    while True:
        with suppress(DatabaseUnavailable):
            async with db.session() as cur:
                needed = await needed_migrations.newest(cur)
            if needed > newest_known:
                raise _outdated(needed, newest_known)
        await asyncio.sleep(pause_s)


def _outdated(needed: int, newest_known: int) -> MigrationError:
    return MigrationError(
        f"the database is of a newer version, which needs migration {needed}, and this version ends with "
        f"{newest_known}; upgrade docserver"
    )


async def _create_database(address: Address, *, until: float) -> None:
    """Create the database if it is missing and the user has the right to. If not, connecting to it fails later."""
    connection = await _connect(address, database=None, until=until)
    try:
        async with connection.cursor() as cursor:
            # MySQL lets CREATE DATABASE IF NOT EXISTS wait for all transactions, and new connections wait behind it.
            sql = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
            if not await cursor.execute(sql, (address.database,)):
                await cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{address.database.replace('`', '``')}`")
    except ANSWERS as error:
        log.info("database not created", extra={"fault": type(error).__name__})
    finally:
        connection.close()


async def _connect(address: Address, *, database: str | None, script: bool = False, until: float) -> Any:
    """Open a connection; raises ConnectionError if the server may accept one later, MigrationError if it never will."""
    try:
        async with asyncio.timeout(max(PAUSE_S[0], until - time.monotonic())):
            return await connect(address, timeout_s=STATEMENT_S, database=database, script=script)
    except ANSWERS as error:
        if _number(error) in REFUSED:
            raise MigrationError(f"the database cannot be used: {reason(error)}") from error
        raise ConnectionError(*error.args) from error


def _passes(error: BaseException) -> bool:
    """True if waiting may help: the connection broke, or the server refuses only for the time being."""
    return not isinstance(error, OperationalError | InternalError) or _number(error) in PASSING


def reason(error: BaseException) -> str:
    """The server's error number or the type of error. The error's text is left out: it may contain addresses or SQL."""
    number = _number(error)
    if number == UNTRUSTED:
        return f"error {number}: it has no TLS, or its certificate is not trusted for this host"
    if number in REFUSED:
        return f"error {number}: it refuses this user, password or database"
    return f"error {number}" if number else type(error).__name__


def _number(error: BaseException) -> int | None:
    return error.args[0] if error.args and isinstance(error.args[0], int) else None


def _directory() -> Traversable:
    """The directory `sql/`. It is inside an installed package, and beside the package in a checkout."""
    packaged = resources.files(docserver) / "sql"
    return packaged if packaged.is_dir() else Path(docserver.__file__).parent.parent / "sql"
