"""The checks that each request passes before the application gets it, and the answer if one fails.

Checks that need to know the route are middlewares instead.
"""

from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web

from docserver.errors import BadRequest, ServiceError
from docserver.settings import Settings
from docserver.web import expectations, problems
from docserver.web.clients import client_of
from docserver.web.connections import Connection
from docserver.web.hosts import AllowedHosts
from docserver.web.middleware import add_common_headers, identify

HEALTH_PATHS = frozenset({"/livez", "/readyz"})
"""Orchestrators restart a service that does not answer these. Nothing here may refuse such a request."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Admission:
    """Wraps the handler of a whole application."""

    def __init__(self, settings: Settings, hosts: AllowedHosts) -> None:
        self._settings = settings
        self._hosts = hosts

    def wrap(self, handler: Handler) -> Handler:
        """The handler, called only for requests that pass the checks."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            try:
                if not _asks_for_health(request):
                    self._check(request)
                expectations.check(request)
                response = await handler(request)
            except ServiceError as error:
                response = _problem(request, error)
            if _connection(request).refusal or _is_misframed(request) or expectations.may_send_body(request):
                response.force_close()
            return response

        return handle

    def _check(self, request: web.BaseRequest) -> None:
        connection = _connection(request)
        if connection.refusal:
            raise connection.refusal
        if _is_misframed(request):
            raise BadRequest("HTTP/1.0 has no Transfer-Encoding.")
        self._hosts.check(request.host)
        connection.begin_request(client_of(request, self._settings.trusted_proxies))


def _is_misframed(request: web.BaseRequest) -> bool:
    """True if a proxy may see the end of the request elsewhere (RFC 9112, 6.1), and what follows as another request."""
    return request.version < HttpVersion11 and "Transfer-Encoding" in request.headers


def _connection(request: web.BaseRequest) -> Connection:
    assert isinstance(request.protocol, Connection)
    return request.protocol


def _problem(request: web.BaseRequest, error: ServiceError) -> web.StreamResponse:
    request_id = identify(request)
    response = problems.response(request, error)
    add_common_headers(response, request_id)
    return response


def _asks_for_health(request: web.BaseRequest) -> bool:
    return request.path in HEALTH_PATHS and request.method in ("GET", "HEAD") and not request.body_exists
