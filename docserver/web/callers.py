"""Who sends a request, by its API key, or by its address if no keys are used; and what a key may do."""

from contextlib import suppress
from functools import lru_cache

from aiohttp import web

from docserver.caller import DEFAULT_TENANT, Caller, Scope
from docserver.errors import DatabaseUnavailable, Forbidden, Unauthorized
from docserver.setting_types import Auth
from docserver.tenants.authentication import Authentication
from docserver.web.keys import CALLER, RESOURCES

AUTHENTICATION: web.AppKey[Authentication] = web.AppKey("authentication", Authentication)

WITHOUT_KEYS = frozenset({Scope.READ, Scope.WRITE})
"""What everybody may do where there are no keys. Keys and tenants are managed on the command line there."""

ADMIN_ROUTES = frozenset(
    {
        "keys",
        "create-key",
        "revoke-key",
        "rotate-key",
        "tenants",
        "tenant",
        "set-tenant",
        "delete-tenant",
        "audit",
    }
)
"""The routes for which a key needs the scope `admin`."""

METRICS = "metrics"
"""Where there are keys, the metrics need the scope `admin` too; without keys, they are open like all else."""


async def caller_of(request: web.Request, address: str) -> Caller:
    """The caller of a request from this address; raises Unauthorized, DatabaseUnavailable."""
    if request.app[RESOURCES].settings.auth is Auth.KEYS:
        return await request.app[AUTHENTICATION].caller(_key(request))
    return _without_key(address)


async def check_again(request: web.Request) -> None:
    """Raise Unauthorized if the key of a request that has waited is not valid any more. While the database does not
    answer, it counts as valid.
    """
    with suppress(DatabaseUnavailable):
        await caller_of(request, request[CALLER].limited_as)


@lru_cache(maxsize=4096)
def _without_key(address: str) -> Caller:
    return Caller(DEFAULT_TENANT, client=address, limited_as=address, scopes=WITHOUT_KEYS)


def require_scope(request: web.Request, caller: Caller) -> None:
    """Raise Forbidden if the caller's key lacks the scope that the request needs."""
    scope = _scope(request)
    if scope in caller.scopes:
        return
    if request.app[RESOURCES].settings.auth is Auth.OFF:
        raise Forbidden(
            f"This needs an API key with the scope {scope}, and the service runs without keys (DOCSERVER_AUTH=off). "
            "The commands docserver keys and docserver tenants work without one."
        )
    raise Forbidden(f"The API key has the scopes {', '.join(sorted(caller.scopes))}; this needs {scope}.")


def _scope(request: web.Request) -> Scope:
    route = request.match_info.route.name
    if route in ADMIN_ROUTES or (route == METRICS and request.app[RESOURCES].settings.auth is Auth.KEYS):
        return Scope.ADMIN
    return Scope.READ if request.method in ("GET", "HEAD") else Scope.WRITE


def _key(request: web.Request) -> str:
    """The API key of a request: a bearer token (RFC 6750), or X-API-Key; of two different ones, neither."""
    keys = {key.strip() for key in request.headers.getall("X-API-Key", ()) if key}
    for header in request.headers.getall("Authorization", ()):
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "bearer":
            keys.add(credentials.strip())
    if not keys:
        raise Unauthorized("Send an API key, as in Authorization: Bearer dsk_…, or as X-API-Key.")
    if len(keys) > 1:
        raise Unauthorized("The request has more than one API key; send one.")
    return keys.pop()
