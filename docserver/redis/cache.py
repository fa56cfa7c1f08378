"""Cached reads in Redis: jobs, written through with every change, and rendered results. MySQL is the truth."""

import logging
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from docserver.errors import RedisUnavailable
from docserver.model import Job, Status
from docserver.redis.changes import CHANNEL
from docserver.redis.client import Redis, Script

log = logging.getLogger("docserver.cache")

JOB_KEY = "docserver:job:{}"
RESULT_KEY = "docserver:result:{}"
TTL_S = 3600
"""How long Redis keeps a job or a result that nobody changes: it bounds the memory, not how old an answer may be."""

FRESH_S = 5
FINAL_FRESH_S = 60
"""A job is believed for so long, unfinished and final: a change whose write to Redis was lost shows after it at the
latest, even where whoever owed the write is dead."""

DELETED = "deleted"
DELETED_S = 60
"""How long a deleted job's mark stays, so that a reader or writer who was late cannot bring the job back."""

DELETED_VERSION = 2**53 - 1
"""Later than any version: the largest whole number that Lua compares exactly."""

MAX_OWED = 1000
"""Some megabytes at most; of what is forgotten an old state may be told until its time is over."""

_put_job = Script.load("put_job")
_put_result = Script.load("put_result")


@dataclass(frozen=True, slots=True)
class CachedJob:
    """A job as its readers get it."""

    version: int
    status: Status
    body: bytes
    """The JSON of the job."""

    @classmethod
    def of(cls, job: Job) -> "CachedJob":
        return cls(job.version, job.status, orjson.dumps(job.as_json()))

    @property
    def error(self) -> dict[str, Any] | None:
        """Why the job failed, as clients see it; None if it did not."""
        error: dict[str, Any] | None = orjson.loads(self.body)["error"]
        return error

    def marked_deduplicated(self) -> "CachedJob":
        """The job for a client whose upload it had read already."""
        return self._with(deduplicated=True)

    def with_queue_position(self, position: int | None) -> "CachedJob":
        """The job with the number of jobs that wait before it; None if it is not in the queue."""
        return self._with(queue_position=position)

    def _with(self, **changes: Any) -> "CachedJob":
        return replace(self, body=orjson.dumps({**orjson.loads(self.body), **changes}))


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a job."""

    job: CachedJob
    fresh: bool
    """Whether it may be told without asking the database."""
    result: bytes | None = None
    """Of this version of the job."""


class Cache:
    """Jobs and results kept for readers; reads miss and writes but `forget` pass silently while Redis is away."""

    def __init__(self, redis: Redis, *, ttl_s: int, max_result_bytes: int) -> None:
        self._redis = redis
        self._ttl_ms = ttl_s * 1000
        self._max_result_bytes = max_result_bytes
        # What Redis did not take, None for a deletion: it may come back with an older state, which nobody must be told.
        self._owed: dict[UUID, CachedJob | None] = {}

    async def job(self, job_id: UUID, *, stale: bool = False) -> CachedJob | None:
        """The job, unless it is not kept or, `stale` aside, kept for too long to be believed."""
        kept = await self._kept(job_id)
        return kept.job if kept and (stale or kept.fresh) else None

    async def result(self, job_id: UUID, name: str) -> Kept | None:
        """The job and its rendered result, as far as they are kept; `name` is the result's format and pages."""
        return await self._kept(job_id, ("HGET", RESULT_KEY.format(job_id), name))

    async def _kept(self, job_id: UUID, *more: tuple[str, ...]) -> Kept | None:
        key = JOB_KEY.format(job_id)
        try:
            found, left_ms, *results = await self._redis.commands(("GET", key), ("PTTL", key), *more)
        except RedisUnavailable:
            return None
        job = _parse(found)
        if job is None:
            return None
        fresh_s = FINAL_FRESH_S if job.status.final else FRESH_S
        fresh = int(left_ms) > self._ttl_ms - fresh_s * 1000
        if job_id in self._owed:
            owed = self._owed[job_id]
            if owed is None:
                return None
            if owed.version > job.version:
                return Kept(owed, fresh)
        return Kept(job, fresh, *results)

    async def put_job(self, job: CachedJob, *, job_id: UUID) -> None:
        """Keep a job unless a later version is kept, and wake those who wait for it."""
        try:
            await self._put(job_id, job)
        except RedisUnavailable:
            log.info("job not cached", extra={"job_id": str(job_id)})
            self._owe(job_id, job)

    async def forget(self, job_id: UUID) -> None:
        """Drop a deleted job with its results; raises RedisUnavailable when it may still be there."""
        try:
            await self._put(job_id, None)
        except RedisUnavailable:
            self._owe(job_id, None)
            raise

    async def repay(self) -> None:
        """Put what could not be put while Redis was away."""
        for job_id, state in list(self._owed.items()):
            try:
                await self._put(job_id, state)
            except RedisUnavailable:
                return
            if job_id in self._owed and self._owed[job_id] is state:
                del self._owed[job_id]

    def _owe(self, job_id: UUID, state: CachedJob | None) -> None:
        owed = self._owed.pop(job_id, state)
        later = owed is not None and (state is None or state.version > owed.version)
        self._owed[job_id] = state if later else owed
        if len(self._owed) > MAX_OWED:
            del self._owed[next(iter(self._owed))]

    async def put_result(self, job_id: UUID, name: str, *, version: int, body: bytes) -> None:
        """Keep a rendered result, unless it is too large or the job has changed."""
        if len(body) > self._max_result_bytes:
            return
        keys = [JOB_KEY.format(job_id), RESULT_KEY.format(job_id)]
        try:
            await self._redis.run(_put_result, keys=keys, args=[version, name, body])
        except RedisUnavailable:
            log.info("result not cached", extra={"job_id": str(job_id)})

    async def _put(self, job_id: UUID, state: CachedJob | None) -> None:
        keys = [JOB_KEY.format(job_id), RESULT_KEY.format(job_id)]
        if state is None:
            version, status, body, keep_ms = DELETED_VERSION, DELETED, b"", DELETED_S * 1000
        else:
            version, status, body, keep_ms = state.version, state.status.value, state.body, self._ttl_ms
        await self._redis.run(_put_job, keys=keys, args=[version, status, body, keep_ms, CHANNEL, f"{job_id} {status}"])


def _parse(kept: bytes | None) -> CachedJob | None:
    if kept is None:
        return None
    head, _, body = kept.partition(b"\n")
    version, _, status = head.decode().partition(" ")
    return None if status == DELETED else CachedJob(int(version), Status(status), body)
