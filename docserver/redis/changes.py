"""The channel on which changes of jobs are published. Requests that wait for a job's end, or follow a job, are woken
through it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from docserver.errors import RedisUnavailable
from docserver.model import Status, parse_id
from docserver.redis.client import Redis
from docserver.redis.topology import FAULTS

log = logging.getLogger("docserver.cache")

CHANNEL = "changes"
"""Without its prefix. Each message has the id and the status of a job that changed."""

RECONNECT_S = 1.0


class Changes:
    """Notifies requests that wait for changes of jobs. A notification may get lost, so a wait needs a time limit."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._on_end: list[Callable[[UUID], None]] = []
        self._on_change: list[Callable[[UUID], None]] = []
        self.is_listening = False
        """True while Redis tells of every change that is published."""

    @contextmanager
    def watch(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when the job is final, deleted, or waits for another attempt. The caller clears it."""
        ended = asyncio.Event()
        watchers = self._watchers.setdefault(str(job_id), set())
        watchers.add(ended)
        try:
            yield ended
        finally:
            watchers.discard(ended)
            if not watchers:
                self._watchers.pop(str(job_id), None)

    def on_end(self, call: Callable[[UUID], None]) -> None:
        """Call `call` with the id of each job that is final, deleted, or waits for another attempt."""
        self._on_end.append(call)

    @contextmanager
    def every_change(self, call: Callable[[UUID], None]) -> Iterator[None]:
        """During the block, call `call` with the id of each job that changes or is deleted."""
        self._on_change.append(call)
        try:
            yield
        finally:
            self._on_change.remove(call)

    async def listen(self) -> None:
        """Pass published changes on to the watchers, until cancelled."""
        while True:
            try:
                await self._listen_once()
            except (*FAULTS, RedisUnavailable) as error:
                log.info("not listening for changes", extra={"fault": type(error).__name__})
            finally:
                self.is_listening = False
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self) -> None:
        async with self._redis.subscribed(CHANNEL) as subscription:
            self.is_listening = True
            while True:
                message = await subscription.message()
                if message is not None:
                    self._wake(message.decode(errors="replace"))
                self._redis.look_again()

    def _wake(self, message: str) -> None:
        text, _, status = message.partition(" ")
        job_id = parse_id(text)
        if job_id is None:
            # Another version's, or from a program that publishes on the same channel by mistake.
            return
        for call in self._on_change:
            call(job_id)
        if status == Status.PROCESSING:
            # Progress: the others wait only for a job's end.
            return
        for ended in self._watchers.get(text, ()):
            ended.set()
        for call in self._on_end:
            call(job_id)
