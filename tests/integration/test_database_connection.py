"""The connection pool and its transactions, on a real server and on one that misbehaves."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from pymysql.err import IntegrityError

from docserver.caller import DEFAULT_TENANT
from docserver.database import driver
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.faults import DAMAGED
from docserver.database.tables import deletions
from docserver.database.tables.deletions import Deletion
from docserver.errors import DatabaseUnavailable
from docserver.settings import Settings
from tests.support.connections import MakeDatabase, connection_id, one, remembered


@pytest.mark.parametrize("number", DAMAGED)
async def test_a_table_that_is_damaged_is_an_outage_that_says_what_to_do(db: Database, number: int) -> None:
    with pytest.raises(DatabaseUnavailable, match="restore the database from a backup"):
        async with db.session() as cur:
            await cur.execute("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %s", (number,))


async def test_a_transaction_is_seen_by_others_once_it_is_over(db: Database) -> None:
    document_id = uuid4()

    async with db.transaction() as cur:
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))
        before = await remembered(db, document_id)

    assert before is False
    assert await remembered(db, document_id)


async def test_a_transaction_whose_block_raises_leaves_nothing_and_its_connection_is_used_again(
    make_db: MakeDatabase,
) -> None:
    db = make_db(size=1)
    document_id = uuid4()
    used: list[int] = []

    with pytest.raises(KeyError):
        async with db.transaction() as cur:
            used.append(await connection_id(cur))
            await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))
            raise KeyError

    async with db.session() as cur:
        used.append(await connection_id(cur))
    assert used[0] == used[1]
    assert not await remembered(db, document_id)


async def test_a_statement_that_breaks_a_constraint_undoes_its_transaction_and_is_no_outage(db: Database) -> None:
    first, second = uuid4(), uuid4()
    async with db.session() as cur:
        await deletions.remember(cur, Deletion(first, DEFAULT_TENANT, []))

    with pytest.raises(IntegrityError):
        async with db.transaction() as cur:
            await deletions.remember(cur, Deletion(second, DEFAULT_TENANT, []))
            await deletions.remember(cur, Deletion(first, DEFAULT_TENANT, []))

    assert not await remembered(db, second)


async def test_a_transaction_reads_what_others_committed_meanwhile(db: Database) -> None:
    document_id = uuid4()

    async with db.transaction() as cur:
        before = await deletions.was_deleted(cur, document_id, tenant=DEFAULT_TENANT)
        async with db.session() as other:
            await deletions.remember(other, Deletion(document_id, DEFAULT_TENANT, []))
        after = await deletions.was_deleted(cur, document_id, tenant=DEFAULT_TENANT)

    assert (before, after) == (False, True)


async def test_a_connection_that_is_used_again_has_no_stale_view(make_db: MakeDatabase) -> None:
    reader, writer = make_db(size=1), make_db(size=1)
    document_id = uuid4()
    assert not await remembered(reader, document_id)

    async with writer.session() as cur:
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))

    assert await remembered(reader, document_id)


async def test_a_session_commits_each_statement_by_itself(db: Database) -> None:
    document_id = uuid4()

    async with db.session() as cur:
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))
        assert await remembered(db, document_id)


async def test_a_transaction_that_a_session_left_open_reaches_nobody_else(make_db: MakeDatabase) -> None:
    db = make_db(size=1)
    document_id = uuid4()
    async with db.session() as cur:
        first = await connection_id(cur)
        await cur.execute("BEGIN")
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))

    async with db.session() as cur:
        assert await connection_id(cur) != first
    assert not await remembered(db, document_id)


async def test_a_session_is_strict_in_utc_and_counts_rows_that_it_found_unchanged(db: Database) -> None:
    document_id = uuid4()
    async with db.session() as cur:
        assert await one(cur, "SELECT @@session.time_zone") == "+00:00"
        assert "STRICT_ALL_TABLES" in await one(cur, "SELECT @@session.sql_mode")
        assert await one(cur, "SELECT @@session.innodb_lock_wait_timeout") == driver.LOCK_WAIT_S
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))
        changed = await cur.execute("UPDATE deleted_documents SET id = id WHERE id = %s", (document_id.bytes,))

    assert changed == 1


async def test_a_transaction_that_is_cancelled_leaves_nothing(db: Database) -> None:
    document_id = uuid4()
    inside = asyncio.Event()

    async def linger() -> None:
        async with db.transaction() as cur:
            await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(linger())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    # The row can be written again at once: its lock went with the connection.
    async with db.session() as cur:
        await deletions.remember(cur, Deletion(document_id, DEFAULT_TENANT, []))


async def test_the_same_address_without_its_database_can_be_connected_to(settings: Settings) -> None:
    address = replace(Address.parse(settings.mysql_url), database="")

    connection = await driver.connect(address, timeout_s=5, database=None)

    try:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT DATABASE() AS found")
            assert await cursor.fetchone() == {"found": None}
    finally:
        connection.close()
