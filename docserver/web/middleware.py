"""The steps that every request passes: request id, caller, rate limit, deadline, errors as responses, access log.

A cached read spends half of its time in such steps, so what belongs together is one middleware.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from docserver import metrics, tracing
from docserver.caller import Caller
from docserver.errors import (
    BadRequest,
    Forbidden,
    RequestTimeout,
    ServiceError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
)
from docserver.exclusive import current_client
from docserver.logs import add_to_context, log_request
from docserver.model import new_id_text
from docserver.redis.rate_limit import Verdict
from docserver.setting_types import Rate
from docserver.settings import Settings
from docserver.web import callers, cors, expectations, problems
from docserver.web.clients import client_of
from docserver.web.keys import CALLER, CONNECTIONS, DEADLINE, DEADLINES, REQUEST_ID, RESOURCES, TRACE_IDS, WAITS
from docserver.web.refusals import REFUSALS

log = logging.getLogger("docserver.api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

PUBLIC = frozenset({"start", "livez", "readyz", "docs", "docs-asset", "openapi", "openapi-older"})
"""Routes that tell nothing of any tenant, and that cost almost nothing or that operators need in an emergency."""

UPLOADS = frozenset({"upload", "upload-body", "put-body", "put-named", "inspect", "create-batch"})
"""Routes that read their body themselves, as it arrives."""

UNLIMITED = frozenset({callers.METRICS})
"""Routes that need an API key but take no tokens: Prometheus must see the service also when it asks often."""


@web.middleware
async def errors_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and answer every error with a problem; the outermost middleware."""
    request_id = identify(request)
    # aiohttp gives each request a task of its own.
    add_to_context(request_id=request_id)
    try:
        response = await handler(request)
    except ServiceError as error:
        if error.status == TooManyRequests.status:
            await request.app[REFUSALS].hold(current_client.get())
        response = problems.response(request, error)
    except web.HTTPException as error:
        response = cors.options_response(request, error) or problems.response(
            request, problems.from_http_exception(error)
        )
    except (web.RequestPayloadError, ConnectionResetError) as error:
        log.info("request ended too early", extra={"fault": type(error).__name__})
        response = problems.response(request, BadRequest("The request ended too early or is malformed."))
    except Exception:
        log.exception("unexpected fault")
        response = problems.response(request, problems.InternalError())
    add_common_headers(response, request_id)
    return response


def identify(request: web.BaseRequest) -> str:
    """Give the request an id, if possible that of the client, and return it."""
    given = request.headers.get("X-Request-ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else new_id_text()
    request[REQUEST_ID] = request_id
    # To look for a value that a request does not have takes several times as long as to set one.
    request[WAITS] = False
    return request_id


def add_common_headers(response: web.StreamResponse, request_id: str) -> None:
    """Add the headers that every response has."""
    headers = response.headers
    headers["X-Request-ID"] = request_id
    headers["Server"] = problems.SERVER


@web.middleware
async def deadline(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Limit the time of a request, and read its body unless it is an upload. Handlers that wait extend the limit."""
    settings = request.app[RESOURCES].settings
    is_for_handler = request.match_info.http_exception is not None or request.match_info.route.name in UPLOADS
    has_arrived = is_for_handler or not request.body_exists
    try:
        with request.app[DEADLINES].limit(settings.request_timeout_s) as limit:
            request[DEADLINE] = limit
            if not has_arrived:
                await _read_body(request)
                has_arrived = True
            return await handler(request)
    except TimeoutError as error:
        if not limit.is_over:
            raise
        if not has_arrived:
            raise RequestTimeout("The request's body did not arrive in time.") from error
        log.warning("request took too long")
        raise Unavailable("This takes too long at the moment; try again soon.") from error


async def _read_body(request: web.Request) -> None:
    """Read a small body into memory; later calls of `request.read()` return it."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    if (request.content_length or 0) > request.client_max_size:
        raise TooLarge("The request's body is too large.")
    await expectations.ask_for_body(request)
    silence_s = request.app[RESOURCES].settings.body_timeout_s
    try:
        async with asyncio.timeout(silence_s):
            await request.read()
    except TimeoutError as error:
        raise RequestTimeout("The request's body did not arrive in time.") from error


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who sends the request and whether its API key may do this, take its tokens, and count it among those of
    its tenant. The headers report how many tokens are left. A 304 costs none.
    """
    resources, route = request.app[RESOURCES], request.match_info.route.name
    address = client_of(request, resources.settings.trusted_proxies)
    current_client.set(address)
    if route is None or route in PUBLIC:
        return await handler(request)
    request[CALLER] = caller = await _caller(request, address)
    current_client.set(caller.client)
    headers = {} if route in UNLIMITED else await _take_tokens(request, caller.limited_as)
    try:
        await _count_request(request, caller.tenant)
        response = await handler(request)
    except ServiceError as error:
        error.headers.update(headers)
        raise
    if response.status == 304 and headers:
        # To ask again and again whether something has changed is what clients should do.
        headers = await _take_tokens(request, caller.limited_as, give_back=True)
    response.headers.update(headers)
    return response


async def _caller(request: web.Request, address: str) -> Caller:
    """The caller of a request from this address; raises Unauthorized and Forbidden."""
    try:
        caller = await callers.caller_of(request, address)
        callers.require_scope(request, caller)
    except (Unauthorized, Forbidden) as error:
        # Guesses at keys are limited by address.
        error.headers.update(await _take_tokens(request, address))
        raise
    return caller


async def _count_request(request: web.Request, tenant: str) -> None:
    """Count a request until it is answered; raises QuotaExceeded if the tenant has as many as its quota allows."""
    connections = request.app[CONNECTIONS]
    counted = await connections.begin(tenant)
    # aiohttp gives each request a task, which ends when the answer has been sent.
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(lambda _: connections.end(tenant, counted))


def is_public(request: web.Request) -> bool:
    """True if the route needs no API key and takes no tokens."""
    route = request.match_info.route.name
    return route is None or route in PUBLIC


async def _take_tokens(request: web.Request, client: str, *, give_back: bool = False) -> dict[str, str]:
    """Take the request's tokens from a client's bucket, and return headers that report what is left; raises
    TooManyRequests. With `give_back`, put them back.
    """
    resources = request.app[RESOURCES]
    settings = resources.settings
    if not settings.rate_limit:
        return {}
    bucket, rate = _bucket(request.method, settings)
    route = request.match_info.route.name or ""
    cost = settings.cost(route)
    verdict = await resources.limiter.take(bucket=bucket, client=client, rate=rate, cost=-cost if give_back else cost)
    headers = _limit_headers(bucket, rate, verdict)
    if not verdict.allowed:
        raise TooManyRequests(
            f"The limit of requests is {rate.quota} in {rate.window_s} s; wait {verdict.retry_after_s} s.",
            headers={**headers, "Retry-After": str(verdict.retry_after_s)},
        )
    return headers


def _bucket(method: str, settings: Settings) -> tuple[str, Rate]:
    if method in ("GET", "HEAD"):
        return "reads", settings.rate_limit_reads
    return "default", settings.rate_limit_default


def _limit_headers(bucket: str, rate: Rate, verdict: Verdict) -> dict[str, str]:
    """The header fields that draft-ietf-httpapi-ratelimit-headers defines."""
    return {
        "RateLimit-Policy": f'"{bucket}";q={rate.quota};w={rate.window_s}',
        "RateLimit": f'"{bucket}";r={verdict.remaining};t={verdict.reset_s}',
    }


class AccessLogger(AbstractAccessLogger):
    """Logs one line for each request, after its response, and counts it."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        # A request that is not HTTP has no route, and aiohttp's own property would raise AssertionError.
        matched = getattr(request, "_match_info", None)
        name = matched.route.name if matched is not None else None
        metrics.count_request(
            route=name or metrics.OTHER_ROUTE, status=response.status, seconds=None if request.get(WAITS) else time
        )
        route = matched.route.resource if matched is not None else None
        log_request(
            log,
            {
                **(request.get(TRACE_IDS, {}) if tracing.is_on() else {}),
                "request_id": request.get(REQUEST_ID, ""),
                "method": request.method,
                "route": route.canonical if route else None,
                "status": response.status,
                # The event loop's clock counts whole milliseconds.
                "duration_ms": round(time * 1000),
                # aiohttp counts the headers too.
                "bytes": response.body_length,
            },
        )
