"""The life of jobs against a model: whatever happens in whatever order, the real thing does what the model does.

Real database, Redis and files; workers and processes are played, so that every order of their acts can come up.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import cast
from uuid import uuid4

import uvloop
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from docserver.caller import DEFAULT_TENANT
from docserver.documents import cancel_retry, deletion, intake, queries
from docserver.errors import Conflict, Gone, NotFound, Unprocessable
from docserver.jobs import notify, transitions
from docserver.maintenance import Maintenance
from docserver.model import Job
from docserver.reading_options import Options
from docserver.resources import checked_engine, opened
from docserver.settings import Settings
from tests.support import job_model as model
from tests.support.job_machine import LAPSED, WORKERS, JobMachine
from tests.support.rows import CALLER, READING, TIMEOUT
from tests.support.samples import png

PICTURE = png()
chosen_pages = st.none() | st.sets(st.integers(1, 4), min_size=1).map(sorted)
which = st.integers(0, 11)

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "10"))
"""Lives that are tried; `MODEL_EXAMPLES=400 make test PYTEST_ARGS=…` looks harder than every run has to."""


class Life(JobMachine):
    """Jobs, the claims of two workers and of those that were thought dead, and all that clients and faults do."""

    @initialize(total=st.integers(3, 4))
    def two_workers_share_a_document(self, total: int) -> None:
        """Most of what can go wrong needs that to have happened; from an empty service it would seldom come up."""
        self.accept(total)
        for worker in range(WORKERS):
            self.take(0, worker)
            self.open(-1)

    # --- what clients do

    @precondition(lambda self: len(self.jobs) < 3)
    @rule(total=st.integers(1, 4))
    def accept(self, total: int) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield PICTURE

        async def upload() -> Job:
            received = await intake.receive(self.resources, chunks())
            new_upload = intake.Upload(
                "a.png", Options("eng"), caller=replace(CALLER, client=str(uuid4())), request_id="r"
            )
            return (await intake.accept(self.resources, received, new_upload))[0]

        job = self.run(upload())
        self.run(self.check(job))
        self.jobs[job.id] = model.Job(job.id, job.document_id, list(range(1, total + 1)))

    @precondition(lambda self: self.jobs)
    @rule(n=which)
    def cancel(self, n: int) -> None:
        job = self.job(n)
        try:
            self.see(self.run(cancel_retry.cancel(self.resources, job.id, tenant=DEFAULT_TENANT)))
        except Conflict:
            assert job.final
        else:
            assert not job.final
            job.cancel()
            assert job.id not in self.queued()

    @precondition(lambda self: any(job.final for job in self.jobs.values()))
    @rule(n=which, chosen=chosen_pages, languages=st.sampled_from(["eng", "eng", "osd"]))
    def retry(self, n: int, chosen: list[int] | None, languages: str) -> None:
        job = self.job(n)
        selection = [range(page, page + 1) for page in chosen] if chosen else None
        move = partial(
            cancel_retry.retry, self.resources, job.id, tenant=DEFAULT_TENANT, selection=selection, request_id="again"
        )
        try:
            self.see(self.run(move(changes={"languages": languages})))
        except Conflict:
            assert not job.final
        except Unprocessable:
            assert not job.retry(chosen, languages=languages)
        else:
            assert job.final
            assert job.retry(chosen, languages=languages)

    @precondition(lambda self: self.jobs)
    @rule(n=which)
    def delete(self, n: int) -> None:
        job = self.job(n)
        self.run(deletion.delete(self.resources, job.document_id, tenant=DEFAULT_TENANT, actor="a test"))
        del self.jobs[job.id]
        self.deleted[job.id] = job.document_id
        assert job.id not in self.queued()

    @precondition(lambda self: self.deleted)
    @rule(n=which)
    def ask_for_what_is_gone(self, n: int) -> None:
        job_id = list(self.deleted)[n % len(self.deleted)]
        retry = cancel_retry.retry(
            self.resources, job_id, selection=None, changes={}, request_id="r", tenant=DEFAULT_TENANT
        )
        for ask in (
            deletion.delete(self.resources, self.deleted[job_id], tenant=DEFAULT_TENANT, actor="a test"),
            cancel_retry.cancel(self.resources, job_id, tenant=DEFAULT_TENANT),
            retry,
            queries.job(self.resources, job_id, tenant=DEFAULT_TENANT),
        ):
            try:
                self.run(ask)
            except (Gone, NotFound):
                continue
            raise AssertionError("what was deleted is there")

    # --- what workers do

    @precondition(lambda self: self.jobs)
    @rule(n=which, worker=st.integers(0, WORKERS - 1))
    def take(self, n: int, worker: int) -> None:
        self.take_job(self.job(n), self.workers[worker])

    @precondition(lambda self: self.claims)
    @rule(n=which, reads=st.integers(0, 3))
    def open(self, n: int, reads: int = 0) -> None:
        """Open a document, and perhaps read its first pages on the way."""
        job, claim_id, job_id = self.held(n)
        numbers = job.numbers if job else [1]
        texts = {number: f"{number} by {claim_id}" for number in numbers[:reads]}
        move = transitions.open_pages(
            self.db,
            job=self.claimed[claim_id],
            job_id=job_id,
            claim_id=claim_id,
            numbers=numbers,
            claimed=numbers[len(texts) : model.CHUNK],
            lease_s=30,
            read={number: replace(READING, text=text) for number, text in texts.items()},
            pages_per_day=None,
        )
        done = self.run(self.show(self.run(move)))
        assert done == bool(job and job.opened(claim_id, texts))

    @precondition(lambda self: self.claims)
    @rule(n=which, number=st.integers(1, 4), good=st.booleans())
    def settle(self, n: int, number: int, good: bool) -> None:
        job, claim_id, job_id = self.held(n)
        text = f"{number} by {claim_id}" if good else None
        result = replace(READING, text=text) if text else TIMEOUT
        move = transitions.settle_pages(self.db, job_id=job_id, claim_id=claim_id, results={number: result})
        done = self.run(self.show(self.run(move)))
        assert done == bool(job and job.settle(claim_id, number, text=text))

    @precondition(lambda self: self.claims)
    @rule(n=which, number=st.integers(1, 4))
    def postpone_page(self, n: int, number: int) -> None:
        job, claim_id, job_id = self.held(n)
        move = transitions.postpone_page(
            self.db, job_id=job_id, claim_id=claim_id, number=number, code=TIMEOUT.code, delay_s=0
        )
        assert self.run(self.show(self.run(move))) == bool(job and job.postpone(claim_id, number))

    @precondition(lambda self: self.claims)
    @rule(n=which, for_good=st.booleans())
    def opening_fails(self, n: int, for_good: bool) -> None:
        job, claim_id, job_id = self.held(n)
        if for_good:
            move = transitions.fail_opening(self.db, job_id=job_id, claim_id=claim_id, failure=TIMEOUT)
            expected = bool(job and job.fail_opening(claim_id))
        else:
            move = transitions.postpone_opening(self.db, job_id=job_id, claim_id=claim_id, code=TIMEOUT.code, delay_s=0)
            expected = bool(job and job.postpone(claim_id, None))
        assert self.run(self.show(self.run(move))) == expected

    @precondition(lambda self: self.claims)
    @rule(n=which)
    def give_back(self, n: int) -> None:
        worker, claim_id, job_id = self.claims[self.index(n)]
        self.run(worker.release(claim_id, job_id))
        if job_id in self.jobs:
            self.jobs[job_id].release(claim_id)

    @rule(worker=st.integers(0, WORKERS - 1))
    def heartbeat(self, worker: int) -> None:
        own = {claim_id: job_id for claims, claim_id, job_id in self.claims if claims is self.workers[worker]}
        before = {claim_id for claim_id in own if self.workers[worker]._leases[claim_id].lost}
        self.run(self.workers[worker].heartbeat())
        for claim_id, job_id in own.items():
            if claim_id in before:
                # It has learned that already, and does not ask again: what it holds no more may lapse.
                continue
            stands = job_id in self.jobs and self.jobs[job_id].heartbeat(claim_id)
            assert self.workers[worker]._leases[claim_id].lost == (not stands)

    @precondition(lambda self: self.claims)
    @rule(n=which)
    def lapse(self, n: int) -> None:
        """So much time passes without a heartbeat that the lease is over."""
        job, claim_id, _ = self.held(n)

        async def pass_time() -> None:
            async with self.db.session() as cur:
                for table in ("jobs", "pages"):
                    await cur.execute(f"UPDATE {table} SET {LAPSED} WHERE claim = %s", (claim_id.bytes,))

        self.run(pass_time())
        if job:
            job.lapse(claim_id)

    # --- what would come up too rarely by chance, step by step

    @precondition(lambda self: self.jobs)
    @rule(n=which, worker=st.integers(0, WORKERS - 1))
    def a_job_is_read_as_far_as_it_can_be(self, n: int, worker: int) -> None:
        job = self.job(n)
        while self.take_job(job, self.workers[worker]):
            self.open(-1)
            for number in list(job.pages or ()):
                self.settle(-1, number, good=True)

    @precondition(lambda self: self.jobs)
    @rule(n=which, times=st.integers(1, model.LOST_LEASES))
    def workers_fall_silent_one_after_the_other(self, n: int, times: int) -> None:
        for _ in range(times):
            if not self.take_job(self.job(n), self.workers[0]):
                return
            self.lapse(-1)
            self.reap()

    @precondition(lambda self: self.claims)
    @rule(n=which, worker=st.integers(0, WORKERS - 1))
    def a_lease_is_over_and_some_worker_sends_a_heartbeat(self, n: int, worker: int) -> None:
        self.lapse(n)
        self.heartbeat(worker)
        self.reap()

    # --- what maintenance and faults do

    @rule()
    def reap(self) -> None:
        self.run(Maintenance(self.resources)._expire_leases())
        for job in self.jobs.values():
            job.reap()

    @rule()
    def announce_again(self) -> None:
        self.run(Maintenance(self.resources)._announce())
        queued = self.queued()
        assert set(queued) >= {job.id for job in self.jobs.values() if job.runnable}
        assert set(queued) <= {job.id for job in self.jobs.values() if not job.final}

    @rule()
    def a_worker_dies_with_what_it_took_from_the_list(self) -> None:
        self.run(self.taken())

    @rule()
    def redis_forgets_everything(self) -> None:
        self.run(self.resources.redis.command("FLUSHALL"))
        self.seen.clear()

    @precondition(lambda self: self.seen)
    @rule(n=which)
    def a_late_state_is_published(self, n: int) -> None:
        self.run(notify.publish(self.resources, self.seen[n % len(self.seen)]))

    # --- what must hold after each of it

    def teardown(self) -> None:
        """A healthy worker comes: every job ends, and nothing is left over."""
        for context in self.at_work:
            self.run(context.__aexit__(None, None, None))
        for _, claim_id, job_id in self.claims:
            if job_id in self.jobs:
                self.jobs[job_id].lapse(claim_id)
        self.run(self._lapse_all())
        self.reap()
        while any(job.runnable for job in self.jobs.values()):
            self.announce_again()
            announced = self.run(self.taken())
            assert announced
            self.a_job_is_read_as_far_as_it_can_be(list(self.jobs).index(announced), 0)
        self.the_database_says_what_the_model_says()
        assert all(job.final for job in self.jobs.values())
        self.announce_again()
        assert self.queued() == []
        files = self.run(self.files())
        assert sorted(files) == sorted(job.document_id for job in self.jobs.values())

    async def _lapse_all(self) -> None:
        async with self.db.session() as cur:
            for table in ("jobs", "pages"):
                await cur.execute(f"UPDATE {table} SET {LAPSED} WHERE claim IS NOT NULL")


def test_whatever_happens_in_whatever_order_jobs_do_what_the_model_does(settings: Settings) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        engine = runner.run(checked_engine(settings))
        resources = runner.run(stack.enter_async_context(opened(settings, engine)))
        try:
            run_state_machine_as_test(
                # Anything that makes a machine will do.
                cast("type[Life]", partial(Life, runner, resources)),
                settings=hypothesis_settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            with suppress(asyncio.CancelledError):
                runner.run(stack.aclose())
