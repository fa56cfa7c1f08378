"""What several handlers need to read a request or to shape an answer."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from docserver.errors import NotFound
from docserver.model import parse_id
from docserver.web.keys import DEADLINE, RESOURCES

_PREFERRED_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})")


def path_id(request: web.Request, name: str) -> UUID:
    """The id in the path; one that cannot be an id is not found."""
    found = parse_id(request.match_info[name])
    if found is None:
        raise NotFound("There is nothing with this id.")
    return found


def wait_s(request: web.Request, asked_s: float) -> float:
    """Seconds to wait: those of the query, else those of `Prefer: wait=N` (RFC 7240), as far as they are granted."""
    if not asked_s:
        preferred = _PREFERRED_WAIT.search(request.headers.get("Prefer", ""))
        asked_s = float(preferred[1]) if preferred else 0.0
    granted_s = min(asked_s, request.app[RESOURCES].settings.wait_limit_s)
    if granted_s:
        allow(request, granted_s)
    return granted_s


def allow(request: web.Request, more_s: float) -> None:
    """Let a request take that much longer than others; `math.inf` for one that ends with its client."""
    deadline = request[DEADLINE]
    deadline.reschedule((deadline.when() or 0.0) + more_s)


def json_response(
    body: bytes | Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON response of an object, or of JSON that is there already."""
    return web.Response(
        body=body if isinstance(body, bytes) else orjson.dumps(body),
        status=status,
        headers={**(headers or {}), "Content-Type": "application/json"},
    )


def unchanged(request: web.Request, etag: str) -> bool:
    """Whether the client has this version already: If-None-Match (RFC 9110, 13.1.2), compared weakly."""
    given = request.headers.get("If-None-Match")
    if given is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return "*" in known or etag.removeprefix("W/") in known
