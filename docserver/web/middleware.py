"""What every request passes through: its id, the rate limit, errors as responses, and its line in the log."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from docserver.errors import (
    BadRequest,
    RequestTimeout,
    ServiceError,
    TooManyRequests,
    Unavailable,
    UnsupportedMedia,
)
from docserver.logs import about
from docserver.model import new_id
from docserver.redis.rate_limit import Verdict
from docserver.settings import Network, Rate, Settings
from docserver.web import problems
from docserver.web.keys import DEADLINE, REQUEST_ID, RESOURCES

log = logging.getLogger("docserver.api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

UNLIMITED = frozenset({"livez", "readyz", "metrics", "docs", "docs-asset", "openapi"})
"""Routes that cost nothing or that operators need in an emergency."""

RETRY_SOON = {"Retry-After": "5"}

IPV6_CLIENT_PREFIX = 64
"""One subscriber usually has a whole /64, so an address alone would be no limit."""


@web.middleware
async def outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and turn whatever goes wrong into a problem."""
    given = request.headers.get("X-Request-ID", "")
    request_id = given if _SANE_ID.fullmatch(given) else str(new_id())
    request[REQUEST_ID] = request_id
    with about(request_id=request_id):
        try:
            response = await handler(request)
        except ServiceError as error:
            response = problems.response(request, error)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = problems.response(request, problems.of_http_exception(error))
        except (web.RequestPayloadError, ConnectionResetError) as error:
            log.info("request broke off", extra={"fault": type(error).__name__})
            response = problems.response(request, BadRequest("The request broke off or is malformed."))
        except Exception:
            log.exception("unexpected fault")
            response = problems.response(request, problems.InternalError())
    sign(response, request_id)
    return response


def sign(response: web.StreamResponse, request_id: str) -> None:
    """What every response carries."""
    headers = response.headers
    headers["X-Request-ID"] = request_id
    headers["Server"] = problems.SERVER


@web.middleware
async def in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bound what a request may take: its time, which handlers that wait extend, and its body, but for uploads'."""
    settings = request.app[RESOURCES].settings
    try:
        async with asyncio.timeout(settings.request_timeout_s) as deadline:
            request[DEADLINE] = deadline
            if request.body_exists and request.match_info.route.name != "upload":
                await _read_body(request)
            return await handler(request)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        log.warning("request took too long")
        raise Unavailable("This takes too long just now; try again soon.", headers=RETRY_SOON) from error


async def _read_body(request: web.Request) -> None:
    """Read a small body into memory, where `request.json()` finds it."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Send the body without Content-Encoding.")
    silence_s = request.app[RESOURCES].settings.body_timeout_s
    try:
        async with asyncio.timeout(silence_s):
            await request.read()
    except TimeoutError as error:
        raise RequestTimeout("The request's body did not arrive in time.") from error


@web.middleware
async def rate_limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take tokens from the client's bucket, and say in the headers what is left."""
    resources = request.app[RESOURCES]
    settings = resources.settings
    route = request.match_info.route.name
    if not settings.rate_limit or route is None or route in UNLIMITED:
        return await handler(request)
    bucket, rate = _bucket(request.method, settings)
    verdict = await resources.limiter.take(
        bucket=bucket,
        client=client_of(request, settings.trusted_proxies),
        rate=rate,
        cost=settings.cost(route),
    )
    headers = _limit_headers(bucket, rate, verdict)
    if not verdict.allowed:
        raise TooManyRequests(
            f"At most {rate.quota} requests in {rate.window_s} seconds; wait {verdict.retry_after_s} s.",
            headers={**headers, "Retry-After": str(verdict.retry_after_s)},
        )
    try:
        response = await handler(request)
    except ServiceError as error:
        error.headers.update(headers)
        raise
    response.headers.update(headers)
    return response


def _bucket(method: str, settings: Settings) -> tuple[str, Rate]:
    if method in ("GET", "HEAD"):
        return "reads", settings.rate_limit_reads
    return "default", settings.rate_limit_default


def _limit_headers(bucket: str, rate: Rate, verdict: Verdict) -> dict[str, str]:
    """The fields of draft-ietf-httpapi-ratelimit-headers."""
    return {
        "RateLimit-Policy": f'"{bucket}";q={rate.quota};w={rate.window_s}',
        "RateLimit": f'"{bucket}";r={verdict.remaining};t={verdict.reset_s}',
    }


def client_of(request: web.BaseRequest, trusted: tuple[Network, ...]) -> str:
    """Who is asking: the peer, or what trusted proxies say of it; an IPv6 address stands for its /64."""
    address = request.remote or ""
    if trusted:
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for hop in reversed([hop.strip() for hop in forwarded if hop.strip()]):
            if not _trusted(address, trusted) or _parsed(hop) is None:
                break
            address = hop
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return f"{IPv6Address(int(parsed) >> IPV6_CLIENT_PREFIX << IPV6_CLIENT_PREFIX)}/{IPV6_CLIENT_PREFIX}"
    return str(parsed or address)


def _trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted)


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    # An IPv4 peer of a socket that takes both.
    return (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed


class AccessLogger(AbstractAccessLogger):
    """One line per request, written when its response has been sent."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        # What was no HTTP has no route, and aiohttp's property asserts that there is one.
        matched = getattr(request, "_match_info", None)
        route = matched.route.resource if matched is not None else None
        log.info(
            "request",
            extra={
                "request_id": request.get(REQUEST_ID, ""),
                "method": request.method,
                "route": route.canonical if route else None,
                "status": response.status,
                "duration_ms": round(time * 1000, 2),
                "bytes": response.body_length,
            },
        )
