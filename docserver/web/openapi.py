"""Makes the OpenAPI document of what handlers declare. No other module imports aiohttp-apispec."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from aiohttp import web
from aiohttp_apispec import docs, querystring_schema
from aiohttp_apispec.aiohttp_apispec import AiohttpApiSpec, resolver
from apispec import APISpec
from apispec.ext.marshmallow import common
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema

from docserver import __version__
from docserver.web import enumerations, examples, openapi_parts, openapi_webhooks, password_schemas, validation

F = TypeVar("F", bound=Callable[..., Any])

VERSION = "3.1.0"

OCTETS = "application/octet-stream"

BODY_ERRORS = (400, 408, 413, 415, 422)
"""What can be wrong with a body."""

EVERYWHERE = (400, 408, 413, 415, 417, 421, 429, 500, 503)
"""What can be wrong with any request before a handler gets it: its form, a body that it should not have, its headers,
the connections of its client, and the service itself.
"""

_FILE = {"type": "string", "format": "binary", "description": "An image or a PDF."}


def form_body(*, several: bool = False) -> dict[str, Any]:
    """The form of an upload: the file, or `several`, and the options. The options may also be in the query."""
    options = _fields(password_schemas.UploadForm())
    files = {"type": "array", "minItems": 1, "items": _FILE, "description": "Images and PDFs, or a ZIP of them."}
    file = files if several else _FILE
    sent = [examples.INVOICE] if several else examples.INVOICE
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": file, **options},
        "additionalProperties": False,
    }
    return {
        "description": "The file and, if you like, options. All but the password may be in the query as well.",
        "required": True,
        "content": {"multipart/form-data": {"schema": form, "example": {"file": sent, "languages": "eng"}}},
    }


def file_body() -> dict[str, Any]:
    """The body of an upload that is the file itself."""
    return {
        "description": "The file itself. Its type is found by its content, whatever the Content-Type says.",
        "required": True,
        "content": {OCTETS: {"schema": _FILE, "example": examples.INVOICE}},
    }


def inspected_body() -> dict[str, Any]:
    """A form with a file and perhaps its password, or the file itself."""
    properties = {"file": _FILE, **_fields(password_schemas.InspectionForm())}
    form = {"type": "object", "required": ["file"], "properties": properties, "additionalProperties": False}
    in_form = {"multipart/form-data": {"schema": form, "example": {"file": examples.INVOICE}}}
    return {**file_body(), "content": {**in_form, **file_body()["content"]}}


def _fields(form: Schema) -> dict[str, Any]:
    """The fields of a form as properties."""
    spec = APISpec(title="docserver", version=__version__, openapi_version=VERSION)
    converter = OpenAPIConverter(VERSION, schema_name_resolver=resolver, spec=spec)
    properties: dict[str, Any] = converter.schema2jsonschema(form)["properties"]  # type: ignore[no-untyped-call]
    return properties


def operation(
    *,
    summary: str,
    description: str,
    tag: str,
    responses: Mapping[int, str],
    schema: type[Schema] | None = None,
    produces: Sequence[str] = ("application/json",),
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    body_example: Mapping[str, Any] | None = None,
    path: Iterable[str] = (),
    request_headers: Iterable[str] = (),
    upload: Mapping[str, Any] | None = None,
    errors: Iterable[int] = (),
    headers: Mapping[int, Sequence[str]] = MappingProxyType({}),
    examples: Mapping[int | str, Any] = MappingProxyType({}),
) -> Callable[[F], F]:
    """Document a handler: its responses (status → meaning; JSON of `schema`, or `produces`) and its error statuses.

    `body` is the schema of a JSON body, `upload` a request body that has a file. `request_headers` are those that no
    status tells. `headers` are those that only some responses have, by status. `examples` are the bodies of successful
    answers, by status or media type, and for an error the codes that it may have, if not all that go with the status.
    The errors of a body, of a missing key or scope, and those of EVERYWHERE need not be named, but 429 says that
    requests are limited.
    """
    # Every response of a rate-limited route states how many tokens are left, and needs a key where there are keys.
    is_limited = 429 in errors
    limit_headers = ("RateLimit-Policy", "RateLimit") if is_limited else ()
    errors = {*errors, *EVERYWHERE, *(BODY_ERRORS if body or upload else ()), *((401, 403) if is_limited else ())}
    codes = examples if is_limited else {429: ("rate_limited",), **examples}

    def headers_of(status: int) -> Sequence[str]:
        return (*(() if status in openapi_parts.BEFORE_LIMITS else limit_headers), *headers.get(status, ()))

    documented = {
        status: openapi_parts.response(
            status, meaning, schema=schema, produces=produces, headers=headers_of(status), examples=examples
        )
        for status, meaning in responses.items()
    } | {
        status: openapi_parts.error_response(status, headers=headers_of(status), codes=codes.get(status))
        for status in sorted(errors - responses.keys())
    }
    arguments: dict[str, Any] = {
        "summary": summary,
        "description": description,
        "tags": [tag],
        "security": openapi_parts.ANY_KEY if 401 in errors else openapi_parts.NO_KEY,
        "responses": {str(status): response for status, response in sorted(documented.items())},
        "parameters": openapi_parts.parameters(path, documented, request_headers),
    }
    if upload:
        arguments["requestBody"] = upload
    elif body:
        arguments["requestBody"] = _json_body(body, body_example)

    def document(handler: F) -> F:
        with_docs: F = docs(operationId=handler.__name__, **arguments)(handler)
        return querystring_schema(query)(with_docs) if query else with_docs

    return document


def _json_body(schema: type[Schema], example: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "description": inspect.getdoc(schema),
        "required": any(field.required for field in schema().fields.values()),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


class _OpenApi3(AiohttpApiSpec):  # type: ignore[misc]
    """aiohttp-apispec for OpenAPI 3. It does not change the handlers, so that several applications can share them."""

    def __init__(self) -> None:
        self._schemas: dict[str, type[Schema]] = {}
        super().__init__(url=None, title="docserver", version=__version__, schema_name_resolver=self._name)
        self.spec = APISpec(
            title="docserver",
            version=__version__,
            openapi_version=VERSION,
            plugins=[self.plugin],
            info=openapi_parts.INFO,
            servers=openapi_parts.SERVERS,
            tags=[{"name": name, "description": meaning} for name, meaning in openapi_parts.TAGS.items()],
        )
        for name, scheme in openapi_parts.SECURITY_SCHEMES.items():
            self.spec.components.security_scheme(name, scheme)

    def document(self, routes: Iterable[web.AbstractRoute]) -> dict[str, Any]:
        """The OpenAPI document of these routes."""
        for route in routes:
            self._register_route(route, route.method.lower(), route.handler)
        for name, schema in openapi_webhooks.SCHEMAS.items():
            self.spec.components.schema(name, schema=schema)
            self._schemas[name] = schema
        document: dict[str, Any] = enumerations.named(self.swagger_dict())
        openapi_parts.describe_options_once(document["paths"])
        document["webhooks"] = openapi_webhooks.webhooks()
        components = document["components"]
        for name, schema in self._schemas.items():
            components["schemas"][name]["description"] = inspect.getdoc(schema)
            if not issubclass(schema, validation.Strict):
                # Clients have to take answers that have more fields than they know.
                del components["schemas"][name]["additionalProperties"]
        components["schemas"] |= enumerations.components()
        components |= {**openapi_parts.components(), "responses": openapi_parts.shared_problems(document["paths"])}
        return document

    def _name(self, schema: Any) -> str:
        name: str = resolver(schema)
        instance: Schema = common.resolve_schema_instance(schema)
        self._schemas[name] = type(instance)
        return name

    def _update_paths(self, data: dict[str, Any], method: str, url_path: str) -> None:
        if method == "head":
            return
        copied = {key: value for key, value in data.items() if key != "produces"}
        copied["parameters"] = list(data["parameters"])
        if method in ("post", "put"):
            copied = openapi_parts.repeatable(copied)
        super()._update_paths(copied, method, url_path)


def document(routes: Iterable[web.AbstractRoute]) -> dict[str, Any]:
    """The document in OpenAPI 3.1 of the routes whose handlers have an `operation`."""
    return _OpenApi3().document(routes)
