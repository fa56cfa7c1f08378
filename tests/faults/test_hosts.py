"""An API, three workers, MySQL, Redis and S3, each on its own host, that lose one another, die and are upgraded."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.faults.place import Place
from tests.support.fragile_servers import PASSWORD, USER
from tests.support.hosts import Host, Refused, network
from tests.support.proxy import Proxy
from tests.support.s3_server import S3Server
from tests.support.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ("api", "first", "second", "third", "spare", "mysql", "redis", "s3")

MYSQL_PORT, REDIS_PORT, S3_PORT = 3306, 6379, 9000


@dataclass
class Scene:
    """The hosts, and what runs on them."""

    place: Place
    hosts: dict[str, Host]
    s3: S3Server
    settings: dict[str, Any]
    services: dict[str, Service] = field(default_factory=dict)
    refused: int = 0

    async def start(self, name: str, *, version: str = "") -> None:
        arguments = () if name in ("api", "spare") else ("--worker-only",)
        slots = "0" if name == "api" else "1"
        directory = self.place.data_dir.with_name(name)
        self.services[name] = await self.place.start(
            *arguments, version=version, on=self.hosts[name], slots=slots, data_dir=directory, **self.settings
        )

    async def upgrade(self, name: str) -> None:
        """Replace a process of the previous release."""
        assert await self.services[name].stop() == 0
        await self.start(name)

    async def lose(self, name: str) -> None:
        """Let a host die, which takes leave of nobody."""
        self.hosts[name].unplug()
        await self.place.kill(self.services[name])

    async def upload(self, *, pages: int = 1, to: str = "api") -> None:
        """An upload that may be refused, as long as nobody can take it."""
        if await self.place.upload(self.services[to], pages=pages) is None:
            self.refused += 1

    def heal(self) -> None:
        for host in self.hosts.values():
            host.heal()


@pytest.fixture(scope="module")
def hosts() -> Iterator[dict[str, Host]]:
    try:
        with network(NAMES) as joined:
            yield {host.name: host for host in joined}
    except Refused as refusal:
        pytest.skip(f"no network namespaces here: {refusal}")


@pytest_asyncio.fixture(loop_scope="session")
async def scene(
    place: Place, hosts: dict[str, Host], s3: S3Server, previous: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    """All seven at work, with the previous release, and a host to spare."""
    servers = place.servers
    async with AsyncExitStack() as stack:
        for name, port, target in (
            ("mysql", MYSQL_PORT, servers.database.socket),
            ("redis", REDIS_PORT, servers.store.socket),
            ("s3", S3_PORT, s3.port),
        ):
            await stack.enter_async_context(_reached(hosts[name], port, target))
        endpoint = quote(f"http://{hosts['s3'].address}:{S3_PORT}")
        made = Scene(
            place,
            hosts,
            s3,
            {
                "mysql_url": f"mysql://{USER}:{PASSWORD}@{hosts['mysql'].address}:{MYSQL_PORT}/{place.database}",
                "redis_url": f"redis://{hosts['redis'].address}:{REDIS_PORT}/{place.number}",
                "storage_url": f"s3://bucket/{tmp_path.name}?endpoint={endpoint}&region=us-east-1"
                "&access_key_id=test:tester&secret_access_key=testing",
                "storage_timeout_s": "3",
                "secret_key": "k" * 32,
            },
        )
        for name in ("api", "first", "second", "third"):
            await made.start(name, version=previous)
        yield made
        await place.close()
        made.heal()


@asynccontextmanager
async def _reached(host: Host, port: int, target: Path | int) -> AsyncIterator[None]:
    proxy = Proxy(target)
    await proxy.start(host.listener(port))
    try:
        yield
    finally:
        await proxy.close()


DEAF: tuple[tuple[tuple[tuple[str, str], ...], str], ...] = (
    ((("first", "mysql"),), "second"),
    ((("mysql", "second"),), ""),
    ((("mysql", "api"),), "third"),
    ((("api", "redis"), ("redis", "api")), ""),
    ((("third", "redis"),), ""),
    ((("first", "s3"),), "api"),
    ((("s3", "api"),), ""),
)
"""Which hosts hear nothing of which others, one case after the other, and who is upgraded meanwhile."""


async def test_nothing_is_lost_doubled_or_stuck_while_hosts_lose_each_other_die_and_are_upgraded(
    scene: Scene, previous: str
) -> None:
    place = scene.place
    for pairs, upgraded in DEAF:
        async with _survived(scene):
            for deaf, other in pairs:
                scene.hosts[deaf].hears_nothing_of(scene.hosts[other])
            if upgraded:
                await scene.upgrade(upgraded)
    async with _survived(scene):
        scene.hosts["mysql"].loses(0.2)
    async with _survived(scene):
        scene.hosts["s3"].becomes_slow(400)

    # The last of the previous release dies; then the upgrade is taken back, as all hosts of the present one die.
    await scene.upload(pages=6)
    await place.claimed()
    await scene.lose("first")
    await scene.upload()
    await scene.start("spare", version=previous)
    await scene.upload(pages=6)
    await place.claimed()
    for name in ("second", "third", "api"):
        await scene.lose(name)
    await place.redis("FLUSHDB")
    await scene.upload(to="spare")

    await place.assert_kept(scene.services["spare"], uncertain=scene.refused)
    assert scene.refused < len(place.accepted)
    await _assert_all_is_there_once(scene)
    assert await scene.services["spare"].stop(signal.SIGTERM) == 0


async def _assert_all_is_there_once(scene: Scene) -> None:
    ended = "SELECT job_id FROM {}.job_history WHERE step = 'job' GROUP BY job_id, attempt HAVING COUNT(*) <> 1"
    assert await scene.place.sql(ended) == []
    prefix = f"{scene.place.data_dir.parent.name}/originals"
    stored = scene.s3.uploads("").send("GET", query={"list-type": "2", "prefix": prefix})
    assert [upload for upload in scene.place.accepted if upload.document_id not in stored] == []
    assert [line for each in scene.place.services for line in each.lines if line["level"] == "error"] == []


@asynccontextmanager
async def _survived(scene: Scene) -> AsyncIterator[None]:
    """The block strikes while documents flow; when it is healed, all that was accepted comes to its end."""
    await scene.upload(pages=3)
    await scene.place.claimed()
    yield
    await asyncio.gather(*(scene.upload() for _ in range(2)))
    scene.heal()
    for accepted in scene.place.accepted:
        await scene.services["api"].finished(accepted.job_id)
