"""The URL of Redis: that of one server, of Sentinels, or of a cluster. Opens no connection."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from redis import DriverInfo
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.exceptions import RedisError

from docserver.setting_files import wrong_directory, wrong_file
from docserver.settings import UNESCAPED, SettingsError, variable

REDIS_PORT = 6379
SENTINEL_PORT = 26379

DRIVER = DriverInfo()
"""What connections tell Redis of redis-py. Without it, each new connection would read the version from the metadata of
the package, which takes 5 ms of CPU time."""

OPTIONS = frozenset(
    {
        *("db", "username", "password", "sentinel_username", "sentinel_password", "client_name", "socket_keepalive"),
        *("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"),
        *("ssl_cert_reqs", "ssl_check_hostname"),
    }
)
"""What may follow the ?. redis-py has more: some change what replies are, and some what docserver decides itself, such
as how long it waits."""

_YES_OR_NO = re.compile(r"true|false|yes|no|1|0", re.IGNORECASE)
"""Values that redis-py understands. It would take others, such as "off", for true."""

VALUES = {
    "db": (re.compile(r"\d{1,9}"), "the number of a database"),
    "socket_keepalive": (_YES_OR_NO, "true or false"),
    "ssl_check_hostname": (_YES_OR_NO, "true or false"),
    "ssl_cert_reqs": (re.compile(r"none|optional|required"), "none, optional or required"),
}
"""Options that take few values, and what these are."""

_NAME = re.compile(r"[a-z_]{1,40}")
"""A name that may be shown. A password whose special characters are not encoded may end in something else."""

_SEVERAL = re.compile(
    r"(?P<scheme>rediss?)\+(?P<kind>sentinel|cluster)://(?P<hosts>[^/?#]*)(?P<path>[^?#]*)(?P<query>.*)"
)


class Kind(StrEnum):
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    """A name or an IP address; for a unix socket, its path."""
    port: int
    """0 for a unix socket."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class Target:
    """What the URL says."""

    kind: Kind
    addresses: tuple[Address, ...]
    """Of the server; of the Sentinels; of some nodes of the cluster, which know the others."""
    service: str
    """What the Sentinels call the servers; "" without Sentinels."""
    options: Mapping[str, Any]
    """redis-py's options of a connection to Redis, and its `connection_class`; without the address."""
    sentinel_options: Mapping[str, Any]
    """The same for a connection to a Sentinel."""


def parse(url: str) -> Target:
    """Read the URL.

    The form for Sentinels is that of docket and Prefect, and the form for clusters follows it:

        redis+sentinel://[user:password@]host[:port],…/service[/db][?option=value&…]
        redis+cluster://[user:password@]host[:port],…[?option=value&…]

    `rediss+…` is the same with TLS. Raises SettingsError, whose text has no part of the URL: it may have a password.
    """
    _check_options(url)
    several = _SEVERAL.fullmatch(url)
    try:
        if several is None:
            target = _single(url)
        else:
            target = _sentinels(several) if several["kind"] == Kind.SENTINEL else _cluster(several)
        for options in (target.options, target.sentinel_options):
            # Only redis-py knows its options: it refuses those that cannot be used.
            connection_class(options)(**arguments(options))
    except (TypeError, ValueError, RedisError) as error:
        raise SettingsError(
            f"{variable('redis_url')} has an option with a wrong name or value, a port that is no number, or a "
            f"password with {UNESCAPED}"
        ) from error
    return target


def _check_options(url: str) -> None:
    query = url.partition("?")[2]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in OPTIONS:
            pattern, right = VALUES.get(name, (None, ""))
            if pattern and not pattern.fullmatch(value):
                raise SettingsError(f"{variable('redis_url')} has a wrong {name}: it must be {right}")
            if name.startswith("ssl_") and not url.startswith("rediss"):
                raise SettingsError(f"{variable('redis_url')} has {name}, which needs rediss in place of redis")
            continue
        if "@" in query or not _NAME.fullmatch(name):
            raise SettingsError(f"{variable('redis_url')} has an unknown option; write a ? in a password as %3F")
        raise SettingsError(f"{variable('redis_url')} has an option {name}, which must be left out")


def check_files(target: Target) -> None:
    """Raise SettingsError if the files of certificates cannot be used. Blocks."""
    for name in ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"):
        path = target.options.get(name)
        check = wrong_directory if name == "ssl_ca_path" else wrong_file
        if path and (wrong := check(path)):
            raise SettingsError(f"{variable('redis_url')} has a wrong {name}: {wrong}")
    connection = connection_class(target.options)(**arguments(target.options))
    try:
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except OSError as error:
        raise SettingsError(
            f"{variable('redis_url')} names a file in ssl_ca_certs, ssl_certfile or ssl_keyfile that is no certificate"
            " or key, or has a wrong ssl_password"
        ) from error


def connection_class(options: Mapping[str, Any]) -> Any:
    """The class of a connection with these options."""
    return options.get("connection_class", Connection)


def arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of that class."""
    return {"driver_info": DRIVER, **{name: value for name, value in options.items() if name != "connection_class"}}


def _single(url: str) -> Target:
    options: dict[str, Any] = dict(parse_url(url))
    parts = urlsplit(url)
    if parts.scheme == "unix" and (parts.hostname or len(parts.path) < 2):
        raise SettingsError(f"{variable('redis_url')} must have the path of a socket, as in unix:///run/redis.sock")
    if parts.scheme != "unix" and not re.fullmatch(r"/?\d*", parts.path):
        raise SettingsError(f"{variable('redis_url')} must end with the number of a database, or with the port")
    if "path" in options:
        address = Address(options["path"], 0)
    else:
        address = Address(options.pop("host", "localhost"), options.pop("port", REDIS_PORT))
    return Target(Kind.SINGLE, (address,), "", options, {})


def _cluster(url: re.Match[str]) -> Target:
    if url["path"].strip("/") not in ("", "0"):
        raise SettingsError(f"{variable('redis_url')} names a database, but a cluster has only the database 0")
    options, addresses = _parts(url, path="", port=REDIS_PORT)
    return Target(Kind.CLUSTER, addresses, "", options, {})


def _sentinels(url: re.Match[str]) -> Target:
    service, _, db = url["path"].strip("/").partition("/")
    # An @ would be that of a password with a slash.
    if not service or "@" in service or not re.fullmatch(r"\d*", db):
        raise SettingsError(
            f"{variable('redis_url')} must name the service after the Sentinels, as in"
            " redis+sentinel://host:port,host:port/service"
        )
    options, addresses = _parts(url, path=f"/{db}", port=SENTINEL_PORT)
    for_sentinels = {
        name: value for name, value in options.items() if name.startswith("ssl_") or name == "connection_class"
    }
    for name in ("username", "password"):
        if (value := options.pop(f"sentinel_{name}", None)) is not None:
            for_sentinels[name] = value
    return Target(Kind.SENTINEL, addresses, service, options, for_sentinels)


def _parts(url: re.Match[str], *, path: str, port: int) -> tuple[dict[str, Any], tuple[Address, ...]]:
    """The options and the addresses of a URL with several hosts, which redis-py reads with each host alone."""
    login, at, hosts = url["hosts"].rpartition("@")
    urls = [f"{url['scheme']}://{login}{at}{host}{path}{url['query']}" for host in hosts.split(",")]
    parsed: list[dict[str, Any]] = [dict(parse_url(one)) for one in urls]
    if not all("host" in options for options in parsed):
        raise SettingsError(f"{variable('redis_url')} must have hosts, separated by commas")
    addresses = tuple(Address(options["host"], options.get("port", port)) for options in parsed)
    return {name: value for name, value in parsed[0].items() if name not in ("host", "port")}, addresses
