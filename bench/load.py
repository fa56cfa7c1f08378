"""An HTTP load of keep-alive connections without pipelining, so cheap that the server stays the slower of the two.

It runs as its own process, so that it shares no interpreter with the server, and prints one line of JSON.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from typing import cast
from urllib.parse import urlsplit

import uvloop

HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length: "


class Connection(asyncio.Protocol):
    """Sends the next request as soon as an answer is complete, until `stopping` is set."""

    def __init__(self, *, request: bytes, statuses: Counter[bytes], latencies_s: list[float]) -> None:
        self.request = request
        self.statuses = statuses
        self.latencies_s = latencies_s
        self.first_head = b""
        self.stopping = False
        self.closed = asyncio.get_running_loop().create_future()
        self._received = b""
        self._wanted = 0
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's, so isinstance would refuse them.
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._wanted:
            head_end = self._received.find(HEAD_END)
            if head_end < 0:
                return
            self._read_head(self._received[: head_end + 2], head_end + 4)
        if len(self._received) < self._wanted:
            return
        self.latencies_s.append(time.perf_counter() - self._sent_at)
        self.statuses[self._received[9:12]] += 1
        self._received, self._wanted = b"", 0
        if self.stopping:
            self.transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc or not self.stopping:
            self.statuses[b"lost"] += 1
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self.transport.write(self.request)

    def _read_head(self, head: bytes, body_start: int) -> None:
        at = head.lower().index(LENGTH) + len(LENGTH)
        self._wanted = body_start + int(head[at : head.index(b"\r", at)])
        self.first_head = self.first_head or head


async def load(*, url: str, connections: int, seconds: float) -> dict[str, object]:
    """Request one URL for that many seconds: answers per second, statuses, latencies, and the head of one answer."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode()
    statuses: Counter[bytes] = Counter()
    latencies_s: list[float] = []
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    opened = [
        await loop.create_connection(
            lambda: Connection(request=request, statuses=statuses, latencies_s=latencies_s),
            parts.hostname or "",
            parts.port or 80,
        )
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for _, connection in opened:
        connection.stopping = True
    await asyncio.wait_for(asyncio.gather(*(connection.closed for _, connection in opened)), timeout=10)
    elapsed = time.perf_counter() - started
    latencies_s.sort()
    return {
        "requests": len(latencies_s),
        "per_second": len(latencies_s) / elapsed,
        "statuses": {status.decode(): count for status, count in statuses.items()},
        "p50_ms": latencies_s[len(latencies_s) // 2] * 1000,
        "p99_ms": latencies_s[len(latencies_s) * 99 // 100] * 1000,
        "head": opened[0][1].first_head.decode("latin-1"),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("--seconds", type=float, default=3.0)
    given = arguments.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        measured = runner.run(load(url=given.url, connections=given.connections, seconds=given.seconds))
    json.dump(measured, sys.stdout)


if __name__ == "__main__":
    main()
