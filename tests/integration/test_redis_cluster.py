"""Every script on a Redis in cluster mode, which refuses keys of several slots."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from docserver.caller import DEFAULT_TENANT
from docserver.embedded import programs
from docserver.errors import RedisUnavailable
from docserver.model import Status
from docserver.redis.cache import Cache, CachedJob
from docserver.redis.client import Redis
from docserver.redis.queue import Queue, Turn
from docserver.redis.rate_limit import Limiter
from docserver.setting_types import Rate
from tests.support.waiting import HANG_S, until

EVERY_SLOT = (0, 16383)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Redis]:
    """A cluster of one node that has all slots."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # The program behaves as a server only if it is started under this name.
    program = tmp_path / "redis-server"
    program.symlink_to(programs.find().redis)
    # The port for the cluster's own messages would be 10000 higher, which may be too high.
    ports = ["--port", str(port), "--cluster-port", str(port - 1)]
    process = await asyncio.create_subprocess_exec(
        *(str(program), *ports, "--cluster-enabled", "yes", "--save", "", "--dir", str(tmp_path)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    redis = Redis(f"redis://127.0.0.1:{port}", timeout_s=HANG_S)

    async def answers() -> bool:
        try:
            await redis.ping()
        except RedisUnavailable:
            return False
        return True

    try:
        await until(answers)
        await redis.command("CLUSTER", "ADDSLOTSRANGE", *EVERY_SLOT)
        await until(lambda: _is_complete(redis))
        yield redis
    finally:
        await redis.close()
        process.kill()
        await process.wait()


async def _is_complete(redis: Redis) -> bool:
    return b"cluster_state:ok" in await redis.command("CLUSTER", "INFO")


async def test_all_scripts_keep_to_one_slot_of_a_cluster(cluster: Redis) -> None:
    queue, cache, limiter = Queue(cluster), Cache(cluster, ttl_s=60, max_result_bytes=1000), Limiter(cluster)
    first, second = uuid4(), uuid4()
    job = CachedJob(1, Status.COMPLETED, b"{}")

    assert await queue.announce("10.0.0.1", first, second) == 2
    assert await queue.position(second) == 1
    assert await queue.take(wait_s=HANG_S) == Turn(first, "10.0.0.1")
    await queue.remove([second])
    assert await queue.take(wait_s=0.1) is None
    await cache.put_job(job, job_id=first, tenant=DEFAULT_TENANT)
    await cache.put_result(first, "txt:", version=1, body=b"text", tenant=DEFAULT_TENANT)
    entry = await cache.result(first, "txt:", tenant=DEFAULT_TENANT)
    assert entry
    assert (entry.job, entry.result) == (job, b"text")
    verdict = await limiter.take(bucket="reads", client="10.0.0.1", rate=Rate(2, 60), cost=1)
    assert (verdict.allowed, verdict.remaining) == (True, 1)
    # If the limiter had met a fault, it would have counted locally.
    assert not limiter._local
