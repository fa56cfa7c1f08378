"""Jobs of the service beside those of the model, and what has to hold between them; the moves are the test's."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
)

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import jobs
from docserver.documents import results
from docserver.formats import FORMATS
from docserver.jobs import notify
from docserver.jobs.leases import Claim, Claims
from docserver.model import Job
from docserver.resources import Resources
from tests.support import job_model as model
from tests.support.redis_state import announced
from tests.support.rows import CALLER
from tests.support.waiting import FOREVER_S

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")
WORKERS = 2
EMPTY = ("DELETE FROM documents", "DELETE FROM deleted_documents", "DELETE FROM leaders")
LAPSED = "lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND"


class JobMachine(RuleBasedStateMachine):
    """Jobs, the claims of two workers and of those that were thought dead."""

    def __init__(self, runner: asyncio.Runner, resources: Resources) -> None:
        super().__init__()
        self.runner = runner
        self.resources = replace(resources, settings=replace(resources.settings, chunk_pages=model.CHUNK))
        self.db = resources.db
        self.workers = [Claims(self.resources) for _ in range(WORKERS)]
        self.jobs: dict[UUID, model.Job] = {}
        self.deleted: dict[UUID, UUID] = {}
        self.claims: list[tuple[Claims, UUID, UUID]] = []
        self.claimed: dict[UUID, Job] = {}
        """Each job as it was claimed, by the claim."""
        self.at_work: list[AbstractAsyncContextManager[Claim | None]] = []
        self.seen: list[Job] = []
        self.run(self._empty())

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return self.runner.run(awaited())

    async def _empty(self) -> None:
        for document_id in await self.files():
            await self.resources.storage.delete(document_id)
        async with self.db.session() as cur:
            for statement in EMPTY:
                await cur.execute(statement)
        await self.resources.redis.command("FLUSHALL")

    async def files(self) -> list[UUID]:
        """The documents whose originals are in the storage."""
        return [document_id async for part in self.resources.storage.older_than(-60) for document_id in part]

    def job(self, n: int) -> model.Job:
        return list(self.jobs.values())[n % len(self.jobs)]

    async def show(self, job: Job | None) -> bool:
        """Publish as who made a move does; whether there was something to publish."""
        if job:
            await self.check(job)
            self.seen.append(job)
            await notify.publish(self.resources, job)
        return job is not None

    def see(self, job: Job) -> None:
        """Remember a job as it was answered, which is as it stands in the database."""
        self.run(self.check(job))
        self.seen.append(job)

    async def check(self, job: Job) -> None:
        async with self.db.session() as cur:
            assert job == await jobs.find(cur, job.id)

    def take_job(self, job: model.Job, worker: Claims) -> bool:
        context = worker.claimed(job.id)
        claim = self.run(context.__aenter__())
        assert (claim is not None) == job.runnable
        if claim is None:
            self.run(context.__aexit__(None, None, None))
            return False
        assert claim.job.options.languages == job.languages
        job.take(claim.id)
        self.claims.append((worker, claim.id, job.id))
        self.claimed[claim.id] = claim.job
        self.at_work.append(context)
        self.see(claim.job)
        return True

    def held(self, n: int) -> tuple[model.Job | None, UUID, UUID]:
        """A claim that was given out: every other time one that stands, if there is one."""
        _, claim_id, job_id = self.claims[self.index(n)]
        return self.jobs.get(job_id), claim_id, job_id

    def index(self, n: int) -> int:
        standing = [
            place
            for place, (_, claim_id, job_id) in enumerate(self.claims)
            if job_id in self.jobs and self.jobs[job_id].standing(claim_id)
        ]
        if n >= 0 and n % 2 == 0 and standing:
            return standing[n // 2 % len(standing)]
        return n % len(self.claims)

    async def taken(self) -> UUID | None:
        # Redis would make the machine wait for a job that is not there.
        turn = await self.resources.queue.take(wait_s=FOREVER_S) if await announced(self.resources) else None
        return turn.job_id if turn else None

    def queued(self) -> list[UUID]:
        return self.run(announced(self.resources))

    @invariant()
    def the_list_names_a_job_at_most_once_for_each_attempt(self) -> None:
        # A job that is cancelled and retried may stand in the list twice: a removed id stays there until its turn.
        queued = self.queued()
        assert all(
            count <= self.jobs[job_id].attempt for job_id, count in Counter(queued).items() if job_id in self.jobs
        )
        assert set(queued) <= self.jobs.keys() | self.deleted.keys()

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        async with self.db.session() as cur:
            await cur.execute("SELECT * FROM jobs")
            rows = {UUID(bytes=row["id"]): row for row in cur.rows()}
            await cur.execute("SELECT * FROM pages ORDER BY number")
            page_rows = cur.rows()
        assert rows.keys() == self.jobs.keys()
        for job_id, job in self.jobs.items():
            row = rows[job_id]
            its = [row for row in page_rows if row["job_id"] == job_id.bytes]
            assert (row["status"], row["attempt"]) == (job.status, job.attempt)
            assert (_claim(row), row["tries"], row["lost_leases"]) == (
                job.opening.claim,
                job.opening.tries,
                job.opening.lost_leases,
            )
            if job.pages is None:
                assert (row["pages_total"], its) == (None, [])
                continue
            assert [
                (row["number"], row["status"], row["text"] or "", _claim(row), row["tries"], row["lost_leases"])
                for row in its
            ] == [
                (number, page.status, page.text, page.claim, page.tries, page.lost_leases)
                for number, page in job.pages.items()
            ]
            statuses = [page.status for page in job.pages.values()]
            counts = (len(statuses), statuses.count("done"), statuses.count("failed"))
            assert (row["pages_total"], row["pages_done"], row["pages_failed"]) == counts

    @invariant()
    def readers_are_told_no_end_but_the_true_one(self) -> None:
        for job_id, job in self.jobs.items():
            cached = self.run(self.resources.cache.job(job_id, stale=True, tenant=DEFAULT_TENANT))
            if cached and cached.status.final:
                answer = (cached.status.value, b'"attempt":%d,' % job.attempt in cached.body)
                assert answer == (job.status, True)
            if job.status == "completed" and job.pages is not None:
                result = self.run(
                    results.result(
                        self.resources,
                        job_id,
                        caller=CALLER,
                        form=FORMATS["txt"],
                        selection=None,
                        client_has=lambda _: False,
                    )
                )
                assert result.body == "\f".join(page.text for page in job.pages.values()).encode()
        for job_id in self.deleted:
            assert self.run(self.resources.cache.job(job_id, stale=True, tenant=DEFAULT_TENANT)) is None


def _claim(row: Any) -> UUID | None:
    return UUID(bytes=row["claim"]) if row["claim"] else None
