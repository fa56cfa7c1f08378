"""The OpenAPI document and the page that shows it. No other module imports aiohttp-apispec."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import swagger_ui_bundle
from aiohttp import web
from aiohttp_apispec import docs, querystring_schema
from aiohttp_apispec.aiohttp_apispec import AiohttpApiSpec
from apispec import APISpec
from apispec.ext.marshmallow import resolver
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema

from docserver import __version__
from docserver.errors import NotFound
from docserver.sniff import SUPPORTED
from docserver.storage.open_file import LocalFile
from docserver.web import administration_schemas, openapi_parts, request_schemas
from docserver.web.downloads import Download
from docserver.web.handlers.common import versioned_response
from docserver.web.keys import RESOURCES

F = TypeVar("F", bound=Callable[..., Any])

DOCUMENT: web.AppKey[Callable[[], dict[str, Any]]] = web.AppKey("openapi")
"""Makes the document at the first call, and gives it again at the next ones."""

OPENAPI = "3.0.3"
"""The latest version of OpenAPI that both the apispec plugin and Swagger UI support."""

ASSETS = Path(swagger_ui_bundle.swagger_ui_path)
ASSET_TYPES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
"""The files of the page, with their media types."""

CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"
"""The page loads nothing from other hosts. Swagger UI needs inline styles, and images in data URLs."""

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>docserver API</title>
  <link rel="icon" href="/docs/favicon-32x32.png">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""

START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'

OCTETS = "application/octet-stream"

BODY_ERRORS = (400, 408, 413, 415, 422)
"""What can be wrong with a body."""

_PATH_ID = {"type": "string", "format": "uuid"}
_PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "number": {"type": "integer", "minimum": 1},
    "tenant": {"type": "string", "pattern": administration_schemas.TENANT},
}
"""Path parameters other than ids."""


def form_body() -> dict[str, Any]:
    """The form of an upload: the file and the options. The options may also be in the query."""
    spec = APISpec(title="docserver", version=__version__, openapi_version=OPENAPI)
    converter = OpenAPIConverter(OPENAPI, schema_name_resolver=resolver, spec=spec)
    options = converter.schema2jsonschema(request_schemas.UploadOptions())["properties"]  # type: ignore[no-untyped-call]
    file = {"type": "string", "format": "binary", "description": "An image or a PDF."}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": file, **options},
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


def file_body() -> dict[str, Any]:
    """The body of an upload that is the file itself."""
    file = {"type": "string", "format": "binary", "description": "An image or a PDF."}
    return {"required": True, "content": {media_type: {"schema": file} for media_type in (OCTETS, *SUPPORTED)}}


def operation(
    *,
    summary: str,
    tag: str,
    responses: Mapping[int, str],
    schema: type[Schema] | None = None,
    produces: Sequence[str] = ("application/json",),
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    path: Iterable[str] = (),
    request_headers: Mapping[str, str] = MappingProxyType({}),
    upload: Mapping[str, Any] | None = None,
    errors: Iterable[int] = (),
    headers: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> Callable[[F], F]:
    """Document a handler: its responses (status → meaning; JSON of `schema`, or `produces`) and its error statuses.

    `body` is the schema of an optional JSON body, `upload` a request body that has a file. `request_headers` are those
    that only this operation reads, with their meanings. `headers` are those that only some responses have, by status.
    The errors of a body, and of a missing key or scope, need not be named.
    """
    # Every response of a rate-limited route states how many tokens are left, and needs a key where there are keys.
    is_limited = 429 in errors
    limit_headers = ("RateLimit-Policy", "RateLimit") if is_limited else ()
    errors = {*errors, *(BODY_ERRORS if body or upload else ()), *((401, 403) if is_limited else ())}

    def headers_of(status: int) -> Sequence[str]:
        return (*limit_headers, *headers.get(status, ()))

    documented = {
        status: openapi_parts.response(status, meaning, schema=schema, produces=produces, headers=headers_of(status))
        for status, meaning in responses.items()
    } | {status: openapi_parts.error_response(status, headers=headers_of(status)) for status in sorted(errors)}
    arguments: dict[str, Any] = {
        "summary": summary,
        "tags": [tag],
        "security": openapi_parts.ANY_KEY if 401 in errors else openapi_parts.NO_KEY,
        "responses": {str(status): response for status, response in documented.items()},
        "parameters": _parameters(path, request_headers),
    }
    if upload:
        arguments["requestBody"] = upload
    elif body:
        arguments["requestBody"] = {"required": False, "content": {"application/json": {"schema": body}}}

    def document(handler: F) -> F:
        with_docs: F = docs(operationId=handler.__name__, **arguments)(handler)
        return querystring_schema(query)(with_docs) if query else with_docs

    return document


def _parameters(path: Iterable[str], request_headers: Mapping[str, str]) -> list[dict[str, Any]]:
    in_path = [
        {"in": "path", "name": name, "required": True, "schema": _PATH_PARAMETERS.get(name, _PATH_ID)} for name in path
    ]
    in_headers = [
        {"in": "header", "name": name, "description": meaning, "schema": {"type": "string"}}
        for name, meaning in request_headers.items()
    ]
    return in_path + in_headers


class _OpenApi3(AiohttpApiSpec):  # type: ignore[misc]
    """aiohttp-apispec for OpenAPI 3. It does not change the handlers, so that several applications can share them."""

    def __init__(self) -> None:
        super().__init__(url=None, title="docserver", version=__version__)
        self.spec = APISpec(
            title="docserver",
            version=__version__,
            openapi_version=OPENAPI,
            plugins=[self.plugin],
            info={
                "description": "Documents go in, their text comes out: all pages and words, with boxes and confidences."
            },
        )

        for name, scheme in openapi_parts.SECURITY_SCHEMES.items():
            self.spec.components.security_scheme(name, scheme)

    def document(self, routes: Iterable[web.AbstractRoute]) -> dict[str, Any]:
        """The OpenAPI document of these routes."""
        for route in routes:
            self._register_route(route, route.method.lower(), route.handler)
        openapi_document: dict[str, Any] = self.swagger_dict()
        return openapi_document

    def _update_paths(self, data: dict[str, Any], method: str, url_path: str) -> None:
        if method == "head":
            return
        copied = {key: value for key, value in data.items() if key != "produces"}
        copied["parameters"] = list(data["parameters"])
        if method in ("post", "put"):
            copied = openapi_parts.repeatable(copied)
        super()._update_paths(copied, method, url_path)


def set_up(app: web.Application) -> None:
    """Add routes for the OpenAPI document of all routes so far, and for the page that shows it."""
    routes = list(app.router.routes())
    # Making it takes longer than the rest of the application, and few processes are asked for it.
    document: Callable[[], dict[str, Any]] = cache(lambda: _OpenApi3().document(routes))
    app[DOCUMENT] = document
    app.router.add_get("/", _start, name="start")
    app.router.add_get("/openapi.json", _openapi_json, name="openapi")
    app.router.add_get("/docs", _page, name="docs")
    app.router.add_get("/docs/{name}", _asset, name="docs-asset")


async def _openapi_json(request: web.Request) -> web.Response:
    return versioned_response(request, await asyncio.to_thread(request.app[DOCUMENT]))


async def _start(request: web.Request) -> web.Response:
    """Lead a person to the documentation, and tell a program what there is."""
    headers = {"Vary": "Accept"}
    # Browsers name HTML; programs accept JSON or anything.
    if "text/html" in request.headers.get("Accept", ""):
        return web.Response(status=303, headers={**headers, "Location": "/docs"})
    paths = (await asyncio.to_thread(request.app[DOCUMENT]))["paths"]
    endpoints = [
        {"method": method.upper(), "path": path, "summary": operation["summary"]}
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    return versioned_response(
        request, {"documentation": "/docs", "openapi": "/openapi.json", "endpoints": endpoints}, headers=headers
    )


async def _page(request: web.Request) -> web.Response:  # noqa: ARG001 - the page is the same for all
    return web.Response(
        text=PAGE, content_type="text/html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    )


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name == "start.js":
        return web.Response(text=START, content_type="text/javascript")
    if name not in ASSET_TYPES:
        raise NotFound("The documentation has no such file.")
    return Download(
        await asyncio.to_thread(lambda: LocalFile((ASSETS / name).open("rb"))),
        total_s=request.app[RESOURCES].settings.upload_timeout_s,
        headers={"Content-Type": ASSET_TYPES[name], "Cache-Control": "max-age=86400"},
    )
