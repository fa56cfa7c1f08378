"""The OpenAPI document and its page; the only import of aiohttp-apispec."""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from docserver.web import openapi_parts, request_schemas
from docserver.web.handlers.common import json_response

F = TypeVar("F", bound=Callable[..., Any])

DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("openapi", dict)

OPENAPI = "3.0.3"
"""The latest that the plugin writes and the page shows alike."""

ASSETS = Path(swagger_ui_bundle.swagger_ui_path)
ASSET_NAMES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})

CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"
"""The page loads nothing from elsewhere; Swagger UI sets styles on its elements and has pictures in its style sheet."""

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

_PATH_ID = {"type": "string", "format": "uuid"}
_PATH_PARTS = {"number": {"type": "integer", "minimum": 1}}
"""What is no id."""


def _upload_body() -> dict[str, Any]:
    """The form of an upload: its file, and the options, which may also stand in the query."""
    spec = APISpec(title="docserver", version=__version__, openapi_version=OPENAPI)
    converter = OpenAPIConverter(OPENAPI, schema_name_resolver=resolver, spec=spec)
    options = converter.schema2jsonschema(request_schemas.UploadOptions())["properties"]  # type: ignore[no-untyped-call]
    file = {"type": "string", "format": "binary", "description": "A picture or PDF."}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": file, **options},
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


def operation(
    *,
    summary: str,
    tag: str,
    answers: Mapping[int, str],
    schema: type[Schema] | None = None,
    produces: Sequence[str] = ("application/json",),
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    path: Iterable[str] = (),
    upload: bool = False,
    refusals: Iterable[int] = (),
    headers: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> Callable[[F], F]:
    """Document a handler: what it answers (status → meaning; JSON of `schema`, or `produces`) and refuses with.

    `body` is the schema of a JSON object that may be sent; `headers` are those of answers beside the ones all have.
    """
    # Who can be told 429 is told with every answer how much is left.
    limited = ("RateLimit-Policy", "RateLimit") if 429 in refusals else ()
    told = {
        status: openapi_parts.answer(
            status, meaning, schema=schema, produces=produces, headers=(*limited, *headers.get(status, ()))
        )
        for status, meaning in answers.items()
    }
    told |= {status: openapi_parts.refusal(status, headers=(*limited, *headers.get(status, ()))) for status in refusals}
    whole: dict[str, Any] = {
        "summary": summary,
        "tags": [tag],
        "responses": {str(status): one for status, one in told.items()},
        "parameters": [
            {"in": "path", "name": name, "required": True, "schema": _PATH_PARTS.get(name, _PATH_ID)} for name in path
        ],
    }
    if upload:
        whole["requestBody"] = _upload_body()
    elif body:
        whole["requestBody"] = {"required": False, "content": {"application/json": {"schema": body}}}

    def document(handler: F) -> F:
        documented: F = docs(operationId=handler.__name__, **whole)(handler)
        return querystring_schema(query)(documented) if query else documented

    return document


class _OpenApi3(AiohttpApiSpec):  # type: ignore[misc]
    """aiohttp-apispec for OpenAPI 3, which leaves the handlers as they are: several apps can be made of them."""

    def __init__(self) -> None:
        super().__init__(url=None, title="docserver", version=__version__)
        self.spec = APISpec(
            title="docserver",
            version=__version__,
            openapi_version=OPENAPI,
            plugins=[self.plugin],
            info={"description": "Documents in, their text out: every page, every word with its box and confidence."},
        )

    def document(self, app: web.Application) -> dict[str, Any]:
        """The OpenAPI document of an application's routes."""
        self._register(app)
        described: dict[str, Any] = self.swagger_dict()
        return described

    def _update_paths(self, data: dict[str, Any], method: str, url_path: str) -> None:
        if method == "head":
            return
        copied = {key: value for key, value in data.items() if key != "produces"}
        super()._update_paths({**copied, "parameters": list(data["parameters"])}, method, url_path)


def set_up(app: web.Application) -> None:
    """Serve the OpenAPI document of the routes that the application has so far, and a page that shows it."""
    app[DOCUMENT] = _OpenApi3().document(app)
    app.router.add_get("/openapi.json", _openapi_json, name="openapi")
    app.router.add_get("/docs", _page, name="docs")
    app.router.add_get("/docs/{name}", _asset, name="docs-asset")


async def _openapi_json(request: web.Request) -> web.Response:
    return json_response(request.app[DOCUMENT])


async def _page(request: web.Request) -> web.Response:  # noqa: ARG001 - the page is the same for all
    return web.Response(
        text=PAGE, content_type="text/html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    )


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name == "start.js":
        return web.Response(text=START, content_type="text/javascript")
    if name not in ASSET_NAMES:
        raise NotFound("The documentation has no such part.")
    return web.FileResponse(ASSETS / name, headers={"Cache-Control": "max-age=86400"})
