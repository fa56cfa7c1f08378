"""The API while a part is away, silent, full or not there yet: quick, clear answers, and nothing half done."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.database.connection import Database
from docserver.documents import queries
from docserver.errors import DatabaseUnavailable
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.redis.cache import Cache
from docserver.redis.changes import Changes
from docserver.redis.client import Redis
from docserver.redis.queue import Queue
from docserver.redis.rate_limit import Limiter
from docserver.resources import Resources
from docserver.room import SLOTS, Room
from docserver.storage import local
from docserver.web.app import make_app
from tests.support.client import Client, MakeClient, completed, get, kept_files, upload
from tests.support.connections import with_databases
from tests.support.faulty_database import SlowCommit
from tests.support.raw_http import UPLOAD, wire
from tests.support.samples import png
from tests.support.service import form
from tests.support.small_disk import no_file_longer_than
from tests.support.waiting import in_time, until

TIMEOUT_S = 0.3


@asynccontextmanager
async def silent_server(path: Path) -> AsyncIterator[None]:
    """A server that is frozen: it accepts, and says nothing."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_unix_server(hold, path)
    try:
        yield
    finally:
        server.close()


def with_redis(resources: Resources, redis: Redis) -> Resources:
    return replace(
        resources,
        redis=redis,
        queue=Queue(redis),
        limiter=Limiter(redis),
        cache=Cache(redis, ttl_s=60, max_result_bytes=1_000_000),
        changes=Changes(redis),
    )


@pytest.fixture(params=["away", "silent"])
async def broken(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a server that is away, or that is frozen."""
    path = tmp_path / "broken.sock"
    if request.param == "away":
        yield path
        return
    async with silent_server(path):
        yield path


@pytest.fixture
async def no_redis(resources: Resources, broken: Path) -> AsyncIterator[Resources]:
    redis = Redis(f"unix://{broken}", timeout_s=TIMEOUT_S)
    yield with_redis(resources, redis)
    await redis.close()


@pytest.fixture
async def no_mysql(resources: Resources, broken: Path) -> AsyncIterator[Resources]:
    db = Database(f"mysql:///docserver?unix_socket={broken}", size=2, timeout_s=TIMEOUT_S)
    yield with_databases(resources, db)
    await db.close()


async def refusal(client: Client, method: str, path: str, **more: Any) -> Any:
    async with client.request(method, path, **more) as response:
        problem = await response.json()
        assert response.status == 503, problem
        assert int(response.headers["Retry-After"]) > 0
        return problem


async def test_without_redis_a_document_is_taken_read_and_told_about(
    no_redis: Resources, aiohttp_client: AiohttpClient, worker: object
) -> None:
    client = await aiohttp_client(make_app(no_redis))

    async with in_time():
        job = await upload(client)
        assert (await completed(client, job["job_id"]))["pages"]["done"] == 1
        assert (await get(client, "/v1/documents/list-document"))["total"] == 1
        async with client.get(f"/v1/jobs/{job['job_id']}/result") as response:
            assert response.status == 200
            assert response.headers["RateLimit"].startswith('"reads";r=')
        async with client.delete(f"/v1/documents/{job['document_id']}") as response:
            assert response.status == 204


async def test_without_redis_it_is_ready_but_degraded(no_redis: Resources, aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(no_redis))

    assert (await get(client, "/readyz"))["status"] == "degraded"


async def test_without_mysql_an_upload_is_refused_soon_and_leaves_nothing(
    no_mysql: Resources, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(no_mysql))

    async with in_time():
        problem = await refusal(client, "POST", UPLOAD, data=form(png()))

    assert problem["code"] == "database_unavailable"
    assert kept_files(no_mysql) == []


NO_ID = "01a20ad8-2046-729e-bbd1-5bce8a788392"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/documents/list-document"),
        ("GET", f"/v1/documents/{NO_ID}"),
        ("GET", f"/v1/documents/{NO_ID}/file"),
        ("DELETE", f"/v1/documents/{NO_ID}"),
        ("GET", f"/v1/jobs/{NO_ID}"),
        ("GET", f"/v1/jobs/{NO_ID}?wait=60"),
        ("GET", f"/v1/jobs/{NO_ID}/result"),
    ],
)
async def test_without_mysql_what_only_it_knows_is_refused_soon(
    no_mysql: Resources, aiohttp_client: AiohttpClient, method: str, path: str
) -> None:
    client = await aiohttp_client(make_app(no_mysql))

    async with in_time():
        assert (await refusal(client, method, path))["code"] == "database_unavailable"


async def test_without_mysql_many_who_ask_at_once_are_all_refused_soon(
    no_mysql: Resources, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(make_app(no_mysql))

    async with in_time():
        await asyncio.gather(*(refusal(client, "GET", "/v1/documents/list-document") for _ in range(40)))


async def test_without_mysql_it_is_alive_but_not_ready(no_mysql: Resources, aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(make_app(no_mysql))

    assert await get(client, "/livez") == {"status": "ok"}
    async with client.get("/readyz") as response:
        assert response.status == 503
        assert (await response.json())["checks"]["mysql"] == {"status": "unavailable"}


async def test_without_mysql_and_redis_every_answer_comes_soon(
    no_mysql: Resources, aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    redis = Redis(f"unix://{tmp_path / 'broken.sock'}", timeout_s=TIMEOUT_S)
    client = await aiohttp_client(make_app(with_redis(no_mysql, redis)))

    async with in_time():
        await refusal(client, "POST", UPLOAD, data=form(png()))
        await refusal(client, "GET", f"/v1/jobs/{NO_ID}")
        await refusal(client, "GET", f"/v1/jobs/{NO_ID}/result")
        await refusal(client, "GET", "/v1/documents/list-document")
        async with client.get("/readyz") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
    await redis.close()


async def test_on_a_nearly_full_disk_uploads_are_refused_and_everything_else_goes_on(
    resources: Resources, make_client: MakeClient, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await make_client(rate_limit=False)
    job = await upload(client)
    disk = SimpleNamespace(f_frsize=1000, f_blocks=100_000_000, f_bavail=100_000, f_files=0, f_favail=0)
    with monkeypatch.context() as nearly_full:
        nearly_full.setattr(os, "statvfs", lambda _: disk)
        nearly_full.setattr("docserver.room.SAMPLE_S", 0)

        async with client.post(UPLOAD, data=form(png())) as response:
            assert (response.status, (await response.json())["code"]) == (507, "storage_full")
        ready = await get(client, "/readyz")
        await completed(client, job["job_id"])
        async with client.get(f"/v1/jobs/{job['job_id']}/result", params={"format": "pdf"}) as response:
            assert response.status == 503

    assert ready["status"] == "degraded"
    assert ready["checks"]["storage"] == {"status": "full", "detail": "There is no room left to store uploads."}
    monkeypatch.setattr("docserver.room.SAMPLE_S", 0)
    await upload(client)
    assert (await get(client, "/readyz"))["checks"]["storage"] == {"status": "ok"}


async def test_slots_leave_the_last_room_to_the_database_and_go_on_when_there_is_more(
    resources: Resources, make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await make_client(rate_limit=False)
    disk = SimpleNamespace(f_frsize=1000, f_blocks=100_000_000, f_bavail=100_000, f_files=0, f_favail=0)
    monkeypatch.setattr("docserver.room.SAMPLE_S", 0)
    room = Room([tmp_path], min_free_mb=500, share=SLOTS, stops="slots")
    job = await upload(client)
    worker = Worker(
        Pipeline(replace(resources, slots_room=room), scratch=tmp_path / "scratch"), resources.queue, slots=1
    )
    with monkeypatch.context() as nearly_full:
        look = Mock(return_value=disk)
        nearly_full.setattr(os, "statvfs", look)
        worker.start()
        await until(lambda: look.call_count > 1)
        assert (await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "pending"

    await completed(client, job["job_id"])
    await worker.stop(grace_s=10)


async def test_a_request_that_takes_too_long_altogether_is_refused(
    resources: Resources, aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("docserver.documents.queries.document_list", hang)
    settings = replace(resources.settings, request_timeout_s=TIMEOUT_S)
    client = await aiohttp_client(make_app(replace(resources, settings=settings)))

    async with in_time():
        problem = await refusal(client, "GET", "/v1/documents/list-document")

    assert problem["code"] == "unavailable"


async def test_a_wait_that_was_granted_is_not_cut_short(
    client: Client, resources: Resources, aiohttp_client: AiohttpClient
) -> None:
    job = await upload(client)
    settings = replace(resources.settings, request_timeout_s=TIMEOUT_S, rate_limit=False)
    hurried = await aiohttp_client(make_app(replace(resources, settings=settings)))

    assert (await get(hurried, f"/v1/jobs/{job['job_id']}", wait=1))["status"] == "pending"


async def test_without_room_an_upload_is_told_so_and_leaves_no_file_and_no_row(
    client: Client, resources: Resources
) -> None:
    with no_file_longer_than(1000):
        async with client.post(UPLOAD, data=form(png())) as response:
            problem = await response.json()

    assert (response.status, problem["code"]) == (507, "storage_full")
    assert kept_files(resources) == []
    assert (await get(client, "/v1/documents/list-document"))["total"] == 0
    await upload(client)


async def test_what_was_committed_is_answered_with_202_when_nobody_can_be_asked_any_more(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("forced")

    monkeypatch.setattr(queries, "final_job", away)
    job = await upload(client)
    monkeypatch.undo()

    assert (job["status"], job["deduplicated"]) == ("pending", False)
    assert (await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "pending"


async def test_an_upload_whose_commit_is_still_going_on_when_its_answer_is_lost_gets_its_202(
    resources: Resources, aiohttp_client: AiohttpClient
) -> None:
    db: Any = SlowCommit(resources.db)
    client = await aiohttp_client(make_app(replace(resources, db=db)))

    uploading = asyncio.create_task(upload(client))
    await until(lambda: uploading.done() or db.is_waited_for())
    await db.carry_out()

    job = await uploading
    assert (await get(client, f"/v1/jobs/{job['job_id']}"))["status"] == "pending"
    assert len(kept_files(resources)) == 1


@pytest.mark.parametrize("failing", ["fsync", "_move"])
async def test_a_disk_that_fails_is_a_part_that_is_away(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "forced")

    monkeypatch.setattr(os if failing == "fsync" else local, failing, fail)
    problem = await refusal(client, "POST", UPLOAD, data=form(png()))
    monkeypatch.undo()

    assert problem["code"] == "storage_unavailable"
    assert kept_files(resources) == []
    assert (await get(client, "/v1/documents/list-document"))["total"] == 0


@pytest.mark.parametrize("body", ["Content-Length: 50", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_come_is_not_waited_for(
    resources: Resources, aiohttp_client: AiohttpClient, body: str
) -> None:
    settings = replace(resources.settings, body_timeout_s=TIMEOUT_S)
    client = await aiohttp_client(make_app(replace(resources, settings=settings)))

    async with wire(client.port or 0) as sender:
        await sender.send_head(body, method="DELETE", path=f"/v1/documents/{NO_ID}")
        answer = await sender.answer()

    assert (answer.status, answer.json()["code"]) == (408, "request_timeout")


async def test_a_body_that_is_too_large_is_refused_where_none_is_wanted(client: Client) -> None:
    async with client.delete(f"/v1/documents/{NO_ID}", data=io.BytesIO(bytes(3_000_000))) as response:
        assert response.status == 413
