"""Cached reads in Redis: jobs, written through with every change, and rendered results. MySQL is the truth."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import orjson

from docserver.errors import RedisUnavailable
from docserver.model import Job, Status
from docserver.scripts import FAULTS, Redis, Script

log = logging.getLogger("docserver.cache")

JOB_KEY = "docserver:job:{}"
RESULT_KEY = "docserver:result:{}"
CHANGES = "docserver:changes"
"""Channel on which the id of every job that changed is published, and its status."""

FRESH_S = 5
"""An unfinished job is believed for so long: a change whose write to Redis was lost shows after it at the latest."""

DELETED = "deleted"
DELETED_S = 60
"""How long a deleted job's mark stays, so that a reader or writer who was late cannot bring the job back."""

DELETED_VERSION = 2**53 - 1
"""Later than any version: the largest whole number that Lua compares exactly."""

MAX_OWED = 1000
"""Some megabytes at most; of what is forgotten an old state may be told until its time is over."""

RECONNECT_S = 1.0

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


class Cache:
    """Jobs and results kept for readers; reads miss and writes but `forget` pass silently while Redis is away."""

    def __init__(self, redis: Redis, *, ttl_s: int, max_result_bytes: int) -> None:
        self._redis = redis
        self._ttl_ms = ttl_s * 1000
        self._max_result_bytes = max_result_bytes
        # States that Redis did not take: should it come back with what it had, an older one could be believed.
        self._owed: dict[UUID, CachedJob] = {}

    async def job(self, job_id: UUID, *, stale: bool = False) -> CachedJob | None:
        """The job, unless it is not kept or, `stale` aside, unfinished and kept for longer than FRESH_S."""
        key = JOB_KEY.format(job_id)
        try:
            job = _parse(await self._redis.command("GET", key))
            if job is None or job.status.final or stale or await self._fresh(key):
                return job
        except RedisUnavailable:
            pass
        return None

    async def finished(self, job_id: UUID, name: str) -> tuple[CachedJob | None, bytes | None]:
        """The job if it is kept and final, and its rendered result if that is kept; `name` is its format and pages."""
        try:
            kept, result = await self._redis.commands(
                ("GET", JOB_KEY.format(job_id)), ("HGET", RESULT_KEY.format(job_id), name)
            )
        except RedisUnavailable:
            return None, None
        job = _parse(kept)
        return (job, result) if job and job.status.final else (None, None)

    async def put_job(self, job: CachedJob, *, job_id: UUID) -> None:
        """Keep a job unless a later version is kept, and wake those who wait for it."""
        try:
            await self._put(job_id, version=job.version, status=job.status.value, body=job.body, keep_ms=self._ttl_ms)
        except RedisUnavailable:
            log.info("job not cached", extra={"job_id": str(job_id)})
            self._owed.pop(job_id, None)
            self._owed[job_id] = job
            if len(self._owed) > MAX_OWED:
                del self._owed[next(iter(self._owed))]

    async def repay(self) -> None:
        """Put the latest states that could not be put while Redis was away."""
        for job_id, job in list(self._owed.items()):
            try:
                await self._put(
                    job_id, version=job.version, status=job.status.value, body=job.body, keep_ms=self._ttl_ms
                )
            except RedisUnavailable:
                return
            if self._owed.get(job_id) is job:
                del self._owed[job_id]

    async def forget(self, job_id: UUID) -> None:
        """Drop a deleted job with its results; raises RedisUnavailable when it may still be there."""
        await self._put(job_id, version=DELETED_VERSION, status=DELETED, body=b"", keep_ms=DELETED_S * 1000)

    async def put_result(self, job_id: UUID, name: str, *, version: int, body: bytes) -> None:
        """Keep a rendered result, unless it is too large or the job has changed."""
        if len(body) > self._max_result_bytes:
            return
        keys = [JOB_KEY.format(job_id), RESULT_KEY.format(job_id)]
        try:
            await self._redis.run(_put_result, keys=keys, args=[version, name, body])
        except RedisUnavailable:
            log.info("result not cached", extra={"job_id": str(job_id)})

    async def _fresh(self, key: str) -> bool:
        left_ms = int(await self._redis.command("PTTL", key))
        return left_ms > self._ttl_ms - FRESH_S * 1000

    async def _put(self, job_id: UUID, *, version: int, status: str, body: bytes, keep_ms: int) -> None:
        keys = [JOB_KEY.format(job_id), RESULT_KEY.format(job_id)]
        message = f"{job_id} {status}"
        await self._redis.run(_put_job, keys=keys, args=[version, status, body, keep_ms, CHANGES, message])


def _parse(kept: bytes | None) -> CachedJob | None:
    if kept is None:
        return None
    head, _, body = kept.partition(b"\n")
    version, _, status = head.decode().partition(" ")
    return None if status == DELETED else CachedJob(int(version), Status(status), body)


class Changes:
    """Wakes those who wait for a job to end; a wake-up may be missed, so every wait has its own bound."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._on_end: list[Callable[[UUID], None]] = []

    @contextmanager
    def watch(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when the job is not worked on any more, as `on_end` has it; the watcher clears it."""
        ended = asyncio.Event()
        watchers = self._watchers.setdefault(str(job_id), set())
        watchers.add(ended)
        try:
            yield ended
        finally:
            watchers.discard(ended)
            if not watchers:
                self._watchers.pop(str(job_id), None)

    def on_end(self, call: Callable[[UUID], None]) -> None:
        """Call this with the id of every job that is not worked on any more: final, deleted, or to begin anew."""
        self._on_end.append(call)

    async def listen(self) -> None:
        """Pass published changes on to the watchers, until cancelled."""
        while True:
            try:
                await self._listen_once()
            except FAULTS as error:
                log.info("not listening for changes", extra={"fault": type(error).__name__})
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        async with self._redis.subscriber() as subscriber:
            await subscriber.subscribe(CHANGES)
            while True:
                message = await subscriber.get_message(timeout=RECONNECT_S)
                if message is not None:
                    self._tell(message["data"].decode())

    def _tell(self, message: str) -> None:
        job_id, _, status = message.partition(" ")
        if status == Status.PROCESSING:
            # How far a job has come is seen by who asks; nobody waits for that.
            return
        for ended in self._watchers.get(job_id, ()):
            ended.set()
        for call in self._on_end:
            call(UUID(job_id))
