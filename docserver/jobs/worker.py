"""The slots and their drain: free slots take announced jobs and hand them to the pipeline. Knows nothing of OCR."""

import asyncio
import logging
import random
import time
from uuid import UUID

from docserver.errors import DatabaseUnavailable, RedisUnavailable
from docserver.jobs.pipeline import Pipeline
from docserver.redis.queue import Queue

log = logging.getLogger("docserver.worker")

TAKE_S = 1.0
"""A slot waits so long for an announcement before it looks whether it is to stop."""

LOOK_S = 3.0
"""An idle worker asks the database so often for jobs whose announcement was lost."""

FAULT_PAUSE_S = 1.0
"""After a fault of the surroundings a slot rests for so long, as the next job would meet the same."""


class Worker:
    """The slots of one process."""

    def __init__(self, pipeline: Pipeline, queue: Queue, *, slots: int) -> None:
        self._pipeline = pipeline
        self._queue = queue
        self._slots = slots
        self._stopping = asyncio.Event()
        self._looked_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start all slots."""
        self._beating = asyncio.create_task(self._pipeline.keep_claims(), name="beat")
        self._tasks = [asyncio.create_task(self._serve(number), name=f"slot {number}") for number in range(self._slots)]

    async def stop(self, *, grace_s: float) -> None:
        """Take nothing new, let the pages being read end within the grace time, and give the rest back."""
        self._stopping.set()
        self._pipeline.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._beating:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        log.info("worker stopped")

    async def _serve(self, number: int) -> None:
        slot = self._pipeline.slot(number)
        try:
            await slot.start()
            while not self._stopping.is_set():
                try:
                    job_id = await self._next()
                    if job_id is not None:
                        await self._pipeline.work(job_id, slot)
                except DatabaseUnavailable:
                    await self._rest(FAULT_PAUSE_S)
                except OSError as error:
                    log.warning("slot rests, the machine is short of something", extra=_facts(number, error))
                    await self._rest(FAULT_PAUSE_S)
                except Exception:
                    log.exception("slot met an unexpected fault", extra={"slot": number})
                    await self._rest(FAULT_PAUSE_S)
        finally:
            await slot.close()

    async def _next(self) -> UUID | None:
        """A job that may have work; None after a while without one."""
        try:
            job_id = await self._queue.take(wait_s=TAKE_S)
            if job_id is not None and self._stopping.is_set():
                await self._queue.announce(job_id)
                return None
        except RedisUnavailable:
            job_id = await self._look()
            if job_id is None:
                await self._rest(TAKE_S)
            return job_id
        if job_id is None and time.monotonic() - self._looked_at > LOOK_S:
            return await self._look()
        return job_id

    async def _look(self) -> UUID | None:
        self._looked_at = time.monotonic()
        found = await self._pipeline.runnable(limit=2 * self._slots)
        # Slots that look at the same time should not all find the same job.
        return random.choice(found) if found else None  # noqa: S311 - spreads load, guards nothing

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


def _facts(number: int, error: OSError) -> dict[str, int | str | None]:
    return {"slot": number, "number": error.errno, "fault": type(error).__name__}
