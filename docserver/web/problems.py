"""Every error as problem+json (RFC 9457): the one place that makes such responses."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from docserver.errors import MethodNotAllowed, NotFound, ServiceError, TooLarge
from docserver.web.keys import REQUEST_ID

CONTENT_TYPE = "application/problem+json"

MEANINGS: Mapping[int, str] = {
    400: "Malformed",
    404: "There is no such thing",
    406: "None of the formats asked for is offered",
    408: "The upload fell silent",
    409: "Not in the job's present state",
    410: "The document was deleted",
    413: "Too large",
    415: "Not a supported file, by its content",
    416: "The file has no such range",
    422: "Understood, but not acceptable; errors names what",
    429: "Too many requests of this client; Retry-After says when",
    503: "A part of the service is away; Retry-After says when to try again",
    507: "No room to store it",
}
"""What a status means, for the documentation."""


def response(request: web.BaseRequest, error: ServiceError) -> web.Response:
    """The response that tells a client of an error."""
    problem = {
        "type": f"urn:docserver:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": request.path,
        "code": error.code,
        "request_id": request.get(REQUEST_ID, ""),
        "errors": error.errors,
        **error.extra,
    }
    return web.Response(
        body=_json(problem), status=error.status, headers={**error.headers, "Content-Type": CONTENT_TYPE}
    )


def _json(problem: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(problem)
    except TypeError:
        # A name in a request may hold bytes that are no text, and the problem quotes it.
        return json.dumps(problem, ensure_ascii=False).encode("utf-8", "replace")


def of_http_exception(error: web.HTTPException) -> ServiceError:
    """The same error in our terms: aiohttp raises its own before a handler runs."""
    if error.status == 404:
        return NotFound("There is nothing at this path; /docs lists what there is.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(
            f"{error.method} is not possible here; {allowed} is.",
            headers={"Allow": error.headers.get("Allow", allowed)},
        )
    if error.status == 413:
        return TooLarge("The request's body is too large.")
    return _Other(error.status)


class _Other(ServiceError):
    """An HTTP error that we never raise ourselves."""

    def __init__(self, status: int) -> None:
        phrase = HTTPStatus(status).phrase
        super().__init__(f"{phrase}.")
        self.__dict__.update(status=status, code=phrase.lower().replace(" ", "_"), title=phrase)
