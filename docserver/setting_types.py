"""The types of settings beyond numbers and text, and how a setting is read from the text of its variable."""

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_S = 86_400
"""The most of any interval or timeout. System calls and databases refuse numbers that are much larger."""

TEN_YEARS_S = 3650 * DAY_S
"""The most of any time for which something is kept."""

MAX_TOKENS = 1_000_000_000
"""The most tokens of a bucket, and of one request."""

MAX_QUOTA = 10**15
"""The most of any quota: a petabyte. Sums of such numbers still fit into the database's columns of 64 bits."""

MAX_WEIGHT = 100
"""The most turns in a row of a tenant. Others wait for all of them, so there are not many."""

ROUTES = (
    *("languages", "usage", "upload", "list", "search", "document", "delete", "file"),
    *("upload-body", "put-body", "put-named", "inspect", "begin-upload", "complete-upload"),
    *("create-batch", "batch", "batch-events"),
    *("job", "result", "page", "page-image", "events", "cancel", "retry", "create-job"),
    *("keys", "create-key", "revoke-key", "rotate-key", "tenants", "tenant", "set-tenant", "delete-tenant", "audit"),
    *("deliveries", "replay", "batch-deliveries", "replay-of-batch", "webhook-deliveries"),
    *("webhooks", "create-webhook", "webhook", "delete-webhook", "test-webhook", "rotate-webhook", "enable-webhook"),
)
"""The rate-limited routes, under the names that `DOCSERVER_RATE_LIMIT_COSTS` uses."""


class SandboxMode(StrEnum):
    """What a server does if the system cannot confine its OCR processes."""

    PREFER = "prefer"
    """It reads documents without a sandbox."""
    REQUIRE = "require"
    """It does not start."""
    OFF = "off"
    """It never confines its OCR processes."""


class Auth(StrEnum):
    """Who may use the API."""

    OFF = "off"
    """Everybody who can reach it; there are no keys."""
    KEYS = "keys"
    """Those who have an API key."""


@dataclass(frozen=True)
class Rate:
    """A token bucket: `quota` tokens, refilled evenly over `window_s` seconds."""

    quota: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        quota, _, window = text.partition("/")
        rate = cls(int(quota), int(window))
        if not (1 <= rate.quota <= MAX_TOKENS and 1 <= rate.window_s <= TEN_YEARS_S):
            raise ValueError(text)
        return rate


Network = IPv4Network | IPv6Network
Costs = tuple[tuple[str, int], ...]
Hosts = tuple[str, ...]
Ports = tuple[int, ...]


class Origin(str):
    """An origin of web pages, such as https://app.example.org, or ANY_ORIGIN."""

    __slots__ = ()


Origins = tuple[Origin, ...]

ANY_HOST = "*"
ANY_ORIGIN = "*"

_HOST_PATTERN = re.compile(r"((?:\*?\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::[0-9]+)?")
"""A host name, or the end of one behind `.` or `*.`. A port is accepted and ignored: ports are not checked."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
"""As browsers write origins: in lower case, without a path."""


def parse(kind: Any, text: str) -> Any:
    """The value of a setting of this type.

    Raises ValueError, or RuntimeError for the home of a user who does not exist.
    """
    if kind is bool:
        return _parse_bool(text)
    if kind is Rate:
        return Rate.parse(text)
    if kind is Path:
        # Bytes of the environment that are no UTF-8 can be neither logged nor handed to the servers.
        text.encode()
        # For a path such as ~user, expanduser() raises RuntimeError if the user does not exist.
        return Path(text).expanduser()
    if kind is str and not text.isprintable():
        raise ValueError(text)
    if kind == int | None:
        return int(text)
    if kind in (int, float, str, Auth, SandboxMode):
        return _finite(kind(text))
    list_parsers: dict[Any, Callable[[str], Any]] = {
        tuple[Network, ...]: ip_network,
        Hosts: _parse_host,
        Ports: _parse_port,
        Origins: _parse_origin,
        Costs: _parse_cost,
    }
    return tuple(list_parsers[kind](part.strip()) for part in text.split(","))


def _finite(value: float | str) -> float | str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    return value


def _parse_cost(text: str) -> tuple[str, int]:
    route, _, cost = text.partition("=")
    if route.strip() not in ROUTES or not 0 <= int(cost) <= MAX_TOKENS:
        raise ValueError(text)
    return route.strip(), int(cost)


def _parse_port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise ValueError(text)
    return port


def _parse_origin(text: str) -> Origin:
    origin = text.lower().removesuffix("/")
    if origin != ANY_ORIGIN and not _ORIGIN.fullmatch(origin):
        raise ValueError(text)
    return Origin(origin)


def _parse_host(text: str) -> str:
    text = text.lower()
    if text == ANY_HOST:
        return text
    with suppress(ValueError):
        return str(ip_address(text.strip("[]")))
    match = _HOST_PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match[1]


def _parse_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("1", "on", "true", "yes"):
        return True
    if lowered in ("0", "off", "false", "no"):
        return False
    raise ValueError(text)


def expected(kind: Any) -> str:
    """The values that a setting of this type accepts, for an error message."""
    return {
        bool: "on or off",
        Auth: f"one of {', '.join(Auth)}",
        SandboxMode: f"one of {', '.join(SandboxMode)}",
        int: "a whole number",
        int | None: "a whole number",
        float: "a number",
        Path: "a path",
        str: "printable text",
        Rate: "tokens/seconds, as in 60/60",
        tuple[Network, ...]: "networks, as in 10.0.0.0/8,::1/128",
        Hosts: "host names, as in localhost,docs.example.org,*.example.org, or *",
        Ports: "ports, as in 80,443,8080",
        Origins: "origins of web pages, as in https://app.example.org,http://localhost:3000, or *",
        Costs: f"costs of routes, as in upload=5,list=2; the routes are {', '.join(ROUTES)}",
    }.get(kind, "another value")
