"""What is told of a job: its state to readers, its work to free slots. A hint; the truth is in the database."""

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
    """Show a job that waits to its readers and tell free slots of it, in one go."""
    await asyncio.gather(publish(resources, job), announce(resources, job.id))


async def publish(resources: Resources, job: Job) -> None:
    """Show a job's new state to its readers."""
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
    """Tell free slots of work; a lost announcement is repeated by maintenance."""
    try:
        await resources.queue.announce(job_id)
    except RedisUnavailable:
        log.info("job not announced", extra={"job_id": str(job_id)})
