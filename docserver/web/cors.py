"""Lets scripts of web pages on other origins use the API: CORS, of the Fetch standard. Also answers OPTIONS."""

from aiohttp import hdrs, web

from docserver.setting_types import ANY_ORIGIN
from docserver.web.keys import RESOURCES

PREFLIGHT_S = 7200
"""How long a browser may remember what a preflight allowed. Chromium remembers none for longer."""

REQUEST_HEADERS = (
    *("Authorization", "X-API-Key", "Content-Disposition", "Content-Type", "Idempotency-Key", "If-Match"),
    *("If-None-Match", "If-Range", "Last-Event-ID", "Prefer", "Range", "X-Document-Password", "X-Request-ID"),
    "traceparent",
)
"""The headers that the API reads, and that a script may send only if a preflight allows it."""

RESPONSE_HEADERS = (
    *("Accept-Ranges", "Content-Disposition", "Content-Range", "ETag", "Idempotency-Replayed", "Link", "Location"),
    *("Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-ID"),
)
"""The headers that a script could not read if they were not named."""


def options_response(request: web.Request, error: web.HTTPException) -> web.Response | None:
    """The answer to OPTIONS with the methods of the path, in place of the error that there is no such method; else
    None. No key is needed: a browser sends none in a preflight.
    """
    if request.method != hdrs.METH_OPTIONS or not isinstance(error, web.HTTPMethodNotAllowed):
        return None
    methods = allow(error)
    headers = {hdrs.ALLOW: methods}
    if hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers and _allowed_origin(request):
        headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = methods
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ", ".join(REQUEST_HEADERS)
        headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_S)
    return web.Response(status=204, headers=headers)


def allow(error: web.HTTPMethodNotAllowed) -> str:
    """The methods of a path, for the Allow header."""
    return ", ".join(sorted({*error.allowed_methods, hdrs.METH_OPTIONS}))


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let the script that has sent the request read the response; aiohttp calls this before it sends the headers."""
    if ANY_ORIGIN not in request.app[RESOURCES].settings.cors_origins:
        # A cache must not answer one origin with the response to another.
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    if origin := _allowed_origin(request):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ", ".join(RESPONSE_HEADERS)


def _allowed_origin(request: web.Request) -> str | None:
    """What Access-Control-Allow-Origin says; None if a script of the request's origin may not use the API."""
    allowed = request.app[RESOURCES].settings.cors_origins
    if ANY_ORIGIN in allowed:
        return ANY_ORIGIN
    origin = request.headers.get(hdrs.ORIGIN)
    return origin if origin in allowed else None
