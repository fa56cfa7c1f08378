"""The slots of a process. Each takes announced jobs and hands them to the pipeline. Nothing here depends on OCR."""

import asyncio
import logging
import random
import time
from uuid import UUID

from docserver import metrics
from docserver.errors import RedisUnavailable, Unavailable
from docserver.jobs.pipeline import Pipeline
from docserver.redis.queue import Queue

log = logging.getLogger("docserver.worker")

TAKE_S = 1.0
"""Longest wait for an announcement, in seconds; after it, a slot checks whether it has to stop."""

POLL_S = 3.0
"""Interval at which an idle worker asks the database for jobs whose announcement was lost."""

FAULT_PAUSE_S = 1.0
"""Pause of a slot, in seconds, after a fault of the database or the machine, which would also affect the next job."""

_BUSY, _IDLE, _RESTING = (metrics.SLOTS.labels(state) for state in ("busy", "idle", "resting"))


class Worker:
    """The slots of one process."""

    def __init__(self, pipeline: Pipeline, queue: Queue, *, slots: int) -> None:
        self._pipeline = pipeline
        self._queue = queue
        self._slots = slots
        self._stopping = asyncio.Event()
        self._polled_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._heartbeat: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start all slots."""
        self._heartbeat = asyncio.create_task(self._pipeline.run_heartbeat(), name="heartbeat")
        self._tasks = [
            asyncio.create_task(self._run_slot(number), name=f"slot {number}") for number in range(self._slots)
        ]

    async def stop(self, *, grace_s: float) -> None:
        """Claim nothing new, let the pages in progress finish within the grace time, and release the rest."""
        self._stopping.set()
        self._pipeline.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._heartbeat:
            self._heartbeat.cancel()
            await asyncio.gather(self._heartbeat, return_exceptions=True)
        log.info("worker stopped")

    async def _run_slot(self, number: int) -> None:
        slot = self._pipeline.slot(number)
        try:
            await slot.start()
            while not self._stopping.is_set():
                try:
                    if not await self._pipeline.has_room():
                        await self._pause()
                        continue
                    with _IDLE.track_inprogress():
                        job_id = await self._next()
                    if job_id is not None:
                        with _BUSY.track_inprogress():
                            await self._pipeline.work(job_id, slot)
                except Unavailable:
                    await self._pause()
                except OSError as error:
                    log.warning("slot pauses after an operating system error", extra=_facts(number, error))
                    await self._pause()
                except Exception:
                    log.exception("slot met an unexpected fault", extra={"slot": number})
                    await self._pause()
        finally:
            await slot.close()

    async def _next(self) -> UUID | None:
        """A job that may have work; None if no job was announced for a while."""
        try:
            turn = await self._queue.take(wait_s=TAKE_S)
            if turn and self._stopping.is_set():
                await self._queue.announce(turn.client, turn.job_id)
                return None
        except RedisUnavailable:
            job_id = await self._poll()
            if job_id is None:
                await self._rest(TAKE_S)
            return job_id
        if turn:
            return turn.job_id
        return await self._poll() if time.monotonic() - self._polled_at > POLL_S else None

    async def _poll(self) -> UUID | None:
        self._polled_at = time.monotonic()
        runnable = await self._pipeline.runnable(limit=2 * self._slots)
        # Slots that poll at the same time should not all get the same job.
        return random.choice(runnable) if runnable else None  # noqa: S311 - only spreads load; no security depends on it

    async def _pause(self) -> None:
        with _RESTING.track_inprogress():
            await self._rest(FAULT_PAUSE_S)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


def _facts(number: int, error: OSError) -> dict[str, int | str | None]:
    return {"slot": number, "number": error.errno, "fault": type(error).__name__}
