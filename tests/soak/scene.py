"""What the faults of a soak strike: an API with a slot and two workers, on servers and a directory of their own."""

import asyncio
import re
import signal
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.support.fault_launcher import MODULE, Fault, arguments
from tests.support.fragile_servers import Servers
from tests.support.processes import children
from tests.support.service import Service, environment_of

DATABASE = "docserver_soak"
REDIS_NUMBER = 0
API = "api"
WORKERS = ("worker 1", "worker 2")
OFTEN = Fault("docserver.maintenance:FILES_EVERY_S", sets=0.1)

SETTINGS = {
    "slots": "1",
    "mysql_timeout_s": "2",
    "redis_timeout_s": "0.5",
    "lease_s": "3",
    "maintenance_s": "0.5",
    "page_timeout_s": "20",
    # Within minutes a page may be struck as often as elsewhere in years.
    "page_tries": "10",
    "grace_s": "3",
    "rate_limit": "off",
    "deduplicate": "off",
}


@dataclass
class Scene:
    servers: Servers
    data_dir: Path
    port: int
    running: dict[str, Service] = field(default_factory=dict)
    ended: list[Service] = field(default_factory=list)

    async def start(self, name: str, *, faults: tuple[Fault, ...] = (), **settings: str) -> Service:
        """Start the API or a worker under its name."""
        environment = environment_of(
            mysql_url=self.servers.mysql_url(DATABASE),
            redis_url=self.servers.redis_url(REDIS_NUMBER),
            data_dir=self.data_dir,
            port=str(self.port),
            **{**SETTINGS, **settings},
        )
        args = () if name == API else ("--worker-only",)
        if faults:
            service = Service(environment, arguments=(arguments(*faults), *args), module=MODULE)
        else:
            service = Service(environment, arguments=args)
        self.running[name] = service
        return await service.start()

    async def start_all(self) -> None:
        for name in (API, *WORKERS):
            await self.start(name)

    async def end(self, name: str, way: signal.Signals) -> None:
        service = self.running.pop(name)
        await service.stop(way)
        self.ended.append(service)

    async def end_all(self, way: signal.Signals = signal.SIGTERM) -> None:
        await asyncio.gather(*(self.end(name, way) for name in tuple(self.running)))

    async def kill_all(self) -> None:
        """Whatever became of them, those that are frozen too."""
        for service in self.services:
            await service.stop(signal.SIGKILL)

    def client(self) -> aiohttp.ClientSession:
        """Of a client, who survives restarts of the API."""
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self.port}", timeout=aiohttp.ClientTimeout(total=30), raise_for_status=False
        )

    @property
    def services(self) -> list[Service]:
        """All that there were."""
        return [*self.ended, *self.running.values()]

    async def sql(self, statement: str, *arguments_: object) -> list[dict[str, object]]:
        return await self.servers.sql(statement.replace("{}", DATABASE), *arguments_)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process holds."""

    descriptors: Counter[str]
    """How many, by what they lead to."""
    children: int
    memory_mb: float


def usage(service: Service) -> Usage:
    process = Path(f"/proc/{service.pid}")
    resident = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return Usage(
        descriptors=_descriptors(process),
        children=len(children(service.pid)),
        memory_mb=int(resident.split()[1]) / 1000,
    )


def _descriptors(process: Path) -> Counter[str]:
    held: Counter[str] = Counter()
    for descriptor in (process / "fd").iterdir():
        # One that was closed meanwhile leads nowhere.
        with suppress(FileNotFoundError):
            held[re.sub(r"[:/]?\[?[0-9]+\]?$", "", str(descriptor.readlink()))] += 1
    return held


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
