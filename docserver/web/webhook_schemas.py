"""The schemas of requests about webhooks, and the shapes of their responses."""

from marshmallow import Schema, fields, validate

from docserver.web.request_fields import MAX_LIMIT, Secret, id_cursor
from docserver.web.response_schemas import COUNT, next_cursor_field
from docserver.web.validation import Strict
from docserver.webhook_types import (
    CHOOSABLE_EVENTS,
    DEFAULT_EVENTS,
    DeliveryStatus,
    DisabledReason,
    EventType,
    Fault,
)
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
        validate=validate.Length(
            min=1,
            max=len(CHOOSABLE_EVENTS),
            error=f"Must have one or more of: {', '.join(CHOOSABLE_EVENTS)}; each once.",
        ),
        metadata={"description": "The types of events that it gets. By default, all but page.completed."},
    )
    secret = Secret("The secret that signs. By default, a new one.")


class NewSecret(Strict):
    """A secret that takes the place of a webhook's present one."""

    secret = Secret("The new secret. By default, one is made.")


class DeliveriesQuery(Strict):
    limit = fields.Integer(
        load_default=10,
        validate=validate.Range(min=1, max=MAX_LIMIT),
        metadata={"description": "The most items of a part.", "examples": [10]},
    )
    cursor = id_cursor()


class WebhookLinks(Schema):
    """Where a webhook's parts are: paths on this service."""

    self = fields.String(required=True, metadata={"description": "The webhook."})
    deliveries = fields.String(required=True, metadata={"description": "What was sent to it."})


class Webhook(Schema):
    """A URL that is told of the tenant's jobs and batches."""

    webhook_id = fields.UUID(required=True, metadata={"description": "The webhook's id."})
    url = fields.String(required=True, metadata={"description": "Where the events are sent."})
    events = fields.List(
        fields.String(metadata={"enum": list(CHOOSABLE_EVENTS)}),
        required=True,
        metadata={"description": "The types of events that it gets."},
    )
    created_at = fields.DateTime(required=True, metadata={"description": "When it was created."})
    failing_since = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "The first of the attempts that failed since the last success."},
    )
    disabled_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it was disabled; null if it is not."}
    )
    disabled_reason = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "enum": list(DisabledReason),
            "description": "gone: it has answered 410. failing: every attempt has failed for five days. Enable it "
            "again when it works.",
        },
    )
    links = fields.Nested(WebhookLinks, required=True, metadata={"description": "Paths on this service."})


class WebhookWithSecret(Webhook):
    """A webhook with the secret that signs."""

    secret = fields.String(required=True, metadata={"description": "The secret that signs. It cannot be shown again."})


class WebhookList(Schema):
    """The webhooks of a tenant."""

    items = fields.List(fields.Nested(Webhook), required=True, metadata={"description": "The webhooks, oldest first."})


class DeliveryId(Schema):
    """The id of a delivery, which its webhook-id header has too."""

    delivery_id = fields.UUID(required=True, metadata={"description": "The delivery's id."})


class DeliveryAttempt(Schema):
    """An attempt to deliver a webhook."""

    ended_at = fields.DateTime(required=True, metadata={"description": "When the attempt ended."})
    duration_ms = fields.Integer(required=True, metadata={**COUNT, "description": "How long it took."})
    http_status = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The status of the answer; null if there was none."}
    )
    fault = fields.String(
        required=True,
        allow_none=True,
        metadata={"enum": list(Fault), "description": "Why there was no answer; null if there was one."},
    )


class Delivery(DeliveryId):
    """What was sent to a webhook or callback, and what came back."""

    webhook_id = fields.UUID(required=True, allow_none=True, metadata={"description": "Null for a callback."})
    job_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The job that it tells of; null if of none."}
    )
    batch_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The batch that it tells of; null if of none."}
    )
    type = fields.String(required=True, metadata={"enum": list(EventType), "description": "What the event tells."})
    url = fields.String(required=True, metadata={"description": "Where it was sent."})
    status = fields.String(required=True, metadata={"enum": list(DeliveryStatus), "description": "Where it stands."})
    created_at = fields.DateTime(required=True, metadata={"description": "When it was to be sent."})
    finished_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it was delivered or given up; null before that."}
    )
    next_attempt_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "When it is sent again; null if it is not."}
    )
    attempts = fields.List(
        fields.Nested(DeliveryAttempt), required=True, metadata={"description": "The last 20, oldest first."}
    )


class DeliveryList(Schema):
    """A part of a log of deliveries."""

    items = fields.List(
        fields.Nested(Delivery), required=True, metadata={"description": "The deliveries, latest first."}
    )
    next_cursor = next_cursor_field()
