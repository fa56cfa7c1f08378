"""Functions that several handlers use to read a request or to make a response."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import UUID

import orjson
from aiohttp import web

from docserver.errors import NotFound
from docserver.model import parse_id
from docserver.web.conditions import not_modified
from docserver.web.keys import DEADLINE, RESOURCES, WAITS

T = TypeVar("T")

_PREFERRED_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE | re.ASCII)


def path_id(request: web.Request, name: str) -> UUID:
    """The id in the path, in lower or upper case (RFC 9562, 4); raises NotFound if it is not a valid id."""
    value = _id(request.match_info[name])
    if value is None:
        raise NotFound("There is nothing with this id.")
    return value


@lru_cache(maxsize=1024)
def _id(text: str) -> UUID | None:
    # Clients that wait for a job ask for it again and again.
    return parse_id(text.lower())


def granted_wait_s(request: web.Request, asked_s: float) -> float:
    """Seconds to wait for a job: `asked_s` from the query, else `Prefer: wait=N` (RFC 7240), up to the limit."""
    if not asked_s:
        preferred = _PREFERRED_WAIT.search(preferences(request))
        asked_s = float(preferred[1]) if preferred else 0.0
    granted_s = min(asked_s, request.app[RESOURCES].settings.wait_limit_s)
    if granted_s:
        request[WAITS] = True
        extend_deadline(request, granted_s)
    return granted_s


def preferences(request: web.Request) -> str:
    """What the Prefer headers (RFC 7240) say."""
    return ", ".join(request.headers.getall("Prefer", ()))


def extend_deadline(request: web.Request, more_s: float) -> None:
    """Let a request take `more_s` longer; with `math.inf`, as long as the client stays connected."""
    request[DEADLINE].extend(more_s)


def json_response(
    body: bytes | Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response; `body` is an object, or JSON that is already encoded."""
    return web.Response(
        body=body if isinstance(body, bytes) else orjson.dumps(body),
        status=status,
        headers={**(headers or {}), "Content-Type": "application/json"},
    )


def versioned_response(
    request: web.Request, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response with a weak ETag, or 304 if the client has the same body already."""
    encoded = orjson.dumps(body)
    etag = f'W/"{blake2b(encoded, digest_size=12).hexdigest()}"'
    headers = {**(headers or {}), "ETag": etag, "Cache-Control": "no-cache"}
    return (
        web.Response(status=304, headers=headers)
        if not_modified(request, etag)
        else json_response(encoded, headers=headers)
    )


def list_response(
    rows: Sequence[T], *, limit: int, as_json: Callable[[T], Mapping[str, Any]], cursor: Callable[[T], object]
) -> web.Response:
    """A part of a list. `rows` has one more than the limit if there are more; `cursor` gives the place of a row."""
    shown = rows[:limit]
    next_cursor = str(cursor(shown[-1])) if len(rows) > limit else None
    return json_response({"items": [as_json(row) for row in shown], "next_cursor": next_cursor})
