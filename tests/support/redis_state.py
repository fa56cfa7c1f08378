"""What Redis says of who listens and waits."""

from uuid import UUID

from docserver.redis.changes import CHANNEL
from docserver.redis.queue import KEY
from docserver.resources import Resources
from tests.support.waiting import until


async def listening(resources: Resources) -> None:
    """Wait until somebody listens for changes."""

    async def somebody_listens() -> bool:
        return bool((await resources.redis.command("PUBSUB", "NUMSUB", CHANNEL))[1])

    await until(somebody_listens)


async def announced(resources: Resources) -> list[UUID]:
    return [UUID(job_id.decode()) for job_id in await resources.redis.command("LRANGE", KEY, 0, -1)]
