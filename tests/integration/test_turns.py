"""Turns: a client's document waits for no other client's backlog, with Redis and without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import FormData
from pytest_aiohttp import AiohttpClient

from docserver.database.connection import Cursor, Database
from docserver.database.tables import unfinished_jobs
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.turns import clients_in_turn
from docserver.jobs.worker import Worker
from docserver.maintenance import ANNOUNCED_AT_ONCE, Maintenance
from docserver.redis.queue import JOBS
from docserver.resources import Resources
from docserver.web.app import make_app
from tests.support.client import Client, completed
from tests.support.redis_state import announced
from tests.support.rows import change, make_job, value
from tests.support.samples import PAGES, pdf_scanned, png
from tests.support.service import form
from tests.support.waiting import until

SLOTS = 2
A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"

READ_BEFORE = """
    SELECT COUNT(*) FROM pages p JOIN jobs j ON j.id = p.job_id JOIN jobs b ON b.id = %s
    WHERE j.client = %s AND p.finished_at > %s AND p.finished_at <= b.started_at
"""


@pytest.fixture(params=["with Redis", "without Redis"])
def either(request: pytest.FixtureRequest, resources: Resources, without_redis: Resources) -> Resources:
    return resources if request.param == "with Redis" else without_redis


async def upload_as(client: Client, address: str, data: FormData) -> dict[str, Any]:
    headers = {"X-Forwarded-For": address}
    async with client.post("/v1/documents/upload-document", data=data, headers=headers) as response:
        body: dict[str, Any] = await response.json()
        assert response.status == 202, body
        return body


async def test_a_receipt_is_the_next_to_be_read_however_much_another_client_has_queued(
    either: Resources, aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    settings = replace(either.settings, trusted_proxies=(ip_network("127.0.0.0/8"),), rate_limit=False)
    client = await aiohttp_client(make_app(replace(either, settings=settings)))
    worker = Worker(Pipeline(either, scratch=tmp_path / "scratch"), either.queue, slots=SLOTS)
    for _ in range(20):
        await upload_as(client, A, form(pdf_scanned(PAGES), "long.pdf"))
    worker.start()
    await until(lambda: _reads(either.db))

    receipt = await upload_as(client, B, form(png(), "receipt.png"))
    accepted_at = await value(either.db, "SELECT UTC_TIMESTAMP(6)")
    await completed(client, receipt["job_id"])
    await worker.stop(grace_s=0)

    job_id = UUID(receipt["job_id"])
    assert await value(either.db, READ_BEFORE, job_id.bytes, A, accepted_at) <= SLOTS * len(PAGES)
    assert await value(either.db, "SELECT COUNT(*) FROM jobs WHERE status = 'completed' AND client = %s", A) < 20


async def _reads(db: Database) -> bool:
    return bool(await value(db, "SELECT COUNT(*) FROM pages WHERE status = 'done'"))


async def in_turn(db: Database, *, after: str | None, most: int = 100) -> list[str]:
    async with db.session() as cur, aclosing(_typed(clients_in_turn(cur, after=after, most=most))) as clients:
        return [client async for client in clients]


def _typed(clients: AsyncIterator[str]) -> Any:
    return clients


async def test_clients_follow_each_other_whatever_they_have_queued(db: Database) -> None:
    assert await in_turn(db, after=None) == []
    for client in (A, A, A, A, B, C):
        await make_job(db, client=client)
    await make_job(db, client=C, total=2)

    assert await in_turn(db, after=None) == [A, B, C]
    assert await in_turn(db, after=A) == [B, C, A]
    assert await in_turn(db, after=C) == [A, B, C]
    assert await in_turn(db, after="10.0.0.15") == [B, C, A]
    assert await in_turn(db, after=A, most=2) == [B, C]


async def test_a_client_without_a_name_has_its_turn_too(db: Database) -> None:
    await make_job(db, client="")
    await make_job(db, client=A)

    assert await in_turn(db, after=None) == ["", A]
    assert await in_turn(db, after="") == [A, ""]


async def test_a_slot_that_asks_the_database_serves_the_next_client_each_time(
    resources: Resources, db: Database, tmp_path: Path
) -> None:
    backlog = [(await make_job(db, client=A))[1] for _ in range(3)]
    _, receipt = await make_job(db, client=B)
    pipeline = Pipeline(resources, scratch=tmp_path)

    served = [await pipeline.runnable(limit=2) for _ in range(3)]

    assert served == [backlog[:2], [receipt], backlog[:2]]
    # A client whose jobs are all postponed does not stop the others.
    await change(db, "UPDATE jobs SET run_after = UTC_TIMESTAMP(6) + INTERVAL 1 DAY WHERE client = %s", B)
    assert await pipeline.runnable(limit=2) == backlog[:2]


MORE_JOBS = """
    INSERT INTO jobs (id, document_id, client, status, version, options, request_id, run_after, created_at)
    SELECT LEFT(UNHEX(SHA2(CONCAT(%s, a.n, b.n, c.n), 256)), 16),
        %s, %s, 'pending', 1, '{}', 'r', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
    FROM digits a, digits b, digits c
"""
"""A thousand more jobs of a document."""

DIGITS = "WITH RECURSIVE digits AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM digits WHERE n < 9) SELECT "


async def rows_read(cur: Cursor) -> int:
    """How many rows of indexes and tables this connection has read."""
    await cur.execute("SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_key', 'Handler_read_next')")
    return sum(int(row["Value"]) for row in cur.rows())


async def test_the_database_reads_no_more_rows_for_the_next_turn_if_a_backlog_is_longer(db: Database) -> None:
    document_id, _ = await make_job(db, client=A)
    await make_job(db, client=B)
    cost = []
    for number in range(3):
        await change(db, MORE_JOBS.replace("SELECT ", DIGITS, 1), str(number), document_id.bytes, A)
        async with db.session() as cur:
            await cur.execute("ANALYZE TABLE jobs")
            before = await rows_read(cur)
            served = [await unfinished_jobs.next_client(cur, None), await unfinished_jobs.next_client(cur, A)]
            assert len(await unfinished_jobs.runnable(cur, client=A, limit=5)) == 5
            cost.append(await rows_read(cur) - before)
            assert served == [A, B]

    # The server may read a row more or less, by what it has cleaned up; a backlog ten times as long would show.
    assert cost[2] <= cost[0] + 2 < 50


async def test_after_redis_has_forgotten_all_each_client_is_announced_again_in_the_first_round(
    resources: Resources, db: Database, maintenance: Maintenance
) -> None:
    backlog = [(await make_job(db, client=A))[1] for _ in range(5)]
    _, receipt = await make_job(db, client=B)

    await maintenance.round()
    assert await announced(resources) == [*backlog, receipt]

    for _ in range(3):
        await maintenance.round()
    assert await resources.redis.command("HLEN", JOBS) == len(backlog) + 1 < ANNOUNCED_AT_ONCE


async def test_slots_wait_for_nothing_while_a_client_has_only_removed_jobs(resources: Resources) -> None:
    ids = [UUID(int=number) for number in range(3)]
    await resources.queue.announce(A, *ids)
    await resources.queue.remove(ids)

    taken = await asyncio.gather(*(resources.queue.take(wait_s=0.05) for _ in range(4)))

    assert taken == [None] * 4
    assert await resources.redis.command("DBSIZE") == 0
