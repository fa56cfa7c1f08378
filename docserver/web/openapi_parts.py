"""Parts of the OpenAPI document that many operations share: headers, links, responses. Uses no web framework."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marshmallow import Schema

from docserver.web import idempotency_key, problems, response_schemas

_SECONDS = {"type": "integer", "minimum": 0}

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's id in the log: the client's X-Request-ID if that is well-formed, else a new one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "RateLimit-Policy": {
        "description": "The client's bucket: its name, size q, and the seconds w that fill it.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";q=[0-9]+;w=[0-9]+$'},
    },
    "RateLimit": {
        "description": "What is left in the bucket: r tokens, and t seconds until the next one.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";r=[0-9]+;t=[0-9]+$'},
    },
    "Retry-After": {"description": "Seconds to wait before the next request.", "schema": _SECONDS},
    "Location": {
        "description": "The address of what the answer speaks of.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Cache-Control": {
        "description": "no-store: nobody may keep the response.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Preference-Applied": {"description": "The service waited as Prefer asked.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "true: this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "ETag": {"description": "This version, for use in If-None-Match.", "required": True, "schema": {"type": "string"}},
    "Link": {
        "description": "The first, next and previous part of the list (RFC 8288).",
        "required": True,
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "The file's name.",
        "required": True,
        "schema": {"type": "string", "pattern": "^attachment; "},
    },
    "WWW-Authenticate": {
        "description": "How to send an API key (RFC 9110, 11.6.1).",
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer "},
    },
    "Content-Range": {"description": "Which bytes these are.", "required": True, "schema": {"type": "string"}},
}
"""All documented headers by name. Each operation lists the headers of its responses."""

REQUIRED_HEADERS: Mapping[int, Sequence[str]] = {
    401: ("WWW-Authenticate",),
    416: ("Content-Range",),
    503: ("Retry-After",),
}
"""Headers that every response with this status has, in all operations."""

SECURITY_SCHEMES: Mapping[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where DOCSERVER_AUTH is keys."},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in another header."},
}

ANY_KEY: Sequence[Mapping[str, Sequence[str]]] = ({"bearer": []}, {"api_key": []}, {})
NO_KEY: Sequence[Mapping[str, Sequence[str]]] = ()
"""The keys that an operation takes. Without DOCSERVER_AUTH=keys, none is needed."""

_DOCUMENT = {"document_id": "$response.body#/document_id"}
_JOB = {"job_id": "$response.body#/job_id"}

JOB_LINKS = {
    operation: {"operationId": operation, "parameters": parameters}
    for parameters, operations in (
        (_JOB, ("get_job", "get_events", "get_result", "cancel_job", "retry_job")),
        (_DOCUMENT, ("get_document", "get_file", "create_job", "delete_document")),
    )
    for operation in operations
}
"""OpenAPI links from a response that contains a job to the operations on this job and its document."""


IDEMPOTENCY_KEY = {
    "in": "header",
    "name": idempotency_key.HEADER,
    "description": "A text of the client's own, such as a UUID. Of all requests with the same key and content, one is "
    "carried out, and each gets its answer, for 24 hours.",
    "schema": {"type": "string", "maxLength": idempotency_key.MAX_CHARS, "pattern": idempotency_key.PATTERN},
}


def repeatable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an operation with what its Idempotency-Key adds to it."""
    replayed = {"Idempotency-Replayed": dict(HEADERS["Idempotency-Replayed"])}
    limits = ("RateLimit-Policy", "RateLimit")
    responses = {str(status): error_response(status, headers=limits) for status in (400, 409, 422, 503)}
    for status, documented in arguments["responses"].items():
        is_success = status < "300"
        responses[status] = (
            {**documented, "headers": {**documented["headers"], **replayed}} if is_success else documented
        )
    responses["409"] = {
        **responses["409"],
        "headers": {**responses["409"]["headers"], **_headers(409, ("Retry-After",))},
    }
    parameters = [*arguments["parameters"], IDEMPOTENCY_KEY]
    return {**arguments, "parameters": parameters, "responses": dict(sorted(responses.items()))}


def response(
    status: int, meaning: str, *, schema: type[Schema] | None, produces: Iterable[str], headers: Sequence[str]
) -> dict[str, Any]:
    """A response that is not an error: JSON of `schema`, or another media type."""
    documented: dict[str, Any] = {"description": meaning, "headers": _headers(status, headers)}
    if status not in (204, 304, 307):
        documented["content"] = {media_type: {"schema": _schema(media_type, schema)} for media_type in produces}
    if schema is response_schemas.Job:
        documented["links"] = JOB_LINKS
    return documented


def error_response(status: int, *, headers: Sequence[str]) -> dict[str, Any]:
    """A response that is a problem."""
    if status == 429:
        # Not if waiting alone does not help: some quotas last until the client deletes something.
        headers = (*headers, "Retry-After")
    return {
        "description": problems.DESCRIPTIONS[status],
        "headers": _headers(status, headers),
        "content": {problems.CONTENT_TYPE: {"schema": response_schemas.Problem}},
    }


def _schema(media_type: str, schema: type[Schema] | None) -> Any:
    if schema and media_type in ("application/json", "text/event-stream"):
        return schema
    is_text = media_type.startswith("text/") or media_type.endswith(("json", "xml"))
    return {"type": "string"} if is_text else {"type": "string", "format": "binary"}


def _headers(status: int, names: Sequence[str]) -> dict[str, Any]:
    documented = {name: dict(HEADERS[name]) for name in ("X-Request-ID", *names)}
    for name in REQUIRED_HEADERS.get(status, ()):
        documented[name] = {**HEADERS[name], "required": True}
    return documented
