"""Which earlier job is as good for a request as a new one with the same options, and who else is told of its end."""

from docserver.database.retries import transactional
from docserver.database.tables import jobs
from docserver.model import Job
from docserver.resources import Resources
from docserver.webhooks import endpoints, events
from docserver.webhooks.endpoints import Callback


def is_as_good(resources: Resources, job: Job) -> bool:
    """True if a job that was not cancelled and has not failed has the result that a new one would have."""
    # Earlier releases, which had no second engine, do not name it.
    engine = {"second": None, **job.engine} if job.engine else None
    # A retry, whose `attempt` is above 1, may have read only some of the pages, or some pages with other options.
    return job.attempt == 1 and not job.pages_failed and engine in (None, resources.engine.described(job.options))


@transactional
async def add_callback(resources: Resources, job: Job, callback: Callback | None) -> bool:
    """Add the callback of a further request to a job; False if the job was deleted or has too many callbacks."""
    if callback is None:
        return True
    endpoint = endpoints.callback_endpoint(resources, callback, tenant=job.tenant, job_id=job.id)
    async with resources.db.transaction() as cur:
        # Its history is part of what the callback is told.
        current = await jobs.find(cur, job.id) if await jobs.lock(cur, job.id) else None
        is_added = current is not None and await events.add_callback(cur, current, endpoint)
    resources.webhooks_due.set()
    return is_added
