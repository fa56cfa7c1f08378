"""Cached reads per second, of docserver, of a bare aiohttp handler that does one Redis GET of the same body, and of the
same endpoints with FastAPI. One process each.

docserver runs as users run it, with rate limit and access log. All get the same load, one after the other.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any

import aiohttp
import pymysql
from redis import Redis

from bench import workloads
from bench.server import TOP, BenchError, Server, docserver, free_port, peer, redis_server
from bench.usage import cpu_s

CONNECTIONS = 32

BARE, FASTAPI = "a bare handler", "FastAPI"

DESCRIPTIONS = {
    BARE: "a bare aiohttp handler that does one Redis `GET`",
    FASTAPI: "FastAPI with SQLAlchemy and redis-py",
}

LIMITER_HEADERS = ("ratelimit", "ratelimit-policy")


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one load of one server."""

    per_second: float
    cpu_us: float
    """CPU time of the server for each request."""
    p50_ms: float
    p99_ms: float
    head: str

    def __str__(self) -> str:
        latencies = f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms"
        return f"{self.per_second:5.0f}/s {self.cpu_us:4.0f} us CPU, {latencies}"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that docserver is compared with."""

    name: str
    server: Server
    paths: Mapping[str, str]
    """Its paths, by docserver's."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What was measured of one path of docserver."""

    ratios: Mapping[str, float]
    """How many times as many answers per second as each other server."""
    p99_ms: float


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
    return Figures(measured["per_second"], cpu_us, measured["p50_ms"], measured["p99_ms"], measured["head"])


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


@contextmanager
def bare_handler(bodies: Mapping[str, bytes], redis_url: str) -> Iterator[Contender]:
    """The bare handler, with these bodies in its Redis."""
    paths = {path: f"/{number}" for number, path in enumerate(bodies)}
    with Redis.from_url(redis_url) as redis:
        for path, body in bodies.items():
            redis.set(paths[path].removeprefix("/"), body)
    url = f"http://127.0.0.1:{free_port()}"
    command = ("-m", "bench.bare", "--port", url.rpartition(":")[2], "--redis-url", redis_url)
    with peer(*command, url=url, ready_path="/0") as server:
        yield Contender(BARE, server, paths)


@contextmanager
def fastapi_service(bodies: Mapping[str, bytes], redis_url: str, *, mysql_socket: Path) -> Iterator[Contender]:
    """FastAPI with these bodies in its database: the job and its result, in this order."""
    (job_path, job), (_, text) = bodies.items()
    with (
        pymysql.connect(unix_socket=str(mysql_socket), user="root") as connection,
        connection.cursor() as cur,
    ):
        cur.execute("CREATE DATABASE fastapi CHARACTER SET utf8mb4")
    with NamedTemporaryFile("w", suffix=".json") as rows:
        json.dump([{"id": job_path.rpartition("/")[2], "job": job.decode(), "text": text.decode()}], rows)
        rows.flush()
        url = f"http://127.0.0.1:{free_port()}"
        command = ["-m", "bench.peers.fastapi_reads", "--port", url.rpartition(":")[2], "--redis-url", redis_url]
        command += ["--rows", rows.name]
        command += ["--database-url", f"mysql+asyncmy://root@/fastapi?unix_socket={mysql_socket}"]
        with peer(*command, url=url, ready_path=job_path) as server:
            yield Contender(FASTAPI, server, {path: path for path in bodies})


def compare(
    ours: Server, others: Sequence[Contender], *, paths: Sequence[str], rounds: int, seconds: float
) -> list[Reads]:
    """Load all servers in turn, for each path of docserver."""
    measured = []
    for path in paths:
        print(f"\n{path}")
        ratios: dict[str, list[float]] = {other.name: [] for other in others}
        p99_ms = []
        for number in range(1, rounds + 1):
            figures = load(ours, path=path, connections=CONNECTIONS, seconds=seconds)
            missing = [name for name in LIMITER_HEADERS if f"\r\n{name}:" not in figures.head.lower()]
            if missing:
                raise BenchError(f"{path} came without {', '.join(missing)}")
            p99_ms.append(figures.p99_ms)
            line = f"round {number}: docserver {figures}"
            for other in others:
                reference = load(other.server, path=other.paths[path], connections=CONNECTIONS, seconds=seconds)
                ratios[other.name].append(figures.per_second / reference.per_second)
                line += f" | {other.name} {reference} | ratio {ratios[other.name][-1]:.2f}"
            print(line, flush=True)
        measured.append(Reads({name: median(values) for name, values in ratios.items()}, median(p99_ms)))
        shown = ", ".join(f"{ratio:.2f} times {name}" for name, ratio in measured[-1].ratios.items())
        print(f"median: {shown}; p99 {measured[-1].p99_ms:.1f} ms")
    return measured


def measure(*, rounds: int, seconds: float) -> list[Reads]:
    """The figures of a job, and of its result."""
    settings: dict[str, str | int] = {
        "SLOTS": 1,
        "RATE_LIMIT": "on",
        "RATE_LIMIT_READS": "100000000/60",
        "LOG_LEVEL": "INFO",
    }
    with ExitStack() as stack:
        ours, redis_url = stack.enter_context(docserver(**settings)), stack.enter_context(redis_server())
        bodies = asyncio.run(finished_job(ours))
        others = [stack.enter_context(bare_handler(bodies, redis_url))]
        if not find_spec("fastapi"):
            print("FastAPI is left out: it is not installed.")
        elif ours.mysql_socket:
            others.append(stack.enter_context(fastapi_service(bodies, redis_url, mysql_socket=ours.mysql_socket)))
        return compare(ours, others, paths=list(bodies), rounds=rounds, seconds=seconds)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4.0, help="of each load")
    given = arguments.parse_args()
    measure(rounds=given.rounds, seconds=given.seconds)


if __name__ == "__main__":
    main()
