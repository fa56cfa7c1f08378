"""Applies the numbered files of `sql/` to the database, in order and once each, under a lock."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pymysql.err import InternalError, OperationalError

import docserver
from docserver.database.connection import FAULTS, Address, connect
from docserver.settings import Settings

log = logging.getLogger("docserver.migrate")

LOCK = "docserver.migrate"
LOCK_S = 60
"""Longest wait for another process that is migrating: the files are small, and only a large table takes long."""

STATEMENT_S = 600.0
"""Longest time for one file; a large table may be rebuilt."""

STARTUP_S = 600.0
"""Longest wait for the database at start: servers that are started together, with a recovery, take some minutes."""

RETRY_S = (0.2, 3.0)
"""First and longest pause between tries to reach a database that is not there yet."""

REFUSED = frozenset({1044, 1045, 1049, 1698})
"""Access denied or unknown database: waiting does not help."""

PASSING = frozenset({1053, 1205, 1213, 1290, 1317, 1792, 1836, 1927, 2006, 2013})
"""Shutdown, lock wait timeout, deadlock, read-only, query or connection killed, connection lost."""

AGAIN_S = 1.0

T = TypeVar("T")


class MigrationError(Exception):
    """The database cannot be brought to the present schema; the message says why."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """All migrations of this version, in order."""
    found = []
    for file in _directory().iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], file.read_text()))
    return sorted(found, key=lambda migration: migration.number)


async def migrate(settings: Settings) -> list[int]:
    """Create the database if need be and apply what is missing; returns the numbers applied.

    Waits for a database that does not answer or cannot be written yet, at most STARTUP_S. Raises
    MigrationError.
    """
    address = Address.parse(settings.mysql_url)
    until = time.monotonic() + STARTUP_S
    while True:
        left_s = until - time.monotonic()
        try:
            return await _migrate(address, timeout_s=left_s)
        except FAULTS as error:
            if not _passes(error) or left_s < AGAIN_S:
                raise MigrationError(f"the database did not take a migration: {_reason(error)}") from error
            log.info("waiting for the database", extra={"fault": type(error).__name__, "number": _number(error)})
        await asyncio.sleep(AGAIN_S)


async def _migrate(address: Address, *, timeout_s: float) -> list[int]:
    await _create_database(address, timeout_s=timeout_s)
    connection = await _reach(
        lambda: connect(address, timeout_s=STATEMENT_S, database=address.database, script=True), timeout_s=timeout_s
    )
    try:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT GET_LOCK(%s, %s) AS locked", (LOCK, LOCK_S))
            if not (await cursor.fetchone())["locked"]:
                raise MigrationError("another process has been migrating the database for a minute; try again later")
            return await _apply_missing(cursor)
    finally:
        # Closing the connection releases the lock.
        connection.close()


async def _apply_missing(cursor: Any) -> list[int]:
    await cursor.execute(
        """
        CREATE TABLE IF NOT EXISTS migrations (
            number      INT          NOT NULL PRIMARY KEY,
            name        VARCHAR(100) NOT NULL,
            finished_at DATETIME(6)  NULL          -- unknown while it is applied, and after it was interrupted
        ) ENGINE = InnoDB
        """
    )
    await cursor.execute("SELECT number FROM migrations WHERE finished_at IS NOT NULL")
    done = {row["number"] for row in await cursor.fetchall()}
    known = migrations()
    if newer := done - {migration.number for migration in known}:
        raise MigrationError(f"the database is of a newer version: it has migration {max(newer)}; upgrade docserver")
    missing = [migration for migration in known if migration.number not in done]
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


async def _create_database(address: Address, *, timeout_s: float) -> None:
    """Create the database; a user who may not is fine as long as it exists, which connecting to it shows."""
    connection = await _reach(lambda: connect(address, timeout_s=STATEMENT_S, database=None), timeout_s=timeout_s)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{address.database.replace('`', '')}`")
    except FAULTS as error:
        log.info("database not created", extra={"fault": type(error).__name__})
    finally:
        connection.close()


async def _reach(attempt: Callable[[], Awaitable[T]], *, timeout_s: float) -> T:
    began = time.monotonic()
    pause_s, longest_s = RETRY_S
    while True:
        try:
            async with asyncio.timeout(max(pause_s, began + timeout_s - time.monotonic())):
                return await attempt()
        except FAULTS as error:
            if _number(error) in REFUSED or time.monotonic() - began + pause_s > timeout_s:
                raise MigrationError(f"the database cannot be used: {_reason(error)}") from error
            log.info("waiting for the database", extra={"fault": type(error).__name__})
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, longest_s)


def _passes(error: BaseException) -> bool:
    """Whether it may do better by itself: the connection broke, or the server is not its usual self yet."""
    return not isinstance(error, OperationalError | InternalError) or _number(error) in PASSING


def _reason(error: BaseException) -> str:
    """The server's error number, or the kind of fault: the text could hold an address or a statement."""
    number = _number(error)
    if number in REFUSED:
        return f"error {number}: it refuses this user, password or database"
    return f"error {number}" if number else type(error).__name__


def _number(error: BaseException) -> int | None:
    return error.args[0] if error.args and isinstance(error.args[0], int) else None


def _directory() -> Traversable:
    """`sql/`: inside the package where it is installed, beside it in a checkout."""
    packaged = resources.files(docserver) / "sql"
    return packaged if packaged.is_dir() else Path(docserver.__file__).parent.parent / "sql"
