"""Parts of the OpenAPI document that operations share: headers, links, responses. Uses no web framework."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marshmallow import Schema

from docserver.web import (
    administration_examples,
    batch_examples,
    examples,
    idempotency_key,
    openapi_headers,
    openapi_links,
    password_schemas,
    problem_examples,
    problems,
    response_schemas,
)
from docserver.web.administration_schemas import TENANT

INFO: Mapping[str, Any] = {
    "description": "Documents go in, their text comes out: all pages and words, with boxes and confidences. Upload a "
    "file, ask for its job until that has ended, and fetch the result. Ids are UUIDs, times are UTC (RFC 3339), and "
    "every error is a problem (RFC 9457) with a code. Within /v1 there are only additions: ignore fields that you do "
    "not know. A key is needed only where the service asks for one; its operator makes it.",
    "contact": {"name": "The operators of this service"},
    "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
}
"""What the document says of the whole, besides its title and version."""

SERVERS: Sequence[Mapping[str, str]] = ({"url": "/", "description": "The service that gave this document"},)

TAGS: Mapping[str, str] = {
    "documents": "Upload, list, show and delete documents.",
    "uploads": "Send large files to the bucket of the service by a link, past the service itself.",
    "jobs": "Follow, cancel and retry the reading of documents.",
    "results": "Fetch the text of documents.",
    "webhooks": "Be told when jobs have ended.",
    "administration": "Manage keys and tenants, with a key of the scope admin.",
    "system": "The state of the service, its languages and quotas.",
}
"""Name → description. An operation has one of them."""

_REQUEST_HEADERS: Mapping[str, tuple[str, Any]] = {
    "Prefer": ("wait=N: hold the answer until the job has ended, at most N seconds (RFC 7240).", "wait=30"),
    "If-None-Match": (
        "The ETag of the version that the client has; if nothing has changed, the answer is 304.",
        'W/"4"',
    ),
    "If-Match": ("The ETag of the version that the client means; if it is not there, the answer is 412.", '"a7ee7781"'),
    "Range": ("The part of the bytes that the client wants (RFC 9110, 14.2).", "bytes=0-99"),
    "Last-Event-ID": ("The id of the last event that the client has got; the stream goes on after it.", "4.1"),
    "Content-Disposition": ("Names the file, if the query does not.", 'attachment; filename="invoice.pdf"'),
    password_schemas.HEADER: (
        "The password of an encrypted PDF, in UTF-8. It is kept, encrypted, until the job ends.",
        "correct horse",
    ),
}
"""Headers of requests that operations may read: meaning and example."""

_BY_STATUS: Mapping[int, str] = {304: "If-None-Match", 206: "Range", 412: "If-Match"}
"""Header of a request by a status that only it can lead to."""


BEFORE_LIMITS = frozenset({417, 421, 500})
"""Statuses of answers that never say how many tokens are left: they are given before a client is looked up, or nobody
knows any more whether it was.
"""


def _id(example: object) -> Mapping[str, Any]:
    return {"type": "string", "format": "uuid", "examples": [str(example)]}


PATH_PARAMETERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "document_id": ("The document's id.", _id(examples.DOCUMENT_ID)),
    "job_id": ("The job's id.", _id(examples.JOB_ID)),
    "batch_id": ("The batch's id.", _id(batch_examples.BATCH["batch_id"])),
    "upload_id": ("The upload's id.", _id(administration_examples.UPLOAD_ID)),
    "key_id": ("The key's id.", _id(administration_examples.KEY_ID)),
    "webhook_id": ("The webhook's id.", _id(administration_examples.WEBHOOK_ID)),
    "delivery_id": ("The delivery's id.", _id(administration_examples.DELIVERY_ID)),
    "name": ("The file's name.", {"type": "string", "examples": ["invoice.pdf"]}),
    "number": ("The page's number in the document, from 1.", {"type": "integer", "minimum": 1, "examples": [1]}),
    "tenant": ("The tenant's name.", {"type": "string", "pattern": TENANT, "examples": ["acme"]}),
}
"""Parameters in paths: meaning and schema."""

SECURITY_SCHEMES: Mapping[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, where DOCSERVER_AUTH is keys."},
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in another header."},
}

ANY_KEY: Sequence[Mapping[str, Sequence[str]]] = ({"bearer": []}, {"api_key": []}, {})
NO_KEY: Sequence[Mapping[str, Sequence[str]]] = ()
"""The keys that an operation takes. Without DOCSERVER_AUTH=keys, none is needed."""

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": idempotency_key.HEADER,
    "description": "A text of the client's own, such as a UUID. Of all requests with the same key and content, one is "
    "carried out, and each gets its answer, for 24 hours.",
    "schema": {
        "type": "string",
        "maxLength": idempotency_key.MAX_CHARS,
        "pattern": idempotency_key.PATTERN,
        "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    },
}


IN_FORM_TOO = "The same as the field of the form, for programs that put options into the address. Send one of the two."


def components() -> dict[str, dict[str, Any]]:
    """What operations refer to, besides schemas."""
    return {
        "headers": openapi_headers.components(),
        "examples": dict(problem_examples.COMPONENTS),
    }


def parameters(path: Iterable[str], statuses: Iterable[int], request_headers: Iterable[str]) -> list[dict[str, Any]]:
    """The parameters of an operation in its path and in headers."""
    in_path = [
        {"in": "path", "name": name, "required": True, "description": meaning, "schema": dict(schema)}
        for name, (meaning, schema) in ((name, PATH_PARAMETERS[name]) for name in path)
    ]
    names = (*request_headers, *(_BY_STATUS[status] for status in statuses if status in _BY_STATUS))
    in_headers = [
        {"in": "header", "name": name, "description": meaning, "schema": {"type": "string", "examples": [example]}}
        for name, (meaning, example) in ((name, _REQUEST_HEADERS[name]) for name in names)
    ]
    return in_path + in_headers


def describe_options_once(paths: Mapping[str, Mapping[str, Any]]) -> None:
    """Say of parameters in the query that are fields of the operation's form too no more than that."""
    for operations in paths.values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            in_form = content.get("multipart/form-data", {}).get("schema", {}).get("properties", {})
            for parameter in operation["parameters"]:
                if parameter["in"] == "query" and parameter["name"] in in_form:
                    parameter["description"] = IN_FORM_TOO


def repeatable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of an operation with what its Idempotency-Key adds to it."""
    replayed = {"Idempotency-Replayed": openapi_headers.reference("Idempotency-Replayed")}
    limits = ("RateLimit-Policy", "RateLimit")
    responses = {
        str(status): error_response(status, headers=limits, codes=codes)
        for status, codes in ((400, None), (409, ()), (422, ("invalid",)), (503, None))
    }
    for status, documented in arguments["responses"].items():
        is_success = status < "300"
        responses[status] = (
            {**documented, "headers": {**documented["headers"], **replayed}} if is_success else documented
        )
    responses["409"] = _with_code(
        responses["409"], idempotency_key.IN_USE, headers=openapi_headers.references(409, ("Retry-After",))
    )
    responses["422"] = _with_code(responses["422"], idempotency_key.REUSED)
    parameters = [*arguments["parameters"], IDEMPOTENCY_KEY]
    return {**arguments, "parameters": parameters, "responses": dict(sorted(responses.items()))}


def response(
    status: int,
    meaning: str,
    *,
    schema: type[Schema] | None,
    produces: Iterable[str],
    headers: Sequence[str],
    examples: Mapping[int | str, Any],
) -> dict[str, Any]:
    """A response that is not an error: JSON of `schema`, or another media type; with its example by status or type."""
    documented: dict[str, Any] = {"description": meaning, "headers": openapi_headers.references(status, headers)}
    if status not in (204, 304, 307):
        documented["content"] = {
            media_type: {"schema": _schema(media_type, schema), **_example(examples, status, media_type)}
            for media_type in produces
        }
    if schema and "content" in documented and schema in openapi_links.LINKS:
        documented["links"] = openapi_links.LINKS[schema]
    return documented


def error_response(status: int, *, headers: Sequence[str], codes: Sequence[str] | None = None) -> dict[str, Any]:
    """A response that is a problem. It has one of these codes, or of all that go with the status."""
    if status == 429:
        # Not if waiting alone does not help: some quotas last until the client deletes something.
        headers = (*headers, "Retry-After")
    return {
        "description": problems.DESCRIPTIONS[status],
        "headers": openapi_headers.references(status, headers),
        "content": {
            problems.CONTENT_TYPE: {
                "schema": response_schemas.Problem,
                "examples": _examples(problem_examples.BY_STATUS[status] if codes is None else codes),
            }
        },
    }


def shared_problems(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The problems of all operations as components, each once. Puts references to them into the operations."""
    shared: dict[str, Any] = {}
    for operations in paths.values():
        for operation in operations.values():
            for status, documented in operation["responses"].items():
                if problems.CONTENT_TYPE in documented.get("content", {}):
                    is_limited = "RateLimit" in documented["headers"] or int(status) in BEFORE_LIMITS
                    codes = documented["content"][problems.CONTENT_TYPE]["examples"]
                    name = "-".join((*codes, *(() if is_limited else ("unlimited",))))
                    assert shared.setdefault(name, documented) == documented
                    operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _with_code(documented: Mapping[str, Any], code: str, *, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    content = documented["content"][problems.CONTENT_TYPE]
    content = {**content, "examples": {**content["examples"], **_examples((code,))}}
    return {
        **documented,
        "headers": {**documented["headers"], **(headers or {})},
        "content": {problems.CONTENT_TYPE: content},
    }


def _examples(codes: Iterable[str]) -> dict[str, Any]:
    return {code: {"$ref": f"#/components/examples/{code}"} for code in codes}


def _example(examples: Mapping[int | str, Any], status: int, media_type: str) -> dict[str, Any]:
    example = examples.get(status, examples.get(media_type))
    return {} if example is None else {"example": example}


def _schema(media_type: str, schema: type[Schema] | None) -> Any:
    if schema and media_type == "application/json":
        return schema
    is_text = media_type.startswith("text/") or media_type.endswith(("json", "xml"))
    return {"type": "string"} if is_text else {"type": "string", "format": "binary"}
