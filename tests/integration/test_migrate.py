"""Migrations, each test in a database of its own on the running server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import orjson
import pytest
from pymysql.err import OperationalError

from docserver.database import migrate as module
from docserver.database.address import Address
from docserver.database.driver import connect
from docserver.database.migrate import Migration, MigrationError, migrate, migrations
from docserver.settings import Settings
from docserver.timestamps import rfc3339
from tests.support.waiting import FOREVER_S, in_time, until

STARTED, ENDED = "2026-11-28T01:02:03.000004Z", "2026-11-28T01:02:04.500000Z"

ALL = [migration.number for migration in migrations()]


@asynccontextmanager
async def connected(url: str, *, database: str | None = None) -> AsyncIterator[Any]:
    connection = await connect(Address.parse(url), timeout_s=10, database=database)
    try:
        async with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@pytest.fixture
async def fresh(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    """Settings that name a database which is not there yet."""
    name = f"docserver_migrate_{uuid4().hex[:8]}"
    url = urlunsplit(urlsplit(settings.mysql_url)._replace(path=f"/{name}"))
    monkeypatch.setattr(module, "STARTUP_S", 5)
    yield replace(settings, mysql_url=url)
    async with connected(url) as cursor:
        await cursor.execute(f"DROP DATABASE IF EXISTS {name}")


def database(settings: Settings) -> str:
    return Address.parse(settings.mysql_url).database


async def query(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Run a statement in the settings' database."""
    async with connected(settings.mysql_url, database=database(settings)) as cursor:
        await cursor.execute(sql)
        rows: list[dict[str, Any]] = list(await cursor.fetchall())
        return rows


async def columns(settings: Settings) -> set[tuple[str, str]]:
    rows = await query(
        settings,
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE()",
    )
    return {(row["t"], row["c"]) for row in rows}


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert list(range(1, len(ALL) + 1)) == ALL
    assert all(migration.sql.strip() and migration.name for migration in migrations())


async def test_from_nothing_the_database_is_made_and_brought_to_the_present_schema(fresh: Settings) -> None:
    assert await migrate(fresh) == ALL

    assert {("documents", "sha256"), ("jobs", "claim"), ("pages", "layout")} <= await columns(fresh)
    rows = await query(fresh, "SELECT number, finished_at FROM migrations ORDER BY number")
    assert [row["number"] for row in rows] == ALL
    assert all(row["finished_at"] is not None for row in rows)


async def test_a_second_run_does_nothing(fresh: Settings) -> None:
    await migrate(fresh)
    before = await query(fresh, "SELECT * FROM migrations")

    assert await migrate(fresh) == []

    assert await query(fresh, "SELECT * FROM migrations") == before


async def test_of_several_runs_at_once_one_applies_and_the_others_wait_for_it(fresh: Settings) -> None:
    applied = await asyncio.gather(*(migrate(fresh) for _ in range(5)))

    assert sorted(applied) == [[], [], [], [], ALL]


async def test_a_migration_that_was_interrupted_is_repeated(fresh: Settings) -> None:
    await migrate(fresh)
    before = await columns(fresh)
    await query(fresh, "UPDATE migrations SET finished_at = NULL")
    await query(fresh, "DROP TABLE pages")

    assert await migrate(fresh) == ALL

    assert await columns(fresh) == before
    assert await query(fresh, "SELECT number FROM migrations WHERE finished_at IS NULL") == []


async def test_a_migration_that_breaks_off_is_told_and_done_whole_by_the_next_run(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "CREATE TABLE IF NOT EXISTS first (x INT);"
    known = [Migration(1, "first", f"{table} SIGNAL SQLSTATE '45000'; CREATE TABLE second (x INT);")]
    monkeypatch.setattr(module, "migrations", lambda: known)

    with pytest.raises(MigrationError, match="cannot be migrated"):
        await migrate(fresh)
    assert ("second", "x") not in await columns(fresh)
    known[:] = [Migration(1, "first", f"{table} CREATE TABLE second (x INT);"), Migration(2, "third", "SELECT 1")]

    assert await migrate(fresh) == [1, 2]
    assert {("first", "x"), ("second", "x")} <= await columns(fresh)


async def test_only_what_is_missing_is_applied_in_order(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [Migration(1, "one", "CREATE TABLE one (x INT)")]
    monkeypatch.setattr(module, "migrations", lambda: known)
    await migrate(fresh)
    known += [
        Migration(2, "two", "ALTER TABLE one ADD y INT"),
        Migration(3, "three", "ALTER TABLE one ADD z INT AFTER y"),
    ]

    assert await migrate(fresh) == [2, 3]

    assert {("one", "x"), ("one", "y"), ("one", "z")} <= await columns(fresh)


async def test_the_history_of_jobs_is_moved_into_rows_whole_however_often_that_is_begun(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrations()
    monkeypatch.setattr(module, "migrations", lambda: whole[:2])
    await migrate(fresh)
    monkeypatch.setattr(module, "migrations", lambda: whole)
    old = [
        {"attempt": 1, "step": "page", "page": 3, "outcome": "failed", "code": "page_timeout", "started_at": STARTED},
        {"attempt": 2, "step": "job", "page": None, "outcome": "cancelled", "code": None, "started_at": None},
    ]
    history = orjson.dumps([{**entry, "ended_at": ENDED} for entry in old]).decode()
    await query(
        fresh,
        "INSERT INTO documents (id, job_id, filename, content_type, size, sha256, client, created_at)"
        " VALUES ('d', 'j', 'a.png', 'image/png', 1, 'x', 'c', NOW())",
    )
    for job_id, value in (("j", history), ("k", "[]")):
        await query(
            fresh,
            "INSERT INTO jobs (id, document_id, status, version, options, history, request_id, run_after, created_at)"
            f" VALUES ('{job_id}', 'd', 'pending', 1, '{{}}', '{value}', 'r', NOW(), NOW())",
        )
    moved, *_ = whole[2].sql.partition("SET @change = (\n    SELECT IF(COUNT(*) = 0, 'DO 0', 'ALTER TABLE")
    interrupted = replace(whole[2], sql=f"{moved} SIGNAL SQLSTATE '45000'")
    with monkeypatch.context() as broken, pytest.raises(MigrationError):
        broken.setattr(module, "migrations", lambda: [*whole[:2], interrupted])
        await migrate(fresh)

    assert await migrate(fresh) == ALL[2:]

    rows = await query(fresh, "SELECT * FROM job_history ORDER BY number")
    assert [tuple(row[name] for name in ("number", "attempt", "step", "page", "outcome", "code")) for row in rows] == [
        (1, 1, "page", 3, "failed", "page_timeout"),
        (2, 2, "job", None, "cancelled", None),
    ]
    assert [(rfc3339(row["started_at"]), rfc3339(row["ended_at"])) for row in rows] == [(STARTED, ENDED), (None, ENDED)]
    assert {("jobs", "history"), ("jobs", "losses")}.isdisjoint(await columns(fresh))


async def test_the_bytes_that_tenants_have_kept_so_far_are_counted(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrations()
    monkeypatch.setattr(module, "migrations", lambda: whole[:7])
    await migrate(fresh)
    monkeypatch.setattr(module, "migrations", lambda: whole)
    await query(fresh, "INSERT INTO tenants (name, created_at) VALUES ('acme', NOW())")
    for document_id, size, tenant in (("d", 5, "acme"), ("e", 7, "acme"), ("f", 11, "default")):
        await query(
            fresh,
            "INSERT INTO documents (id, job_id, filename, content_type, size, sha256, client, created_at, tenant)"
            f" VALUES ('{document_id}', 'j', 'a.png', 'image/png', {size}, 'x', 'c', NOW(), '{tenant}')",
        )

    await migrate(fresh)

    rows = await query(fresh, "SELECT tenant, bytes FROM bytes_kept ORDER BY tenant")
    assert [(row["tenant"], row["bytes"]) for row in rows] == [("acme", 12), ("default", 11)]


NEWER = max(ALL) + 7


@pytest.mark.parametrize("finished_at", ["NOW()", "NULL"])
async def test_a_database_that_a_newer_version_has_only_added_to_is_used_and_left_as_it_is(
    fresh: Settings, finished_at: str
) -> None:
    await migrate(fresh)
    await query(fresh, f"INSERT INTO needed_migrations (number) VALUES ({max(ALL)})")
    await query(fresh, f"INSERT INTO migrations (number, name, finished_at) VALUES ({NEWER}, 'x', {finished_at})")
    before = await query(fresh, "SELECT * FROM migrations")

    assert await migrate(fresh) == []

    assert await query(fresh, "SELECT * FROM migrations") == before


@pytest.mark.parametrize("finished_at", ["NOW()", "NULL"])
async def test_a_database_from_which_a_newer_version_took_what_this_one_uses_is_refused_and_left_as_it_is(
    fresh: Settings, finished_at: str
) -> None:
    await migrate(fresh)
    await query(fresh, f"INSERT INTO needed_migrations (number) VALUES ({max(ALL) + 1})")
    await query(fresh, f"INSERT INTO migrations (number, name, finished_at) VALUES ({NEWER}, 'x', {finished_at})")
    before = await query(fresh, "SELECT * FROM migrations")

    with pytest.raises(MigrationError, match=f"needs migration {max(ALL) + 1}.*; upgrade docserver"):
        await migrate(fresh)

    assert await query(fresh, "SELECT * FROM migrations") == before


async def test_a_server_that_cannot_be_written_for_a_while_is_waited_for(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", (0.01, 0.01))
    real, faults = module._migrate, [OperationalError(1290, "read-only"), OperationalError(2013, "lost")]

    async def once(address: Address, *, until: float) -> list[int]:
        if faults:
            raise faults.pop()
        return await real(address, until=until)

    monkeypatch.setattr(module, "_migrate", once)

    assert await migrate(fresh) == ALL


async def test_the_lock_is_free_again_after_a_run_that_failed(fresh: Settings) -> None:
    await migrate(fresh)
    await query(fresh, "INSERT INTO migrations (number, name, finished_at) VALUES (9999, 'x', NOW())")
    await query(fresh, "INSERT INTO needed_migrations (number) VALUES (9999)")
    with pytest.raises(MigrationError):
        await migrate(fresh)
    await query(fresh, "DELETE FROM needed_migrations")

    async with in_time():
        assert await migrate(fresh) == []


async def test_a_database_that_is_not_there_in_time_is_told_in_one_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTUP_S", 1)
    url = f"mysql://ann:s3cret@localhost/x?unix_socket={quote(str(tmp_path / 'none'))}"

    async with in_time():
        with pytest.raises(MigrationError) as refused:
            await migrate(replace(settings, mysql_url=url))

    message = str(refused.value)
    assert "\n" not in message
    assert "s3cret" not in message
    assert str(tmp_path) not in message


async def test_a_server_that_keeps_silent_is_given_up_in_time_and_left(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTUP_S", 1)
    left = asyncio.Queue[None]()

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
            left.put_nowait(None)
        finally:
            writer.close()

    socket = tmp_path / "silent"
    async with await asyncio.start_unix_server(keep_silent, str(socket)), in_time():
        url = f"mysql:///x?unix_socket={quote(str(socket))}"
        with pytest.raises(MigrationError):
            await migrate(replace(settings, mysql_url=url))

        await left.get()


async def test_a_migration_that_waits_for_a_table_lets_others_use_it_meanwhile(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [Migration(1, "one", "CREATE TABLE one (x INT)")]
    monkeypatch.setattr(module, "migrations", lambda: known)
    monkeypatch.setattr(module, "STARTUP_S", FOREVER_S)
    await migrate(fresh)
    known += [Migration(2, "two", "ALTER TABLE one ADD y INT")]

    async def is_waiting() -> bool:
        sql = "SELECT 1 FROM information_schema.processlist WHERE state LIKE '%metadata lock%' AND info LIKE 'ALTER%'"
        return bool(await query(fresh, sql))

    async with connected(fresh.mysql_url, database=database(fresh)) as backup, in_time():
        await backup.execute("BEGIN")
        await backup.execute("SELECT * FROM one")
        migrating = asyncio.create_task(migrate(fresh))
        await until(is_waiting)

        assert await query(fresh, "SELECT x FROM one") == []

        assert not migrating.done()
        await backup.execute("COMMIT")
        assert await migrating == [2]


async def test_a_start_does_not_wait_for_a_backup(fresh: Settings) -> None:
    await migrate(fresh)
    async with connected(fresh.mysql_url, database=database(fresh)) as backup, in_time():
        await backup.execute("BEGIN")
        for table in sorted({table for table, _ in await columns(fresh)}):
            await backup.execute(f"SELECT * FROM {table} LIMIT 1")

        assert await migrate(fresh) == []


async def test_a_server_that_comes_up_late_is_waited_for(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def connect_at_the_third_try(*arguments: Any, **options: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError
        return await connect(*arguments, **options)

    monkeypatch.setattr(module, "connect", connect_at_the_third_try)
    monkeypatch.setattr(module, "PAUSE_S", (0.01, 0.02))

    assert await migrate(fresh) == ALL


@pytest.fixture
async def user(fresh: Settings) -> AsyncIterator[str]:
    """The url of a user who may use the database of `fresh`, but not make it."""
    name = f"docserver_{uuid4().hex[:8]}"
    async with connected(fresh.mysql_url) as cursor:
        await cursor.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'right'")
        await cursor.execute(f"CREATE USER '{name}'@'localhost' IDENTIFIED BY 'right'")
        for host in ("%", "localhost"):
            await cursor.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP"
                f" ON `{database(fresh)}_granted`.* TO '{name}'@'{host}'"
            )
    parts = urlsplit(fresh.mysql_url)
    host = parts.netloc.rpartition("@")[2] or "localhost"
    yield urlunsplit(parts._replace(netloc=f"{name}:right@{host}", path=f"{parts.path}_granted"))
    async with connected(fresh.mysql_url) as cursor:
        await cursor.execute(f"DROP USER '{name}'@'%', '{name}'@'localhost'")
        await cursor.execute(f"DROP DATABASE IF EXISTS `{database(fresh)}_granted`")


async def test_a_user_who_may_not_make_databases_migrates_the_one_that_is_there(fresh: Settings, user: str) -> None:
    async with connected(fresh.mysql_url) as cursor:
        await cursor.execute(f"CREATE DATABASE `{database(fresh)}_granted`")

    assert await migrate(replace(fresh, mysql_url=user)) == ALL


@pytest.mark.parametrize("name", ["x" * 65, "ends with a space%20"])
async def test_an_impossible_name_of_the_database_is_told_without_waiting(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(module, "STARTUP_S", FOREVER_S)
    url = urlunsplit(urlsplit(fresh.mysql_url)._replace(path=f"/{name}"))

    async with in_time():
        with pytest.raises(MigrationError, match="refuses this user, password or database"):
            await migrate(replace(fresh, mysql_url=url))


async def test_a_wrong_password_or_database_is_told_without_waiting(
    fresh: Settings, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTUP_S", FOREVER_S)
    forbidden = user.replace("_granted", "_forbidden")

    async with in_time():
        for url in (user.replace("right", "wrong"), forbidden):
            with pytest.raises(MigrationError, match="refuses this user, password or database"):
                await migrate(replace(fresh, mysql_url=url))
