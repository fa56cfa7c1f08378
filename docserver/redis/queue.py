"""Announcements of jobs on a Redis list: hints for free slots. A lost or repeated one does no harm."""

from collections.abc import Sequence
from uuid import UUID

from docserver.redis.client import Redis, Script

KEY = "docserver:queue"

_announce = Script.load("announce")


class Queue:
    """The ids of jobs with work that nobody has claimed; every method may raise RedisUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(self, *job_ids: UUID) -> int:
        """Put ids at the tail, each at most once in the list; returns how many were not there."""
        return int(await self._redis.run(_announce, keys=[KEY], args=[str(job_id) for job_id in job_ids]))

    async def take(self, *, wait_s: float) -> UUID | None:
        """Take the id at the head, waiting up to `wait_s` for one. Not to be cancelled: the id could be lost."""
        head = await self._redis.pop(KEY, wait_s=wait_s)
        return UUID(head.decode()) if head else None

    async def position(self, job_id: UUID) -> int | None:
        """How many ids stand before this one; None if it is not in the list."""
        index = await self._redis.command("LPOS", KEY, str(job_id))
        return None if index is None else int(index)

    async def announced(self, *, limit: int) -> list[UUID]:
        """The first ids in the list."""
        head = await self._redis.command("LRANGE", KEY, 0, limit - 1)
        return [UUID(job_id.decode()) for job_id in head]

    async def remove(self, job_ids: Sequence[UUID]) -> None:
        """Take ids out of the list, wherever they stand."""
        for job_id in job_ids:
            await self._redis.command("LREM", KEY, 0, str(job_id))
