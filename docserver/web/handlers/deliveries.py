"""The log of what was sent to webhooks and callbacks, and sending it again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from docserver.database.tables.delivery_log import Attempt, Delivery
from docserver.timestamps import rfc3339
from docserver.web import administration_examples as examples
from docserver.web import validation
from docserver.web import webhook_schemas as schemas
from docserver.web.handlers.common import json_response, list_response, path_id
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation
from docserver.webhooks import deliveries

_QUERY = schemas.DeliveriesQuery()

SHOWN_ATTEMPTS = 20
"""Most attempts that a delivery shows, the latest ones. It has up to eleven, and as many again for each replay."""


@operation(
    summary="What was sent to a webhook, when, and what came back",
    description="Each delivery has its last 20 attempts. Follow `next_cursor` to the next part.",
    tag="webhooks",
    path=["webhook_id"],
    query=schemas.DeliveriesQuery,
    schema=schemas.DeliveryList,
    responses={200: "A part of the deliveries, latest first"},
    examples={200: examples.DELIVERIES},
    errors=(404, 422, 429, 503),
)
async def list_webhook_deliveries(request: web.Request) -> web.Response:
    return await _list(request, "webhook_id", deliveries.of_endpoint)


@operation(
    summary="What was sent about a job, when, and what came back",
    description="To the callback of its upload, and to the tenant's webhooks. Follow `next_cursor` to the next part.",
    tag="webhooks",
    path=["job_id"],
    query=schemas.DeliveriesQuery,
    schema=schemas.DeliveryList,
    responses={200: "A part of the deliveries to callbacks and webhooks, latest first"},
    examples={200: examples.DELIVERIES},
    errors=(404, 422, 429, 503),
)
async def list_job_deliveries(request: web.Request) -> web.Response:
    return await _list(request, "job_id", deliveries.of_job)


@operation(
    summary="What was sent about a batch, when, and what came back",
    description="To its callback, and to the tenant's webhooks. What was sent about its jobs is listed with each job.",
    tag="webhooks",
    path=["batch_id"],
    query=schemas.DeliveriesQuery,
    schema=schemas.DeliveryList,
    responses={200: "A part of the deliveries to callbacks and webhooks, latest first"},
    examples={200: examples.BATCH_DELIVERIES},
    errors=(404, 422, 429, 503),
)
async def list_batch_deliveries(request: web.Request) -> web.Response:
    return await _list(request, "batch_id", deliveries.of_batch)


@operation(
    summary="Send a delivery of a batch again, with the same id and body",
    description="For receivers that lost an event, or could not take it in time.",
    tag="webhooks",
    path=["batch_id", "delivery_id"],
    schema=schemas.Delivery,
    responses={202: "The delivery, which is being sent"},
    examples={202: examples.BATCH_REPLAYED},
    errors=(404, 409, 429, 503),
)
async def replay_batch_delivery(request: web.Request) -> web.Response:
    delivery = await deliveries.replay_of_batch(
        request.app[RESOURCES],
        path_id(request, "delivery_id"),
        batch_id=path_id(request, "batch_id"),
        tenant=request[CALLER].tenant,
    )
    return json_response(_delivery(delivery), status=202)


@operation(
    summary="Send a delivery again, with the same id and body",
    description="For receivers that lost an event, or could not take it in time.",
    tag="webhooks",
    path=["job_id", "delivery_id"],
    schema=schemas.Delivery,
    responses={202: "The delivery, which is being sent"},
    examples={202: examples.REPLAYED},
    errors=(404, 409, 429, 503),
)
async def replay_delivery(request: web.Request) -> web.Response:
    delivery = await deliveries.replay(
        request.app[RESOURCES],
        path_id(request, "delivery_id"),
        job_id=path_id(request, "job_id"),
        tenant=request[CALLER].tenant,
    )
    return json_response(_delivery(delivery), status=202)


async def _list(request: web.Request, name: str, find: Callable[..., Awaitable[Sequence[Delivery]]]) -> web.Response:
    """The deliveries of what this parameter of the path names."""
    named_id = path_id(request, name)
    query = validation.load(_QUERY, request.query)
    listed = await find(
        request.app[RESOURCES],
        named_id,
        tenant=request[CALLER].tenant,
        before=query.get("cursor"),
        limit=query["limit"] + 1,
    )
    return list_response(listed, limit=query["limit"], as_json=_delivery, cursor=lambda delivery: delivery.id)


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": str(delivery.id),
        "webhook_id": str(delivery.endpoint_id) if delivery.endpoint_id else None,
        "job_id": str(delivery.job_id) if delivery.job_id else None,
        "batch_id": str(delivery.batch_id) if delivery.batch_id else None,
        "type": delivery.event,
        "url": delivery.url,
        "status": delivery.status,
        "created_at": rfc3339(delivery.created_at),
        "finished_at": rfc3339(delivery.finished_at),
        "next_attempt_at": rfc3339(delivery.next_attempt_at),
        "attempts": [_attempt(attempt) for attempt in delivery.attempts[-SHOWN_ATTEMPTS:]],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "ended_at": rfc3339(attempt.ended_at),
        "duration_ms": attempt.duration_ms,
        "http_status": attempt.http_status,
        "fault": attempt.fault,
    }
