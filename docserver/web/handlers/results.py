"""Results: the text of a completed job, or of one of its pages, in the format that the client asks for."""

import asyncio
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from aiohttp import web

from docserver.documents import results
from docserver.errors import (
    NotAcceptable,
    NotFound,
    RangeNotSatisfiable,
    StorageUnavailable,
    Unavailable,
    Unprocessable,
)
from docserver.formats import FORMATS, PDFS, Format
from docserver.formats.negotiation import negotiate
from docserver.formats.result_file import ResultFile, SharedFile
from docserver.formats.result_writer import WRITING_S
from docserver.model import StoredResult
from docserver.page_ranges import MAX_PAGE_NUMBER
from docserver.storage.open_file import OpenFile
from docserver.storage.results import OPEN_S, PUT_S
from docserver.web import callers, compression, examples, request_schemas, result_schemas, validation
from docserver.web.conditions import Version, not_modified, requested_part
from docserver.web.downloads import Download
from docserver.web.handlers.common import extend_deadline, path_id
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

DOCUMENT_HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
"""With these headers a browser treats a result only as its Content-Type says, and runs no script that a document may
have put into it."""

_VERSIONED = {"Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}

_RESULT_QUERY = request_schemas.ResultQuery()
_PAGE_QUERY = request_schemas.PageQuery()

_MEDIA_TYPES = list(dict.fromkeys(form.media_type for form in FORMATS.values()))


_RESPONSES = {
    206: "The part of a large result that the Range header requests",
    304: "Unchanged since the version that If-None-Match names",
    307: "The result is large, and at Location, in the bucket (DOCSERVER_STORAGE_REDIRECTS)",
}
_ERRORS = (404, 406, 409, 416, 422, 429, 503)
_UNPROCESSABLE = ("invalid", "not_renderable")
_HEADERS = {
    200: ("ETag", "Content-Disposition"),
    206: ("ETag", "Content-Disposition", "Content-Range"),
    304: ("ETag",),
    307: ("Location", "Cache-Control"),
    409: ("Retry-After",),
}


@operation(
    summary="A completed job's text",
    description="The text in one of these formats; `format` or the Accept header chooses. One reading serves all of "
    "them, now and later.",
    tag="results",
    path=["job_id"],
    query=request_schemas.ResultQuery,
    schema=result_schemas.Result,
    responses={200: "The text", **_RESPONSES},
    examples={**examples.RESULT, 409: ("not_ready", "job_failed"), 422: _UNPROCESSABLE},
    produces=_MEDIA_TYPES,
    errors=_ERRORS,
    headers=_HEADERS,
)
async def get_result(request: web.Request) -> web.StreamResponse:
    query = validation.load_query(_RESULT_QUERY, request.rel_url.raw_query_string)
    form = _format(request, query.get("format"), default="txt")
    result = await results.result(
        request.app[RESOURCES],
        path_id(request, "job_id"),
        caller=request[CALLER],
        form=form,
        quality=_quality(query, form),
        selection=query.get("pages"),
        client_has=lambda etag: _client_has(request, etag),
    )
    return await _response(request, result, form)


@operation(
    summary="One page of a job, as soon as it is read",
    description="Pages can be fetched while others are still being read.",
    tag="results",
    path=["job_id", "number"],
    query=request_schemas.PageQuery,
    schema=result_schemas.Page,
    responses={200: "The page", **_RESPONSES},
    examples={**examples.PAGE, 409: ("not_ready", "job_failed", "page_failed"), 422: _UNPROCESSABLE},
    produces=_MEDIA_TYPES,
    errors=_ERRORS,
    headers=_HEADERS,
)
async def get_page(request: web.Request) -> web.StreamResponse:
    query = validation.load_query(_PAGE_QUERY, request.rel_url.raw_query_string)
    form = _format(request, query.get("format"), default="json")
    result = await results.page(
        request.app[RESOURCES],
        path_id(request, "job_id"),
        page_number(request),
        caller=request[CALLER],
        form=form,
        quality=_quality(query, form),
        client_has=lambda etag: _client_has(request, etag),
    )
    return await _response(request, result, form)


def _format(request: web.Request, name: str | None, *, default: str) -> Format:
    """The format that the client asks for. Extends the request's deadline by the time that this format may take."""
    form = FORMATS[name] if name else negotiate(",".join(request.headers.getall("Accept", ())), default=default)
    if form is None:
        raise NotAcceptable(f"The Accept header names no format that is offered: {', '.join(_MEDIA_TYPES)}.")
    # A PDF may have to wait for the PDFs of other clients, and that wait may be as long as the time to make it.
    making_s = 2 * request.app[RESOURCES].settings.pdf_timeout_s if form in PDFS else WRITING_S
    extend_deadline(request, OPEN_S + making_s + PUT_S)
    return form


def _quality(query: Mapping[str, Any], form: Format) -> int | None:
    """The quality of a PDF's photos and scans; raises Unprocessable if the client wants it of another format."""
    quality: int | None = query.get("quality")
    if quality is not None and form not in PDFS:
        detail = f"Only the formats {' and '.join(each.name for each in PDFS)} have a quality."
        raise Unprocessable(detail, errors=[{"detail": detail, "parameter": "quality"}])
    return quality


def page_number(request: web.Request) -> int:
    """The number of the page in the path; raises NotFound."""
    text = request.match_info["number"]
    # A longer number would be too large for the database.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE_NUMBER)) and int(text)):
        raise NotFound("A page number is 1 or more.")
    return int(text)


def _client_has(request: web.Request, etag: str) -> bool:
    if "If-None-Match" not in request.headers:
        return False
    coding = _coding(request)
    return not_modified(request, etag) or (coding is not None and not_modified(request, coding.etag(etag)))


def _coding(request: web.Request) -> compression.Coding | None:
    return compression.negotiate(",".join(request.headers.getall("Accept-Encoding", ())))


@cache
def _headers_of(media_type: str) -> Mapping[str, str]:
    charset = "; charset=utf-8" if media_type.startswith("text/") else ""
    return {**DOCUMENT_HEADERS, "Content-Type": media_type + charset}


async def _response(request: web.Request, result: ResultFile, form: Format) -> web.StreamResponse:
    headers = {"ETag": result.etag, **_VERSIONED}
    body = result.body
    if body is None:
        if (coding := _coding(request)) and not not_modified(request, result.etag):
            headers["ETag"] = coding.etag(result.etag)
        return web.Response(status=304, headers=headers)
    headers |= _headers_of(form.media_type)
    is_pdf = form in PDFS
    # With the policy above, browsers would not show a PDF.
    disposition = "attachment" if is_pdf else "inline"
    headers["Content-Disposition"] = f'{disposition}; filename="{_filename(request, form)}"'
    size = len(body) if isinstance(body, bytes) else body.size
    coding = _coding(request) if not is_pdf and size >= compression.LEAST_BYTES else None
    if not isinstance(body, bytes):
        return await _file_response(request, result, form, headers=headers, coding=coding)
    if coding:
        headers |= {"ETag": coding.etag(result.etag), "Content-Encoding": coding.name}
        body = await asyncio.to_thread(coding.compress, body)
    return web.Response(body=body, headers=headers)


async def _file_response(
    request: web.Request,
    result: ResultFile,
    form: Format,
    *,
    headers: dict[str, str],
    coding: compression.Coding | None,
) -> web.StreamResponse:
    body = result.body
    assert isinstance(body, SharedFile | StoredResult)
    try:
        part = requested_part(request, Version(result.etag), size=body.size)
    except RangeNotSatisfiable:
        result.close()
        raise
    if part is not None:
        # Positions are those of the bytes that are not compressed.
        coding = None
    elif isinstance(body, StoredResult) and (link := await _link(request, body, form, headers)):
        return web.Response(status=307, headers={"Location": link, "Cache-Control": "no-store", "Vary": "Accept"})
    if coding:
        headers["ETag"] = coding.etag(result.etag)
    return Download(
        await _content(request, body),
        part=part,
        coding=coding,
        check_caller=partial(callers.check_again, request),
        total_s=request.app[RESOURCES].settings.upload_timeout_s,
        headers={**headers, "Accept-Ranges": "bytes"},
    )


async def _link(request: web.Request, result: StoredResult, form: Format, headers: Mapping[str, str]) -> str | None:
    """Where the client gets the whole result from the bucket; None if it gets it here."""
    resources = request.app[RESOURCES]
    if not (resources.storage.links and resources.settings.storage_redirects):
        return None
    # The bucket does not send the headers with which a browser runs nothing of a document.
    name = f'attachment; filename="{_filename(request, form)}"'
    shown = {"Content-Type": headers["Content-Type"], "Content-Disposition": name}
    try:
        return await resources.storage.links.result(result, method=request.method, headers=shown)
    except StorageUnavailable:
        return None


def _filename(request: web.Request, form: Format) -> str:
    """What a client calls the result if it is saved: the job, and the page of a single one."""
    page = f"-{request.match_info['number']}" if "number" in request.match_info else ""
    return f"{request.match_info['job_id'].lower()}{page}.{form.extension}"


async def _content(request: web.Request, body: SharedFile | StoredResult) -> OpenFile:
    if isinstance(body, SharedFile):
        return body
    file = await request.app[RESOURCES].storage.results.open(body)
    if file is None:
        raise Unavailable("The result was removed a moment ago; ask again.")
    return SharedFile(file)
