"""Checks MySQL or MariaDB: reachable, version, rights, clock, tables, and whether it is the data directory's."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

from docserver.database.address import Address
from docserver.database.connection import Cursor
from docserver.database.driver import UNTRUSTED, Connection, connect
from docserver.database.migrate import ANSWERS, REFUSED, MigrationError, find_missing, migrations, reason
from docserver.database.tables import server, webhook_endpoints
from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.encryption import Undecryptable, has_key, open_encryption
from docserver.errors import DatabaseUnavailable, StorageUnavailable
from docserver.identity import check as check_identity
from docserver.settings import Settings, SettingsError, variable
from docserver.storage.identity import IdentityError

OLDEST = {"MariaDB": (10, 11), "MySQL": (8, 4)}
"""The oldest release of each server that docserver is tested with."""

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES")
"""The first four are for all work, the others for migrations."""

CLOCK_S = 5.0
"""A larger difference between this machine's clock and the database's is reported. Clocks that are synchronised differ
by milliseconds."""

PACKET_BYTES = 16_000_000
"""The least limit on the size of a statement: a page of very dense text takes a few megabytes. MariaDB's default is
16 MiB, MySQL's 64."""

UNKNOWN_DATABASE = 1049
"""Error number of a server that has no database of this name."""

SUBJECT = "database"


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    """Everything about the database."""
    connection = await reached(settings, "mysql_url", with_database=False)
    if isinstance(connection, Finding):
        yield connection
        return
    address = Address.parse(settings.mysql_url)
    try:
        cur = Cursor(connection, settings.mysql_timeout_s)
        described = await server.describe(cur)
        yield _version(described)
        if described.is_read_only:
            yield problem(SUBJECT, "it is read-only", "name the primary server in DOCSERVER_MYSQL_URL")
        if described.max_packet_bytes < PACKET_BYTES:
            detail = f"max_allowed_packet is {described.max_packet_bytes} bytes"
            yield warning(SUBJECT, detail, "set max_allowed_packet to 64M, or dense pages may not be saved")
        for finding in encryption(connection, address, SUBJECT):
            yield finding
        yield _clock(described)
        yield await _rights(cur, described, address)
        if not await server.exists(cur, address.database):
            detail = f"there is no database {address.database}"
            yield warning("tables", detail, "start docserver, or run `docserver migrate`, which makes it")
            return
        await connection.select_db(address.database)
        is_complete = True
        async for finding in _tables(connection, cur, address.database):
            is_complete = False
            yield finding
        if is_complete:
            yield ok("tables", f"all {len(migrations())} migrations are applied")
            yield await _identity(settings)
            yield await _secret_key(settings, cur)
    except (*ANSWERS, DatabaseUnavailable) as error:
        yield problem(SUBJECT, f"it stopped answering: {reason(error)}", "look into its log")
    finally:
        connection.close()


async def reached(
    settings: Settings, setting: str, *, subject: str = SUBJECT, with_database: bool = True
) -> Connection | Finding:
    """A connection to the server that a setting names, or why there is none."""
    try:
        address = Address.parse(getattr(settings, setting), setting=setting)
        await asyncio.to_thread(address.check_files, setting=setting)
    except SettingsError as error:
        return problem(subject, str(error), "correct it")
    try:
        database = address.database if with_database else None
        async with asyncio.timeout(settings.mysql_timeout_s):
            return await connect(address, timeout_s=settings.mysql_timeout_s, database=database)
    except ANSWERS as error:
        number = error.args[0] if error.args else None
        remedy = "start it, or correct"
        if number == UNTRUSTED:
            remedy = "correct its certificate, or the host or ssl_ca in"
        elif number == UNKNOWN_DATABASE:
            remedy = "correct the name of the database in"
        elif number in REFUSED:
            remedy = "correct the user and the password in"
        place = address.unix_socket or f"{address.host}:{address.port}"
        return problem(subject, f"cannot be used at {place}: {reason(error)}", f"{remedy} {variable(setting)}")


def encryption(connection: Connection, address: Address, subject: str) -> Iterator[Finding]:
    """Whether a connection over a network is encrypted. Nothing is said of connections within this machine."""
    if version := connection.tls_version:
        yield ok(subject, f"encrypted by {version}")
    elif not address.is_local:
        remedy = "add ssl_ca=… to the URL (docs/mysql.md), unless nobody else can read that network"
        yield warning(subject, "the connection is not encrypted", remedy)


def _version(described: server.Server) -> Finding:
    name = "MariaDB" if "mariadb" in described.version.lower() else "MySQL"
    number = re.match(r"\d+(\.\d+)*", described.version)
    version = tuple(map(int, number[0].split("."))) if number else ()
    detail = f"{name} {number[0] if number else described.version}"
    if version < OLDEST[name]:
        oldest = ".".join(map(str, OLDEST[name]))
        return warning(SUBJECT, detail, f"upgrade it: docserver is tested with {name} {oldest} and later")
    return ok(SUBJECT, detail)


def _clock(described: server.Server) -> Finding:
    difference_s = abs((described.now - datetime.now(UTC)).total_seconds())
    if difference_s < CLOCK_S:
        return ok("clock", "agrees with the database's")
    return warning(
        "clock",
        f"{difference_s:.0f} s away from the database's",
        "synchronise both by NTP: times of jobs are the database's, those of logs this machine's",
    )


async def _rights(cur: Cursor, described: server.Server, address: Address) -> Finding:
    if described.has_role:
        return ok("rights", "by a role, which is not looked into")
    missing = await server.missing_rights(cur, address.database, RIGHTS)
    if not missing:
        return ok("rights", "all that work and migrations need")
    grant = f"GRANT ALL ON {address.database}.* TO the user of DOCSERVER_MYSQL_URL"
    return problem("rights", f"the user lacks {', '.join(missing)}", grant)


async def _tables(connection: Any, cur: Cursor, database: str) -> AsyncIterator[Finding]:
    """What is wrong with the tables. Nothing if all is well."""
    remedy = "run `docserver migrate`; every start does this too"
    try:
        async with connection.cursor() as cursor:
            missing = await find_missing(cursor)
    except MigrationError as error:
        detail, _, remedy = str(error).partition("; ")
        yield problem("tables", detail, remedy)
        return
    except ANSWERS as error:
        yield warning("tables", f"no migration is applied ({reason(error)})", remedy)
        return
    if missing:
        yield warning("tables", f"migrations {', '.join(str(each.number) for each in missing)} are missing", remedy)
    if columns := await server.columns_of_other_encodings(cur, database):
        yield problem("tables", f"{', '.join(columns)} do not store UTF-8", "restore the database from a backup")


async def _identity(settings: Settings) -> Finding:
    subject = "identity"
    try:
        joined = await check_identity(settings)
    except IdentityError as error:
        detail, _, remedy = str(error).partition(": ")
        return problem(subject, detail, remedy)
    except (StorageUnavailable, SettingsError, OSError):
        return warning(subject, "not compared, because the storage cannot be used", "see what is said of the storage")
    if joined:
        return ok(subject, "data directory and database belong together")
    return ok(subject, "data directory and database are joined by the next start")


async def _secret_key(settings: Settings, cur: Cursor) -> Finding:
    """Whether the key decrypts what the database keeps encrypted: the secrets of webhooks."""
    subject = "secret key"
    remedy = "restore the file secret_key, or correct DOCSERVER_SECRET_KEY; else rotate the secrets of all webhooks"
    secrets = await webhook_endpoints.oldest_and_newest_secret(cur)
    try:
        if not await asyncio.to_thread(has_key, settings):
            if secrets:
                return problem(subject, "missing, but the database has secrets", remedy)
            return ok(subject, "made by the next start")
        encryption = await asyncio.to_thread(open_encryption, settings)
        for secret in secrets:
            encryption.decrypt(secret)
    except SettingsError as error:
        return problem(subject, str(error), remedy)
    except OSError as error:
        return problem(subject, f"cannot be read ({error.strerror})", "run this as the service's user")
    except Undecryptable:
        return problem(subject, "not the one with which the secrets of the database were encrypted", remedy)
    return ok(subject, "decrypts the secrets of webhooks" if secrets else "there; the database has no secrets yet")
