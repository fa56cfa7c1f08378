"""The metrics: what is counted and measured, and who may read them."""

import asyncio
import math
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from docserver.caller import Scope
from docserver.database.connection import Database
from docserver.database.tables import backlog
from docserver.errors import Failure
from docserver.jobs.worker import Worker
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from docserver.redis.client import Redis
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.tenants import administration
from docserver.web import scraping
from tests.support.client import Client, MakeClient, completed, get, upload
from tests.support.listeners import Serve, port_of
from tests.support.metric_values import of, own_names, value
from tests.support.rows import change, claim_pages, make_job
from tests.support.samples import png
from tests.support.service import free_port
from tests.support.slots import child_of, read
from tests.support.waiting import until


async def metrics(client: Client | aiohttp.ClientSession, **headers: str) -> str:
    async with client.get("/metrics", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        return await response.text()


async def test_requests_are_counted_by_route_and_status_and_errors_by_code(serve: Serve) -> None:
    def counted() -> list[float]:
        return [
            value("docserver_http_requests_total", route="languages", status="200"),
            value("docserver_http_requests_total", route="job", status="404"),
            value("docserver_http_requests_total", route="none", status="404"),
            value("docserver_http_request_duration_seconds_count", route="job"),
            value("docserver_http_errors_total", code="not_found"),
        ]

    before = counted()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port_of(await serve())}") as session:
        for path in ("/v1/languages", f"/v1/jobs/{uuid4()}", f"/v1/jobs/{uuid4()}?wait=1", "/nowhere"):
            async with session.get(path) as response:
                await response.read()
        assert value("docserver_http_connections") == 1

    # The request that would have waited is not one of those whose time is measured.
    await until(lambda: [after - earlier for after, earlier in zip(counted(), before, strict=True)] == [1, 2, 1, 1, 3])
    await until(lambda: value("docserver_http_connections") == 0)


async def test_what_a_page_went_through_is_counted(client: Client, worker: Worker) -> None:
    def state() -> list[float]:
        return [
            *(
                value("docserver_stage_duration_seconds_count", stage=stage)
                for stage in ("opening", "drawing", "recognising", "saving")
            ),
            value("docserver_pages_total", outcome="read", source="ocr", engine="tesserocr"),
            value("docserver_jobs_finished_total", status="completed"),
            value("docserver_job_duration_seconds_count"),
        ]

    before = state()

    job = await upload(client, png("counted"))
    await completed(client, job["job_id"])

    # The page's own transaction comes before its count.
    await until(lambda: [after - earlier for after, earlier in zip(state(), before, strict=True)] == [1] * 7)
    await until(lambda: value("docserver_slots", state="idle") == 1)
    assert value("docserver_slots", state="busy") == 0


async def test_a_text_layer_is_no_work_of_the_engine(make_slot: Callable[..., Slot], source: Path) -> None:
    before = value("docserver_stage_duration_seconds_count", stage="text_layer")
    slot = make_slot()

    assert not isinstance(await slot.read(source, "image/png", page=1, options=Options("eng")), Failure)

    assert value("docserver_stage_duration_seconds_count", stage="text_layer") == before


async def test_processes_that_end_are_counted_by_reason(make_slot: Callable[..., Slot], source: Path) -> None:
    def ended() -> dict[str, float]:
        return {
            reason: value("docserver_ocr_processes_ended_total", reason=reason)
            for reason in ("crashed", "timeout", "clients", "closed")
        }

    before = ended()
    slot = make_slot(clients_per_process=1)
    slot.client = "first"
    await read(slot, source)
    slot.client = "second"
    await read(slot, source)
    os.kill(child_of(slot), signal.SIGKILL)
    # The end of the process costs this page, unless it is noticed before.
    await read(slot, source)
    await read(slot, source)
    await slot.close()

    await until(
        lambda: ended() == {**before, **{reason: before[reason] + 1 for reason in ("crashed", "clients", "closed")}}
    )


async def test_the_work_that_waits_is_measured_over_all_jobs(db: Database) -> None:
    async with db.session() as cur:
        assert await backlog.measure(cur) == backlog.Backlog(0, 0, 0, 0.0)
    _, document = await make_job(db)
    _, opened = await make_job(db, total=5)
    await claim_pages(db, opened, limit=2)
    _, all_claimed = await make_job(db, total=2)
    await claim_pages(db, all_claimed, limit=2)
    _, postponed = await make_job(db)
    ages = {document: -100, opened: -200, all_claimed: -900, postponed: 1000}
    for job_id, seconds in ages.items():
        await change(
            db,
            "UPDATE jobs SET run_after = run_after + INTERVAL %s SECOND, started_at = run_after WHERE id = %s",
            seconds,
            job_id.bytes,
        )

    async with db.session() as cur:
        measured = await backlog.measure(cur)

    assert (measured.jobs, measured.pages, measured.unfinished_pages) == (4, 5, 9)
    assert 200 <= measured.oldest_age_s < 900


async def test_the_queue_is_shown_to_every_process(client: Client, db: Database) -> None:
    await make_job(db)

    text = await metrics(client)

    assert of(text, "docserver_queue_jobs") == of(text, "docserver_queue_pages") == 1
    assert of(text, "docserver_dependency_up", dependency="mysql") == 1
    assert of(text, "docserver_database_connections_max", pool="health") == 1
    assert of(text, "docserver_disk_free_bytes") > of(text, "docserver_disk_reserve_bytes") > 0


async def test_the_bytes_of_all_documents_are_told(client: Client, resources: Resources) -> None:
    before = of(await metrics(client), "docserver_documents_bytes")

    await upload(client, data := png("weighed"))

    text = (await scraping.Scraper(resources).text()).decode()
    assert of(text, "docserver_documents_bytes") == before + len(data)


async def test_servers_are_asked_once_in_a_while_however_many_scrapes_there_are(client: Client, db: Database) -> None:
    await metrics(client)
    await make_job(db)

    texts = await asyncio.gather(*(metrics(client) for _ in range(20)))

    assert {of(text, "docserver_queue_jobs") for text in texts} == {0}


async def test_what_cannot_be_measured_is_not_shown_as_its_last_value(
    without_database: Resources, dead_redis: Redis
) -> None:
    text = (await scraping.Scraper(replace(without_database, redis=dead_redis)).text()).decode()

    assert of(text, "docserver_dependency_up", dependency="mysql") == 0
    assert of(text, "docserver_dependency_up", dependency="redis") == 0
    assert math.isnan(of(text, "docserver_queue_pages"))


async def test_with_keys_the_metrics_need_the_scope_admin_and_take_no_tokens(
    make_client: MakeClient, resources: Resources
) -> None:
    client = await make_client(auth=Auth.KEYS)
    keys = {
        scope: await administration.create_key(
            resources.db, tenant="acme", name="a test", scopes=frozenset({scope}), expires_in_s=None, actor="a test"
        )
        for scope in (Scope.READ, Scope.ADMIN)
    }

    async with client.get("/metrics") as response:
        assert response.status == 401
    async with client.get("/metrics", headers={"X-API-Key": keys[Scope.READ].text}) as response:
        assert response.status == 403
    async with client.get("/metrics", headers={"X-API-Key": keys[Scope.ADMIN].text}) as response:
        assert response.status == 200
        assert "RateLimit" not in response.headers
        assert "acme" not in await response.text()


async def test_a_port_of_their_own_needs_no_key_and_the_api_has_them_no_more(
    make_client: MakeClient, resources: Resources
) -> None:
    port = free_port()
    client = await make_client(metrics_port=port)
    ours = replace(resources, settings=replace(resources.settings, metrics_port=port, auth=Auth.KEYS))

    async with (
        scraping.own_port(ours),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        assert "docserver_build_info" in await metrics(session)
        async with session.get("/v1/languages") as response:
            assert (response.status, response.headers["Server"]) == (404, "docserver")
    async with client.get("/metrics") as response:
        assert response.status == 404


async def test_an_autoscaler_is_told_the_pages_that_wait_or_are_read_or_that_their_number_is_unknown(
    resources: Resources, without_database: Resources, db: Database
) -> None:
    _, opened = await make_job(db, total=5)
    await claim_pages(db, opened, limit=2)

    for each, status, fields in (
        (resources, 200, {"unfinished_pages": 5}),
        (without_database, 503, {"code": "database_unavailable"}),
    ):
        port = free_port()
        ours = replace(each, settings=replace(each.settings, metrics_port=port))
        async with scraping.own_port(ours), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            async with session.get("/backlog") as response:
                answer = await response.json(content_type=None)
            assert (response.status, {name: answer[name] for name in fields}) == (status, fields)
            async with session.get("/livez") as response:
                assert response.status == 200


async def test_a_port_of_their_own_that_is_taken_is_an_error_that_names_the_setting(resources: Resources) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ours = replace(resources, settings=replace(resources.settings, metrics_port=taken.getsockname()[1]))

        with pytest.raises(OSError, match="DOCSERVER_METRICS_PORT"):
            async with scraping.own_port(ours):
                pass


@pytest.mark.parametrize(("host", "expected"), [("", "127.0.0.1"), ("0.0.0.0", "0.0.0.0")])
def test_a_port_for_metrics_is_open_to_others_only_on_purpose(resources: Resources, host: str, expected: str) -> None:
    assert replace(resources.settings, host=host, auth=Auth.KEYS).metrics_host == expected


async def test_promtool_finds_nothing_wrong_with_the_metrics(client: Client) -> None:
    await upload(client)
    await get(client, "/v1/languages")
    text = await metrics(client)

    checked = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert len(own_names(text)) > 30
