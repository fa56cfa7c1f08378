"""MySQL that dies, freezes, refuses, locks or ends a connection: uploads are told so, and nothing accepted is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from pymysql.err import OperationalError

from docserver.database.address import Address
from docserver.database.driver import connect
from tests.faults.place import Place
from tests.support.fragile_servers import PASSWORD, USER, Servers, freeze, kill, thaw
from tests.support.held_ocr import held, ocr_processes, send
from tests.support.samples import png
from tests.support.service import form
from tests.support.waiting import in_time, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCK_WAIT_TIMEOUT, DEADLOCK = 1205, 1213

MOST_CONNECTIONS = 10


async def kill_connections(hurt: Servers, place: Place) -> int:
    """End all connections of the services of a place; returns how many."""
    async with as_root(hurt, place) as cursor:
        return await end_connections(cursor, place)


async def end_connections(root: Any, place: Place) -> int:
    await root.execute(
        "SELECT id FROM information_schema.processlist WHERE user = %s AND db = %s", (USER, place.database)
    )
    rows = await root.fetchall()
    for row in rows:
        with suppress(OperationalError):
            await root.execute(f"KILL CONNECTION {row['id']}")
    return len(rows)


@asynccontextmanager
async def as_root(hurt: Servers, place: Place) -> AsyncIterator[Any]:
    """A cursor of a connection that stays open, and with it what it has locked."""
    address = Address.parse(f"mysql:///?unix_socket={hurt.database.socket}")
    connection = await connect(address, timeout_s=60, database=place.database)
    try:
        async with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@asynccontextmanager
async def _dead(hurt: Servers, place: Place) -> AsyncIterator[None]:
    await kill(hurt.database)
    yield
    await hurt.database.start()


@asynccontextmanager
async def _frozen(hurt: Servers, place: Place) -> AsyncIterator[None]:
    freeze(hurt.database)
    yield
    thaw(hurt.database)


@asynccontextmanager
async def _read_only(hurt: Servers, place: Place) -> AsyncIterator[None]:
    await hurt.sql("SET GLOBAL read_only = 1")
    yield
    await hurt.sql("SET GLOBAL read_only = 0")


@asynccontextmanager
async def _crowded(hurt: Servers, place: Place) -> AsyncIterator[None]:
    """Others take all connections that there are, but root's."""
    await hurt.sql(f"SET GLOBAL max_connections = {MOST_CONNECTIONS}")
    address = Address.parse(f"mysql://{USER}:{PASSWORD}@localhost/?unix_socket={hurt.database.socket}")
    async with AsyncExitStack() as stack:
        root = await stack.enter_async_context(as_root(hurt, place))
        taken = 1
        # One that was ended takes its place until it is gone, and the service is as quick to take it as this is.
        while taken < MOST_CONNECTIONS:
            try:
                stack.callback((await connect(address, timeout_s=5, database=None)).close)
                taken += 1
            except OperationalError:
                await end_connections(root, place)
        yield


@asynccontextmanager
async def _locked_out(hurt: Servers, place: Place) -> AsyncIterator[None]:
    await hurt.sql(f"ALTER USER {USER}@localhost ACCOUNT LOCK")
    await kill_connections(hurt, place)
    yield
    await hurt.sql(f"ALTER USER {USER}@localhost ACCOUNT UNLOCK")


@asynccontextmanager
async def _backed_up(hurt: Servers, place: Place) -> AsyncIterator[None]:
    """As for a backup: all writes wait."""
    async with as_root(hurt, place) as cursor:
        await cursor.execute("FLUSH TABLES WITH READ LOCK")
        yield


@asynccontextmanager
async def _refused(hurt: Servers, place: Place) -> AsyncIterator[None]:
    hurt.mysql.refuse()
    yield


@asynccontextmanager
async def _swallowed(hurt: Servers, place: Place) -> AsyncIterator[None]:
    hurt.mysql.swallow()
    yield


@asynccontextmanager
async def _unheard(hurt: Servers, place: Place) -> AsyncIterator[None]:
    """It carries out what it is told, but nobody hears of it."""
    hurt.mysql.swallow(requests=False)
    yield


@asynccontextmanager
async def _spoiled(hurt: Servers, place: Place) -> AsyncIterator[None]:
    hurt.mysql.spoil()
    yield


@asynccontextmanager
async def _slow(hurt: Servers, place: Place) -> AsyncIterator[None]:
    hurt.mysql.delay(0.8)
    yield


Fault = Callable[[Servers, Place], Any]

FAULTS: dict[str, Fault] = {
    "is dead": _dead,
    "is frozen": _frozen,
    "is read-only": _read_only,
    "has no connection left": _crowded,
    "locks its user out": _locked_out,
    "locks its tables for a backup": _backed_up,
    "refuses connections": _refused,
    "hears nothing": _swallowed,
    "is not heard": _unheard,
    "talks nonsense": _spoiled,
    "is too slow": _slow,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_uploads_get_503_in_time_and_what_was_read_is_saved_later_when_mysql(
    place: Place, hurt: Servers, fault: str
) -> None:
    service = await place.start(lease_s="30")
    ocr = await ocr_processes(service)
    # Enough that they are not all read before the signal, on a busy machine too.
    early = await place.must_upload(service, pages=16)
    await service.logged("page read", job_id=early.job_id, page=1)
    send(ocr, signal.SIGSTOP)
    async with FAULTS[fault](hurt, place):
        async with (
            in_time(),
            service.http.post("/v1/documents/upload-document", data=form(png(), "note.png")) as response,
        ):
            problem = await response.json()
        cached = await service.job(early.job_id)
        async with service.http.get("/livez") as alive:
            pass
        send(ocr, signal.SIGCONT)
        await service.logged("database fault", job_id=early.job_id)

    assert (response.status, problem["code"]) == (503, "database_unavailable")
    assert "Retry-After" in response.headers
    assert (cached["status"], alive.status) == ("processing", 200)
    await hurt.heal()
    await place.must_upload(service)
    # The commit may have been heard although its answer was not.
    await place.assert_kept(service, uncertain=1 if fault == "is not heard" else 0)


async def test_when_it_is_killed_and_starts_again_at_once_documents_go_on(place: Place, hurt: Servers) -> None:
    service = await place.start()
    for _ in range(2):
        await place.must_upload(service, pages=2)
        await kill(hurt.database)
        await hurt.database.start()

    await place.assert_kept(service)


async def test_when_it_ends_all_connections_again_and_again_documents_go_on(place: Place, hurt: Servers) -> None:
    service = await place.start()
    ended = 0
    for _ in range(5):
        await place.upload(service, pages=2)
        ended += await kill_connections(hurt, place)

    assert ended
    assert place.accepted
    await place.assert_kept(service)


async def test_an_outage_longer_than_the_lease_costs_no_document(place: Place, hurt: Servers) -> None:
    service = await place.start(lease_s="1")
    async with held(service):
        await place.must_upload(service, pages=2)
        await place.claimed()
        # Not before its first heartbeat is it certain that the worker asks for nothing else.
        first = await place.one("SELECT lease_until FROM {}.jobs")
        await until(lambda: _extended(place, first))
        await kill(hurt.database)
        for _ in range(4):
            service.lines.clear()
            await service.logged("leases not extended")
    await hurt.database.start()

    await place.assert_kept(service)


async def _extended(place: Place, since: datetime) -> bool:
    return bool(await place.one("SELECT lease_until FROM {}.jobs") > since)


async def test_a_service_that_starts_before_it_waits_for_it(place: Place, hurt: Servers) -> None:
    await kill(hurt.database)
    starting = asyncio.create_task(place.start())
    await until(lambda: _waits(place))

    await hurt.database.start()

    service = await starting
    await place.must_upload(service)
    await place.assert_kept(service)


async def _waits(place: Place) -> bool:
    return bool(place.services and place.services[0].find("waiting for the database"))


async def test_a_row_that_stays_locked_for_too_long_is_written_later(place: Place, hurt: Servers) -> None:
    service = await place.start(mysql_timeout_s="10", lease_s="30")
    async with as_root(hurt, place) as cursor:
        async with held(service):
            await place.must_upload(service, pages=2)
            await place.claimed()
            await cursor.execute("BEGIN")
            await cursor.execute("SELECT id FROM jobs FOR UPDATE")
        await service.logged("database fault", number=LOCK_WAIT_TIMEOUT)

    await place.assert_kept(service)


async def test_the_victim_of_a_deadlock_tries_again(place: Place, hurt: Servers) -> None:
    # Neither heartbeat nor maintenance come in between, which would wait for the same rows.
    service = await place.start(mysql_timeout_s="10", lease_s="300", maintenance_s="300")
    async with as_root(hurt, place) as cursor:
        made = await place.must_upload(service, pages=8)
        await service.logged("page read", job_id=made.job_id)
        async with held(service):
            await until(lambda: _page_claimed(place))
            await cursor.execute("BEGIN")
            # The server ends the transaction that has written less.
            for _ in range(20):
                await cursor.execute(
                    "INSERT INTO deleted_documents (id, deleted_at, job_ids) VALUES (%s, NOW(), JSON_ARRAY())",
                    (uuid4().bytes,),
                )
            await cursor.execute("SELECT number FROM pages FOR UPDATE")
        # The server looks anew only if nobody has asked for 0.1 s.
        await until(lambda: _somebody_waits(hurt), pause_s=0.2)
        await cursor.execute("SELECT id FROM jobs FOR UPDATE")
        await cursor.execute("ROLLBACK")

    await service.logged("database fault", number=DEADLOCK)
    await place.assert_kept(service)


async def _page_claimed(place: Place) -> bool:
    return bool(await place.one("SELECT COUNT(*) FROM {}.pages WHERE claim IS NOT NULL"))


async def _somebody_waits(hurt: Servers) -> bool:
    return bool(await hurt.sql("SELECT 1 FROM information_schema.innodb_lock_waits"))
