"""Cancel and delete while a page is being read on another instance: it is killed at once and leaves nothing."""

import asyncio
import random
from functools import cache
from pathlib import Path
from typing import Any

from docserver.caller import DEFAULT_TENANT
from docserver.jobs.leases import HEARTBEATS_PER_LEASE
from docserver.redis.cache import job_key
from docserver.redis.client import Redis
from docserver.redis.queue import JOBS
from tests.support.processes import alive, children, ocr_processes, until_gone
from tests.support.samples import png
from tests.support.servers import Servers
from tests.support.service import Service, Start
from tests.support.waiting import until

TICKS = 50
"""Half a second of CPU: no process needs it to start, so a page is being read."""


@cache
def slow_page() -> bytes:
    """A page full of small words that takes some ten seconds to read."""
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [" ".join("".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(28)) for _ in range(160)]
    return png("\n".join(lines))


def ticks(pids: set[int]) -> int:
    """The CPU time that the processes have used, in the kernel's clock ticks: proc(5), utime and stime."""
    used = 0
    for pid in alive(pids):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        used += int(fields[11]) + int(fields[12])
    return used


async def being_read(service: Service, before: int = 0) -> set[int]:
    """The OCR processes of a worker and the programs that they run, as soon as they read."""
    while ticks(children(service.pid)) < before + TICKS:
        await asyncio.sleep(0.05)
    processes = ocr_processes(service.pid)
    return processes.union(*map(children, processes))


async def reading(api: Service, worker: Service) -> tuple[dict[str, Any], set[int]]:
    """A job of which a page is being read, and the processes that read it."""
    idle = ticks(children(worker.pid))
    job = await api.upload(slow_page())
    await worker.logged("job started", job_id=job["job_id"])
    return job, await being_read(worker, idle)


def _files_of_documents(data_dir: Path) -> list[Path]:
    """The files of a data directory that do not belong to the service itself."""
    places = ("originals", "incoming", "quarantine", "scratch")
    files = (path for place in places for path in (data_dir / place).rglob("*") if path.is_file())
    return [path for path in files if path.name != "lock"]


async def test_cancel_kills_the_page_being_read_on_another_instance(start: Start) -> None:
    api, worker = await start(slots="0"), await start("--worker-only", slots="1")
    job, family = await reading(api, worker)

    async with api.http.post(f"/v1/jobs/{job['job_id']}/cancel") as response:
        assert (response.status, (await response.json())["status"]) == (200, "cancelled")
    await until_gone(family)

    assert (await api.job(job["job_id"]))["status"] == "cancelled"
    second = await api.upload(png())
    assert (await api.finished(second["job_id"]))["status"] == "completed"


async def test_without_redis_cancel_kills_the_page_at_the_next_heartbeat(start: Start, tmp_path: Path) -> None:
    service = await start(slots="1", redis_url=f"unix://{tmp_path}/nobody.sock", lease_s=str(HEARTBEATS_PER_LEASE))
    job, family = await reading(service, service)

    async with service.http.post(f"/v1/jobs/{job['job_id']}/cancel") as response:
        assert response.status == 200

    await until_gone(family)


async def test_delete_while_a_page_is_read_leaves_nothing(start: Start, empty_servers: Servers, tmp_path: Path) -> None:
    api, worker = await start(slots="0"), await start("--worker-only", slots="1")
    job, family = await reading(api, worker)

    async with api.http.delete(f"/v1/documents/{job['document_id']}") as response:
        assert response.status == 204
    await until_gone(family)
    await worker.logged("work forgotten, its claim is lost")

    async with api.http.get(f"/v1/jobs/{job['job_id']}") as response:
        assert response.status == 404
    redis = Redis(empty_servers.redis_url, timeout_s=5)
    assert await redis.command("HLEN", JOBS) == 0
    assert await redis.command("GET", job_key(job["job_id"], DEFAULT_TENANT)) == b"9007199254740991 deleted\n"
    await redis.close()
    await until(lambda: not _files_of_documents(tmp_path / "data"))
