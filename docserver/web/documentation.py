"""Serves the OpenAPI document in both versions, the page that shows it, and an overview at `/`."""

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import swagger_ui_bundle
from aiohttp import web

from docserver.errors import NotFound
from docserver.formats.negotiation import prefers
from docserver.storage.open_file import LocalFile
from docserver.web import openapi
from docserver.web.downloads import Download
from docserver.web.handlers.common import versioned_response
from docserver.web.keys import RESOURCES
from docserver.web.openapi_3_0 import as_3_0

MakeDocument = Callable[[], dict[str, Any]]

DOCUMENT: web.AppKey[MakeDocument] = web.AppKey("openapi")
DOCUMENT_3_0: web.AppKey[MakeDocument] = web.AppKey("openapi-3.0")
"""Make the document at the first call, and return the same at later calls."""

ASSETS = Path(swagger_ui_bundle.swagger_ui_path)
ASSET_TYPES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
"""The files of the page, with their media types."""

CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
"""The page loads nothing from other hosts. Swagger UI needs inline styles, images in data URLs, and
pictures of pages in blobs."""

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

START = """// Swagger UI would send the fields of forms that nobody filled: with examples, or empty.
const emptyFields = {
  wrapComponents: {
    JsonSchemaForm: (Form, {React}) => (props) =>
      React.createElement(Form, props.dispatchInitialValue ? {...props, dispatchInitialValue: false} : props),
    ParameterIncludeEmpty: (Choice, {React}) => (props) =>
      React.createElement(Choice, {...props, isIncludedOptions: {...props.isIncludedOptions, defaultValue: false}}),
  },
};

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  plugins: [emptyFields],
});
"""


def set_up(app: web.Application) -> None:
    """Add routes for the OpenAPI document of all routes so far, and for the page that shows it."""
    routes = list(app.router.routes())
    # Making it takes longer than the rest of the application, and few processes are asked for it.
    document: MakeDocument = cache(lambda: openapi.document(routes))
    older: MakeDocument = cache(lambda: as_3_0(document()))
    app[DOCUMENT], app[DOCUMENT_3_0] = document, older
    app.router.add_get("/", _start, name="start")
    app.router.add_get("/openapi.json", _openapi_json, name="openapi")
    app.router.add_get("/openapi-3.0.json", _openapi_3_0_json, name="openapi-older")
    app.router.add_get("/docs", _page, name="docs")
    app.router.add_get("/docs/{name}", _asset, name="docs-asset")


async def _openapi_json(request: web.Request) -> web.Response:
    return versioned_response(request, await asyncio.to_thread(request.app[DOCUMENT]))


async def _openapi_3_0_json(request: web.Request) -> web.Response:
    return versioned_response(request, await asyncio.to_thread(request.app[DOCUMENT_3_0]))


async def _start(request: web.Request) -> web.Response:
    """Lead a person to the documentation, and list the endpoints for a program."""
    headers = {"Vary": "Accept"}
    # Browsers name HTML; programs accept JSON or anything.
    if prefers(",".join(request.headers.getall("Accept", ())), "text/html", to="application/json"):
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
