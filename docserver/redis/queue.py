"""The queue of announced jobs, a Redis list. A lost or repeated announcement does no harm: all jobs are in MySQL."""

from collections.abc import Sequence
from uuid import UUID

from docserver.redis.client import Redis, Script

KEY = "docserver:queue"

_announce = Script.load("announce")


class Queue:
    """The ids of jobs that have work to claim. Every method may raise RedisUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(self, *job_ids: UUID) -> int:
        """Append ids that are not in the list yet; returns how many were appended."""
        return int(await self._redis.run(_announce, keys=[KEY], args=[str(job_id) for job_id in job_ids]))

    async def take(self, *, wait_s: float) -> UUID | None:
        """Take the first id, waiting up to `wait_s` for one. Do not cancel: the id could be lost."""
        head = await self._redis.pop(KEY, wait_s=wait_s)
        return UUID(head.decode()) if head else None

    async def position(self, job_id: UUID) -> int | None:
        """The number of ids before this one in the list; None if it is not in the list."""
        index = await self._redis.command("LPOS", KEY, str(job_id))
        return None if index is None else int(index)

    async def announced(self, *, limit: int) -> list[UUID]:
        """The first ids in the list."""
        head = await self._redis.command("LRANGE", KEY, 0, limit - 1)
        return [UUID(job_id.decode()) for job_id in head]

    async def remove(self, job_ids: Sequence[UUID]) -> None:
        """Remove ids from the list."""
        for job_id in job_ids:
            await self._redis.command("LREM", KEY, 0, str(job_id))
