"""Publishes a job's state to readers and announces its work to slots. Both are hints: the database has the truth."""

import asyncio
import logging
from dataclasses import asdict
from uuid import UUID

from docserver.errors import RedisUnavailable
from docserver.model import Job
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

log = logging.getLogger("docserver.worker")


async def offer(resources: Resources, job: Job) -> None:
    """Publish and announce a job that waits for work, at the same time."""
    await asyncio.gather(publish(resources, job), announce(resources, job.id))


async def publish(resources: Resources, job: Job) -> None:
    """Put a job's new state into the cache and wake those who wait for it."""
    await resources.cache.put_job(CachedJob.of(job), job_id=job.id)
    if job.status.final:
        failure = {"error": asdict(job.failure)} if job.failure else {}
        log.info(
            "job finished",
            extra={
                "job_id": str(job.id),
                "status": job.status,
                "pages": job.pages_total,
                "pages_failed": job.pages_failed,
                **failure,
            },
        )


async def announce(resources: Resources, job_id: UUID) -> None:
    """Tell slots that a job has work; maintenance repeats an announcement that is lost."""
    try:
        await resources.queue.announce(job_id)
    except RedisUnavailable:
        log.info("job not announced", extra={"job_id": str(job_id)})
