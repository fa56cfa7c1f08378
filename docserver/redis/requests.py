"""Counts the requests of each tenant that are being answered, over all processes; without Redis, in this one alone."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from uuid import uuid4

from docserver.errors import RedisUnavailable
from docserver.redis.client import Key, Redis
from docserver.redis.node import Script

FORGOTTEN_S = 10.0
"""Redis forgets a request that was not refreshed for this time: its process was killed."""

_begin_request = Script.load("begin_request")
_refresh_requests = Script.load("refresh_requests")


class Requests:
    """The requests of all tenants. Redis counts those of limited tenants. Never raises RedisUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._process = uuid4().hex
        self._numbers = count()
        self._here: dict[str, set[str]] = {}
        """The requests that this process answers, by tenant."""
        self._ending: set[asyncio.Task[None]] = set()

    async def begin(self, tenant: str, *, most: int | None) -> str | None:
        """Count a request that is about to be answered; None if the tenant has too many. The caller must end it."""
        request = f"{self._process}:{next(self._numbers)}"
        here = self._here.setdefault(tenant, set())
        here.add(request)
        if most is None:
            return request
        allowed = False
        try:
            allowed = await self._redis.run(_begin_request, keys=[_key(tenant)], args=[request, most, _ms(FORGOTTEN_S)])
        except RedisUnavailable:
            allowed = len(here) <= most
        finally:
            if not allowed:
                self._forget(tenant, request)
        return request if allowed else None

    def end(self, tenant: str, request: str, *, is_limited: bool) -> None:
        """Count a request no longer. If the tenant is limited, Redis is told in the background; if it does not answer,
        it forgets the request.
        """
        self._forget(tenant, request)
        if not is_limited:
            return
        task = asyncio.get_running_loop().create_task(self._tell_end(tenant, request))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def refresh(self, is_limited: Callable[[str], bool]) -> None:
        """Keep counting the requests that this process answers for limited tenants, also those that began before the
        limit was set. This must happen several times in FORGOTTEN_S.
        """
        with suppress(RedisUnavailable):
            for tenant, here in list(self._here.items()):
                if is_limited(tenant):
                    await self._redis.run(_refresh_requests, keys=[_key(tenant)], args=[_ms(FORGOTTEN_S), *here])

    async def number(self, tenant: str) -> int:
        """How many requests of a tenant are being answered."""
        try:
            return int(await self._redis.command("ZCARD", _key(tenant)))
        except RedisUnavailable:
            return len(self._here.get(tenant, ()))

    async def close(self) -> None:
        """Wait until Redis knows of all requests that have ended."""
        if self._ending:
            await asyncio.wait(self._ending)

    def _forget(self, tenant: str, request: str) -> None:
        here = self._here[tenant]
        here.discard(request)
        if not here:
            del self._here[tenant]

    async def _tell_end(self, tenant: str, request: str) -> None:
        with suppress(RedisUnavailable):
            await self._redis.command("ZREM", _key(tenant), request)


def _key(tenant: str) -> Key:
    return Key(f"requests:{tenant}".encode())


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
