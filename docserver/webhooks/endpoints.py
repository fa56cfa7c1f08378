"""What tenants do with their endpoints: create, list, delete, test, rotate the secret, enable again. And callbacks."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from docserver.database.retries import transactional
from docserver.database.tables import deliveries, tenants, webhook_endpoints
from docserver.database.tables.webhook_endpoints import Endpoint, NewEndpoint, events_of
from docserver.errors import Conflict, NotFound
from docserver.model import new_id
from docserver.resources import Resources
from docserver.settings import Settings
from docserver.webhook_types import JOB_EVENTS, EventType
from docserver.webhooks import signing
from docserver.webhooks.addresses import Guard, receiver_of
from docserver.webhooks.events import delivery_of_test

log = logging.getLogger("docserver.api")

MAX_ENDPOINTS = 50
"""Most endpoints of one tenant. Each gets every event that it asks for."""

GRACE_S = 86_400
"""After a rotation, webhooks are signed by the earlier secret too for this time: time to hand out the new one."""


@dataclass(frozen=True, slots=True)
class Callback:
    """The URL that an upload or batch names, which is told of its end."""

    url: str
    """As `Guard.checked_url` returns it."""
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndpointWithSecret:
    """An endpoint with its secret, which its owner must keep."""

    endpoint: Endpoint
    secret: str = field(repr=False)


def guard_of(settings: Settings) -> Guard:
    """Where webhooks may be sent."""
    return Guard(settings.webhook_networks, settings.webhook_ports)


def callback_endpoint(resources: Resources, callback: Callback, *, tenant: str, job_id: UUID) -> NewEndpoint:
    """The callback of a job, for the database."""
    return _new(resources, tenant, callback.url, callback.secret, job_id=job_id, events=JOB_EVENTS)


def batch_callback_endpoint(resources: Resources, callback: Callback, *, tenant: str, batch_id: UUID) -> NewEndpoint:
    """The callback of a batch, for the database."""
    events = (EventType.BATCH_COMPLETED,)
    return _new(resources, tenant, callback.url, callback.secret, batch_id=batch_id, events=events)


@transactional
async def create(
    resources: Resources, *, tenant: str, url: str, secret: str | None, events: Iterable[str]
) -> EndpointWithSecret:
    """Add an endpoint of a tenant. Raises Conflict if it has too many, DatabaseUnavailable."""
    secret = secret or signing.new_secret()
    new = _new(resources, tenant, url, secret, events=events)
    async with resources.db.transaction() as cur:
        # Two requests at the same time must not both add the last one.
        if not await tenants.lock(cur, tenant):
            raise Conflict("The tenant was deleted.")
        if len(await webhook_endpoints.of_tenant(cur, tenant)) >= MAX_ENDPOINTS:
            raise Conflict(f"There are {MAX_ENDPOINTS} webhooks already, and more are not possible.")
        await webhook_endpoints.insert(cur, new)
        endpoint = await webhook_endpoints.find(cur, new.id, tenant=tenant)
    log.info("webhook endpoint created", extra={"endpoint_id": str(new.id)})
    return EndpointWithSecret(_existing(endpoint), secret)


async def all_of(resources: Resources, *, tenant: str) -> list[Endpoint]:
    """A tenant's endpoints, oldest first."""
    async with resources.reads.session() as cur:
        return await webhook_endpoints.of_tenant(cur, tenant)


async def get(resources: Resources, endpoint_id: UUID, *, tenant: str) -> Endpoint:
    """A tenant's endpoint; raises NotFound."""
    async with resources.reads.session() as cur:
        return _existing(await webhook_endpoints.find(cur, endpoint_id, tenant=tenant))


async def delete(resources: Resources, endpoint_id: UUID, *, tenant: str) -> None:
    """Delete an endpoint and its deliveries; raises NotFound."""
    async with resources.db.session() as cur:
        if not await webhook_endpoints.delete(cur, endpoint_id, tenant=tenant):
            raise _unknown()
    log.info("webhook endpoint deleted", extra={"endpoint_id": str(endpoint_id)})


@transactional
async def rotate_secret(
    resources: Resources, endpoint_id: UUID, *, tenant: str, secret: str | None
) -> EndpointWithSecret:
    """Give an endpoint a new secret. For GRACE_S, the present one signs too. Raises NotFound."""
    secret = secret or signing.new_secret()
    encrypted = resources.encryption.encrypt(secret)
    async with resources.db.transaction() as cur:
        await webhook_endpoints.rotate(cur, endpoint_id, tenant=tenant, secret=encrypted, grace_s=GRACE_S)
        endpoint = _existing(await webhook_endpoints.find(cur, endpoint_id, tenant=tenant))
    log.info("webhook secret rotated", extra={"endpoint_id": str(endpoint_id)})
    return EndpointWithSecret(endpoint, secret)


@transactional
async def enable(resources: Resources, endpoint_id: UUID, *, tenant: str) -> Endpoint:
    """Let a disabled endpoint get webhooks again; raises NotFound."""
    async with resources.db.transaction() as cur:
        await webhook_endpoints.enable(cur, endpoint_id, tenant=tenant)
        return _existing(await webhook_endpoints.find(cur, endpoint_id, tenant=tenant))


@transactional
async def test(resources: Resources, endpoint_id: UUID, *, tenant: str) -> UUID:
    """Send a test event to an endpoint; returns the delivery's id. Raises NotFound, and Conflict if it is disabled."""
    async with resources.db.transaction() as cur:
        endpoint = _existing(await webhook_endpoints.find(cur, endpoint_id, tenant=tenant))
        if endpoint.disabled_at:
            raise Conflict("The webhook is disabled; enable it first.")
        new = delivery_of_test(endpoint_id, tenant=tenant, receiver=endpoint.receiver)
        await deliveries.insert(cur, [new])
    resources.webhooks_due.set()
    return new.id


def _new(
    resources: Resources,
    tenant: str,
    url: str,
    secret: str,
    *,
    job_id: UUID | None = None,
    batch_id: UUID | None = None,
    events: Iterable[str],
) -> NewEndpoint:
    return NewEndpoint(
        id=new_id(),
        tenant=tenant,
        job_id=job_id,
        batch_id=batch_id,
        url=url,
        receiver=receiver_of(tenant, url),
        events=events_of(events),
        secret=resources.encryption.encrypt(secret),
    )


def _existing(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise _unknown()
    return endpoint


def _unknown() -> NotFound:
    return NotFound("There is no such webhook.")
