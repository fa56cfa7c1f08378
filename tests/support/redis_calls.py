"""What docserver asks of Redis: everything once, and to hear of changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from docserver.caller import DEFAULT_TENANT
from docserver.model import Status
from docserver.redis.cache import Cache, CachedJob
from docserver.redis.changes import Changes
from docserver.redis.client import Redis
from docserver.redis.queue import Queue, Turn
from docserver.redis.rate_limit import Limiter
from docserver.redis.requests import Requests
from docserver.setting_types import Rate
from tests.support.waiting import HANG_S, until

JOB = CachedJob(1, Status.COMPLETED, b"{}")


async def run_every_script(redis: Redis) -> None:
    """Run every script and command, and check what they say. Redis is empty."""
    queue, cache, limiter = Queue(redis), Cache(redis, ttl_s=60, max_result_bytes=1000), Limiter(redis)
    requests = Requests(redis)
    first, second = uuid4(), uuid4()

    await queue.set_weights({"10.0.0.1": 2})
    assert await queue.announce("10.0.0.1", first, second) == 2
    assert await queue.position(second) == 1
    assert (await queue.announced(0, about=10))[1] == [first, second]
    assert await queue.take(wait_s=HANG_S) == Turn(first, "10.0.0.1")
    await queue.remove([second])
    assert await queue.take(wait_s=0.1) is None
    await cache.put_job(JOB, job_id=first, tenant=DEFAULT_TENANT)
    await cache.put_result(first, "txt:", version=1, body=b"text", tenant=DEFAULT_TENANT)
    entry = await cache.result(first, "txt:", tenant=DEFAULT_TENANT)
    assert entry
    assert (entry.job, entry.result) == (JOB, b"text")
    await cache.forget(first, tenant=DEFAULT_TENANT)
    assert await cache.job(first, tenant=DEFAULT_TENANT) is None
    verdict = await limiter.take(bucket="reads", client="10.0.0.1", rate=Rate(2, 60), cost=1)
    assert (verdict.allowed, verdict.remaining) == (True, 1)
    request = await requests.begin("acme", most=1)
    assert request
    assert await requests.begin("acme", most=1) is None
    await requests.refresh(lambda _: True)
    assert await requests.number("acme") == 1


@asynccontextmanager
async def hearing(redis: Redis) -> AsyncIterator[Changes]:
    """Changes that are heard."""
    changes = Changes(redis)
    task = asyncio.create_task(changes.listen())
    try:
        await until(lambda: changes.is_listening)
        yield changes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
