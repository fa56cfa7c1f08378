"""What clients that follow jobs (server-sent events) cost: memory for each, and reads per second with and without them.

The clients run in a process of their own. They follow jobs that nobody reads, so all they get is comments.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from urllib.parse import urlsplit

import aiohttp

from bench import cached_reads, workloads
from bench.server import TOP, BenchError, Server, docserver
from bench.usage import cpu_s, memory_mb

JOBS = 200
"""Jobs that the clients follow, in turn."""

OPEN_S = 120.0
"""Longest time until all clients have their first event."""

IDLE_S = 20.0
"""For this time, the CPU time of the server is measured while the clients wait; longer than between two comments."""


async def upload(server: Server) -> list[str]:
    """Make the jobs, and one more that is cancelled at once; their paths."""
    paths, page = [], workloads.scan(0).data
    async with aiohttp.ClientSession(server.url) as session:
        for number in range(JOBS + 1):
            form = aiohttp.FormData()
            form.add_field("file", page + str(number).encode(), filename="page.png")
            async with session.post("/v1/documents/upload-document", data=form) as response:
                if response.status != 202:
                    raise BenchError(f"the upload answered {response.status}: {await response.text()}")
                paths.append(f"/v1/jobs/{(await response.json())['job_id']}")
        async with session.post(f"{paths[-1]}/cancel") as response:
            response.raise_for_status()
    return paths


@contextmanager
def following(server: Server, paths: list[str], *, clients: int) -> Iterator[None]:
    """Clients that follow these jobs during the block."""
    command = [sys.executable, "-m", "bench.followers", "--follow", server.url, "--clients", str(clients)]
    process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(paths).encode() + b"\n")
        process.stdin.flush()
        if process.stdout.readline() != b"following\n":
            raise BenchError("not all clients could follow")
        yield
    finally:
        process.terminate()
        process.wait()


def follow(url: str, paths: list[str], *, clients: int) -> None:
    """Follow the jobs until this process is ended. Prints a line when every client has got an event."""
    address, connections = urlsplit(url), []
    for number in range(clients):
        connection = socket.create_connection((address.hostname or "", address.port or 80), timeout=OPEN_S)
        head = f"GET {paths[number % len(paths)]}/events HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while b"event: status" not in received:
            part = connection.recv(65536)
            if not part:
                raise BenchError(f"client {number} was not let in: {received!r}")
            received += part
        connections.append(connection)
    print("following", flush=True)
    while True:
        time.sleep(1)
        for connection in connections:
            connection.setblocking(False)
            try:
                connection.recv(65536)
            except BlockingIOError:
                continue


def measure(*, clients: int, rounds: int, seconds: float) -> float:
    """The median ratio of reads per second with the clients to those without them."""
    settings: dict[str, str | int] = {
        "SLOTS": 0,
        "RATE_LIMIT_READS": "100000000/60",
        "RATE_LIMIT_DEFAULT": "100000000/60",
        "MAX_CONNECTIONS": 4 * (clients + 2 * cached_reads.CONNECTIONS),
        "LOG_LEVEL": "INFO",
    }
    ratios, cpu_ratios = [], []
    with docserver(**settings) as server:
        *followed, read = asyncio.run(upload(server))
        for number in range(1, rounds + 1):
            alone = cached_reads.load(server, path=read, connections=cached_reads.CONNECTIONS, seconds=seconds)
            before_mb = memory_mb([server.pid])
            with following(server, followed, clients=clients):
                more_mb = memory_mb([server.pid]) - before_mb
                before_s = cpu_s(server.pid)
                time.sleep(IDLE_S)
                share = (cpu_s(server.pid) - before_s) / IDLE_S
                beside = cached_reads.load(server, path=read, connections=cached_reads.CONNECTIONS, seconds=seconds)
            ratios.append(beside.per_second / alone.per_second)
            cpu_ratios.append(beside.cpu_us / alone.cpu_us)
            print(
                f"round {number}: {clients} clients take {more_mb:.1f} MB more and {share:.1%} of a core | "
                f"reads alone {alone} | beside them {beside} | ratio {ratios[-1]:.3f}",
                flush=True,
            )
    # What the clients themselves cost meanwhile counts as CPU time of the reads.
    print(f"median ratio of reads per second {median(ratios):.3f}, of the CPU time of a read {median(cpu_ratios):.3f}")
    return median(ratios)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clients", type=int, default=2000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4.0, help="of each load")
    arguments.add_argument("--follow", metavar="url", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.follow:
        follow(given.follow, json.loads(sys.stdin.readline()), clients=given.clients)
    else:
        measure(clients=given.clients, rounds=given.rounds, seconds=given.seconds)


if __name__ == "__main__":
    main()
