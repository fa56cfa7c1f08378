"""A subscription to a channel, which ends when its server is silent, or is no longer the one to listen to."""

import asyncio
from collections.abc import Callable

from redis.asyncio.client import PubSub

IDLE_S = 1.0
"""After this time without a message, the server is asked whether it is there: a connection to a host that has lost its
power or its network stays open."""

SILENT_S = 3.0
"""After this time without the answer to that, the subscription ends."""


class Subscription:
    """Receives what is published on one channel."""

    def __init__(self, pubsub: PubSub, *, is_current: Callable[[], bool]) -> None:
        """`is_current` says whether messages still reach this server."""
        self._pubsub = pubsub
        self._is_current = is_current
        self._unanswered_s = 0.0

    async def message(self) -> bytes | None:
        """The next message; None if there is none for a while. Raises a fault of Redis if there will be none."""
        if not self._is_current():
            raise ConnectionError("the server is no longer a primary")
        async with asyncio.timeout(IDLE_S + SILENT_S):
            received = await self._pubsub.get_message(timeout=IDLE_S)
            if received is None:
                self._unanswered_s += IDLE_S
                if self._unanswered_s > SILENT_S:
                    raise TimeoutError("the server is silent")
                await self._pubsub.ping()
                return None
        self._unanswered_s = 0.0
        data: bytes = received["data"]
        return data if received["type"] == "message" else None
