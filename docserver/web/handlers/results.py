"""Results: the text of a completed job, or of one of its pages, in the format that the client asks for."""

import asyncio
from functools import partial

from aiohttp import web

from docserver.documents import results
from docserver.errors import NotAcceptable, NotFound
from docserver.formats import FORMATS, PDF, Format
from docserver.formats.negotiation import negotiate
from docserver.formats.result_file import ResultFile
from docserver.formats.result_writer import WRITING_S
from docserver.page_ranges import MAX_PAGE_NUMBER
from docserver.web import callers, compression, request_schemas, response_schemas
from docserver.web.conditions import not_modified
from docserver.web.downloads import Download
from docserver.web.handlers.common import extend_deadline, path_id
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

DOCUMENT_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""With these headers a browser treats a result only as its Content-Type says, and runs no script that a document may
have put into it."""

_RESULT_QUERY = request_schemas.ResultQuery()
_PAGE_QUERY = request_schemas.PageQuery()

_MEDIA_TYPES = [form.media_type for form in FORMATS.values()]


@operation(
    summary="A completed job's text",
    tag="results",
    path=["job_id"],
    query=request_schemas.ResultQuery,
    schema=response_schemas.Result,
    responses={200: "The text", 304: "Unchanged since the version that If-None-Match names"},
    produces=_MEDIA_TYPES,
    errors=(404, 406, 409, 422, 429, 503),
    headers={200: ("ETag",), 304: ("ETag",), 409: ("Retry-After",)},
)
async def get_result(request: web.Request) -> web.StreamResponse:
    query = request_schemas.load(_RESULT_QUERY, request.query)
    form = _format(request, query.get("format"), default="txt")
    result = await results.result(
        request.app[RESOURCES],
        path_id(request, "job_id"),
        caller=request[CALLER],
        form=form,
        selection=query.get("pages"),
        client_has=lambda etag: _client_has(request, etag),
    )
    return await _response(request, result, form)


@operation(
    summary="One page of a job, as soon as it is read",
    tag="results",
    path=["job_id", "number"],
    query=request_schemas.PageQuery,
    schema=response_schemas.Page,
    responses={200: "The page", 304: "Unchanged since the version that If-None-Match names"},
    produces=_MEDIA_TYPES,
    errors=(404, 406, 409, 422, 429, 503),
    headers={200: ("ETag",), 304: ("ETag",), 409: ("Retry-After",)},
)
async def get_page(request: web.Request) -> web.StreamResponse:
    query = request_schemas.load(_PAGE_QUERY, request.query)
    form = _format(request, query.get("format"), default="json")
    result = await results.page(
        request.app[RESOURCES],
        path_id(request, "job_id"),
        _page_number(request),
        caller=request[CALLER],
        form=form,
        client_has=lambda etag: _client_has(request, etag),
    )
    return await _response(request, result, form)


def _format(request: web.Request, name: str | None, *, default: str) -> Format:
    """The format that the client asks for. Extends the request's deadline by the time that this format may take."""
    form = FORMATS[name] if name else negotiate(",".join(request.headers.getall("Accept", ())), default=default)
    if form is None:
        raise NotAcceptable(f"The Accept header names no format that is offered: {', '.join(_MEDIA_TYPES)}.")
    # A PDF may have to wait for the PDFs of other clients, and that wait may be as long as the time to make it.
    extend_deadline(request, 2 * request.app[RESOURCES].settings.pdf_timeout_s if form is PDF else WRITING_S)
    return form


def _page_number(request: web.Request) -> int:
    text = request.match_info["number"]
    # A longer number would be too large for the database.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE_NUMBER)) and int(text)):
        raise NotFound("A page number is 1 or more.")
    return int(text)


def _client_has(request: web.Request, etag: str) -> bool:
    coding = _coding(request)
    return not_modified(request, etag) or (coding is not None and not_modified(request, coding.etag(etag)))


def _coding(request: web.Request) -> compression.Coding | None:
    return compression.negotiate(",".join(request.headers.getall("Accept-Encoding", ())))


async def _response(request: web.Request, result: ResultFile, form: Format) -> web.StreamResponse:
    headers = {"ETag": result.etag, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
    coding = _coding(request)
    body = result.body
    if body is None:
        if coding and not not_modified(request, result.etag):
            headers["ETag"] = coding.etag(result.etag)
        return web.Response(status=304, headers=headers)
    charset = "; charset=utf-8" if form.media_type.startswith("text/") else ""
    headers |= {**DOCUMENT_HEADERS, "Content-Type": form.media_type + charset}
    size = len(body) if isinstance(body, bytes) else body.size
    if form is PDF or size < compression.LEAST_BYTES:
        coding = None
    if coding:
        headers["ETag"] = coding.etag(result.etag)
    if isinstance(body, bytes):
        if coding:
            body = await asyncio.to_thread(coding.compress, body)
            headers["Content-Encoding"] = coding.name
        return web.Response(body=body, headers=headers)
    return Download(
        body,
        coding=coding,
        check_caller=partial(callers.check_again, request),
        total_s=request.app[RESOURCES].settings.upload_timeout_s,
        headers=headers,
    )
