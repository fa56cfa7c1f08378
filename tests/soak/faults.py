"""The faults of a soak: each strikes, lasts for a while and heals; which, when and how long the seed alone decides."""

import asyncio
import os
import random
import resource
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from tests.soak.scene import API, DATABASE, WORKERS, Scene
from tests.support.fragile_servers import freeze, kill, restart_empty, thaw
from tests.support.processes import children
from tests.support.proxy import Cut, Proxy

GAP_S = (0.3, 3.0)
LASTS_S = (0.2, 4.0)
"""From less than any timeout to longer than a lease."""

Strike = Callable[[Scene, random.Random], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def killed(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    name = rng.choice((API, *WORKERS))
    await scene.end(name, signal.SIGKILL)
    yield
    await scene.start(name)


@asynccontextmanager
async def stopped(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    name = rng.choice((API, *WORKERS))
    await scene.end(name, signal.SIGTERM)
    yield
    await scene.start(name)


@asynccontextmanager
async def frozen(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    pid = scene.running[rng.choice((API, *WORKERS))].pid
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def ocr_killed(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    for pid in children(scene.running[rng.choice(WORKERS)].pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield


@asynccontextmanager
async def ocr_frozen(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    pids = children(scene.running[rng.choice(WORKERS)].pid)
    for way in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, way)
        if way is signal.SIGSTOP:
            yield


@asynccontextmanager
async def scratch_deleted(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    for directory in sorted((scene.data_dir / "scratch").glob("*/slot-*")):
        shutil.rmtree(directory, ignore_errors=True)
    yield


@asynccontextmanager
async def disk_full(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    """For the API alone, which may write no byte to a file."""
    pid = scene.running[API].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@asynccontextmanager
async def redis_emptied(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await scene.servers.admin("FLUSHALL")
    yield


@asynccontextmanager
async def redis_restarted_empty(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await restart_empty(scene.servers.store, scene.servers.directory)
    yield


@asynccontextmanager
async def redis_dead(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await kill(scene.servers.store)
    yield
    await scene.servers.store.start()


@asynccontextmanager
async def redis_frozen(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    freeze(scene.servers.store)
    yield
    thaw(scene.servers.store)


@asynccontextmanager
async def redis_full(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await scene.servers.admin("CONFIG", "SET", "maxmemory", "1")
    yield
    await scene.servers.admin("CONFIG", "SET", "maxmemory", "0")


@asynccontextmanager
async def redis_read_only(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await scene.servers.admin("REPLICAOF", "127.0.0.1", 1)
    yield
    await scene.servers.admin("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def mysql_dead(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await kill(scene.servers.database)
    yield
    await scene.servers.database.start()


@asynccontextmanager
async def mysql_frozen(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    freeze(scene.servers.database)
    yield
    thaw(scene.servers.database)


@asynccontextmanager
async def mysql_read_only(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    await scene.servers.sql("SET GLOBAL read_only = 1")
    yield
    await scene.servers.sql("SET GLOBAL read_only = 0")


@asynccontextmanager
async def mysql_connections_killed(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    for row in await scene.servers.sql("SELECT id FROM information_schema.processlist WHERE db = %s", DATABASE):
        with suppress(Exception):
            await scene.servers.sql(f"KILL CONNECTION {row['id']}")
    yield


@asynccontextmanager
async def commit_cut(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
    """Some commits are cut off before the server hears them, others before the client hears of them."""
    for _ in range(rng.randint(1, 4)):
        scene.servers.mysql.trap(b"COMMIT", rng.choice(tuple(Cut)))
    yield


def _network(choose: Callable[[Scene], Proxy]) -> Strike:
    @asynccontextmanager
    async def hurt(scene: Scene, rng: random.Random) -> AsyncIterator[None]:
        proxy = choose(scene)
        way = rng.choice(("cut", "refuse", "swallow", "unheard", "delay", "spoil"))
        ways: dict[str, Callable[[], None]] = {
            "cut": proxy.cut,
            "refuse": proxy.refuse,
            "swallow": proxy.swallow,
            "unheard": lambda: proxy.swallow(requests=False),
            "delay": lambda: proxy.delay(rng.uniform(0.05, 1.5)),
            "spoil": lambda: proxy.spoil(rng.randrange(1000)),
        }
        ways[way]()
        yield
        proxy.heal()
        if way in ("swallow", "unheard", "spoil"):
            proxy.cut()

    return hurt


ON_PROCESSES: Mapping[str, Strike] = {
    "a process is killed": killed,
    "a process is stopped": stopped,
    "a process is frozen": frozen,
    "OCR processes are killed": ocr_killed,
    "OCR processes are frozen": ocr_frozen,
    "scratch directories are deleted": scratch_deleted,
    "the API's disk is full": disk_full,
}

ON_SERVERS: Mapping[str, Strike] = {
    "Redis is emptied": redis_emptied,
    "Redis starts anew": redis_restarted_empty,
    "Redis is dead": redis_dead,
    "Redis is frozen": redis_frozen,
    "Redis is full": redis_full,
    "Redis is read-only": redis_read_only,
    "Redis's network": _network(lambda scene: scene.servers.redis),
    "MySQL is dead": mysql_dead,
    "MySQL is frozen": mysql_frozen,
    "MySQL is read-only": mysql_read_only,
    "MySQL's connections are killed": mysql_connections_killed,
    "commits are cut": commit_cut,
    "MySQL's network": _network(lambda scene: scene.servers.mysql),
}


async def strike(
    scene: Scene, strikes: Mapping[str, Strike], rng: random.Random, stop: asyncio.Event, struck: Counter[str]
) -> None:
    """One fault after the other until told to stop; the last one heals as well."""
    while not stop.is_set():
        await _rest(rng.uniform(*GAP_S), stop)
        name = rng.choice(sorted(strikes))
        # Drawn before, so that a fault that ends early leaves the others as they were.
        lasts_s, own = rng.uniform(*LASTS_S), random.Random(rng.random())
        async with strikes[name](scene, own):
            await _rest(lasts_s, stop)
        struck[name] += 1


async def _rest(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
