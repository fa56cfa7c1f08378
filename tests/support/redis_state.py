"""What Redis says of who listens and waits."""

import asyncio

from docserver.redis.changes import CHANNEL
from docserver.resources import Resources


async def listening(resources: Resources) -> None:
    """Wait until somebody listens for changes."""
    async with asyncio.timeout(10):
        while (await resources.redis.command("PUBSUB", "NUMSUB", CHANNEL))[1] == 0:
            await asyncio.sleep(0.01)
