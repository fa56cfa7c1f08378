"""An API, three workers, MySQL, Redis and S3, each on a host of its own, that lose one another while documents flow."""

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
    settings: dict[str, Any]
    services: dict[str, Service] = field(default_factory=dict)
    refused: int = 0

    async def start(self, name: str) -> None:
        arguments = () if name == "api" else ("--worker-only",)
        slots = "0" if name == "api" else "1"
        directory = self.place.data_dir.with_name(name)
        self.services[name] = await self.place.start(
            *arguments, on=self.hosts[name], slots=slots, data_dir=directory, **self.settings
        )

    async def upload(self, *, pages: int = 1) -> None:
        """An upload that may be refused, as long as nobody can take it."""
        if await self.place.upload(self.services["api"], pages=pages) is None:
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
async def scene(place: Place, hosts: dict[str, Host], s3: S3Server, tmp_path: Path) -> AsyncIterator[Scene]:
    """All seven at work, and a host to spare."""
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
            await made.start(name)
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


DEAF = (
    (("first", "mysql"),),
    (("mysql", "second"),),
    (("mysql", "api"),),
    (("api", "redis"), ("redis", "api")),
    (("third", "redis"),),
    (("first", "s3"),),
    (("s3", "api"),),
)
"""Which hosts hear nothing of which others, one case after the other."""


async def test_nothing_is_lost_doubled_or_stuck_while_hosts_lose_each_other_and_die(scene: Scene) -> None:
    place, api = scene.place, scene.services["api"]
    for pairs in DEAF:
        async with _survived(scene):
            for deaf, other in pairs:
                scene.hosts[deaf].hears_nothing_of(scene.hosts[other])
    async with _survived(scene):
        scene.hosts["mysql"].loses(0.2)
    async with _survived(scene):
        scene.hosts["s3"].becomes_slow(400)

    # A host that dies takes leave of nobody.
    await scene.upload(pages=6)
    await place.claimed()
    scene.hosts["first"].unplug()
    await place.kill(scene.services["first"])
    await scene.upload()
    await scene.start("spare")

    await place.assert_kept(api, uncertain=scene.refused)
    assert scene.refused < len(place.accepted)
    assert await scene.services["spare"].stop(signal.SIGTERM) == 0


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
