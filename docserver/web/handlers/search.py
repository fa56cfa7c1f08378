"""Full-text search."""

from typing import Any

from aiohttp import web

from docserver.documents import search
from docserver.documents.search import Item
from docserver.errors import Unprocessable
from docserver.search.query import InvalidQuery, parse
from docserver.web import search_schemas, validation
from docserver.web.handlers.common import versioned_response
from docserver.web.handlers.documents import document_filter, item_json
from docserver.web.keys import CALLER, RESOURCES
from docserver.web.openapi import operation

_QUERY = search_schemas.SearchQuery()


@operation(
    summary="Search the text of all pages",
    description="A page is found if it has all words that are looked for: the same words, whatever the case and the "
    "accents, and with `fuzzy` also those that were misread. Follow `next_cursor` to the next part.",
    tag="documents",
    query=search_schemas.SearchQuery,
    schema=search_schemas.SearchResult,
    responses={
        200: "Pages that have what is looked for, best first",
        304: "Unchanged since the version that If-None-Match names",
    },
    errors=(422, 429, 503, 504),
    examples={200: search_schemas.EXAMPLE, 503: ("database_unavailable", "search_index_incomplete")},
    headers={200: ("ETag",), 304: ("ETag",)},
)
async def search_documents(request: web.Request) -> web.Response:
    query = validation.load(_QUERY, request.query)
    try:
        part = await search.search(
            request.app[RESOURCES],
            parse(query["q"]),
            document_filter(query, tenant=request[CALLER].tenant),
            fuzzy=query["fuzzy"],
            after=query["cursor"].place if "cursor" in query else None,
            limit=query["limit"],
        )
    except InvalidQuery as error:
        raise Unprocessable(f"q: {error}", errors=[{"detail": str(error), "parameter": "q"}]) from error
    cursor = search_schemas.place_text(query, part.next) if part.next else None
    return versioned_response(request, {"items": [_item(item) for item in part.items], "next_cursor": cursor})


def _item(item: Item) -> dict[str, Any]:
    return {
        "document": item_json(item.page.document),
        "job_id": str(item.page.job_id),
        "page": item.page.page,
        "score": item.score,
        "snippet": item.match.snippet,
        "hits": [{"text": hit.text, "box": hit.box, "line_box": hit.line_box} for hit in item.match.hits],
    }
