"""The application and the workers inside the test's own process, on real servers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.ocr.limits import Limits
from docserver.redis.cache import Cache
from docserver.redis.changes import Changes
from docserver.redis.client import Redis
from docserver.redis.queue import Queue
from docserver.redis.rate_limit import Limiter
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.acceptance.service import form
from tests.engines import BINDINGS, engine_of
from tests.samples import png

Client = TestClient[Any, Any]
MakeClient = Callable[..., Awaitable[Client]]


@pytest.fixture
def make_client(resources: Resources, aiohttp_client: Any) -> MakeClient:
    """A client of the API, whose settings may differ from the resources'."""

    async def make(**settings: Any) -> Client:
        changed = replace(resources, settings=replace(resources.settings, **settings))
        made: Client = await aiohttp_client(make_app(changed))
        return made

    return make


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of an API without workers and without a rate limit."""
    return await make_client(rate_limit=False)


@pytest.fixture
async def dead_redis(tmp_path: Path) -> AsyncIterator[Redis]:
    """A Redis that is away."""
    redis = Redis(f"unix://{tmp_path / 'nothing'}", timeout_s=0.5)
    yield redis
    await redis.close()


@pytest.fixture
def without_redis(resources: Resources, dead_redis: Redis) -> Resources:
    """Everything opened, but Redis away."""
    return replace(
        resources,
        redis=dead_redis,
        queue=Queue(dead_redis),
        limiter=Limiter(dead_redis),
        cache=Cache(dead_redis, ttl_s=resources.settings.cache_ttl_s, max_result_bytes=1_000_000),
        changes=Changes(dead_redis),
    )


@pytest.fixture
async def worker(resources: Resources, tmp_path: Path) -> AsyncIterator[Worker]:
    """Two slots at work."""
    running = Worker(Pipeline(resources, scratch=tmp_path / "scratch"), resources.queue, slots=2)
    running.start()
    yield running
    await running.stop(grace_s=10)


async def upload(
    client: Client, data: bytes | None = None, filename: str = "note.png", **fields: str
) -> dict[str, Any]:
    """Upload a document; returns the job."""
    async with client.post("/v1/documents/upload-document", data=form(data or png(), filename, **fields)) as response:
        body: dict[str, Any] = await response.json()
        assert response.status == 202, body
        return body


async def post(client: Client, path: str, **more: Any) -> tuple[int, Any]:
    """The status and the JSON that a path answers with."""
    async with client.post(path, **more) as response:
        return response.status, await response.json()


async def get(client: Client, path: str, **query: Any) -> Any:
    """The JSON at a path that is there."""
    async with client.get(path, params=query) as response:
        body = await response.json()
        assert response.status == 200, body
        return body


def kept_files(resources: Resources, *directories: str) -> list[Path]:
    """The files of finished and of half-received uploads, or those in some of the storage's directories."""
    return [
        path
        for directory in directories or ("originals", "incoming")
        for path in (resources.settings.data_dir / directory).rglob("*")
        if path.is_file()
    ]


async def completed(client: Client, job_id: str) -> dict[str, Any]:
    """The job, once it is completed."""
    job: dict[str, Any] = await get(client, f"/v1/jobs/{job_id}", wait=30)
    assert job["status"] == "completed", job
    return job


@pytest.fixture(params=BINDINGS)
async def limits(request: pytest.FixtureRequest, tmp_path: Path) -> Limits:
    """Those of an OCR process, for each way to call Tesseract."""
    engine = await engine_of(request.param)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Limits(
        scratch=str(scratch),
        source=str(scratch),
        sandbox="off",
        memory_mb=1000,
        max_pages=5,
        max_page_pixels=20_000_000,
        pdf_dpi=300,
        call_s=60,
        binding=engine.binding,
        tessdata=engine.tessdata,
        candidates=("eng",),
        review_below=80,
    )
