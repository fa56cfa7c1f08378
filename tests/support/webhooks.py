"""Webhooks as tests need them: resources under which a receiver can be reached, endpoints, and jobs that have ended."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from docserver.caller import DEFAULT_TENANT
from docserver.jobs import transitions
from docserver.resources import Resources
from docserver.webhooks import events
from docserver.webhooks.endpoints import Callback, callback_endpoint
from docserver.webhooks.sender import Sender
from tests.support.client import Client, get, post, upload
from tests.support.receiver import SECRET
from tests.support.rows import make_job
from tests.support.samples import png
from tests.support.waiting import until

LOCAL = (ip_network("127.0.0.0/8"),)

StartSender = Callable[..., Awaitable[Sender]]


def reaching(resources: Resources, port: int, **settings: Any) -> Resources:
    """These resources, with settings under which a receiver at this port can be reached."""
    given = {"webhook_networks": LOCAL, "webhook_ports": (port,), **settings}
    return replace(resources, settings=replace(resources.settings, **given))


async def create(client: Client, url: str, **given: Any) -> dict[str, Any]:
    """Create a webhook; returns it."""
    status, body = await post(client, "/v1/webhooks", json={"url": url, "secret": SECRET, **given})
    assert status == 201, body
    made: dict[str, Any] = body
    return made


async def cancelled(client: Client, **options: str) -> str:
    """Upload a document and cancel its job; returns the job's id."""
    job_id: str = (await upload(client, png(), **options))["job_id"]
    status, _ = await post(client, f"/v1/jobs/{job_id}/cancel")
    assert status == 200
    return job_id


async def cancelled_with_callback(resources: Resources, url: str) -> UUID:
    """A cancelled job with a callback, whose URL is not checked; returns the job's id."""
    _, job_id = await make_job(resources.db)
    callback = callback_endpoint(resources, Callback(url, SECRET), tenant=DEFAULT_TENANT, job_id=job_id)
    job = await transitions.cancel(resources.db, job_id, tenant=DEFAULT_TENANT)
    async with resources.db.transaction() as cur:
        assert await events.add_callback(cur, job, callback)
    resources.webhooks_due.set()
    return job_id


async def log_of(client: Client, job_id: str) -> list[dict[str, Any]]:
    """The deliveries of a job."""
    items: list[dict[str, Any]] = (await get(client, f"/v1/jobs/{job_id}/deliveries"))["items"]
    return items


async def settled(client: Client, job_id: str, status: str, *, attempts: int = 1) -> dict[str, Any]:
    """The only delivery of a job, once it has this status and this many attempts."""

    async def is_settled() -> bool:
        (delivery,) = await log_of(client, job_id)
        return delivery["status"] == status and len(delivery["attempts"]) >= attempts

    await until(is_settled)
    (delivery,) = await log_of(client, job_id)
    return delivery
