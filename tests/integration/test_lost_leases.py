"""Work that several workers left: when it counts as lost, and what the history says."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from docserver.database.connection import Database
from docserver.database.tables import pages
from docserver.jobs import transitions
from docserver.model import Status
from docserver.resources import Resources
from tests.support.leases import claims_of
from tests.support.rows import (
    READING,
    TIMEOUT,
    claim_pages,
    found,
    make_job,
    told,
    value,
)


async def expire_and_reap(db: Database, job_id: UUID) -> None:
    for table, column in (("jobs", "id"), ("pages", "job_id")):
        async with db.session() as cur:
            await cur.execute(
                f"UPDATE {table} SET lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND "
                f"WHERE claim IS NOT NULL AND {column} = %s",
                (job_id.bytes,),
            )
    assert await transitions.reap(db, job_id)


async def test_a_page_that_three_workers_left_is_lost_and_the_history_says_so(resources: Resources) -> None:
    db = resources.db
    _, job_id = await make_job(db, total=2)
    claim_id, _ = await claim_pages(db, job_id, limit=1)
    await transitions.settle_pages(db, job_id=job_id, claim_id=claim_id, results={1: READING})
    for _ in range(transitions.LOST_LEASES):
        assert (await claim_pages(db, job_id))[1] == [2]
        await expire_and_reap(db, job_id)

    job = await found(db, job_id)

    assert (job.status, job.pages_done, job.pages_failed) == (Status.COMPLETED, 1, 1)
    assert told(job.as_json()["history"]) == [(1, "page", 2, "lost", None)] * 3 + [(1, "job", None, "completed", None)]
    assert all(entry.started_at <= entry.ended_at for entry in job.history)
    async with db.session() as cur:
        _, page = await pages.with_numbers(cur, job_id=job_id, numbers=[1, 2])
    assert page.failure == replace(transitions.lost_failure(), page=2)


async def test_a_document_that_three_workers_left_while_opening_it_is_lost(resources: Resources) -> None:
    db = resources.db
    _, job_id = await make_job(db)
    for _ in range(transitions.LOST_LEASES):
        async with claims_of(resources).claimed(job_id) as claim:
            assert claim
            await expire_and_reap(db, job_id)

    job = await found(db, job_id)

    assert (job.status, job.failure) == (Status.FAILED, transitions.lost_failure())
    assert told(job.as_json()["history"]) == [(1, "opening", None, "lost", None)] * 3 + [
        (1, "job", None, "failed", "lost")
    ]


async def test_tries_that_failed_stand_in_the_history_with_what_ended_them(resources: Resources) -> None:
    db = resources.db
    _, job_id = await make_job(db)
    async with claims_of(resources).claimed(job_id) as claim:
        assert claim
        assert await transitions.postpone_opening(db, job_id=job_id, claim_id=claim.id, code=TIMEOUT.code, delay_s=0)
    async with claims_of(resources).claimed(job_id) as claim:
        assert claim
        key: Any = {"job_id": job_id, "claim_id": claim.id}
        await transitions.open_pages(
            db, **key, job=claim.job, numbers=[4], claimed=[4], lease_s=30, read={}, pages_per_day=None
        )
        assert await transitions.postpone_page(db, **key, number=4, code=TIMEOUT.code, delay_s=0)
    async with claims_of(resources).claimed(job_id) as claim:
        assert claim
        job = await transitions.settle_pages(db, job_id=job_id, claim_id=claim.id, results={4: TIMEOUT})

    assert job
    assert job.status is Status.FAILED
    assert told(job.as_json()["history"]) == [
        (1, "opening", None, "failed", "page_timeout"),
        (1, "page", 4, "failed", "page_timeout"),
        (1, "page", 4, "failed", "page_timeout"),
        (1, "job", None, "failed", "page_timeout"),
    ]


async def test_the_history_keeps_the_latest_tries_alone(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "HISTORY_KEPT", 3)
    db = resources.db
    _, job_id = await make_job(db, total=5)
    claim_id, _ = await claim_pages(db, job_id, limit=5)

    for number in range(1, 6):
        await transitions.settle_pages(db, job_id=job_id, claim_id=claim_id, results={number: TIMEOUT})

    assert [(entry.step, entry.page) for entry in (await found(db, job_id)).history] == [
        ("page", 4),
        ("page", 5),
        ("job", None),
    ]
    assert await value(db, "SELECT COUNT(*) FROM job_history") == 3
