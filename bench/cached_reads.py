"""Cached reads per second, of docserver and of a bare aiohttp handler that does one Redis GET of the same body.

docserver runs as users run it, with rate limit and access log. Both get the same load, one after the other.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import aiohttp
from redis import Redis

from bench import workloads
from bench.server import TOP, BenchError, Server, docserver, free_port, peer, redis_server
from bench.usage import cpu_s

CONNECTIONS = 32

LIMITER_HEADERS = ("ratelimit", "ratelimit-policy")


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one load of one server."""

    per_second: float
    cpu_us: float
    p99_ms: float
    head: str

    def __str__(self) -> str:
        return f"{self.per_second:6.0f}/s {self.cpu_us:4.0f} us CPU, p99 {self.p99_ms:4.1f} ms"


def load(server: Server, *, path: str, connections: int, seconds: float) -> Figures:
    """Load a server; every answer must be 200."""
    before_s = cpu_s(server.pid)
    command = [sys.executable, "-m", "bench.load", server.url + path]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    ran = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True, timeout=seconds + 60)
    measured: dict[str, Any] = json.loads(ran.stdout)
    if set(measured["statuses"]) != {"200"}:
        raise BenchError(f"{server.url}{path}: {measured['statuses']}")
    cpu_us = (cpu_s(server.pid) - before_s) * 1e6 / measured["requests"]
    return Figures(measured["per_second"], cpu_us, measured["p99_ms"], measured["head"])


async def finished_job(server: Server) -> dict[str, bytes]:
    """Let docserver read one page; the paths of its job and result, with their bodies."""
    form = aiohttp.FormData()
    form.add_field("file", workloads.scan(0).data, filename="page.png")
    async with aiohttp.ClientSession(server.url) as session:
        async with session.post("/v1/documents/upload-document", data=form) as response:
            if response.status not in (200, 202):
                raise BenchError(f"the upload answered {response.status}: {await response.text()}")
            job = f"/v1/jobs/{(await response.json())['job_id']}"
        async with session.get(job, params={"wait": "60"}) as response:
            if (await response.json())["status"] != "completed":
                raise BenchError(f"the job did not complete: {await response.text()}")
        bodies = {}
        for path in (job, f"{job}/result?format=txt"):
            async with session.get(path) as response:
                response.raise_for_status()
                bodies[path] = await response.read()
        return bodies


def compare(*, ours: Server, bare: Server, paths: Mapping[str, str], rounds: int, seconds: float) -> list[float]:
    """Load the two servers in turn; `paths` maps docserver's paths to the peer's. The median ratio of each path."""
    medians = []
    for path, key in paths.items():
        print(f"\n{path}")
        ratios = []
        for number in range(1, rounds + 1):
            measured = load(ours, path=path, connections=CONNECTIONS, seconds=seconds)
            missing = [name for name in LIMITER_HEADERS if f"\r\n{name}:" not in measured.head.lower()]
            if missing:
                raise BenchError(f"{path} came without {', '.join(missing)}")
            reference = load(bare, path=key, connections=CONNECTIONS, seconds=seconds)
            ratios.append(measured.per_second / reference.per_second)
            print(f"round {number}: docserver {measured} | bare {reference} | ratio {ratios[-1]:.2f}")
        medians.append(median(ratios))
        print(f"median ratio {medians[-1]:.2f} (above 1: docserver answers more than the bare handler)")
    return medians


def measure(*, rounds: int, seconds: float) -> list[float]:
    """Answers per second, as multiples of the bare handler's: for a job, and for its result."""
    settings: dict[str, str | int] = {
        "SLOTS": 1,
        "RATE_LIMIT": "on",
        "RATE_LIMIT_READS": "100000000/60",
        "LOG_LEVEL": "INFO",
    }
    with docserver(**settings) as ours, redis_server() as redis_url:
        bodies = asyncio.run(finished_job(ours))
        paths = {path: f"/{number}" for number, path in enumerate(bodies)}
        with Redis.from_url(redis_url) as redis:
            for path, body in bodies.items():
                redis.set(paths[path].removeprefix("/"), body)
        url = f"http://127.0.0.1:{free_port()}"
        command = ("-m", "bench.bare", "--port", url.rpartition(":")[2], "--redis-url", redis_url)
        with peer(*command, url=url, ready_path="/0") as bare:
            return compare(ours=ours, bare=bare, paths=paths, rounds=rounds, seconds=seconds)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4.0, help="of each load")
    given = arguments.parse_args()
    measure(rounds=given.rounds, seconds=given.seconds)


if __name__ == "__main__":
    main()
