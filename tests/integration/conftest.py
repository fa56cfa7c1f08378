"""The application and the workers inside the test's own process, on real servers."""

import dataclasses
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from multiprocessing import util
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFont
from pytest_aiohttp import AiohttpClient

from docserver import maintenance as maintenance_module
from docserver.database.connection import Database
from docserver.jobs import reading, saving
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.maintenance import FILES_EVERY_S, Maintenance
from docserver.ocr.limits import LIBRARY, PROGRAM, Limits
from docserver.ocr.server.cgroup import Cgroups
from docserver.ocr.server.slot import Slot
from docserver.redis.cache import Cache
from docserver.redis.changes import Changes
from docserver.redis.client import Redis
from docserver.redis.queue import Queue
from docserver.redis.rate_limit import Limiter
from docserver.resources import Resources
from docserver.settings import Settings
from docserver.storage.objects import ObjectStorage
from docserver.web.app import make_app
from docserver.web.listener import Listener, listening
from docserver.webhooks import sender
from docserver.webhooks.sender import Sender
from tests.support import forked_ocr
from tests.support.client import Client, MakeClient
from tests.support.connections import MakeDatabase, with_databases
from tests.support.engines import engine_of
from tests.support.limits import LIMITS
from tests.support.listeners import Serve
from tests.support.receiver import Receiver, receiving
from tests.support.s3_server import FaultyBucket, S3Server
from tests.support.webhooks import StartSender, reaching


@pytest.fixture(autouse=True)
def forked_ocr_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """OCR processes start in a quarter of the CPU time. `spawned_ocr_processes` lets them start as they do in use."""
    monkeypatch.setattr(util, "spawnv_passfds", forked_ocr.spawn)


@pytest.fixture
def spawned_ocr_processes(forked_ocr_processes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """OCR processes start as they do in use."""
    monkeypatch.setattr(util, "spawnv_passfds", forked_ocr.spawnv_passfds)


@pytest.fixture
async def faulty(s3: S3Server) -> AsyncIterator[FaultyBucket]:
    """What is between the service and the S3 server."""
    proxy = FaultyBucket(s3)
    await proxy.start()
    yield proxy
    await proxy.close()


@pytest.fixture
def bucket_settings(s3: S3Server, tmp_path: Path) -> Settings:
    """A part of the bucket for one test. A request that fails is not repeated for long."""
    return replace(Settings(), data_dir=tmp_path, storage_url=s3.url(tmp_path.name), storage_timeout_s=20.0)


@pytest.fixture
async def in_bucket(resources: Resources, faulty: FaultyBucket, s3: S3Server, tmp_path: Path) -> Resources:
    """Everything opened, with a bucket behind what can go wrong."""
    url = s3.url(tmp_path.name, port=faulty.port)
    settings = replace(resources.settings, storage_url=url, storage_timeout_s=3.0, rate_limit=False)
    storage = ObjectStorage(settings)
    await storage.prepare()
    return replace(resources, settings=settings, storage=storage)


@pytest.fixture
def make_client(resources: Resources, aiohttp_client: AiohttpClient) -> MakeClient:
    """A client of the API, whose settings may differ from the resources'."""

    async def make(**settings: Any) -> Client:
        changed = replace(resources, settings=replace(resources.settings, **settings))
        return await aiohttp_client(make_app(changed))

    return make


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of an API without workers and without a rate limit."""
    return await make_client(rate_limit=False)


@pytest.fixture
async def serve(resources: Resources) -> AsyncIterator[Serve]:
    """Start the API as the program does, with some settings of its own."""
    async with AsyncExitStack() as stack:

        async def start(**given: Any) -> Listener:
            settings = replace(resources.settings, **{"port": 0, "rate_limit": False, "grace_s": 1.0, **given})
            listener = await stack.enter_async_context(listening(settings))
            await listener.serve(make_app(replace(resources, settings=settings)))
            return listener

        yield start


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
        cache=Cache(dead_redis, ttl_s=60, max_result_bytes=1_000_000),
        changes=Changes(dead_redis),
    )


@pytest.fixture
async def worker(resources: Resources, tmp_path: Path) -> AsyncIterator[Worker]:
    """One slot at work: each takes half a second of CPU time to start."""
    running = Worker(Pipeline(resources, scratch=tmp_path / "scratch"), resources.queue, slots=1)
    running.start()
    yield running
    await running.stop(grace_s=10)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def start_sender(
    resources: Resources, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StartSender]:
    """Start a sender, as another process would. It does not pause between the tries of a delivery."""
    monkeypatch.setattr(sender, "POLL_S", 0.05)
    monkeypatch.setattr(sender, "DELAYS_S", (0.0,) * len(sender.DELAYS_S))
    started = []

    async def start(**settings: Any) -> Sender:
        started.append(Sender(reaching(resources, receiver.port, **settings)))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        await each.stop(grace_s=0)


@pytest.fixture
def binding() -> str:
    """How `limits` has Tesseract called; `both_bindings` has a test run in both ways."""
    return LIBRARY


@pytest.fixture
async def limits(binding: str, tmp_path: Path) -> Limits:
    """Those of an OCR process."""
    engine = await engine_of(binding)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return replace(
        LIMITS,
        scratch=str(scratch),
        source=str(scratch),
        max_page_pixels=20_000_000,
        binding=engine.binding,
        tessdata=engine.tessdata,
    )


@pytest_asyncio.fixture
async def make_slot(tmp_path: Path) -> AsyncIterator[Callable[..., Slot]]:
    slots: list[Slot] = []
    engine = await engine_of(PROGRAM)

    def make(*, cgroups: Cgroups | None = None, **settings: object) -> Slot:
        changed = dataclasses.replace(Settings(), **settings)  # type: ignore[arg-type]
        scratch = tmp_path / "scratch"
        slots.append(Slot(number=len(slots), settings=changed, engine=engine, scratch=scratch, cgroups=cgroups))
        return slots[-1]

    yield make
    for slot in slots:
        await slot.close()
    assert not (tmp_path / "scratch").exists() or list((tmp_path / "scratch").iterdir()) == []


@pytest.fixture
def source(tmp_path: Path) -> Path:
    image = Image.new("L", (400, 120), 255)
    ImageDraw.Draw(image).text((20, 30), "Still here", fill=0, font=ImageFont.load_default(size=40))
    image.save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that comes first on the PATH."""
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return directory


@pytest.fixture
async def make_db(settings: Settings) -> AsyncIterator[MakeDatabase]:
    """Pools of their own on the running server."""
    made: list[Database] = []

    def make(*, size: int = 2, timeout_s: float = 10.0, url: str = settings.mysql_url, **more: Any) -> Database:
        made.append(Database(url, size=size, timeout_s=timeout_s, **more))
        return made[-1]

    yield make
    for db in made:
        await db.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are short."""
    monkeypatch.setattr(saving, "SAVE_PAUSE_S", (0.01, 0.05))
    monkeypatch.setattr(reading, "BACKOFF_S", 0.0)


@pytest.fixture
async def without_database(resources: Resources, tmp_path: Path) -> AsyncIterator[Resources]:
    """Everything opened, but the database away."""
    db = Database(f"mysql:///x?unix_socket={quote(str(tmp_path / 'nothing'))}", size=2, timeout_s=1)
    yield with_databases(resources, db)
    await db.close()


@pytest.fixture
def maintenance(resources: Resources) -> Maintenance:
    return Maintenance(resources)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of maintenance, which stands still until `now` is moved."""
    stopped = SimpleNamespace(now=time.monotonic() + 2 * FILES_EVERY_S)
    monkeypatch.setattr(maintenance_module, "time", SimpleNamespace(monotonic=lambda: stopped.now))
    return stopped
