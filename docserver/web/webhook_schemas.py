"""The schemas of requests about webhooks, and the shapes of their responses."""

from marshmallow import Schema, fields, validate

from docserver.web.request_schemas import MAX_LIMIT, Parsed, Secret, Strict, parse_id_cursor
from docserver.web.response_schemas import COUNT
from docserver.webhook_types import CHOOSABLE_EVENTS, DEFAULT_EVENTS, DeliveryStatus, EventType, Fault
from docserver.webhooks.addresses import MAX_URL


class NewWebhook(Strict):
    """A webhook to create."""

    url = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_URL),
        metadata={"description": "Where the events are sent: http or https, without user name and password."},
    )
    events = fields.List(
        fields.String(validate=validate.OneOf(list(CHOOSABLE_EVENTS))),
        load_default=list(DEFAULT_EVENTS),
        validate=validate.Length(min=1, max=len(CHOOSABLE_EVENTS)),
        metadata={"description": "The types of events that it gets. By default, all but page.completed."},
    )
    secret = Secret("The secret that signs. By default, a new one.")


class NewSecret(Strict):
    """A secret that takes the place of a webhook's present one."""

    secret = Secret("The new secret. By default, one is made.")


class DeliveriesQuery(Strict):
    limit = fields.Integer(load_default=10, validate=validate.Range(min=1, max=MAX_LIMIT))
    cursor = Parsed(parse_id_cursor, description="`next_cursor` of the previous response.", format="uuid")


class Webhook(Schema):
    """A URL that is told of the tenant's jobs."""

    webhook_id = fields.UUID(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(metadata={"enum": list(CHOOSABLE_EVENTS)}), required=True)
    created_at = fields.DateTime(required=True)
    failing_since = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "The first of the attempts that failed since the last success."},
    )
    disabled_at = fields.DateTime(required=True, allow_none=True)
    disabled_reason = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "gone: it has answered 410. failing: every attempt has failed for five days. Enable it "
            "again when it works."
        },
    )
    links = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class WebhookWithSecret(Webhook):
    """A webhook with the secret that signs."""

    secret = fields.String(required=True)


class WebhookList(Schema):
    """The webhooks of a tenant."""

    items = fields.List(fields.Nested(Webhook), required=True)


class DeliveryId(Schema):
    """The id of a delivery, which its webhook-id header has too."""

    delivery_id = fields.UUID(required=True)


class DeliveryAttempt(Schema):
    """An attempt to deliver a webhook."""

    ended_at = fields.DateTime(required=True)
    duration_ms = fields.Integer(required=True, metadata=COUNT)
    http_status = fields.Integer(required=True, allow_none=True)
    fault = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": f"Why there was no answer: {', '.join(Fault)}."},
    )


class Delivery(DeliveryId):
    """What was sent to a webhook or callback, and what came back."""

    webhook_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "Null for the callback of an upload."}
    )
    job_id = fields.UUID(required=True, allow_none=True, metadata={"description": "Null for a test."})
    type = fields.String(required=True, metadata={"enum": list(EventType)})
    url = fields.String(required=True)
    status = fields.String(required=True, metadata={"enum": list(DeliveryStatus)})
    created_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    next_attempt_at = fields.DateTime(required=True, allow_none=True)
    attempts = fields.List(
        fields.Nested(DeliveryAttempt), required=True, metadata={"description": "The last 20, oldest first."}
    )


class DeliveryList(Schema):
    """A part of a log of deliveries."""

    items = fields.List(fields.Nested(Delivery), required=True)
    next_cursor = fields.String(required=True, allow_none=True)
