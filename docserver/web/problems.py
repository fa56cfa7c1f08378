"""Turns errors into problem+json responses (RFC 9457); no other module makes such responses."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from docserver import metrics
from docserver.errors import MethodNotAllowed, NotFound, ServiceError, TooLarge
from docserver.web import cors
from docserver.web.keys import REQUEST_ID

CONTENT_TYPE = "application/problem+json"

RETRY_AFTER_S = "5"
"""The Retry-After of a 503, in seconds, if its error has none."""

SERVER = "docserver"
"""The whole Server header: it names neither a version nor a library."""

DESCRIPTIONS: Mapping[int, str] = {
    400: "Malformed",
    401: "The request needs a valid API key",
    403: "The API key must not do this",
    404: "It does not exist",
    406: "None of the requested formats is available",
    408: "The body did not arrive in time",
    409: "Not possible in the present state",
    410: "The document was deleted",
    412: "The file is not the version that the request names",
    413: "Too large",
    415: "The content is not of a supported file type, or the body is not of a supported form",
    416: "The file has no such range",
    417: "The Expect header asks for something other than 100-continue",
    421: "The service does not answer to this host name",
    422: "Understood, but not acceptable; errors lists the wrong fields",
    429: "Too many requests of this client, or over a quota; Retry-After says when to try again, if waiting helps",
    500: "A fault of the service; its log has the details",
    503: "A part of the service does not answer; Retry-After says when to try again",
    504: "The list took too long; narrow it",
    507: "No room to store it",
}
"""What each status means, for the OpenAPI document."""


class InternalError(ServiceError):
    """An error in the service itself; only the log has its cause."""

    def __init__(self) -> None:
        super().__init__("Something went wrong in the service; its log has the details.")


def response(request: web.BaseRequest, error: ServiceError) -> web.Response:
    """The response for an error."""
    metrics.HTTP_ERRORS.labels(error.code).inc()
    if error.status == 503:
        error.headers.setdefault("Retry-After", RETRY_AFTER_S)
    body = _encoded(as_json(error, instance=request.path, request_id=request.get(REQUEST_ID, "")))
    return web.Response(body=body, status=error.status, headers={**error.headers, "Content-Type": CONTENT_TYPE})


def as_json(error: ServiceError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The problem that a client gets for an error."""
    return {
        "type": f"urn:docserver:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "errors": error.errors,
        **error.extra,
    }


def _encoded(problem: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(problem)
    except TypeError:
        # orjson fails if the problem quotes a name from the request that is not valid Unicode.
        return json.dumps(problem, ensure_ascii=False).encode("utf-8", "replace")


def from_http_exception(error: web.HTTPException) -> ServiceError:
    """Our error for one of aiohttp's. aiohttp raises its own errors before a handler runs."""
    if error.status == 404:
        return NotFound(
            "There is nothing at this path; / lists all paths. Documents are uploaded to /v1/documents/upload-document "
            "and listed at /v1/documents/list-document. Ids in paths are UUIDs."
        )
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = cors.allow(error)
        return MethodNotAllowed(
            f"{error.method} is not allowed here; allowed: {allowed}. / lists all paths.", headers={"Allow": allowed}
        )
    if error.status == 413:
        return TooLarge("The request's body is too large.")
    # aiohttp raises no other error for requests that are no web sockets.
    return InternalError()
