"""A private S3 server for tests, and what can go wrong between it and the service."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import md5
from pathlib import Path
from urllib.parse import quote

from docserver.storage.bucket_url import BucketUrl
from docserver.storage.multipart_uploads import MultipartUploads
from docserver.storage.signed_urls import SignedUrls

PROGRAM = Path(__file__).with_name("s3_program.py")

START_S = 60.0
"""Longest wait for the server's start. It takes a second of CPU time."""


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server with one bucket."""

    port: int

    def url(self, prefix: str, *, port: int | None = None, bucket: str = "bucket", secret: str = "testing") -> str:
        """The setting for the part of the bucket below a prefix, directly or by a proxy's port."""
        return (
            f"s3://{bucket}/{prefix}?endpoint={quote(f'http://127.0.0.1:{port or self.port}')}&region=us-east-1"
            f"&access_key_id=test:tester&secret_access_key={secret}"
        )

    def uploads(self, prefix: str) -> MultipartUploads:
        """The uploads in parts that have not ended; it can send any other request, too."""
        return MultipartUploads(SignedUrls(BucketUrl.parse(self.url(prefix))), timeout_s=START_S)


@contextmanager
def s3_running(directory: Path) -> Iterator[S3Server]:
    """Swift is packaged for the system's Python, which knows nothing of a virtual environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    # It must not outlive tests that are killed.
    command = ["setpriv", "--pdeathsig", "KILL", python, str(PROGRAM), str(directory)]
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        for _ in range(int(START_S / 0.05)):
            if (directory / "port").exists() or server.poll() is not None:
                break
            _wait_briefly(server)
        assert (directory / "port").exists(), (directory / "log").read_text()
        running = S3Server(int((directory / "port").read_text()))
        running.uploads("").send("PUT", query={})
        yield running
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_briefly(server: subprocess.Popen[bytes]) -> None:
    try:
        server.wait(0.05)
    except subprocess.TimeoutExpired:
        return


class FaultyBucket:
    """A proxy before the server that answers in its place, cuts connections, or lets nothing through."""

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self._listener: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.requests: list[str] = []
        self.heads: list[str] = []
        self._asked = asyncio.Event()
        self.heal()

    def heal(self) -> None:
        self._answer: bytes | None = None
        self._cut_after: int | None = None
        self._stalled = asyncio.Event()
        self._stalled.set()
        self._only: tuple[str, ...] = ()
        self._query = ""
        self._rewrite: Callable[[bytes], bytes] | None = None
        self._damage: tuple[str, Callable[[bytes], bytes]] | None = None
        """What is in a path, and what is done to the answers to GET requests for it."""

    def damage(self, change: Callable[[bytes], bytes], *, place: str) -> None:
        """Change the bytes of each object whose path has this in it whenever it is fetched, and its size with them."""
        self._damage = place, partial(_damaged, change=change)

    def exchange(self, other: bytes, *, place: str) -> None:
        """Answer with this object in place of each whose path has this in it whenever it is fetched."""
        self._damage = place, partial(_exchanged, other=other)

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change each answer, its head with its body."""
        self._rewrite = change

    def answer(
        self,
        status: int,
        code: str,
        *,
        only: tuple[str, ...] = (),
        query: str = "",
        body: str | None = None,
        etag: str = "",
    ) -> None:
        """Answer requests with this status and error code, or with this body; `only` those of these methods, whose
        first line has `query` in it.
        """
        body = f"<Error><Code>{code}</Code><Message>m</Message></Error>" if body is None else body
        head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close"
        head += f'\r\nETag: "{etag}"' if etag else ""
        self._answer, self._only, self._query = f"{head}\r\n\r\n{body}".encode(), only, query

    def cut(self, after_bytes: int) -> None:
        """Cut each connection when this many bytes of requests or answers have gone through it."""
        self._cut_after = after_bytes

    def stall(self) -> None:
        """Take requests and let nothing through."""
        self._stalled.clear()

    async def asked(self) -> None:
        """Wait for the next request."""
        await self._asked.wait()

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._stalled.set()
        if self._listener:
            self._listener.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # asyncio logs it as an error if such a task is cancelled.
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request and its answer: the client is told that the connection ends."""
        head = await reader.readuntil(b"\r\n\r\n")
        method = head.split(b" ", 1)[0].decode()
        self.requests.append(method)
        self.heads.append(head.decode().lower())
        self._asked.set()
        self._asked = asyncio.Event()
        await self._stalled.wait()
        line = head.split(b"\r\n", 1)[0].decode()
        if self._answer and (not self._only or method in self._only) and self._query in line:
            await self._discard_body(reader, head)
            writer.write(self._answer)
            await writer.drain()
            return
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._writers.add(server_writer)
        try:
            server_writer.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            body = asyncio.create_task(self._pump(reader, server_writer))
            try:
                is_damaged = self._damage and method == "GET" and self._damage[0] in line
                if is_damaged or self._rewrite:
                    answer = await server_reader.read(-1)
                    if self._damage and is_damaged:
                        answer = self._damage[1](answer)
                    writer.write(self._rewrite(answer) if self._rewrite else answer)
                    await writer.drain()
                else:
                    await self._pump(server_reader, writer)
            finally:
                body.cancel()
                await asyncio.gather(body, return_exceptions=True)
        finally:
            server_writer.transport.abort()
            self._writers.discard(server_writer)

    async def _discard_body(self, reader: asyncio.StreamReader, head: bytes) -> None:
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        through = 0
        while data := await source.read(1 << 16):
            await self._stalled.wait()
            through += len(data)
            if self._cut_after is not None and through > self._cut_after:
                target.transport.abort()
            target.write(data)
            await target.drain()


def _damaged(answer: bytes, *, change: Callable[[bytes], bytes]) -> bytes:
    """The answer to a range as if the object had changed bytes, from the first on, or at its end."""
    head, body, (start, end, size) = _range(answer)
    new_size = len(change(bytes(size)))
    changed = change(body) if end + 1 == size or new_size == size else body
    return _with_range(head, changed, start=start, size=new_size) if head else answer


def _exchanged(answer: bytes, *, other: bytes) -> bytes:
    """The answer to a range as if it was asked for the same range of another object."""
    head, body, (start, *_) = _range(answer)
    etag = md5(other, usedforsecurity=False).hexdigest().encode()
    head = re.sub(rb'(?i)etag: "?[0-9a-f]{32}"?', b'ETag: "%s"' % etag, head)
    return _with_range(head, other[start : start + len(body)], start=start, size=len(other)) if head else answer


def _range(answer: bytes) -> tuple[bytes, bytes, tuple[int, int, int]]:
    """The head, the body, and the first and last byte of a range and the size of its object; no head if it is none."""
    head, _, body = answer.partition(b"\r\n\r\n")
    place = re.search(rb"(?i)content-range: bytes (\d+)-(\d+)/(\d+)", head)
    if place is None:
        return b"", body, (0, 0, 0)
    first, last, size = map(int, place.groups())
    return head, body, (first, last, size)


def _with_range(head: bytes, body: bytes, *, start: int, size: int) -> bytes:
    place = b"Content-Range: bytes %d-%d/%d" % (start, start + len(body) - 1, size)
    head = re.sub(rb"(?i)content-range: [^\r]+", place, head)
    return re.sub(rb"(?i)content-length: \d+", b"Content-Length: %d" % len(body), head) + b"\r\n\r\n" + body


def by_kms(*data: bytes) -> Callable[[bytes], bytes]:
    """Rewrites answers as those of a bucket that encrypts with KMS: the ETags of objects with these data are random."""
    etags = [md5(each, usedforsecurity=False).hexdigest().encode() for each in data]

    def rewrite(answer: bytes) -> bytes:
        for etag in etags:
            answer = answer.replace(etag, etag[::-1])
        head, _, body = answer.partition(b"\r\n\r\n")
        return head + b"\r\nx-amz-server-side-encryption: aws:kms\r\n\r\n" + body

    return rewrite
