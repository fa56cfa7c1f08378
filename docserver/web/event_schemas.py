"""The schemas of what webhooks are sent."""

from marshmallow import Schema, fields

from docserver.web.batch_schemas import BatchState
from docserver.web.response_schemas import COUNT, Job


class WebhookMessage(Schema):
    """What happened, and when."""

    type = fields.String(required=True, metadata={"description": "What happened: the name of the webhook."})
    timestamp = fields.DateTime(required=True, metadata={"description": "When it happened."})


class JobMessage(WebhookMessage):
    """A job has ended."""

    data = fields.Nested(Job, required=True, metadata={"description": "The job as it was when it ended."})


class BatchMessage(WebhookMessage):
    """All jobs of a batch have ended."""

    data = fields.Nested(BatchState, required=True, metadata={"description": "The batch without its files."})


class CompletedPageLinks(Schema):
    """Where a page and its job are: paths on this service."""

    job = fields.String(required=True, metadata={"description": "The job."})
    page = fields.String(required=True, metadata={"description": "The page."})


class CompletedPage(Schema):
    """A page that was read. Its text is not sent: fetch it."""

    job_id = fields.UUID(required=True, metadata={"description": "The job that read it."})
    document_id = fields.UUID(required=True, metadata={"description": "Its document."})
    page = fields.Integer(required=True, metadata={**COUNT, "description": "Its number, from 1."})
    links = fields.Nested(CompletedPageLinks, required=True, metadata={"description": "Where to fetch it."})


class PageMessage(WebhookMessage):
    """A page was read."""

    data = fields.Nested(CompletedPage, required=True, metadata={"description": "The page."})


class TestedWebhook(Schema):
    """The webhook that is tested."""

    webhook_id = fields.UUID(required=True, metadata={"description": "The webhook's id."})


class TestMessage(WebhookMessage):
    """Somebody tests the webhook."""

    data = fields.Nested(TestedWebhook, required=True, metadata={"description": "The webhook."})
