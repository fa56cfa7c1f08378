"""docserver over HTTP, with several clients; their own CPU time does not count, but they share the cores."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.peers import Outcome
from bench.server import BenchError, Server
from bench.usage import PeakMemory, cpu_of_tree_s, tree
from bench.workloads import Upload

CLIENTS = 6
"""Each waits for its document before it sends the next, so several are needed to keep two slots busy."""

WAIT_S = 30

LONG_PAGES = 50
"""The progress of a document is observed if it has at least this many pages."""

POLL_S = 0.2

TENTH = 0.1


@dataclass(slots=True)
class LongDocument:
    """The progress of a long document, in seconds since its upload began."""

    first_page_s: float | None = None
    """When its first page could be read."""
    tenth_s: float | None = None
    """When the first tenth of the pages was done."""
    eta_s: float | None = None
    """What `eta_seconds` said then."""
    ended_s: float = 0.0


@dataclass(slots=True)
class Service:
    """A running docserver."""

    server: Server
    name: str = "docserver"
    long_documents: list[LongDocument] = field(default_factory=list)

    def missing(self) -> str | None:
        return None

    def read(self, uploads: Sequence[Upload], directory: Path) -> Outcome:
        before_s, began = cpu_of_tree_s(self.server.pid), time.perf_counter()
        with PeakMemory(lambda: tree(self.server.pid)) as memory:
            texts = asyncio.run(self._read_all([(upload, directory / upload.filename) for upload in uploads]))
        wall_s = time.perf_counter() - began
        return Outcome(wall_s, cpu_of_tree_s(self.server.pid) - before_s, memory.peak_mb, texts)

    async def _read_all(self, documents: Sequence[tuple[Upload, Path]]) -> list[str]:
        timeout = aiohttp.ClientTimeout(total=3600)
        async with aiohttp.ClientSession(self.server.url, timeout=timeout) as session:
            clients = asyncio.Semaphore(CLIENTS)

            async def one(upload: Upload, path: Path) -> str:
                async with clients:
                    return await self._read(session, upload, path)

            return list(await asyncio.gather(*(one(upload, path) for upload, path in documents)))

    async def _read(self, session: aiohttp.ClientSession, upload: Upload, path: Path) -> str:
        began = time.perf_counter()
        if upload.pages < LONG_PAGES:
            job = await send(session, path, wait_s=WAIT_S)
        else:
            job = await send(session, path, wait_s=0)
            self.long_documents.append(await _observe(session, job, began=began))
        await completed(session, job)
        async with session.get(f"/v1/jobs/{job['job_id']}/result", params={"format": "txt"}) as response:
            if response.status != 200:
                raise BenchError(f"{upload.filename}: {response.status} {await response.text()}")
            return await response.text()


async def send(session: aiohttp.ClientSession, path: Path, *, wait_s: int) -> dict[str, Any]:
    """Upload a file; the job when it has ended or the wait is over."""
    form = aiohttp.FormData()
    # Opened for each upload, because a form closes the file that it has sent.
    form.add_field("file", path.open("rb"), filename=path.name)
    headers = {"Prefer": f"wait={wait_s}"} if wait_s else {}
    async with session.post("/v1/documents/upload-document", data=form, headers=headers) as response:
        job: dict[str, Any] = await response.json()
        if response.status not in (200, 202) or job.get("deduplicated"):
            raise BenchError(f"{path.name}: {response.status} {job}")
        return job


async def completed(session: aiohttp.ClientSession, job: dict[str, Any]) -> None:
    """Wait until a job is completed with all its pages."""
    while job["status"] in ("pending", "processing"):
        async with session.get(f"/v1/jobs/{job['job_id']}", params={"wait": str(WAIT_S)}) as response:
            job = await response.json()
    if job["status"] != "completed" or job["pages"]["failed"]:
        raise BenchError(f"the job did not complete: {job}")


async def _observe(session: aiohttp.ClientSession, job: dict[str, Any], *, began: float) -> LongDocument:
    """Poll a job until it ends."""
    document, address = LongDocument(), f"/v1/jobs/{job['job_id']}"
    while job["status"] in ("pending", "processing"):
        if document.first_page_s is None and await _readable(session, f"{address}/pages/1"):
            document.first_page_s = time.perf_counter() - began
        if document.tenth_s is None and job["progress"] >= TENTH and job["eta_seconds"] is not None:
            document.eta_s, document.tenth_s = job["eta_seconds"], time.perf_counter() - began
        await asyncio.sleep(POLL_S)
        async with session.get(address) as response:
            job = await response.json()
    document.ended_s = time.perf_counter() - began
    return document


async def _readable(session: aiohttp.ClientSession, address: str) -> bool:
    async with session.get(address) as response:
        return response.status == 200
