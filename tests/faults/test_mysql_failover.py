"""A primary of MySQL that turns read-only or dies, and a replica that takes over at the same address."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock, Mock
from uuid import uuid4

import pytest
import pytest_asyncio
from pymysql.err import OperationalError

from docserver.caller import DEFAULT_TENANT
from docserver.database import connection
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.driver import UNTRUSTED, connect
from docserver.database.faults import TakesNoWrites
from docserver.database.migrate import migrate
from docserver.database.tables import leader
from docserver.database.tables.document_lists import Filter
from docserver.doctor.findings import Finding, Status
from docserver.doctor.replica import check_replica
from docserver.documents.queries import document_list
from docserver.documents.search import search
from docserver.identity import identify
from docserver.resources import Resources, opened
from docserver.search.query import parse
from docserver.settings import Settings
from docserver.web.handlers.system import Readiness
from tests.faults.place import Place
from tests.support.connections import one
from tests.support.engines import engine_of
from tests.support.fragile_servers import Servers, kill
from tests.support.replicated import Member, Pair, replicating
from tests.support.rows import make_job
from tests.support.searches import add_document, index, indexer
from tests.support.service import Service
from tests.support.waiting import HANG_S, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_numbers = itertools.count(200)

HOLDER = uuid4()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with replicating(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest_asyncio.fixture(loop_scope="session")
async def place(pair: Pair, hurt: Servers, tmp_path: Path) -> AsyncIterator[Place]:
    """A place in the pair's databases."""
    servers = replace(hurt, mysql=pair.proxy, database=pair.primary.server)
    place = Place(servers, next(_numbers), tmp_path / "data")
    yield place
    await place.close()


async def test_pools_leave_a_server_that_turned_read_only_and_readyz_says_so_if_there_is_no_other(
    pair: Pair, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CHECK_S", -1.0)
    url = resources.settings.mysql_url
    reading, writing = (Database(url, size=1, timeout_s=HANG_S, writes=writes) for writes in (False, True))
    before = await _server(reading), await _server(writing)

    await pair.switch()
    after = await _server(reading), await _server(writing)
    await pair.primary.sql("SET GLOBAL read_only = 1")
    with pytest.raises(TakesNoWrites):
        await writing.ping()
    of_nobody = await _server(reading)
    readiness = Readiness(resources)
    status, states = await readiness.check()

    assert (status, states["mysql"]["status"]) == ("degraded", "read_only")
    assert before[0] == before[1] != after[0] == after[1] == of_nobody
    await pair.primary.sql("SET GLOBAL read_only = 0")
    await writing.ping()
    assert (await readiness.check())[1]["mysql"] == {"status": "ok"}
    # A node of Galera that has lost the others answers no reads either (1047).
    lost = Mock(check_writable=AsyncMock(side_effect=TakesNoWrites("forced")))
    assert (await Readiness(replace(resources, health_db=lost)).check())[1]["mysql"] == {"status": "unavailable"}
    await pair.replica.follow(pair.primary)
    for pool in (reading, writing):
        await pool.close()


async def _server(db: Database) -> int:
    """The number of the server that a pool uses."""
    async with db.session() as cur:
        return int(await one(cur, "SELECT @@server_id"))


@pytest.mark.parametrize(
    ("host", "options"),
    [("127.0.0.1", "ssl_ca={0}"), ("localhost", "ssl_ca={0}&ssl_check_hostname=off")],
    ids=["for its host", "for any host"],
)
async def test_a_connection_is_encrypted_if_the_certificate_is_trusted(pair: Pair, host: str, options: str) -> None:
    url = pair.primary.url.replace("127.0.0.1", host)

    opened = await connect(Address.parse(f"{url}/?{options.format(pair.certificate)}"), timeout_s=HANG_S, database=None)

    try:
        assert opened.tls_version == "TLSv1.3"
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("host", "options"),
    [("127.0.0.1", "ssl=on"), ("localhost", "ssl_ca={0}")],
    ids=["signed by nobody known", "for another host"],
)
async def test_a_server_whose_certificate_is_not_trusted_is_not_used(pair: Pair, host: str, options: str) -> None:
    url = pair.primary.url.replace("127.0.0.1", host)

    with pytest.raises(OperationalError) as refused:
        await connect(Address.parse(f"{url}/?{options.format(pair.certificate)}"), timeout_s=HANG_S, database=None)

    assert refused.value.args[0] == UNTRUSTED


async def test_a_server_without_tls_gets_no_password_where_tls_is_asked_for(hurt: Servers) -> None:
    with pytest.raises(OperationalError) as refused:
        await connect(Address.parse(f"{hurt.mysql_url('')}?ssl=on"), timeout_s=HANG_S, database=None)

    assert refused.value.args[0] == UNTRUSTED


async def test_a_certificate_of_its_own_lets_in_a_user_who_needs_one(pair: Pair) -> None:
    await pair.primary.sql("CREATE USER careful@127.0.0.1 REQUIRE X509")
    url = f"mysql://careful@127.0.0.1:{pair.primary.port}/?ssl_ca={pair.certificate}"

    with pytest.raises(OperationalError):
        await connect(Address.parse(url), timeout_s=HANG_S, database=None)
    own = f"&ssl_cert={pair.certificate}&ssl_key={pair.key}"
    (await connect(Address.parse(url + own), timeout_s=HANG_S, database=None)).close()


async def test_lists_come_from_a_replica_unless_it_is_away_or_behind(pair: Pair, resources: Resources) -> None:
    primary, replica = pair.primary, pair.replica
    await _lead(resources.db, lease_s=HANG_S)
    await _pause_with_a_further_document(replica, primary, resources)
    assert await _listed(resources) == 0, "as the replica has it"

    await replica.sql("START SLAVE SQL_THREAD")
    await _lead(resources.db, lease_s=1)
    await _pause_with_a_further_document(replica, primary, resources)
    await _lead(resources.db, lease_s=HANG_S)
    await until(lambda: _lists_all(resources, 2))

    await replica.sql("START SLAVE SQL_THREAD")
    await _pause_with_a_further_document(replica, primary, resources)
    assert await _listed(resources) == 2, "the replica is used again"
    await kill(replica.server)
    assert await _listed(resources) == 3
    (away,) = await _doctor_says(resources.settings)

    await replica.server.start()
    await replica.sql("SET GLOBAL read_only = 1")
    await replica.caught_up_with(primary)
    well = await _doctor_says(resources.settings)
    await replica.sql("STOP SLAVE SQL_THREAD")
    await _lead(resources.db, lease_s=2 * HANG_S)
    (behind,) = await _doctor_says(resources.settings)
    assert [away.status, behind.status] == [Status.WARNING] * 2
    assert "cannot be used at" in away.detail
    assert "s behind the primary" in behind.detail
    assert [str(finding) for finding in well] == ["ok       replica: read-only, at most 15 s behind the primary"]
    await replica.sql("START SLAVE SQL_THREAD")


async def test_searches_come_from_the_replica_too(pair: Pair, resources: Resources) -> None:
    await _lead(resources.db, lease_s=HANG_S)
    await (await indexer(resources)).walk()
    await pair.replica.caught_up_with(pair.primary)
    await pair.replica.sql("STOP SLAVE SQL_THREAD")
    await add_document(resources.db, "Invoice 4711")
    await index(resources)
    assert await _found(resources) == 0, "as the replica has it"

    await pair.replica.sql("START SLAVE SQL_THREAD")
    await until(lambda: _finds(resources, 1))


async def _found(resources: Resources) -> int:
    part = await search(resources, parse("invoice"), Filter(DEFAULT_TENANT), fuzzy=False, after=None, limit=10)
    return len(part.items)


async def _finds(resources: Resources, pages: int) -> bool:
    return await _found(resources) == pages


async def _doctor_says(settings: Settings) -> list[Finding]:
    return [finding async for finding in check_replica(settings)]


async def _pause_with_a_further_document(replica: Member, primary: Member, resources: Resources) -> None:
    """From now on, the replica has a document less than the primary."""
    await replica.caught_up_with(primary)
    await replica.sql("STOP SLAVE SQL_THREAD")
    await make_job(resources.db)


@pytest_asyncio.fixture(loop_scope="session")
async def resources(pair: Pair, place: Place) -> AsyncIterator[Resources]:
    """Everything opened, with a replica, and nothing running."""
    settings = replace(
        Settings(),
        data_dir=place.data_dir,
        mysql_url=place.servers.mysql_url(place.database),
        mysql_replica_url=f"{pair.replica.url}/{place.database}",
        redis_url=place.servers.redis_url(place.number),
        slots=0,
    )
    await migrate(settings)
    await identify(settings)
    async with opened(settings, await engine_of()) as resources:
        yield resources


async def _lead(db: Database, *, lease_s: float) -> None:
    """As maintenance does in each round."""
    async with db.session() as cur:
        assert await leader.acquire(cur, "maintenance", holder=HOLDER, lease_s=lease_s)


async def _listed(resources: Resources) -> int:
    part = await document_list(resources, Filter(DEFAULT_TENANT), newest_first=True, after=None, limit=10, offset=0)
    return len(part.items)


async def _lists_all(resources: Resources, documents: int) -> bool:
    return await _listed(resources) == documents


async def test_documents_that_flow_during_a_switch_and_a_failover_are_completed_once(pair: Pair, place: Place) -> None:
    url = f"{place.servers.mysql_url(place.database)}?ssl_ca={pair.certificate}"
    service = await place.start(mysql_url=url, mysql_timeout_s="10", lease_s="5")
    flowing = asyncio.Event()
    uploads = asyncio.create_task(_upload_until(flowing, place, service))
    await _further_documents(place)

    former = pair.primary
    await pair.switch()
    place.servers = replace(place.servers, database=pair.primary.server)
    await _further_documents(place)
    assert await _completes_one(place, service), "while connections to the former primary are open"
    await kill(former.server)
    await _further_documents(place)
    await former.server.start()
    await former.follow(pair.primary)
    await _further_documents(place)
    await pair.fail_over()
    place.servers = replace(place.servers, database=pair.primary.server)
    await _further_documents(place)

    flowing.set()
    uncertain = await uploads
    await place.assert_kept(service, uncertain=uncertain)


async def _upload_until(flowing: asyncio.Event, place: Place, service: Service) -> int:
    """Upload documents, a few ahead of those that are read; returns how many were refused."""
    refused = 0
    while not flowing.is_set():
        await until(lambda: flowing.is_set() or len(place.accepted) < _pages_read(service) + 4)
        if await place.upload(service) is None:
            refused += 1
            # As its header Retry-After asks.
            await asyncio.sleep(1)
    return refused


def _pages_read(service: Service) -> int:
    return sum(line["message"] == "page read" for line in service.lines)


async def _further_documents(place: Place) -> None:
    """Wait until further documents are accepted."""
    enough = len(place.accepted) + 2
    await until(lambda: len(place.accepted) >= enough)


async def _completes_one(place: Place, service: Service) -> bool:
    accepted = await place.must_upload(service)
    return bool((await service.finished(accepted.job_id))["status"] == "completed")
