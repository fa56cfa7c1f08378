"""The links of the OpenAPI document: which operations follow a response, and which of its values they take."""

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema

from docserver.web import (
    administration_schemas,
    batch_schemas,
    inspection_schemas,
    response_schemas,
    search_schemas,
    webhook_schemas,
)

_BODY = "$response.body#/"
_PATH = "$request.path."

_OF_JOB = ("get_job", "get_events", "get_result", "cancel_job", "retry_job", "list_job_deliveries")
_OF_BATCH = ("get_batch", "get_batch_events", "list_batch_deliveries")
_OF_PAGE = ("get_page", "get_page_image")
_OF_DOCUMENT = ("get_document", "get_file", "create_job", "delete_document")
_OF_WEBHOOK = (
    *("get_webhook", "test_webhook", "rotate_webhook_secret", "enable_webhook", "list_webhook_deliveries"),
    "delete_webhook",
)
_OF_KEY = ("rotate_key", "revoke_key")
_OF_TENANT = ("get_tenant", "set_tenant", "delete_tenant")


def _links(operations: Sequence[str], meaning: str, **parameters: str) -> dict[str, Any]:
    return {
        operation: {"operationId": operation, "description": meaning, "parameters": parameters}
        for operation in operations
    }


def _job_links(meaning: str, job_id: str, *, pages: str) -> dict[str, Any]:
    """Links to operations on a job, and on one of its pages."""
    return _links(_OF_JOB, meaning, job_id=job_id) | _links(_OF_PAGE, meaning, job_id=job_id, number=pages)


LINKS: Mapping[type[Schema], Mapping[str, Any]] = {
    response_schemas.Job: {
        **_job_links("Of the job", f"{_BODY}job_id", pages=f"{_BODY}pages/total"),
        **_links(_OF_DOCUMENT, "Of the document that the job reads", document_id=f"{_BODY}document_id"),
    },
    response_schemas.Document: {
        **_links(_OF_DOCUMENT, "Of the document", document_id=f"{_BODY}document_id"),
        **_job_links("Of the document's latest job", f"{_BODY}jobs/0/job_id", pages=f"{_BODY}jobs/0/pages/total"),
    },
    response_schemas.DocumentList: {
        **_links(("list_documents",), "The next part of a list that is not narrowed", cursor=f"{_BODY}next_cursor"),
        **_links(_OF_DOCUMENT, "Of the first document", document_id=f"{_BODY}items/0/document_id"),
        **_job_links(
            "Of the first document's latest job", f"{_BODY}items/0/job_id", pages=f"{_BODY}items/0/pages_total"
        ),
    },
    search_schemas.SearchResult: {
        **_links(
            ("search_documents",),
            "The next part of the pages found, if the search is not narrowed",
            cursor=f"{_BODY}next_cursor",
            q="$request.query.q",
        ),
        **_links(_OF_DOCUMENT, "Of the first page's document", document_id=f"{_BODY}items/0/document/document_id"),
        **_job_links("Of the first page found", f"{_BODY}items/0/job_id", pages=f"{_BODY}items/0/page"),
    },
    batch_schemas.Batch: {
        **_links(_OF_BATCH, "Of the batch", batch_id=f"{_BODY}batch_id"),
        **_links(_OF_DOCUMENT, "Of the first file's document", document_id=f"{_BODY}items/0/document_id"),
        **_links(_OF_JOB, "Of the first file's job", job_id=f"{_BODY}items/0/job_id"),
    },
    inspection_schemas.Inspection: _links(("upload_document",), "When the file is to be read"),
    response_schemas.UploadLink: _links(("complete_upload",), "When the file is sent", upload_id=f"{_BODY}upload_id"),
    administration_schemas.KeyWithSecret: _links(_OF_KEY, "Of the new key", key_id=f"{_BODY}key_id"),
    administration_schemas.KeyList: {
        **_links(("list_keys",), "The next part of the list", cursor=f"{_BODY}next_cursor"),
        **_links(_OF_KEY, "Of the first key", key_id=f"{_BODY}items/0/key_id"),
    },
    administration_schemas.TenantWithDeletion: _links(_OF_TENANT, "Of the tenant", tenant=f"{_BODY}name"),
    administration_schemas.TenantList: {
        **_links(("list_tenants",), "The next part of the list", cursor=f"{_BODY}next_cursor"),
        **_links(_OF_TENANT, "Of the first tenant", tenant=f"{_BODY}items/0/name"),
    },
    administration_schemas.AuditLog: _links(
        ("get_audit_log",), "The next part of the log", cursor=f"{_BODY}next_cursor"
    ),
    webhook_schemas.Webhook: _links(_OF_WEBHOOK, "Of the webhook", webhook_id=f"{_BODY}webhook_id"),
    webhook_schemas.WebhookWithSecret: _links(_OF_WEBHOOK, "Of the webhook", webhook_id=f"{_BODY}webhook_id"),
    webhook_schemas.WebhookList: _links(_OF_WEBHOOK, "Of the first webhook", webhook_id=f"{_BODY}items/0/webhook_id"),
    webhook_schemas.DeliveryId: _links(
        ("list_webhook_deliveries",), "What came of it", webhook_id=f"{_PATH}webhook_id"
    ),
    webhook_schemas.DeliveryList: _links(
        ("replay_delivery",),
        "Send the first one again",
        job_id=f"{_BODY}items/0/job_id",
        delivery_id=f"{_BODY}items/0/delivery_id",
    ),
}
"""Schema → the links of each response with this schema, by the operation that they lead to."""
