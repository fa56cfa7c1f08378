"""The real program as a child process, and a client that speaks HTTP with it."""

import asyncio
import io
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from tests.support import forked
from tests.support.hosts import Host
from tests.support.samples import png, words
from tests.support.waiting import HANG_S, in_time

MAX_LINE_BYTES = 1 << 20
"""Of a log line."""


class Service:
    """`docserver` with these settings: started, spoken to, stopped or killed. Its log lines are kept."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        arguments: tuple[str, ...] = (),
        module: str = "docserver.__main__",
        directory: str = "",
        version: str = "",
        on: Host | None = None,
    ) -> None:
        """`module` may be a launcher that forces a fault on docserver and then runs it. With a `directory`, it starts
        there as users start it; without one, it is forked. It is of the `version` of docserver in a directory, and runs
        `on` a host, if they are given.
        """
        address = on.address if on else "127.0.0.1"
        self._environment = {"DOCSERVER_HOST": address, "DOCSERVER_PORT": "0", **environment}
        self._host = on
        self._arguments = arguments
        self._module = module
        self._directory = directory
        self._version = version
        self._process: asyncio.subprocess.Process | forked.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._news = asyncio.Event()
        self.lines: list[dict[str, Any]] = []
        self.noise: list[str] = []

    async def start(self) -> "Service":
        """Run it until it says that it is ready."""
        self.lines.clear()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
        environment = {**inherited, **self._environment}
        if self._directory:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, *self._arguments),
                cwd=self._directory,
                env=environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=MAX_LINE_BYTES,
            )
        else:
            self._process = await forked.start(
                self._module,
                *self._arguments,
                environment=environment,
                limit=MAX_LINE_BYTES,
                namespace=self._host.namespace if self._host else "",
                version=self._version,
            )
        self._reading = asyncio.create_task(self._read(self._process))
        await self.logged("ready")
        if listening := self.find("listening"):
            port = listening["port"]
            self._session = (
                self._host.session(port) if self._host else aiohttp.ClientSession(f"http://127.0.0.1:{port}")
            )
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def http(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    async def ended(self) -> int:
        """Wait until it ends by itself; returns the exit status, negative for a signal's."""
        assert self._process is not None
        async with in_time():
            return await self._process.wait()

    async def stop(self, way: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit status, negative for a signal's."""
        if self._session:
            await self._session.close()
            self._session = None
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(way)
        async with in_time():
            status = await process.wait()
            if self._reading:
                await self._reading
        return status

    def find(self, message: str, **facts: Any) -> dict[str, Any] | None:
        """The first log line with this message and these facts."""
        for line in self.lines:
            if line["message"] == message and facts.items() <= line.items():
                return line
        return None

    async def logged(self, message: str, **facts: Any) -> dict[str, Any]:
        """Wait for a log line."""
        async with in_time():
            while True:
                self._news.clear()
                if line := self.find(message, **facts):
                    return line
                if self._reading and self._reading.done():
                    raise AssertionError(f"it ended without logging {message!r}: {self.noise} {self.lines[-3:]}")
                await self._news.wait()

    async def _read(self, process: asyncio.subprocess.Process | forked.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                self.lines.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                self.noise.append(line.decode())
            self._news.set()
        self._news.set()

    async def assert_at_work(self) -> None:
        """It reads a document, and finds nothing wrong with itself."""
        job = await self.upload(png("still at work"))
        assert (await self.finished(job["job_id"]))["status"] == "completed"
        assert words(await self.text(job["job_id"])) == ["still", "at", "work"]
        async with self.http.get("/readyz") as response:
            assert (response.status, (await response.json())["status"]) == (200, "ok")

    async def upload(self, data: bytes, *, filename: str = "note.png", **fields: str) -> dict[str, Any]:
        """Upload a document; returns the job as the 202 shows it."""
        async with self.http.post("/v1/documents/upload-document", data=form(data, filename, **fields)) as response:
            body: dict[str, Any] = await response.json()
            assert response.status == 202, body
            return body

    async def finished(self, job_id: str, *, within_s: float = HANG_S) -> dict[str, Any]:
        """Wait until a job is final. While the service cannot tell, ask again as it says."""
        async with asyncio.timeout(within_s):
            while True:
                status, retry_after_s, job = await self._job(job_id, wait=10)
                if status == 503:
                    await asyncio.sleep(retry_after_s)
                    continue
                assert status == 200, job
                if job["status"] in ("completed", "failed", "cancelled"):
                    return job

    async def job(self, job_id: str, **query: Any) -> dict[str, Any]:
        """The job now."""
        status, _, job = await self._job(job_id, **query)
        assert status == 200, job
        return job

    async def _job(self, job_id: str, **query: Any) -> tuple[int, float, dict[str, Any]]:
        """The status of the answer, after how many seconds to ask again, and the job."""
        async with self.http.get(f"/v1/jobs/{job_id}", params=query) as response:
            return response.status, float(response.headers.get("Retry-After", 0)), await response.json()

    async def text(self, job_id: str, **query: Any) -> str:
        """A completed job's text."""
        async with self.http.get(f"/v1/jobs/{job_id}/result", params=query) as response:
            assert response.status == 200, await response.text()
            return await response.text()


def form(data: bytes, filename: str = "note.png", **fields: str) -> aiohttp.FormData:
    """A multipart upload."""
    made = aiohttp.FormData(quote_fields=False)
    made.add_field("file", io.BytesIO(data), filename=filename)
    for name, value in fields.items():
        made.add_field(name, value)
    return made


def environment_of(*, mysql_url: str, redis_url: str, data_dir: Path, **more: str) -> dict[str, str]:
    """The environment for a service on these servers; `more` are settings by their field names."""
    given = {"mysql_url": mysql_url, "redis_url": redis_url, "data_dir": str(data_dir), "slots": "1"}
    # Most tests upload the same few bytes, each as a document of its own.
    given = {**given, "deduplicate": "off", **more}
    return {f"DOCSERVER_{name.upper()}": value for name, value in given.items()}


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


Start = Callable[..., Awaitable[Service]]
"""Starts a service with these arguments and settings."""


async def run_command(environment: Mapping[str, str], *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Run `docserver` with these arguments to its end; returns the exit status, the standard output and errors. In a
    directory of its own, it starts as users start it; else it is forked.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
    environment = {**inherited, "DOCSERVER_PORT": "0", **environment}
    process: asyncio.subprocess.Process | forked.Process
    if cwd:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "docserver", *arguments),
            cwd=cwd,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    else:
        process = await forked.start(
            "docserver.__main__", *arguments, environment=environment, limit=MAX_LINE_BYTES, own_errors=True
        )
    assert process.stdout is not None
    assert process.stderr is not None
    async with in_time():
        output, errors = await asyncio.gather(process.stdout.read(), process.stderr.read())
        status = await process.wait()
    return status, output.decode(), errors.decode()
