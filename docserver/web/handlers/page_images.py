"""Pictures of pages."""

from functools import partial

from aiohttp import web

from docserver.documents import page_images
from docserver.documents.page_images import IMAGE_FORMATS, Wanted
from docserver.formats.result_file import SharedFile
from docserver.ocr.server.on_demand import ANSWER_S
from docserver.web import callers, request_schemas, validation
from docserver.web.conditions import not_modified
from docserver.web.downloads import Download
from docserver.web.handlers.common import extend_deadline, path_id
from docserver.web.handlers.results import DOCUMENT_HEADERS, page_number
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

_IMAGE_QUERY = request_schemas.ImageQuery()


@operation(
    summary="A picture of a page as viewers show it, as soon as it is read: boxes of words fit it, scaled by its width",
    description="For viewers that show the text over the page. The picture is drawn when it is asked for.",
    tag="results",
    path=["job_id", "number"],
    query=request_schemas.ImageQuery,
    responses={200: "The picture", 304: "Unchanged since the version that If-None-Match names"},
    produces=[f"image/{name}" for name in IMAGE_FORMATS],
    errors=(404, 409, 422, 429, 503),
    examples={409: ("not_ready", "job_failed", "page_failed"), 422: ("invalid", "not_renderable")},
    headers={200: ("ETag",), 304: ("ETag",), 409: ("Retry-After",)},
)
async def get_page_image(request: web.Request) -> web.StreamResponse:
    resources = request.app[RESOURCES]
    query = validation.load(_IMAGE_QUERY, request.query)
    # It may wait for its turn as long as it takes.
    extend_deadline(request, 2 * ANSWER_S)
    drawn = await page_images.image(
        resources,
        path_id(request, "job_id"),
        page_number(request),
        caller=request[CALLER],
        wanted=Wanted(query.get("width"), query["format"], query.get("crop"), marks_words="highlight" in query),
        client_has=partial(not_modified, request),
    )
    # A picture is of one tenant, and must not be shown any more once its document is deleted.
    headers = {"ETag": drawn.etag, "Cache-Control": "private, no-cache"}
    if drawn.body is None:
        return web.Response(status=304, headers=headers)
    headers |= {**DOCUMENT_HEADERS, "Content-Type": f"image/{query['format']}"}
    if isinstance(drawn.body, bytes):
        return web.Response(body=drawn.body, headers=headers)
    assert isinstance(drawn.body, SharedFile)
    return Download(
        drawn.body,
        check_caller=partial(callers.check_again, request),
        total_s=resources.settings.upload_timeout_s,
        headers=headers,
    )
