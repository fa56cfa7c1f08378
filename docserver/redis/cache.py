"""The cache of jobs and results in Redis. Every change of a job is committed to MySQL first and then cached here."""

import logging
import time
from collections import deque
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from docserver import metrics
from docserver.errors import RedisUnavailable
from docserver.model import Job, Status
from docserver.redis.changes import CHANNEL
from docserver.redis.client import Key, Redis
from docserver.redis.node import Script

log = logging.getLogger("docserver.cache")

TTL_S = 3600
"""How long Redis keeps a job that does not change, to limit the memory. FRESH_S limits the age of answers."""

RESULT_TTL_S = 600
"""How long Redis keeps a result at most. It is short because the results that a process puts into Redis within this
time are limited to MAX_RESULT_BYTES_IN_SUM."""

MAX_RESULT_BYTES_IN_SUM = 64_000_000
"""Most bytes of results that Redis keeps for one process; it holds everything in memory. It is a quarter of the memory
that the private Redis may use, and about a thousand results of ten pages of text."""

FRESH_S = 5
FINAL_FRESH_S = 60
"""Seconds for which a cached job is served without asking the database: FRESH_S while it is unfinished, FINAL_FRESH_S
when it is final. If a change of a job does not reach Redis, clients see it after this time at the latest."""

DELETED = "deleted"
DELETED_S = 60
"""How long the cache marks a job as deleted, so that a slow request cannot put the job back into the cache."""

DELETED_VERSION = 2**53 - 1
"""The version of a deleted job, higher than any other: the largest whole number that Lua compares exactly."""

MAX_UNSENT = 1000
"""Most changes kept in memory while Redis does not answer; they take some megabytes. If a change is dropped, clients
may see the job's old state until it is no longer fresh."""

_STATUSES = {status.value.encode(): status for status in Status}

_put_job = Script.load("put_job")
_put_result = Script.load("put_result")


# Each read makes one or two of these, and tuples are made in a fifth of the time of dataclasses.
class CachedJob(NamedTuple):
    """A job as clients get it."""

    version: int
    status: Status
    body: bytes
    """The JSON of the job."""

    @classmethod
    def of(cls, job: Job) -> "CachedJob":
        return cls(job.version, job.status, orjson.dumps(job.as_json()))

    @property
    def error(self) -> dict[str, Any] | None:
        """Why the job failed, as clients see it; None if it did not fail."""
        error: dict[str, Any] | None = orjson.loads(self.body)["error"]
        return error

    def marked_deduplicated(self) -> "CachedJob":
        """The job with the mark that it answers an upload whose document was already known."""
        return self._with(deduplicated=True)

    def with_queue_position(self, position: int | None) -> "CachedJob":
        """The job with its position: the number of turns before its own, None if it is not queued."""
        return self._with(queue_position=position)

    def _with(self, **changes: Any) -> "CachedJob":
        return CachedJob(self.version, self.status, orjson.dumps({**orjson.loads(self.body), **changes}))


class CacheEntry(NamedTuple):
    """A cached job, and one of its results if that was requested."""

    job: CachedJob
    fresh: bool
    """True if the job may be served without asking the database."""
    result: bytes | None = None
    """The requested result of this version of the job; None if it is not cached."""


class Cache:
    """The cached jobs and results. While Redis does not answer, the cache seems empty, and only `forget` raises."""

    def __init__(self, redis: Redis, *, ttl_s: int, max_result_bytes: int) -> None:
        self._redis = redis
        self._ttl_ms = ttl_s * 1000
        self._max_result_bytes = max_result_bytes
        # The results that Redis may still have from this process: when each expires, and its size.
        self._results: deque[tuple[float, int]] = deque()
        self._result_bytes = 0
        # Changes that did not reach Redis, by job and tenant; None is a deletion. When Redis answers again, it may have
        # an older state of these jobs, which must not be served.
        self._unsent: dict[tuple[UUID, str], CachedJob | None] = {}

    async def job(self, job_id: UUID, *, tenant: str, stale: bool = False) -> CachedJob | None:
        """The job if it is cached and fresh. With `stale`, it need not be fresh."""
        entry = await self._entry(job_id, tenant)
        _count("job", entry)
        return entry.job if entry and (stale or entry.fresh) else None

    async def result(self, job_id: UUID, name: str, *, tenant: str) -> CacheEntry | None:
        """The job, with the result `name` (its format) if that is cached too."""
        entry = await self._entry(job_id, tenant, ("HGET", result_key(job_id, tenant), name))
        _count("result", entry)
        return entry

    async def _entry(self, job_id: UUID, tenant: str, *more: tuple[Key | str, ...]) -> CacheEntry | None:
        key = job_key(job_id, tenant)
        try:
            value, left_ms, *results = await self._redis.commands(("GET", key), ("PTTL", key), *more)
        except RedisUnavailable:
            return None
        job = _parse(value)
        if job is None:
            return None
        fresh_s = FINAL_FRESH_S if job.status.final else FRESH_S
        fresh = int(left_ms) > self._ttl_ms - fresh_s * 1000
        if self._unsent and (job_id, tenant) in self._unsent:
            unsent = self._unsent[job_id, tenant]
            if unsent is None:
                return None
            if unsent.version > job.version:
                return CacheEntry(unsent, fresh)
        return CacheEntry(job, fresh, *results)

    async def put_job(self, job: CachedJob, *, job_id: UUID, tenant: str) -> None:
        """Cache a job unless a later version is cached, and wake the requests that wait for it."""
        try:
            await self._put(job_id, tenant, job)
        except RedisUnavailable:
            log.info("job not cached", extra={"job_id": str(job_id)})
            self._remember((job_id, tenant), job)

    async def forget(self, job_id: UUID, *, tenant: str) -> None:
        """Remove a deleted job with its results; raises RedisUnavailable if it may still be cached."""
        try:
            await self._put(job_id, tenant, None)
        except RedisUnavailable:
            self._remember((job_id, tenant), None)
            raise

    async def flush(self) -> None:
        """Send the changes that have not reached Redis yet."""
        for key, state in list(self._unsent.items()):
            try:
                await self._put(*key, state)
            except RedisUnavailable:
                return
            if key in self._unsent and self._unsent[key] is state:
                del self._unsent[key]

    def _remember(self, key: tuple[UUID, str], state: CachedJob | None) -> None:
        unsent = self._unsent.pop(key, state)
        later = unsent is not None and (state is None or state.version > unsent.version)
        self._unsent[key] = state if later else unsent
        if len(self._unsent) > MAX_UNSENT:
            del self._unsent[next(iter(self._unsent))]

    async def put_result(self, job_id: UUID, name: str, *, tenant: str, version: int, body: bytes) -> None:
        """Cache a result, unless it is too large, the job has changed, or Redis has enough results of this process."""
        if len(body) > self._max_result_bytes or not self._reserve(len(body)):
            return
        keys = [job_key(job_id, tenant), result_key(job_id, tenant)]
        try:
            await self._redis.run(_put_result, keys=keys, args=[version, name, body, RESULT_TTL_S * 1000])
        except RedisUnavailable:
            log.info("result not cached", extra={"job_id": str(job_id)})

    def _reserve(self, size: int) -> bool:
        """Count a result of this size; False if the results in Redis would take more than MAX_RESULT_BYTES_IN_SUM."""
        now = time.monotonic()
        while self._results and self._results[0][0] <= now:
            self._result_bytes -= self._results.popleft()[1]
        if self._result_bytes + size > MAX_RESULT_BYTES_IN_SUM:
            return False
        self._results.append((now + RESULT_TTL_S, size))
        self._result_bytes += size
        return True

    async def _put(self, job_id: UUID, tenant: str, state: CachedJob | None) -> None:
        keys = [job_key(job_id, tenant), result_key(job_id, tenant)]
        if state is None:
            version, status, body, keep_ms = DELETED_VERSION, DELETED, b"", DELETED_S * 1000
        else:
            version, status, body, keep_ms = state.version, state.status.value, state.body, self._ttl_ms
        channel = self._redis.channel(CHANNEL)
        await self._redis.run(_put_job, keys=keys, args=[version, status, body, keep_ms, channel, f"{job_id} {status}"])


@lru_cache(maxsize=1024)
def job_key(job_id: object, tenant: str) -> Key:
    """The key of a cached job. It has the tenant: for another one, the job is not in the cache."""
    return Key(f"job:{{{job_id}}}:{tenant}".encode())


@lru_cache(maxsize=1024)
def result_key(job_id: object, tenant: str) -> Key:
    """The key of a job's results, in the same slot of a cluster as the job."""
    return Key(f"result:{{{job_id}}}:{tenant}".encode())


def _count(kind: str, entry: CacheEntry | None) -> None:
    """Count a read of a job, or of a result."""
    if entry is None or (kind == "result" and entry.result is None):
        outcome = "miss"
    else:
        outcome = "hit" if entry.fresh else "stale"
    metrics.CACHE_READS.inc(kind, outcome)


def _parse(value: bytes | None) -> CachedJob | None:
    """The job; None if it is deleted, or if this version cannot read what another one has cached."""
    if value is None:
        return None
    head, _, body = value.partition(b"\n")
    version, _, status = head.partition(b" ")
    try:
        return CachedJob(int(version), _STATUSES[status], body)
    except (ValueError, KeyError):
        return None
