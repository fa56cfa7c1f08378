"""Documents: list, metadata, original file, delete."""

from datetime import UTC
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from docserver.database.tables.document_lists import Filter, Listed, Position
from docserver.documents import deletion, queries
from docserver.sniff import SUPPORTED
from docserver.web import (
    callers,
    conditions,
    cursors,
    examples,
    original,
    request_fields,
    request_schemas,
    response_schemas,
    validation,
)
from docserver.web.conditions import Version
from docserver.web.downloads import Download
from docserver.web.handlers.common import path_id, versioned_response
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

_LIST_QUERY = request_schemas.ListQuery()


@operation(
    summary="List documents",
    description="Filters narrow the list, and all of them must hold. Follow `next_cursor`, or the link `next` in the "
    "Link header, to the next part.",
    tag="documents",
    query=request_schemas.ListQuery,
    schema=response_schemas.DocumentList,
    responses={
        200: "A part of the list; Link names the next, previous and first part",
        304: "Unchanged since the version that If-None-Match names",
    },
    errors=(422, 429, 503, 504),
    examples={200: examples.DOCUMENTS},
    headers={200: ("ETag", "Link"), 304: ("ETag", "Link")},
)
async def list_documents(request: web.Request) -> web.Response:
    query = validation.load(_LIST_QUERY, request.query)
    limit, offset, sort = query["limit"], query["offset"], query["sort"]
    part = await queries.document_list(
        request.app[RESOURCES],
        document_filter(query, tenant=request[CALLER].tenant),
        newest_first=sort == "created_at_desc",
        after=query["cursor"].place if "cursor" in query else None,
        # One item more than the client gets, to know whether there is a next part.
        limit=limit + 1,
        offset=offset,
    )
    items = part.items[:limit]
    more = len(part.items) > limit
    last = items[-1].document if items else None
    cursor = cursors.cursor(query, Position(last.created_at, last.id)) if more and last else None
    body = {
        "items": [item_json(item) for item in items],
        "total": part.total,
        "total_relation": "exact" if part.is_total_exact else "at_least",
        "limit": limit,
        "offset": offset,
        "next_cursor": cursor,
    }
    links = _links(request, limit=limit, offset=offset, cursor=cursor)
    return versioned_response(request, body, headers={"Link": links})


@operation(
    summary="A document's metadata and its jobs",
    description="Each job has its status and progress, as GET /v1/jobs/{job_id} shows it.",
    tag="documents",
    path=["document_id"],
    schema=response_schemas.Document,
    responses={200: "The document", 304: "Unchanged since the version that If-None-Match names"},
    examples={200: examples.DOCUMENT},
    errors=(404, 410, 429, 503),
    headers={200: ("ETag",), 304: ("ETag",)},
)
async def get_document(request: web.Request) -> web.Response:
    document, its_jobs = await queries.document(
        request.app[RESOURCES], path_id(request, "document_id"), tenant=request[CALLER].tenant
    )
    return versioned_response(request, {**document.as_json(), "jobs": [job.as_json() for job in its_jobs]})


@operation(
    summary="A document's original bytes",
    description="The file as it was uploaded, always as an attachment. Parts can be requested with Range.",
    tag="documents",
    path=["document_id"],
    responses={
        200: "The file as it was uploaded",
        206: "The part that the Range header requests",
        304: "Unchanged since the version or time that the request names",
        307: "The file is at Location, in the bucket (DOCSERVER_STORAGE_REDIRECTS)",
    },
    produces=list(SUPPORTED),
    errors=(404, 410, 412, 416, 429, 503),
    headers={
        200: ("ETag", "Content-Disposition"),
        206: ("ETag", "Content-Range"),
        304: ("ETag",),
        307: ("Location", "Cache-Control"),
    },
)
async def get_file(request: web.Request) -> web.StreamResponse:
    resources = request.app[RESOURCES]
    document, _ = await queries.document(resources, path_id(request, "document_id"), tenant=request[CALLER].tenant)
    version = Version(f'"{document.sha256.hex()[:32]}"', document.created_at.replace(microsecond=0, tzinfo=UTC))
    headers = {
        "ETag": version.etag,
        "Last-Modified": format_datetime(version.modified, usegmt=True),
        # The file never changes, but must not be shown any more once its document is deleted.
        "Cache-Control": "private, no-cache",
    }
    conditions.check_preconditions(request, version)
    if conditions.client_has(request, version):
        return web.Response(status=304, headers=headers)
    part = conditions.requested_part(request, version, size=document.size)
    shown = {"Content-Type": document.content_type, "Content-Disposition": _attachment(document.filename)}
    links = resources.storage.links
    if links and resources.settings.storage_redirects:
        # For a part, the client sends the Range header to the bucket.
        link = await original.link(links, document, method=request.method, headers=shown)
        return web.Response(status=307, headers={"Location": link, "Cache-Control": "no-store"})
    return Download(
        await original.opened(resources.storage, document),
        part=part,
        check_caller=partial(callers.check_again, request),
        total_s=resources.settings.upload_timeout_s,
        headers={
            **headers,
            "Accept-Ranges": "bytes",
            **shown,
            "X-Content-Type-Options": "nosniff",
            # An upload may be hostile: a browser that opens it must not run anything in it.
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@operation(
    summary="Delete a document, its file, jobs and results",
    description="This cannot be undone. Jobs that are being read are stopped. Afterwards the document is 410.",
    tag="documents",
    path=["document_id"],
    responses={204: "Deleted"},
    errors=(404, 410, 429, 503),
)
async def delete_document(request: web.Request) -> web.Response:
    caller = request[CALLER]
    await deletion.delete(
        request.app[RESOURCES], path_id(request, "document_id"), tenant=caller.tenant, actor=caller.actor
    )
    return web.Response(status=204)


def document_filter(query: dict[str, Any], *, tenant: str) -> Filter:
    """The filter that the parameters of a list or a search describe."""
    return Filter(
        tenant,
        filename=query.get("filename"),
        content_type=query.get("content_type"),
        status=query.get("status"),
        created_from=request_fields.created_since(query),
        created_before=request_fields.created_before(query),
    )


def item_json(listed: Listed) -> dict[str, Any]:
    """A document of a list or a search, as clients see it."""
    return {
        **listed.document.as_json(),
        "job_id": str(listed.job_id),
        "status": listed.status.value,
        "pages_total": listed.pages_total,
    }


def _links(request: web.Request, *, limit: int, offset: int, cursor: str | None) -> str:
    """Web links (RFC 8288), by offset if the request has one and the next is not too large, else by cursor."""

    def link(rel: str, **place: str | int) -> str:
        others = {key: value for key, value in request.query.items() if key not in ("offset", "cursor")}
        query = urlencode({**others, **place})
        return f'<{request.path}{"?" if query else ""}{query}>; rel="{rel}"'

    links = [link("first")]
    if cursor:
        by_offset = "offset" in request.query and offset + limit <= request_schemas.MAX_OFFSET
        links.append(link("next", offset=offset + limit) if by_offset else link("next", cursor=cursor))
    if offset:
        links.append(link("prev", offset=max(0, offset - limit)))
    return ", ".join(links)


def _attachment(filename: str) -> str:
    """Content-Disposition (RFC 6266): an ASCII name for old clients, and the exact name for all others."""
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
