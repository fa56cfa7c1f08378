"""The headers of responses in the OpenAPI document: components, and references to them. Uses no web framework."""

from collections.abc import Mapping, Sequence
from typing import Any

from docserver.web import examples

_SECONDS = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-ID": {
        "description": "The request's id in the log: the client's X-Request-ID if that is well-formed, else a new one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "example": "01a22954-f49b-714d-921b-1dfe61c5ce9b",
    },
    "RateLimit-Policy": {
        "description": "The client's bucket: its name, size q, and the seconds w that fill it.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";q=[0-9]+;w=[0-9]+$'},
        "example": '"reads";q=1200;w=60',
    },
    "RateLimit": {
        "description": "What is left in the bucket: r tokens, and t seconds until the next one.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";r=[0-9]+;t=[0-9]+$'},
        "example": '"reads";r=1199;t=1',
    },
    "Retry-After": {"description": "Seconds to wait before the next request.", "schema": _SECONDS, "example": 1},
    "Location": {
        "description": "The address of what the answer speaks of.",
        "required": True,
        "schema": _TEXT,
        "example": f"/v1/jobs/{examples.JOB_ID}",
    },
    "Cache-Control": {
        "description": "no-store: nobody may keep the response.",
        "required": True,
        "schema": _TEXT,
        "example": "no-store",
    },
    "Preference-Applied": {
        "description": "wait: the job ended while the answer waited. respond-async: the answer was given at once.",
        "schema": _TEXT,
        "example": "wait",
    },
    "Idempotency-Replayed": {
        "description": "true: this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "pattern": "^true$"},
        "example": "true",
    },
    "ETag": {
        "description": "This version, for use in If-None-Match.",
        "required": True,
        "schema": _TEXT,
        "example": 'W/"4"',
    },
    "Link": {
        "description": "The first, next and previous part of the list (RFC 8288).",
        "required": True,
        "schema": _TEXT,
        "example": '</v1/documents/list-document>; rel="first", </v1/documents/list-document?offset=10>; rel="next"',
    },
    "Content-Disposition": {
        "description": "The file's name: of a result, that of its job.",
        "required": True,
        "schema": {"type": "string", "pattern": "^(attachment|inline); "},
        "example": "attachment; filename=\"invoice.pdf\"; filename*=UTF-8''invoice.pdf",
    },
    "WWW-Authenticate": {
        "description": "How to send an API key (RFC 9110, 11.6.1).",
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer "},
        "example": 'Bearer realm="docserver"',
    },
    "Content-Range": {
        "description": "Which bytes these are.",
        "required": True,
        "schema": _TEXT,
        "example": "bytes 0-99/577",
    },
}
"""All documented headers of responses by name. Each operation lists the headers of its responses."""

REQUIRED_HEADERS: Mapping[int, Sequence[str]] = {
    401: ("WWW-Authenticate",),
    416: ("Content-Range",),
    503: ("Retry-After",),
}
"""Headers that every response with this status has, in all operations."""

REQUIRED = "Required-"
"""A header that is required here and optional elsewhere has a second component, whose name begins with this."""


def components() -> dict[str, Any]:
    """The headers that responses refer to."""
    required = {name for names in REQUIRED_HEADERS.values() for name in names if not HEADERS[name].get("required")}
    return {**HEADERS, **{f"{REQUIRED}{name}": {**HEADERS[name], "required": True} for name in sorted(required)}}


def references(status: int, names: Sequence[str]) -> dict[str, Any]:
    """The headers of a response with this status: the given ones, and those that every response has."""
    documented = {name: reference(name) for name in ("X-Request-ID", *names)}
    for name in REQUIRED_HEADERS.get(status, ()):
        documented[name] = reference(name if HEADERS[name].get("required") else f"{REQUIRED}{name}")
    return documented


def reference(name: str) -> dict[str, str]:
    """A header of a response."""
    return {"$ref": f"#/components/headers/{name}"}
