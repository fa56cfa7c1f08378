"""The queues of announced jobs in Redis, one for each client. Slots serve the clients in turn, by their weights.

A lost or repeated announcement does no harm: all jobs are in MySQL. The keys share a hash tag, so a Redis cluster keeps
them on one node. Each of them may be deleted at any moment; further announcements then repair the others.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from docserver.redis.client import Key, Redis
from docserver.redis.node import Script

RING = Key(b"{queue}:ring")
"""A list of the clients that have queued jobs, or had them at their last turn. The next one to be served is first."""

CLIENTS = Key(b"{queue}:clients")
"""A set of the clients in the ring."""

JOBS = Key(b"{queue}:jobs")
"""A hash of the queued jobs, with their clients. A job id that stands only in a client's list is not queued."""

WEIGHTS = Key(b"{queue}:weights")
"""A hash of the clients whose weight is not 1: how many turns in a row they have. Maintenance keeps it up to date."""

TURNS = Key(b"{queue}:turns")
"""A hash of clients with such a weight: how many turns in a row they have had."""

SKIPPED_AT_ONCE = 1000
"""Most ids of removed jobs that are dropped in one step, to limit how long the script blocks Redis."""

COUNTED = 10_000
"""Most jobs of a client that are counted to find the position of one: a tenth of a millisecond of Redis' time."""

LEAST_WAIT_S = 0.01
"""Redis would take a shorter wait for an unlimited one."""

_announce = Script.load("announce")
_take = Script.load("take")
_position = Script.load("position")


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that may have work, taken because it is its client's turn."""

    job_id: UUID
    client: str


class Queue:
    """The ids of jobs that have work to claim. Every method may raise RedisUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def announce(self, client: str, *job_ids: UUID) -> int:
        """Append ids to the client's queue that are not in it yet; returns how many were appended."""
        return int(await self._redis.run(_announce, keys=_keys(client.encode()), args=[client, *map(str, job_ids)]))

    async def take(self, *, wait_s: float) -> Turn | None:
        """Take the first job of the client whose turn it is, waiting up to `wait_s` for one.

        If it is cancelled, the job may be lost; the client never loses its place.
        """
        until = asyncio.get_running_loop().time() + wait_s
        while (left_s := until - asyncio.get_running_loop().time()) > 0:
            client = await self._redis.rotate(RING, wait_s=max(left_s, LEAST_WAIT_S))
            if client is None:
                return None
            job_id = await self._redis.run(_take, keys=[*_keys(client), WEIGHTS, TURNS], args=[client, SKIPPED_AT_ONCE])
            if job_id is not None and (parsed := _job_id(job_id)):
                return Turn(parsed, client.decode(errors="replace"))
        return None

    async def set_weights(self, weights: Mapping[str, int]) -> None:
        """Set the weights of clients. All others have the weight 1."""
        if weights:
            pairs = [part for pair in weights.items() for part in pair]
            await self._redis.command("HSET", WEIGHTS, *pairs)
        known = {client.decode() for client in await self._redis.command("HKEYS", WEIGHTS)}
        if gone := known - weights.keys():
            await self._redis.command("HDEL", WEIGHTS, *gone)

    async def position(self, job_id: UUID) -> int | None:
        """The most turns that come before the job's, as far as the queues are known now; None if it is not queued."""
        client = await self._redis.command("HGET", JOBS, str(job_id))
        if client is None:
            return None
        return int(await self._redis.run(_position, keys=[RING, list_key(client)], args=[str(job_id), COUNTED]))

    async def announced(self, cursor: int, *, about: int) -> tuple[int, list[UUID]]:
        """About so many of the queued jobs, and the cursor for the next ones; the first and the last cursor is 0."""
        following, flat = await self._redis.command("HSCAN", JOBS, cursor, "COUNT", about)
        parsed = {job_id: _job_id(job_id) for job_id in flat[::2]}
        if nonsense := [job_id for job_id, known in parsed.items() if known is None]:
            await self._redis.command("HDEL", JOBS, *nonsense)
        return int(following), [known for known in parsed.values() if known]

    async def remove(self, job_ids: Sequence[UUID]) -> None:
        """Remove jobs. Their ids stay in the lists until their turn, because to look for them would take long."""
        if job_ids:
            await self._redis.command("HDEL", JOBS, *map(str, job_ids))


def list_key(client: bytes) -> Key:
    """The key of a client's queue, a list of job ids."""
    return Key(b"{queue}:of:" + client)


def _keys(client: bytes) -> list[Key]:
    return [RING, CLIENTS, JOBS, list_key(client)]


def _job_id(raw: bytes) -> UUID | None:
    """The job id; None if it is nonsense."""
    try:
        return UUID(raw.decode())
    except ValueError:
        return None
