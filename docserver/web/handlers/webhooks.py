"""Webhooks: the endpoints of a tenant, and callbacks. What was sent to them is in `deliveries`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aiohttp import web

from docserver.database.tables.webhook_endpoints import Endpoint
from docserver.errors import Unprocessable
from docserver.settings import Settings
from docserver.timestamps import rfc3339
from docserver.web import administration_examples as examples
from docserver.web import request_fields, validation
from docserver.web import webhook_schemas as schemas
from docserver.web.handlers.common import json_response, path_id
from docserver.web.handlers.options import json_body
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation
from docserver.web.validation import Places
from docserver.webhooks import endpoints
from docserver.webhooks.addresses import UrlRefused
from docserver.webhooks.endpoints import Callback, EndpointWithSecret, guard_of

_NO_QUERY = validation.Strict()
_NEW_WEBHOOK = schemas.NewWebhook()
_NEW_SECRET = schemas.NewSecret()


@operation(
    summary="Create a webhook: a URL that gets the events of the tenant's jobs and batches",
    description="Events are signed as Standard Webhooks says, and sent again for a day if the URL does not answer. A "
    "tenant has at most 50 webhooks.",
    tag="webhooks",
    body=schemas.NewWebhook,
    body_example=examples.NEW_WEBHOOK,
    schema=schemas.WebhookWithSecret,
    responses={201: "The webhook, with the secret that signs; it is shown only here"},
    examples={201: examples.WEBHOOK_WITH_SECRET},
    errors=(409, 429, 503),
    headers={201: ("Location", "Cache-Control")},
)
async def create_webhook(request: web.Request) -> web.Response:
    resources = request.app[RESOURCES]
    validation.load(_NO_QUERY, request.query)
    check = url_check(resources.settings, field="url", places=validation.IN_BODY)
    given = validation.load(_NEW_WEBHOOK, await json_body(request), places=validation.IN_BODY, checks=(check,))
    made = await endpoints.create(
        resources,
        tenant=request[CALLER].tenant,
        url=guard_of(resources.settings).checked_url(given["url"]),
        secret=given.get("secret"),
        events=given["events"],
    )
    return _with_secret(made, status=201, headers={"Location": f"/v1/webhooks/{made.endpoint.id}"})


@operation(
    summary="The tenant's webhooks",
    description="With those that are disabled, and since when they fail.",
    tag="webhooks",
    schema=schemas.WebhookList,
    responses={200: "All of them, oldest first"},
    examples={200: examples.WEBHOOKS},
    errors=(422, 429, 503),
)
async def list_webhooks(request: web.Request) -> web.Response:
    validation.load(_NO_QUERY, request.query)
    listed = await endpoints.all_of(request.app[RESOURCES], tenant=request[CALLER].tenant)
    return json_response({"items": [_webhook(endpoint) for endpoint in listed]})


@operation(
    summary="A webhook",
    description="Where it stands: the events that it gets, since when it fails, and whether it is disabled.",
    tag="webhooks",
    path=["webhook_id"],
    schema=schemas.Webhook,
    responses={200: "The webhook, without its secret"},
    examples={200: examples.WEBHOOK},
    errors=(404, 429, 503),
)
async def get_webhook(request: web.Request) -> web.Response:
    endpoint = await endpoints.get(request.app[RESOURCES], _id(request), tenant=request[CALLER].tenant)
    return json_response(_webhook(endpoint))


@operation(
    summary="Delete a webhook and the log of its deliveries",
    description="What waits to be sent to it is dropped.",
    tag="webhooks",
    path=["webhook_id"],
    responses={204: "Deleted"},
    errors=(404, 429, 503),
)
async def delete_webhook(request: web.Request) -> web.Response:
    await endpoints.delete(request.app[RESOURCES], _id(request), tenant=request[CALLER].tenant)
    return web.Response(status=204)


@operation(
    summary="Send a webhook.test event; the webhook's deliveries show what came of it",
    description="The event is sent like any other: signed, and again if the URL does not answer.",
    tag="webhooks",
    path=["webhook_id"],
    schema=schemas.DeliveryId,
    responses={202: "It is being sent"},
    examples={202: {"delivery_id": examples.DELIVERY_ID}},
    errors=(404, 409, 429, 503),
)
async def test_webhook(request: web.Request) -> web.Response:
    delivery_id = await endpoints.test(request.app[RESOURCES], _id(request), tenant=request[CALLER].tenant)
    return json_response({"delivery_id": str(delivery_id)}, status=202)


@operation(
    summary="Give a webhook a new secret; for a day, the earlier one signs too",
    description="For a day, events have two signatures, so receivers that know one of the secrets accept them.",
    tag="webhooks",
    path=["webhook_id"],
    body=schemas.NewSecret,
    body_example={"secret": request_fields.EXAMPLE_SECRET},
    schema=schemas.WebhookWithSecret,
    responses={200: "The webhook, with the new secret; it is shown only here"},
    examples={200: examples.WEBHOOK_WITH_SECRET},
    errors=(404, 429, 503),
    headers={200: ("Cache-Control",)},
)
async def rotate_webhook_secret(request: web.Request) -> web.Response:
    endpoint_id = _id(request)
    given = validation.load(_NEW_SECRET, await json_body(request), places=validation.IN_BODY)
    made = await endpoints.rotate_secret(
        request.app[RESOURCES], endpoint_id, tenant=request[CALLER].tenant, secret=given.get("secret")
    )
    return _with_secret(made)


@operation(
    summary="Let a disabled webhook get events again",
    description="A webhook is disabled when it answers 410, or when all attempts have failed for five days.",
    tag="webhooks",
    path=["webhook_id"],
    schema=schemas.Webhook,
    responses={200: "The webhook"},
    examples={200: examples.WEBHOOK},
    errors=(404, 429, 503),
)
async def enable_webhook(request: web.Request) -> web.Response:
    endpoint = await endpoints.enable(request.app[RESOURCES], _id(request), tenant=request[CALLER].tenant)
    return json_response(_webhook(endpoint))


def callback(settings: Settings, given: Mapping[str, Any]) -> Callback | None:
    """The callback that the options of an upload name, if they passed `url_check`."""
    if "callback_url" not in given:
        return None
    return Callback(guard_of(settings).checked_url(given["callback_url"]), given["callback_secret"])


def url_check(settings: Settings, *, field: str, places: Places) -> validation.Check:
    """A check whether webhooks may be sent to the URL in a field, if it is given; raises Unprocessable."""

    def check(loaded: Mapping[str, Any]) -> None:
        if field in loaded:
            try:
                guard_of(settings).checked_url(loaded[field])
            except UrlRefused as error:
                detail = str(error)
                raise Unprocessable(f"{field}: {detail}", errors=[{"detail": detail, **places.of(field)}]) from error

    return check


def _id(request: web.Request) -> UUID:
    return path_id(request, "webhook_id")


def _webhook(endpoint: Endpoint) -> dict[str, Any]:
    path = f"/v1/webhooks/{endpoint.id}"
    return {
        "webhook_id": str(endpoint.id),
        "url": endpoint.url,
        "events": endpoint.events,
        "created_at": rfc3339(endpoint.created_at),
        "failing_since": rfc3339(endpoint.failing_since),
        "disabled_at": rfc3339(endpoint.disabled_at),
        "disabled_reason": endpoint.disabled_reason,
        "links": {"self": path, "deliveries": f"{path}/deliveries"},
    }


def _with_secret(
    made: EndpointWithSecret, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return json_response(
        {**_webhook(made.endpoint), "secret": made.secret},
        status=status,
        headers={**(headers or {}), "Cache-Control": "no-store"},
    )
