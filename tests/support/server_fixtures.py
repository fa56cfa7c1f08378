"""Fixtures of the tiers that use servers: private ones for the whole run, emptied for each test."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit, urlunsplit

import pytest
import pytest_asyncio
import redis

from docserver import resources as module
from docserver.database.address import Address
from docserver.database.connection import Database
from docserver.database.driver import connect
from docserver.database.migrate import migrate
from docserver.embedded import servers
from docserver.identity import identify
from docserver.ocr.engine import second_engine
from docserver.redis import subscription
from docserver.resources import Resources, checked_engine, opened
from docserver.settings import TEST_MYSQL_URL, Settings
from tests.support.engines import engine_of, sandbox_of
from tests.support.redis_groups import ONE_SERVER, Group, cluster
from tests.support.s3_server import S3Server, s3_running
from tests.support.servers import Servers
from tests.support.service import Service, environment_of

EMPTYING = """
DELETE FROM batches;
DELETE FROM documents;
DELETE FROM deleted_documents;
DELETE FROM leaders;
DELETE FROM deployment;
DELETE FROM api_keys;
DELETE FROM audit_log;
DELETE FROM idempotency_keys;
DELETE FROM name_parts;
DELETE FROM search_jobs;
DELETE FROM search_pages;
DELETE FROM search_segments;
DELETE FROM search_chunks;
DELETE FROM tenant_deletions;
DELETE FROM webhook_endpoints;
DELETE FROM pages_used;
UPDATE search_index SET generation = 1, is_complete = TRUE, walked_to = REPEAT(CHAR(0), 16);
DELETE FROM bytes_kept WHERE part > 0;
DELETE FROM tenants WHERE name != 'default';
UPDATE tenants
SET weight = 1, pages_per_day = NULL, max_bytes = NULL, max_unfinished_jobs = NULL, max_connections = NULL
"""
"""Deletes the rows of all tables before each test, in an order that foreign keys allow, by one request."""


@pytest.fixture(scope="session", autouse=True)
def models_read_once() -> Iterator[None]:
    """The models of the second engine, 30 MB, are read and hashed once for all tests."""
    with patch.object(module, "second_engine", cache(second_engine)):
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> AsyncIterator[Servers]:
    """A MariaDB (or the MySQL that the environment names) and a Redis, with the schema in place."""
    async with servers(tmp_path_factory.mktemp("servers")) as endpoints:
        given = os.environ.get(TEST_MYSQL_URL)
        mysql_url = _own_database(given, worker_id) if given else endpoints.mysql_url
        await migrate(replace(Settings(), mysql_url=mysql_url))
        yield Servers(mysql_url, endpoints.redis_url)


def _own_database(url: str, worker_id: str) -> str:
    """Tests that run side by side must not share one."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path}_{worker_id}"))


@pytest.fixture
async def empty_servers(running: Servers) -> Servers:
    """The servers, with nothing left of other tests."""
    await empty(running)
    return running


async def empty(running: Servers) -> None:
    """Delete what other tests have left, and which data directory the database belonged to."""
    address = Address.parse(running.mysql_url)
    connection = await connect(address, timeout_s=10, database=address.database, script=True)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(EMPTYING)
            while await cursor.nextset():
                pass
    finally:
        connection.close()
    _redis(running.redis_url).flushall()


@cache
def _redis(url: str) -> redis.Redis:
    """A client for all tests: to make one reads the metadata of its package, which takes as long as many requests."""
    return redis.Redis.from_url(url)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server for all tests that need one."""
    with s3_running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def impatient_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of `impatient`, in a directory that has nothing else."""
    return tmp_path_factory.mktemp("impatient") / "data"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(running: Servers, impatient_dir: Path) -> AsyncIterator[Service]:
    """A service for hostile uploads: it soon gives up, so the files that take any time end within the test's. In the
    end it has logged no error, and no traceback.
    """
    await empty(running)
    environment = environment_of(
        mysql_url=running.mysql_url,
        redis_url=running.redis_url,
        data_dir=impatient_dir,
        slots="2",
        rate_limit="off",
        max_page_mp="20",
        max_pages="1000",
        page_timeout_s="20",
        page_tries="1",
    )
    service = await Service(environment).start()
    yield service
    await service.stop()
    assert service.noise == []
    assert [line for line in service.lines if line["level"] == "error"] == []


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A cluster that stays whole."""
    with cluster(tmp_path_factory.mktemp("cluster")) as group:
        yield group


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, empty_servers: Servers) -> str:
    """An empty Redis: one server, or a cluster for tests that ask for it by `on_a_cluster_too`."""
    if getattr(request, "param", ONE_SERVER) == ONE_SERVER:
        return empty_servers.redis_url
    group: Group = request.getfixturevalue("redis_cluster")
    for primary in group.primaries():
        primary.command("FLUSHALL")
    return group.url


@pytest.fixture
def settings(empty_servers: Servers, redis_url: str, tmp_path: Path) -> Settings:
    """Settings for the empty servers and an empty data directory, with short waits."""
    return replace(
        Settings(),
        data_dir=tmp_path / "data",
        mysql_url=empty_servers.mysql_url,
        redis_url=redis_url,
        slots=2,
        # A busy machine may be slow to answer; tests of slow servers set their own bounds.
        mysql_timeout_s=60.0,
        redis_timeout_s=60.0,
        maintenance_s=0.2,
        grace_s=10.0,
        # Most tests upload the same few bytes, each as a document of its own.
        deduplicate=False,
    )


@pytest.fixture
async def resources(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resources]:
    """Everything opened, nothing running."""
    await identify(settings)
    monkeypatch.setattr(module, "describe_engine", engine_of)
    monkeypatch.setattr(module, "probe_sandbox", sandbox_of)
    # The data directory is a temporary one. To compare it with all that OCR processes may read takes a fifth of the
    # time of a test.
    monkeypatch.setattr(module, "refuse_exposed", lambda *_, **__: None)
    # As with the timeouts of `settings`: what is published while a subscription begins anew is not heard.
    monkeypatch.setattr(subscription, "SILENT_S", 60.0)
    async with opened(settings, await checked_engine(settings)) as all_opened:
        yield all_opened


@pytest.fixture
def db(resources: Resources) -> Database:
    return resources.db
