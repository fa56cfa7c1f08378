"""What Redis says of who listens and waits."""

from uuid import UUID

from docserver.redis.changes import CHANNEL
from docserver.redis.client import Redis
from docserver.redis.node import Node
from docserver.redis.queue import JOBS, list_key
from docserver.resources import Resources
from tests.support.waiting import until


async def listening(resources: Resources) -> None:
    """Wait until somebody listens for changes."""

    async def somebody_listens() -> bool:
        return bool((await resources.redis.command("PUBSUB", "NUMSUB", resources.redis.channel(CHANNEL)))[1])

    await until(somebody_listens)


async def announced(resources: Resources) -> list[UUID]:
    """The queued jobs, each client's in the order of its queue."""
    queued = await resources.redis.command("HGETALL", JOBS)
    lists = [
        await resources.redis.command("LRANGE", list_key(client), 0, -1) for client in sorted(set(queued.values()))
    ]
    return [UUID(job_id.decode()) for ids in lists for job_id in ids if job_id in queued]


def only_node(redis: Redis) -> Node:
    """The server, where it is the only one."""
    (address,) = redis.topology.primaries()
    return redis._node_at(address)
