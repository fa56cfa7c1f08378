"""What `docserver doctor` says of servers that are not as they should be."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.driver import connect
from docserver.database.tables import webhook_endpoints
from docserver.database.tables.server import Server
from docserver.doctor import database, outgoing, redis
from docserver.doctor.findings import Finding, Status
from docserver.doctor.replica import check_replica
from docserver.encryption import Encryption
from docserver.identity import identify
from docserver.model import new_id
from docserver.redis.client import Redis
from docserver.settings import Settings
from docserver.webhook_types import Fault
from docserver.webhooks.addresses import Guard
from docserver.webhooks.client import Client
from tests.support.receiver import Receiver
from tests.support.webhooks import LOCAL

KEY = "k" * 32
PASSWORD = "Un3asy-pass"
EMPTY = "docserver_not_replicated"


async def all_of(found: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in found]


def described(**facts: object) -> Server:
    usual = Server("8.4.3", datetime.now(UTC), is_read_only=False, max_packet_bytes=1 << 26, has_role=False)
    return replace(usual, **facts)  # type: ignore[arg-type]


@pytest.fixture
async def reader(settings: Settings) -> AsyncIterator[Settings]:
    """Settings with a database user who may only read."""
    address = Address.parse(settings.mysql_url)
    connection = await connect(address, timeout_s=10, database=None)
    async with connection.cursor() as cursor:
        await cursor.execute("DROP USER IF EXISTS 'doctors_reader'@'%'")
        await cursor.execute(f"CREATE USER 'doctors_reader'@'%' IDENTIFIED BY '{PASSWORD}'")
        await cursor.execute(f"GRANT SELECT ON `{address.database}`.* TO 'doctors_reader'@'%'")
    host = f"{address.host}:{address.port}"
    socket = f"?unix_socket={quote(address.unix_socket)}" if address.unix_socket else ""
    yield replace(settings, mysql_url=f"mysql://doctors_reader:{PASSWORD}@{host}/{address.database}{socket}")
    async with connection.cursor() as cursor:
        await cursor.execute("DROP USER 'doctors_reader'@'%'")
    connection.close()


async def test_rights_that_are_missing_are_named(reader: Settings) -> None:
    rights = [finding for finding in await all_of(database.check_database(reader)) if finding.subject == "rights"]

    assert [finding.status for finding in rights] == [Status.PROBLEM]
    assert "lacks INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES" in rights[0].detail


async def test_a_wrong_password_is_told_from_a_server_that_is_away(reader: Settings, tmp_path: Path) -> None:
    wrong = replace(reader, mysql_url=reader.mysql_url.replace(PASSWORD, "other"))
    away = replace(reader, mysql_url=f"mysql:///x?unix_socket={quote(str(tmp_path / 'nobody'))}")

    (refused,), (silent,) = [await all_of(database.check_database(each)) for each in (wrong, away)]

    assert (refused.status, silent.status) == (Status.PROBLEM, Status.PROBLEM)
    assert refused.remedy.startswith("correct the user and the password")
    assert silent.remedy.startswith("start it")


async def test_a_database_that_is_not_there_yet_is_not_a_problem(settings: Settings) -> None:
    address = Address.parse(settings.mysql_url)
    absent = replace(settings, mysql_url=settings.mysql_url.replace(f"/{address.database}", "/not_there_yet"))

    (finding,) = [each for each in await all_of(database.check_database(absent)) if each.subject == "tables"]

    assert (finding.status, finding.detail) == (Status.WARNING, "there is no database not_there_yet")


async def test_the_data_directory_is_joined_or_will_be(settings: Settings) -> None:
    before = await all_of(database.check_database(settings))
    assert not settings.data_dir.exists()
    await identify(settings)
    after = await all_of(database.check_database(settings))

    assert ["joined by the next start" in finding.detail for finding in before].count(True) == 1
    assert ["belong together" in finding.detail for finding in after].count(True) == 1


async def test_a_bucket_that_cannot_be_used_is_no_fault_of_the_database(settings: Settings) -> None:
    await identify(settings)
    for url in ("s3://docs?endpoint=http://127.0.0.1:1&access_key_id=k&secret_access_key=s", "s3://docs?colour=blue"):
        given = replace(settings, storage_url=url, storage_timeout_s=0.5)

        findings = await all_of(database.check_database(given))

        assert {finding.status for finding in findings if finding.subject == "database"} <= {Status.OK}
        (identity,) = [finding for finding in findings if finding.subject == "identity"]
        assert (identity.status, identity.remedy) == (Status.WARNING, "see what is said of the storage")
        assert any(finding.subject == "secret key" for finding in findings)


async def test_what_is_named_as_a_replica_and_is_none_is_told(settings: Settings) -> None:
    await identify(settings)
    address = Address.parse(settings.mysql_url)
    connection = await connect(address, timeout_s=10, database=None)
    said = {address.database: "it is the primary itself", EMPTY: "it has no tables", "not_there": "error 1049"}
    remedies = {"not_there": "correct the name of the database in "}
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(f"CREATE DATABASE {EMPTY}")
        for name, detail in said.items():
            url = settings.mysql_url.replace(f"/{address.database}", f"/{name}")
            *_, finding = await all_of(check_replica(replace(settings, mysql_replica_url=url)))

            assert detail in finding.detail
            assert finding.status is Status.WARNING
            assert finding.remedy.startswith(f"{remedies.get(name, 'correct ')}DOCSERVER_MYSQL_REPLICA_URL; until then")
    finally:
        async with connection.cursor() as cursor:
            await cursor.execute(f"DROP DATABASE {EMPTY}")
        connection.close()


@pytest.fixture
async def webhook(settings: Settings, receiver: Receiver) -> AsyncIterator[None]:
    """The database has a webhook, whose secret is encrypted with KEY."""
    db = Database(settings.mysql_url, size=1, timeout_s=10)
    endpoint = webhook_endpoints.NewEndpoint(
        id=new_id(),
        tenant="default",
        job_id=None,
        batch_id=None,
        url=receiver.url(),
        receiver=bytes(16),
        events=(),
        secret=Encryption([KEY]).encrypt("whsec_"),
    )
    async with db.session() as cur:
        await webhook_endpoints.insert(cur, endpoint)
    yield
    async with db.session() as cur:
        await webhook_endpoints.delete(cur, endpoint.id, tenant="default")
    await db.close()


@pytest.mark.parametrize(
    ("secret_key", "status"),
    [(KEY, Status.OK), (f"{'n' * 32},{KEY}", Status.OK), ("x" * 32, Status.PROBLEM), ("", Status.PROBLEM)],
)
async def test_a_key_that_does_not_decrypt_the_secrets_of_webhooks_is_a_problem(
    secret_key: str, status: Status, settings: Settings, webhook: None
) -> None:
    given = replace(settings, secret_key=secret_key)

    (finding,) = [each for each in await all_of(database.check_database(given)) if each.subject == "secret key"]

    assert finding.status is status
    assert not settings.data_dir.exists()


async def test_receivers_of_webhooks_are_connected_to_and_get_nothing(
    settings: Settings, webhook: None, receiver: Receiver
) -> None:
    allowed = replace(settings, webhook_networks=LOCAL, webhook_ports=(receiver.port,))

    (reached,), (refused,), (off,) = [
        await all_of(outgoing.check_webhooks(given))
        for given in (allowed, settings, replace(settings, webhook_connections=0))
    ]

    assert (reached.status, reached.detail) == (Status.OK, "receivers reached: 1 of 1")
    assert (refused.status, refused.detail) == (Status.WARNING, "receivers reached: 0 of 1 (address 1)")
    assert "DOCSERVER_WEBHOOK_NETWORKS" in refused.remedy
    assert off.status is Status.OK
    assert receiver.received == []


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://127.0.0.1:1/", Fault.CONNECTION),
        ("http://nobody.invalid/", Fault.NAME),
        ("http://10.0.0.1/", Fault.ADDRESS),
    ],
)
async def test_what_is_in_the_way_of_a_webhook_is_named(url: str, fault: Fault) -> None:
    client = Client(Guard(LOCAL, ()), timeout_s=5, connections=1)

    assert await client.reach(url) is fault

    await client.close()


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("8.4.3", Status.OK),
        ("9.5.0", Status.OK),
        ("11.8.3-MariaDB-1", Status.OK),
        ("8.0.40", Status.WARNING),
        ("10.5.29-MariaDB", Status.WARNING),
    ],
)
def test_an_old_database_is_warned_of(version: str, status: Status) -> None:
    assert database._version(described(version=version)).status is status


def test_a_clock_that_is_minutes_away_is_warned_of() -> None:
    finding = database._clock(described(now=datetime.now(UTC) - timedelta(minutes=3)))

    assert (finding.status, finding.detail) == (Status.WARNING, "180 s away from the database's")


@pytest.mark.parametrize(
    ("limit", "policy", "status"),
    [
        ("0", "noeviction", Status.OK),
        ("256mb", "volatile-lru", Status.OK),
        ("256mb", "allkeys-lru", Status.WARNING),
        ("256mb", "noeviction", Status.WARNING),
    ],
)
async def test_what_redis_drops_when_its_memory_is_full_is_checked(
    limit: str, policy: str, status: Status, settings: Settings
) -> None:
    client = Redis(settings.redis_url, timeout_s=5)
    before = [await client.command("CONFIG", "GET", name) for name in ("maxmemory", "maxmemory-policy")]
    try:
        await client.command("CONFIG", "SET", "maxmemory", limit, "maxmemory-policy", policy)
        findings = await all_of(redis.check_redis(settings))
    finally:
        for name, value in (reply if isinstance(reply, list) else next(iter(reply.items())) for reply in before):
            await client.command("CONFIG", "SET", name, value)
        await client.close()

    assert [finding.status for finding in findings] == [Status.OK, status, Status.OK]


async def test_a_database_that_redis_does_not_have_is_no_redis_that_does_not_answer(settings: Settings) -> None:
    url = f"{settings.redis_url.partition('?')[0]}?db=99999"

    (finding,) = await all_of(redis.check_redis(replace(settings, redis_url=url)))

    assert finding.status is Status.WARNING
    assert finding.detail.startswith("answers, and refuses")
    assert "its database" in finding.remedy


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("colour=blue", "an option with a wrong name or value"),
        ("ssl_ca=/nothing", "a wrong ssl_ca: the file cannot be read (No such file or directory)"),
    ],
)
async def test_a_url_that_cannot_be_used_is_a_problem_of_its_own_setting(
    settings: Settings, options: str, reason: str
) -> None:
    with_option = replace(settings, mysql_replica_url=f"mysql://h/x?{options}")
    without = replace(settings, mysql_url=f"mysql://h/x?{options}")

    (of_replica,) = await all_of(check_replica(with_option))
    (of_primary,) = await all_of(database.check_database(without))

    assert (of_replica.subject, of_primary.subject) == ("replica", "database")
    for finding, setting in ((of_replica, "DOCSERVER_MYSQL_REPLICA_URL"), (of_primary, "DOCSERVER_MYSQL_URL")):
        assert finding.status is Status.PROBLEM
        assert finding.detail.startswith(setting)
        assert reason in finding.detail


@pytest.mark.parametrize(
    ("host", "version", "said"),
    [
        ("db.example", "TLSv1.3", ["ok       database: encrypted by TLSv1.3"]),
        ("db.example", None, ["warning  database: the connection is not encrypted"]),
        ("127.0.0.1", None, []),
    ],
)
def test_a_connection_over_a_network_should_be_encrypted(host: str, version: str | None, said: list[str]) -> None:
    connection: Any = SimpleNamespace(tls_version=version)

    findings = database.encryption(connection, Address.parse(f"mysql://{host}/x"), "database")

    assert [str(finding).partition(";")[0] for finding in findings] == said
