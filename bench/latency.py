"""The time for an image of one line on an idle service, from upload to completion, and for the plain command."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

from bench.peers import plain, service
from bench.server import BenchError, Server
from bench.workloads import snippet

SEED = 500_000

WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """Medians, in seconds."""

    docserver_s: float
    plain_s: float


def measure(server: Server, *, count: int) -> Latency:
    """In turn: one upload that waits for its completion, one run of the command."""
    return asyncio.run(_measure(server, count))


async def _measure(server: Server, count: int) -> Latency:
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as name:
        async with aiohttp.ClientSession(server.url) as session:
            for number in range(WARM_UP + count):
                upload = snippet(SEED + number)
                path = Path(name) / upload.filename
                path.write_bytes(upload.data)
                began = time.perf_counter()
                job = await service.send(session, path, wait_s=service.WAIT_S)
                ours.append(time.perf_counter() - began)
                if job["status"] != "completed":
                    raise BenchError(f"the job did not complete: {job}")
                began = time.perf_counter()
                await asyncio.to_thread(plain.tesseract, path)
                theirs.append(time.perf_counter() - began)
    return Latency(median(ours[WARM_UP:]), median(theirs[WARM_UP:]))
