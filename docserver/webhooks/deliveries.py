"""What clients ask of deliveries: the log of a job or of an endpoint, and to send one again."""

import logging
from uuid import UUID

from docserver.database.retries import transactional
from docserver.database.tables import batches, deliveries, delivery_log, jobs
from docserver.database.tables.delivery_log import Delivery
from docserver.errors import Conflict, NotFound
from docserver.resources import Resources
from docserver.webhooks import endpoints

log = logging.getLogger("docserver.api")


async def of_job(resources: Resources, job_id: UUID, *, tenant: str, before: UUID | None, limit: int) -> list[Delivery]:
    """A job's deliveries, latest first; raises NotFound."""
    async with resources.reads.session() as cur:
        if not await jobs.belongs_to(cur, job_id, tenant=tenant):
            raise NotFound("There is no such job.")
        return await delivery_log.of_job(cur, job_id, before=before, limit=limit)


async def of_batch(
    resources: Resources, batch_id: UUID, *, tenant: str, before: UUID | None, limit: int
) -> list[Delivery]:
    """The deliveries that tell of a batch, latest first; raises NotFound."""
    async with resources.reads.session() as cur:
        if await batches.find(cur, batch_id, tenant=tenant) is None:
            raise NotFound("There is no such batch.")
        return await delivery_log.of_batch(cur, batch_id, before=before, limit=limit)


async def of_endpoint(
    resources: Resources, endpoint_id: UUID, *, tenant: str, before: UUID | None, limit: int
) -> list[Delivery]:
    """An endpoint's deliveries, latest first; raises NotFound."""
    await endpoints.get(resources, endpoint_id, tenant=tenant)
    async with resources.reads.session() as cur:
        return await delivery_log.of_endpoint(cur, endpoint_id, before=before, limit=limit)


@transactional
async def replay(resources: Resources, delivery_id: UUID, *, job_id: UUID, tenant: str) -> Delivery:
    """Send a delivery of a job again, under the same id; raises NotFound, and Conflict if its endpoint is disabled."""
    async with resources.db.transaction() as cur:
        is_due = await deliveries.replay(cur, delivery_id, of=job_id, of_batch=False, tenant=tenant)
        delivery = None
        if await jobs.belongs_to(cur, job_id, tenant=tenant):
            delivery = await delivery_log.find(cur, delivery_id, of=job_id, of_batch=False)
    return _sent_again(resources, delivery, is_due=is_due)


@transactional
async def replay_of_batch(resources: Resources, delivery_id: UUID, *, batch_id: UUID, tenant: str) -> Delivery:
    """Send a delivery of a batch again; raises the same."""
    async with resources.db.transaction() as cur:
        is_due = await deliveries.replay(cur, delivery_id, of=batch_id, of_batch=True, tenant=tenant)
        delivery = None
        if await batches.find(cur, batch_id, tenant=tenant):
            delivery = await delivery_log.find(cur, delivery_id, of=batch_id, of_batch=True)
    return _sent_again(resources, delivery, is_due=is_due)


def _sent_again(resources: Resources, delivery: Delivery | None, *, is_due: bool) -> Delivery:
    if delivery is None:
        raise NotFound("There is no such delivery.")
    if not is_due:
        raise Conflict("The webhook is disabled, so nothing is sent to it; enable it first.")
    log.info("delivery replayed", extra={"delivery_id": str(delivery.id)})
    resources.webhooks_due.set()
    return delivery
