"""The webhooks of the OpenAPI document: what receivers are sent, and what they answer."""

from collections.abc import Mapping
from typing import Any

import orjson
from marshmallow import Schema

from docserver.timestamps import rfc3339
from docserver.web import administration_examples, batch_examples, event_schemas, examples
from docserver.webhook_types import EventType
from docserver.webhooks.events import Event, completed_page
from docserver.webhooks.events import ended as ended_job

_ENDED_JOB = "It is sent again after each retry. The text is not part of it."

_TOLD: Mapping[EventType, tuple[type[Schema], str, str]] = {
    EventType.JOB_COMPLETED: (event_schemas.JobMessage, "A job is completed: its text can be fetched", _ENDED_JOB),
    EventType.JOB_FAILED: (event_schemas.JobMessage, "A job has failed: no page of it could be read", _ENDED_JOB),
    EventType.JOB_CANCELLED: (event_schemas.JobMessage, "A job was cancelled", _ENDED_JOB),
    EventType.PAGE_COMPLETED: (
        event_schemas.PageMessage,
        "A page was read",
        "It is sent to webhooks that name it in their events.",
    ),
    EventType.BATCH_COMPLETED: (
        event_schemas.BatchMessage,
        "All jobs of a batch have ended",
        "It is sent again after the retry of a job.",
    ),
    EventType.TEST: (event_schemas.TestMessage, "Somebody tests the webhook", "Nothing has happened."),
}

SCHEMAS: Mapping[str, type[Schema]] = {
    schema.__name__: schema for schema in dict.fromkeys(schema for schema, _, _ in _TOLD.values())
}
"""What the webhooks refer to, by the name in the document."""

_HEADERS: Mapping[str, tuple[str, str]] = {
    "webhook-id": ("The delivery's id, the same at every attempt and replay.", administration_examples.DELIVERY_ID),
    "webhook-timestamp": ("When this attempt was made, in seconds since 1970; refuse one that is old.", "1795989763"),
    "webhook-signature": (
        "One or more signatures of `id.timestamp.body` by HMAC-SHA256, separated by spaces (Standard Webhooks).",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}

_ANSWERS: Mapping[str, Any] = {
    "2XX": {"description": "The event was taken; the body is not read."},
    "410": {"description": "The receiver is gone for good: the webhook is disabled."},
    "default": {"description": "The event is sent again, for a day."},
}


def webhooks() -> dict[str, Any]:
    """The path item of each webhook, by its type."""
    return {event.value: {"post": _post(event)} for event in _TOLD}


def _post(event: EventType) -> dict[str, Any]:
    schema, summary, description = _TOLD[event]
    example = orjson.loads(_examples()[event].body)
    reference = {"$ref": f"#/components/schemas/{schema.__name__}"}
    return {
        "operationId": f"on_{event.value.replace('.', '_')}",
        "summary": summary,
        "description": description,
        "tags": ["webhooks"],
        "security": [],
        "parameters": [
            {
                "in": "header",
                "name": name,
                "required": True,
                "description": meaning,
                "schema": {"type": "string", "examples": [value]},
            }
            for name, (meaning, value) in _HEADERS.items()
        ],
        "requestBody": {
            "description": schema.__doc__,
            "required": True,
            "content": {"application/json": {"schema": reference, "example": example}},
        },
        "responses": dict(_ANSWERS),
    }


def _examples() -> dict[EventType, Event]:
    """An event of each type, as the service would send it."""
    now = rfc3339(examples.TIME) or ""
    events = (
        *(ended_job(job) for job in (examples.COMPLETED, examples.FAILED, examples.CANCELLED)),
        completed_page(examples.COMPLETED, 1, now),
        Event(EventType.BATCH_COMPLETED, batch_examples.COMPLETED_BATCH, now),
        Event(EventType.TEST, {"webhook_id": administration_examples.WEBHOOK_ID}, now),
    )
    return {event.type: event for event in events}
