"""How many rows the database reads to find work: as many in a long job, and beside many others, as in a short one."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from docserver.database.connection import Cursor, Database
from docserver.database.tables import claims, pages, unfinished_jobs
from docserver.jobs import transitions
from docserver.model import Source
from tests.support.rows import CLIENT, LEASE_S, READING, change, make_job, rows_read

LONG = 400
"""Pages of a long job, and jobs of a client that has many; far more than any statement may read."""

FEW = 12
"""Most rows that a statement may read to find one page or job: some of each index that it looks at."""

Statement = Callable[[Cursor, UUID], Coroutine[Any, Any, Any]]

STATEMENTS: dict[str, Statement] = {
    "the source of the last page": pages.have_own_text,
    "the next page": lambda cur, job_id: claims.waiting_pages(cur, job_id=job_id, limit=1),
    "a job with work": lambda cur, _: unfinished_jobs.runnable(cur, client=CLIENT, limit=1),
    "the next client": lambda cur, _: unfinished_jobs.next_client(cur, "10.0.0.0"),
    "the next page, claimed": lambda cur, job_id: claim(cur, job_id, uuid4(), [LONG]),
}


async def claim(cur: Cursor, job_id: UUID, claim_id: UUID, numbers: Sequence[int]) -> bool:
    await claims.take_pages(cur, job_id=job_id, claim_id=claim_id, numbers=numbers, lease_s=LEASE_S)
    return True


@asynccontextmanager
async def few_rows_are_read(cur: Cursor) -> AsyncIterator[None]:
    before = await rows_read(cur)
    yield
    assert await rows_read(cur) - before <= FEW


async def settle(db: Database, job_id: UUID, *, count: int) -> None:
    """Read the next `count` pages of a job."""
    claim_id = uuid4()
    async with db.transaction() as cur:
        numbers = [page.number for page in await claims.waiting_pages(cur, job_id=job_id, limit=count)]
        await claim(cur, job_id, claim_id, numbers)
    settled = dict.fromkeys(numbers, replace(READING, source=Source.TEXT_LAYER))
    assert await transitions.settle_pages(db, job_id=job_id, claim_id=claim_id, results=settled)


@pytest.mark.parametrize("read", [1, LONG // 2, LONG - 1])
async def test_the_next_page_of_a_long_job_costs_few_rows_however_many_are_read(db: Database, read: int) -> None:
    _, job_id = await make_job(db, total=LONG)
    await settle(db, job_id, count=read)

    async with db.session() as cur:
        for statement in STATEMENTS.values():
            async with few_rows_are_read(cur):
                assert await statement(cur, job_id)


async def test_the_next_page_costs_few_rows_beside_many_jobs_of_many_clients(db: Database) -> None:
    _, job_id = await make_job(db, total=2)
    await settle(db, job_id, count=1)
    for number in range(LONG // 4):
        await make_job(db, client=f"10.1.{number % 10}.1", total=1 if number % 2 else None)
    await change(db, "ANALYZE TABLE jobs, pages")

    async with db.session() as cur:
        for statement in STATEMENTS.values():
            async with few_rows_are_read(cur):
                assert await statement(cur, job_id)
