"""Publishes a job's state to clients and announces its work to slots. Both may get lost; the database has the truth."""

import asyncio
import logging
from dataclasses import asdict
from uuid import UUID

from docserver import metrics
from docserver.errors import RedisUnavailable
from docserver.model import Job, Status
from docserver.redis.cache import CachedJob
from docserver.resources import Resources

log = logging.getLogger("docserver.worker")


async def offer(resources: Resources, job: Job) -> None:
    """Publish the state of a job that waits to be read, and announce its work, both at the same time."""
    await asyncio.gather(publish(resources, job), announce(resources, job.client, job.id))


async def publish(resources: Resources, job: Job) -> None:
    """Put a job's new state into the cache, and wake the requests that wait for the job. Wake the sender of webhooks if
    some are due.
    """
    if job.has_deliveries:
        resources.webhooks_due.set()
    await resources.cache.put_job(CachedJob.of(job), job_id=job.id, tenant=job.tenant)
    if job.status.final:
        metrics.JOBS.labels(job.status).inc()
        if job.status is Status.COMPLETED and job.attempt == 1 and job.finished_at:
            metrics.JOB_SECONDS.observe((job.finished_at - job.created_at).total_seconds())
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


async def announce(resources: Resources, client: str, job_id: UUID) -> None:
    """Announce to the slots that a job of this client has work. If the announcement is lost, maintenance repeats it."""
    try:
        await resources.queue.announce(client, job_id)
    except RedisUnavailable:
        log.info("job not announced", extra={"job_id": str(job_id)})
