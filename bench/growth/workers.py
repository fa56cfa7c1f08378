"""Several workers at work on one database: pages per second, what each costs, and how long a single picture takes."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from statistics import median

import aiohttp

from bench.growth.backlog import Backlog, Kind
from bench.growth.counters import Counters
from bench.growth.servers import Measured
from bench.server import TOP, BenchError, free_port
from bench.usage import cpu_s

KIND = Kind("documents of 20 pages of 10 tenants", pages=20, tenants=10)
BACKLOG = 20_000
"""Pages that wait before each measurement, more than can be read in its time."""

SLOTS = 8
"""Pages at the same time of each worker."""

PAGE_S = 0.01
"""How long a page takes: a worker could read 640 pages a second."""

WARM_UP_S, MEASURED_S = 5.0, 20.0

START_S = 60.0
"""Longest start of the processes. The machine may be busy."""

PNG = b"\x89PNG\r\n\x1a\n"
"""The beginning of a picture, which is all that an API looks at."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What so many workers did together."""

    workers: int
    per_second: float
    """Pages that were claimed, read and saved."""
    page: Counters
    """The costs of one of them."""
    worker_cpu_ms: float
    """CPU time of the workers for each page."""
    picture_ms: float
    """Median time from the upload of a single picture to its end, beside the backlog."""

    @property
    def picture_turns(self) -> float:
        """That time, as a multiple of the time that a slot takes for each page of the backlog."""
        return self.picture_ms / 1000 * self.per_second / (self.workers * SLOTS)


async def measure(measured: Measured, *, workers: int) -> Throughput:
    """Let this many workers read a backlog, while one client uploads single pictures and waits for each."""
    resources = measured.resources
    backlog = Backlog(resources.maintenance_db, resources.queue, KIND)
    await resources.redis.command("FLUSHALL")
    await backlog.clear()
    await backlog.fill(BACKLOG)
    port = free_port()
    with _processes(measured, port=port, workers=workers) as pids:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            await _started(measured, session)
            await asyncio.sleep(WARM_UP_S)
            latencies_s: list[float] = []
            client = asyncio.create_task(_upload_pictures(session, latencies_s))
            pages, worker_s, before, began = (
                await _pages_done(measured),
                _cpu_s(pids),
                await measured.counters(),
                time.perf_counter(),
            )
            await asyncio.sleep(MEASURED_S)
            counters, elapsed_s = (await measured.counters()).since(before), time.perf_counter() - began
            worker_s = _cpu_s(pids) - worker_s
            pages = await _pages_done(measured) - pages
            client.cancel()
            with suppress(asyncio.CancelledError):
                await client
    return Throughput(
        workers=workers,
        per_second=pages / elapsed_s,
        page=counters.per(pages),
        worker_cpu_ms=1000 * worker_s / pages,
        picture_ms=1000 * median(latencies_s),
    )


@contextmanager
def _processes(measured: Measured, *, port: int, workers: int) -> Iterator[list[int]]:
    """An API and workers; the ids of the workers."""
    settings = measured.resources.settings
    given = {
        "MYSQL_URL": settings.mysql_url,
        "REDIS_URL": settings.redis_url,
        "DATA_DIR": settings.data_dir,
        "PORT": port,
        "RATE_LIMIT": "off",
        "DEDUPLICATE": "off",
        "SANDBOX": "off",
        "LOG_LEVEL": "ERROR",
    }
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
    environment |= {f"DOCSERVER_{name}": str(value) for name, value in given.items()}
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, slots: int) -> int:
        command = [sys.executable, "-m", *arguments]
        started.append(subprocess.Popen(command, cwd=TOP, env={**environment, "DOCSERVER_SLOTS": str(slots)}))
        return started[-1].pid

    try:
        start("docserver", slots=0)
        yield [start("bench.growth.recognition", str(PAGE_S), slots=SLOTS) for _ in range(workers)]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


async def _started(measured: Measured, session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(START_S):
        while await _pages_done(measured) == 0 or not await _is_ready(session):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.2)


async def _is_ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _upload_pictures(session: aiohttp.ClientSession, latencies_s: list[float]) -> None:
    """Upload one picture after the other, and note how long each takes to its end."""
    for number in itertools.count():
        form = aiohttp.FormData()
        form.add_field("file", PNG + str(number).encode(), filename="picture.png")
        began = time.perf_counter()
        async with session.post("/v1/documents/upload-document", data=form, headers={"Prefer": "wait=60"}) as response:
            job = await response.json()
            if job.get("status") != "completed":
                raise BenchError(f"the picture was not read: {job}")
        latencies_s.append(time.perf_counter() - began)


async def _pages_done(measured: Measured) -> int:
    async with measured.resources.maintenance_db.session() as cur:
        await cur.execute("SELECT COALESCE(SUM(pages_done), 0) AS pages FROM jobs")
        return int(cur.only_row()["pages"])


def _cpu_s(pids: list[int]) -> float:
    return sum(map(cpu_s, pids))
