"""Results: the text of a completed job in the format that the client wants."""

from aiohttp import web

from docserver import reads
from docserver.errors import NotAcceptable
from docserver.formats import FORMATS, Format, negotiate
from docserver.web import answers, schemas
from docserver.web.handlers.common import path_id, unchanged
from docserver.web.keys import RESOURCES
from docserver.web.openapi import operation

GUARDS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""What a document says is shown by a browser as what it is declared to be, and can do nothing there."""

_RESULT_QUERY = schemas.ResultQuery()


@operation(
    summary="A completed job's text",
    tag="results",
    path=["job_id"],
    query=schemas.ResultQuery,
    schema=answers.Result,
    answers={200: "The text", 304: "Unchanged since the version that If-None-Match names"},
    produces=[form.media_type for form in FORMATS.values()],
    refusals=(404, 406, 409, 422, 429, 503),
    headers={200: ("ETag",), 304: ("ETag",), 409: ("Retry-After",)},
)
async def get_result(request: web.Request) -> web.Response:
    query = schemas.load(_RESULT_QUERY, request.query)
    form = FORMATS[query["format"]] if "format" in query else _accepted(request)
    rendered = await reads.result(
        request.app[RESOURCES], path_id(request, "job_id"), form=form, selection=query.get("pages")
    )
    headers = {"ETag": rendered.etag, "Cache-Control": "no-cache", "Vary": "Accept", **GUARDS}
    if unchanged(request, rendered.etag):
        return web.Response(status=304, headers=headers)
    charset = "; charset=utf-8" if form.media_type.startswith("text/") else ""
    return web.Response(
        body=rendered.body,
        headers={**headers, "Content-Type": form.media_type + charset},
    )


def _accepted(request: web.Request) -> Format:
    form = negotiate(",".join(request.headers.getall("Accept", ())))
    if form is None:
        offered = ", ".join(known.media_type for known in FORMATS.values())
        raise NotAcceptable(f"None of the formats in the Accept header is offered; offered are: {offered}.")
    return form
