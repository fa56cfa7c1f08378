"""Every setting with its default, its unit and its meaning; nothing else reads the environment."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from dotenv import dotenv_values

from docserver.cpu import usable_cores

PREFIX = "DOCSERVER_"
TEST_MYSQL_URL = f"{PREFIX}TEST_MYSQL_URL"
"""Read by the tests alone; named here so that it is not reported as unknown."""

ENGINES = ("auto", "tesserocr", "pytesseract")
SANDBOX_MODES = ("prefer", "require", "off")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names it and says what would be right."""


@dataclass(frozen=True)
class Rate:
    """A token bucket: `quota` tokens, refilled evenly over `window_s` seconds."""

    quota: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> "Rate":
        quota, _, window = text.partition("/")
        rate = cls(int(quota), int(window))
        if rate.quota < 1 or rate.window_s < 1:
            raise ValueError(text)
        return rate


Network = IPv4Network | IPv6Network
Costs = tuple[tuple[str, int], ...]

ROUTES = ("languages", "upload", "list", "document", "delete", "file", "job", "result", "page", "cancel", "retry")
"""The routes that are limited, by the names that `DOCSERVER_RATE_LIMIT_COSTS` gives them."""


def _setting(default: Any, meaning: str, *, least: float | None = None, secret: bool = False) -> Any:
    return field(default=default, metadata={"meaning": meaning, "least": least, "secret": secret})


@dataclass(frozen=True)
class Settings:
    """The settings of one process; `DOCSERVER_` and the field's name in capitals is the environment variable."""

    host: str = _setting("0.0.0.0", "address that the API listens on")  # noqa: S104 - a server in a container
    port: int = _setting(8000, "port that the API listens on", least=0)
    data_dir: Path = _setting(Path("./data"), "originals, scratch space, and the embedded servers' files")
    embedded: bool = _setting(default=False, meaning="run a private MariaDB and Redis inside the data directory")
    mysql_url: str = _setting("", "mysql://user:password@host:port/database or mysql:///database?unix_socket=…")
    redis_url: str = _setting("", "redis://…, rediss://… or unix://…")
    mysql_pool_size: int = _setting(10, "database connections of one process, at most", least=2)
    mysql_timeout_s: float = _setting(10.0, "longest wait for one database statement", least=0.1)
    redis_timeout_s: float = _setting(1.0, "longest wait for one Redis command", least=0.05)
    startup_timeout_s: float = _setting(600.0, "longest wait at start for the database to answer", least=1)
    slots: int = _setting(
        -1, "pages read at the same time by this process; 0 is an API alone; -1 the usable cores", least=-1
    )
    chunk_pages: int = _setting(1, "pages of one document that a slot takes before others get their turn", least=1)
    page_tries: int = _setting(3, "tries for a page whose reading ran out of time or memory, or crashed", least=1)
    page_timeout_s: float = _setting(120.0, "longest time for reading one page", least=0.1)
    open_timeout_s: float = _setting(60.0, "longest time for counting a document's pages", least=0.1)
    pdf_timeout_s: float = _setting(
        120.0, "longest time for making a searchable PDF, and for waiting to begin", least=0.1
    )
    child_memory_mb: int = _setting(2048, "address space of an OCR process and of each program it starts", least=256)
    pages_per_child: int = _setting(1000, "pages after which an OCR process is replaced by a fresh one", least=1)
    sandbox: str = _setting(
        "prefer", "confine OCR processes by Landlock and seccomp: prefer, require (or refuse to start), off"
    )
    lease_s: float = _setting(30.0, "how long a silent worker keeps its pages", least=1)
    maintenance_s: float = _setting(5.0, "seconds between two rounds of maintenance", least=0.1)
    grace_s: float = _setting(25.0, "seconds that SIGTERM leaves to finish the pages being read", least=0)
    engine: str = _setting("auto", "how Tesseract is called: tesserocr, pytesseract, or auto: the first if installed")
    review_below: float = _setting(
        80.0, "confidence, 0 to 100, below which a page is listed in needs_review; 0 lists empty ones alone", least=0
    )
    retention_s: int = _setting(
        0, "seconds that documents and results are kept where the upload does not say; 0 keeps them", least=0
    )
    languages: str = _setting("eng", "languages read where an upload names none, as in eng+deu, or auto")
    deduplicate: bool = _setting(
        default=True, meaning="answer the same bytes and options of the same client with the earlier job"
    )
    max_upload_mb: float = _setting(100.0, "largest upload in megabytes (10^6 bytes)", least=0.001)
    max_pages: int = _setting(2000, "most pages of one document", least=1)
    max_page_mp: float = _setting(150.0, "most megapixels of one page", least=1)
    pdf_dpi: int = _setting(300, "resolution at which PDF pages are drawn for reading", least=72)
    wait_limit_s: float = _setting(60.0, "longest ?wait= that is granted", least=0)
    max_connections: int = _setting(1000, "connections of clients at the same time", least=1)
    head_timeout_s: float = _setting(20.0, "longest time from a connection to its first whole request", least=0.1)
    keepalive_s: float = _setting(75.0, "how long a connection may be idle between two requests", least=0.1)
    request_timeout_s: float = _setting(30.0, "longest time for answering a request, beside what it waits", least=0.1)
    body_timeout_s: float = _setting(60.0, "longest silence of a client in the middle of its upload", least=0.1)
    upload_timeout_s: float = _setting(1800.0, "longest time for one upload to arrive", least=0.1)
    upload_min_kb_s: float = _setting(
        1.0, "mean kilobytes a second below which an upload is given up after body_timeout_s; 0 is any", least=0
    )
    cache_ttl_s: int = _setting(3600, "seconds that Redis keeps a job or a result for readers", least=10)
    cache_result_mb: float = _setting(2.0, "largest result kept in Redis, in megabytes", least=0)
    rate_limit: bool = _setting(default=True, meaning="limit requests per client")
    rate_limit_default: Rate = _setting(
        Rate(60, 60), "uploads, deletions, cancels and retries of one client: tokens/seconds"
    )
    rate_limit_reads: Rate = _setting(Rate(1200, 60), "reads of one client: tokens/seconds")
    rate_limit_costs: Costs = _setting((), "tokens of a route where they are not 1, as in upload=5,list=2")
    trusted_proxies: tuple[Network, ...] = _setting(
        (), "networks whose X-Forwarded-For is believed, separated by commas"
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @property
    def slot_count(self) -> int:
        """The number of slots that this process runs."""
        return usable_cores() if self.slots < 0 else self.slots

    def cost(self, route: str) -> int:
        """The tokens that a request of this route takes."""
        return dict(self.rate_limit_costs).get(route, 1)

    @property
    def cache_result_bytes(self) -> int:
        return int(self.cache_result_mb * 1_000_000)

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mb * 1_000_000)

    @property
    def max_page_pixels(self) -> int:
        return int(self.max_page_mp * 1_000_000)


def variable(name: str) -> str:
    """The environment variable of a setting's field name."""
    return PREFIX + name.upper()


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
    """Read the settings from the environment, and from the `.env` file what the environment does not set.

    Raises SettingsError with one line that names the variable and says what would be right.
    """
    values = {key: value for key, value in dotenv_values(dotenv).items() if value is not None} if dotenv else {}
    values.update(os.environ if environ is None else environ)
    hints = get_type_hints(Settings)
    given: dict[str, Any] = {}
    for setting in fields(Settings):
        text = values.get(variable(setting.name), "").strip()
        if not text:
            continue
        try:
            given[setting.name] = _parse(hints[setting.name], text)
        except ValueError as error:
            raise SettingsError(
                f"{variable(setting.name)} is not usable: it wants {_wanted(hints[setting.name])} "
                f"({setting.metadata['meaning']})"
            ) from error
        least = setting.metadata["least"]
        if least is not None and given[setting.name] < least:
            raise SettingsError(
                f"{variable(setting.name)} is too small: at least {least:g} ({setting.metadata['meaning']})"
            )
    settings = Settings(**given)
    _check(settings)
    return settings


def unknown(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables that look like settings and are none: most likely misspelt."""
    known = {variable(setting.name) for setting in fields(Settings)} | {TEST_MYSQL_URL}
    return sorted(
        key for key in (os.environ if environ is None else environ) if key.startswith(PREFIX) and key not in known
    )


def _check(settings: Settings) -> None:
    for name, values in (("log_level", LOG_LEVELS), ("engine", ENGINES), ("sandbox", SANDBOX_MODES)):
        if getattr(settings, name) not in values:
            raise SettingsError(f"{variable(name)} is not usable: it wants one of {', '.join(values)}")
    if settings.port > 65535:
        raise SettingsError(f"{variable('port')} is not usable: a port is at most 65535")
    _check_url("mysql_url", settings.mysql_url, schemes=("mysql://",))
    _check_url("redis_url", settings.redis_url, schemes=("redis://", "rediss://", "unix://"))


def _check_url(name: str, url: str, *, schemes: tuple[str, ...]) -> None:
    if not url:
        return
    try:
        usable = url.startswith(schemes) and urlsplit(url).port != 0
    except ValueError:
        usable = False
    if not usable:
        wanted = " or ".join(filter(None, (", ".join(schemes[:-1]), schemes[-1])))
        raise SettingsError(f"{variable(name)} is not usable: it begins with {wanted}, and its port is a number")


def _parse(kind: Any, text: str) -> Any:
    if kind is bool:
        return _parse_bool(text)
    if kind is Rate:
        return Rate.parse(text)
    if kind is Path:
        return Path(text).expanduser()
    if kind in (int, float, str):
        return _finite(kind(text))
    if kind == tuple[Network, ...]:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    if kind == Costs:
        return tuple(_parse_cost(part) for part in text.split(","))
    raise TypeError(f"no parser for {kind}")


def _finite(value: float | str) -> float | str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    return value


def _parse_cost(text: str) -> tuple[str, int]:
    route, _, cost = text.partition("=")
    if route.strip() not in ROUTES or int(cost) < 0:
        raise ValueError(text)
    return route.strip(), int(cost)


def _parse_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("1", "on", "true", "yes"):
        return True
    if lowered in ("0", "off", "false", "no"):
        return False
    raise ValueError(text)


def _wanted(kind: Any) -> str:
    return {
        bool: "on or off",
        int: "a whole number",
        float: "a number",
        Rate: "tokens/seconds, as in 60/60",
        tuple[Network, ...]: "networks such as 10.0.0.0/8,::1/128",
        Costs: f"costs such as upload=5,list=2, of {', '.join(ROUTES)}",
    }.get(kind, "another value")
