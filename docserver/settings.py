"""Every setting with its default, its unit and its meaning, and how it is read.

Other modules read only variables such as `PATH`, `HOME` and `TESSDATA_PREFIX`, to find programs, models and fonts.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from dotenv import dotenv_values

from docserver.bucket_parameters import FROM_VARIABLE, from_variables
from docserver.cpu import usable_cores
from docserver.setting_types import (
    DAY_S,
    MAX_QUOTA,
    TEN_YEARS_S,
    Auth,
    Costs,
    Hosts,
    Network,
    Origins,
    Ports,
    Rate,
    SandboxMode,
    expected,
    parse,
)
from docserver.variables import (
    OTEL_PREFIX,
    PREFIX,
    has_prefix,
    is_service_link,
    meant_by,
)

TEST_MYSQL_URL = f"{PREFIX}TEST_MYSQL_URL"
"""Only the tests read this variable; its name is here so that `unknown` does not report it."""


CHOICES = {
    "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    "engine": ("auto", "tesserocr", "pytesseract"),
    "second_engine": ("auto", "off"),
}
"""The allowed values of settings that accept only a few."""


REDIS_SCHEMES = (
    *("redis://", "rediss://", "unix://"),
    *(f"{scheme}+{kind}://" for kind in ("sentinel", "cluster") for scheme in ("redis", "rediss")),
)

REDIS_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""Braces would move all keys to one node of a cluster, and other signs mean something in the rules of ACL users."""


UNESCAPED = "characters such as @ : / ? #, which must be written as %40 %3A %2F %3F %23"
"""What is wrong with many a password in a URL."""


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message names the setting and says which values it accepts."""


def _setting(default: Any, meaning: str, *, least: float | None = None, most: float | None = None) -> Any:
    """A field of `Settings`; `least` and `most` are the bounds of a number."""
    return field(default=default, metadata={"meaning": meaning, "least": least, "most": most})


def _quota(meaning: str) -> Any:
    """A field of `Settings` for a quota that tenants have unless they have one of their own."""
    return _setting(None, f"{meaning}; no limit if unset", least=0, most=MAX_QUOTA)


def _duration(default: float, meaning: str, *, least: float = 0.1) -> Any:
    """A field of `Settings` for an interval or a timeout, in seconds."""
    return _setting(default, meaning, least=least, most=DAY_S)


@dataclass(frozen=True)
class Settings:
    """The settings of one process. A field's environment variable is `DOCSERVER_` and the field's name in capitals."""

    # The settings that most installations set.
    auth: Auth = _setting(Auth.OFF, "who may use the API: off, everybody; keys, those who have an API key")
    host: str = _setting("", "address that the API listens on; 127.0.0.1 if unset, with API keys 0.0.0.0")
    port: int = _setting(8000, "port that the API listens on", least=0, most=65_535)
    metrics_port: int = _setting(
        0, "port on which this process serves its metrics, without a key; 0: /metrics of the API", least=0, most=65_535
    )
    data_dir: Path = _setting(Path("./data"), "originals, scratch space, and the embedded servers' files")
    storage_url: str = _setting(
        "", "s3://bucket/prefix?endpoint=…&region=… or file:///directory for originals; the data directory if unset"
    )
    embedded: bool = _setting(default=False, meaning="run a private MariaDB and Redis inside the data directory")
    mysql_url: str = _setting("", "mysql://user:password@host:port/database or mysql:///database?unix_socket=…")
    mysql_replica_url: str = _setting("", "mysql://…: a replica of that database, for lists of documents and searches")
    redis_url: str = _setting(
        "", "redis://…, redis+sentinel://…, redis+cluster://…, each with rediss for TLS, or unix://…"
    )
    slots: int = _setting(
        -1,
        "pages that this process reads at the same time; 0: an API alone, -1: one per usable core",
        least=-1,
        most=1024,
    )
    languages: str = _setting("eng", "languages of uploads that name none, as in eng+deu, or auto")
    max_upload_mb: float = _setting(100.0, "largest upload in megabytes (10^6 bytes)", least=0.001, most=100_000)
    max_pages: int = _setting(2000, "most pages of one document", least=1, most=1_000_000)
    min_free_mb: float = _setting(
        500.0,
        "free space of the data directory's disk below which uploads are refused; at most a tenth of it",
        least=0,
        most=1_000_000_000,
    )
    retention_s: int = _setting(
        0,
        "seconds to keep a document and its results if its upload does not set expires_in; 0: forever",
        least=0,
        most=TEN_YEARS_S,
    )
    deduplicate: bool = _setting(
        default=True, meaning="if a client uploads the same bytes with the same options again, return its earlier job"
    )
    rate_limit: bool = _setting(default=True, meaning="limit the requests of each client")
    trusted_proxies: tuple[Network, ...] = _setting(
        (), "networks whose X-Forwarded-For is believed, separated by commas"
    )
    allowed_hosts: Hosts = _setting((), "host names that the API answers to, separated by commas, or *")
    cors_origins: Origins = _setting(
        (), "origins of web pages whose scripts may use the API, separated by commas, or *"
    )
    secret_key: str = _setting("", "keys that encrypt secrets in the database, newest first, separated by commas")
    webhook_networks: tuple[Network, ...] = _setting(
        (), "networks that webhooks may be sent to although they are not globally routable, separated by commas"
    )
    webhook_ports: Ports = _setting((80, 443), "ports that webhooks may be sent to, separated by commas")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    # Settings for experts: reading.
    engine: str = _setting("auto", "how to call Tesseract: tesserocr, pytesseract, or auto: the first if installed")
    second_engine: str = _setting(
        "auto", "read what Tesseract reads unsurely with PP-OCR as well: auto, if it is installed; or off"
    )
    sandbox: SandboxMode = _setting(
        SandboxMode.PREFER, "confine OCR processes by Landlock and seccomp: prefer, require (else refuse to start), off"
    )
    clients_per_process: int = _setting(
        10,
        "clients whose documents one OCR process may read, before a new one takes its place",
        least=1,
        most=1_000_000,
    )
    page_timeout_s: float = _duration(120.0, "longest time to open a document, and to read one page")
    pdf_timeout_s: float = _duration(120.0, "longest time to make a searchable PDF, and longest wait before that")
    page_tries: int = _setting(
        3, "tries for a page that ran out of time or memory, or crashed its process", least=1, most=1000
    )
    chunk_pages: int = _setting(
        1, "fewest pages of one document that a slot takes before others get their turn", least=1, most=1_000_000
    )
    child_memory_mb: int = _setting(
        2048, "address space of an OCR process and of each program it starts", least=256, most=1_000_000
    )
    max_page_mp: float = _setting(150.0, "most megapixels of one page", least=1, most=10_000)
    pdf_dpi: int = _setting(300, "resolution at which PDF pages are drawn for reading", least=72, most=2400)
    review_below: float = _setting(
        80.0,
        "confidence, 0 to 100, below which needs_review lists a page; 0: only pages of which something was not read",
        least=0,
        most=100,
    )

    # Settings for experts: clients.
    rate_limit_default: Rate = _setting(
        Rate(60, 60), "uploads, deletions, cancels and retries of one client: tokens/seconds"
    )
    rate_limit_reads: Rate = _setting(Rate(1200, 60), "reads of one client: tokens/seconds")
    rate_limit_costs: Costs = _setting((), "tokens that one request to a route takes, if not 1, as in upload=5,list=2")
    # Quotas of each tenant. Without API keys, all clients are one tenant.
    quota_pages_per_day: int | None = _quota("pages of a tenant that are read on one day (UTC)")
    quota_max_bytes: int | None = _quota("bytes of a tenant's files that are kept")
    quota_max_unfinished_jobs: int | None = _quota("jobs of a tenant that have not ended")
    quota_max_connections: int | None = _quota("requests of a tenant that are answered at the same time")
    max_connections: int = _setting(1000, "connections of clients at the same time", least=1, most=1_000_000)
    keepalive_s: float = _duration(75.0, "longest pause between two requests of a connection")
    request_timeout_s: float = _duration(30.0, "longest time to answer a request, on top of the wait it asks for")
    wait_limit_s: float = _duration(60.0, "longest ?wait= that is granted", least=0)
    body_timeout_s: float = _duration(60.0, "longest silence of a client in the middle of its upload or download")
    upload_timeout_s: float = _duration(1800.0, "longest time for one upload or download")

    # Settings for experts: webhooks.
    webhook_connections: int = _setting(
        20, "webhooks that this process sends at the same time; 0: it sends none", least=0, most=1000
    )
    webhook_timeout_s: float = _duration(15.0, "longest wait for a receiver's answer to a webhook")

    # Settings for experts: storage.
    storage_cache_mb: float = _setting(
        2000.0, "originals of a bucket of which this machine keeps copies, in megabytes", least=0, most=1_000_000_000
    )
    storage_redirects: bool = _setting(
        default=False,
        meaning="clients get originals and large results from the bucket itself, by links valid for a minute",
    )
    storage_results_mb: float = _setting(
        2000.0,
        "large results that the storage keeps, so that they are not made again, in megabytes",
        least=0,
        most=1_000_000_000,
    )
    storage_timeout_s: float = _duration(20.0, "longest time for one request to the bucket, with repetitions", least=1)

    # Settings for experts: database, Redis, and workers.
    mysql_pool_size: int = _setting(16, "most database connections of one process", least=6, most=10_000)
    mysql_timeout_s: float = _duration(10.0, "longest wait for one database statement")
    redis_prefix: str = _setting("docserver", "beginning of the names of all keys and channels in Redis")
    redis_timeout_s: float = _duration(1.0, "longest wait for one Redis command", least=0.05)
    lease_s: float = _duration(30.0, "time after which the pages of a silent worker pass to others", least=1)
    maintenance_s: float = _duration(5.0, "time between two rounds of maintenance")
    quarantine_s: int = _setting(
        1_209_600, "seconds to keep an original that no document knows, before it is deleted", least=0, most=TEN_YEARS_S
    )
    grace_s: float = _duration(25.0, "time that SIGTERM leaves to finish the pages being read", least=0)

    @property
    def listen_host(self) -> str:
        """The address that the API listens on. Without keys, others than this machine must be let in on purpose."""
        return self.host or ("127.0.0.1" if self.auth is Auth.OFF else "0.0.0.0")  # noqa: S104 - as documented

    @property
    def metrics_host(self) -> str:
        """The address that a port for the metrics listens on. It needs no key, so it is opened only on purpose."""
        return self.host or "127.0.0.1"

    @property
    def slot_count(self) -> int:
        """The number of slots that this process runs."""
        return usable_cores() if self.slots < 0 else self.slots

    def cost(self, route: str) -> int:
        """The tokens that a request of this route takes."""
        return dict(self.rate_limit_costs).get(route, 1)

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_mb * 1_000_000)

    @property
    def max_result_bytes(self) -> int:
        return int(self.storage_results_mb * 1_000_000)

    @property
    def storage_dir(self) -> Path | None:
        """The directory of the originals; None if they are in a bucket."""
        if not self.storage_url:
            return self.data_dir
        is_directory = self.storage_url.startswith("file://")
        return Path(unquote(urlsplit(self.storage_url).path)) if is_directory else None

    @property
    def max_page_pixels(self) -> int:
        return int(self.max_page_mp * 1_000_000)


def variable(name: str) -> str:
    """The environment variable that sets this field of `Settings`."""
    return PREFIX + name.upper()


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> Settings:
    """Read the settings from the environment. The file `.env` gives those that the environment does not set.

    Raises SettingsError with one line that names the variable and says which values it accepts, or which variable was
    probably meant.
    """
    _refuse_misspelt(unknown(environ, dotenv=dotenv))
    values = _given(environ, dotenv)
    kinds = get_type_hints(Settings)
    given: dict[str, Any] = {}
    for setting in fields(Settings):
        text = (values.get(variable(setting.name)) or "").strip()
        if not text:
            continue
        kind, meaning = kinds[setting.name], setting.metadata["meaning"]
        least, most = setting.metadata["least"], setting.metadata["most"]
        try:
            value = parse(kind, text)
        except (ValueError, RuntimeError) as error:
            raise SettingsError(f"{variable(setting.name)} must be {expected(kind)} ({meaning})") from error
        if least is not None and value < least:
            raise SettingsError(f"{variable(setting.name)} must be at least {least:g} ({meaning})")
        if most is not None and value > most:
            raise SettingsError(f"{variable(setting.name)} must be at most {most} ({meaning})")
        given[setting.name] = value
    settings = Settings(**given)
    _check(settings)
    return replace(settings, storage_url=_with_usual_variables(settings.storage_url, values))


def _with_usual_variables(url: str, values: Mapping[str, str | None]) -> str:
    """The URL of a bucket, with what its provider's usual variables say and the URL does not as further parameters."""
    query = url.partition("?")[2]
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    usual = from_variables(url.partition("://")[0], names, values)
    # What follows a # is no part of the parameters, and the URL is refused for it.
    if not usual or "#" in url:
        return url
    for name, value in usual.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SettingsError(f"{name.removeprefix(FROM_VARIABLE)} must be text in UTF-8") from None
    return f"{url}{'&' if '?' in url else '?'}{urlencode(usual)}"


def unknown(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> list[str]:
    """Variables of the environment or of `.env` that have our prefix but set nothing."""
    known = {*_names(), TEST_MYSQL_URL}
    return sorted(name for name in _given(environ, dotenv) if has_prefix(name) and name not in known)


def open_telemetry(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")) -> dict[str, str]:
    """The variables of OpenTelemetry, of the environment and of `.env`, which its SDK reads."""
    return {name: value for name, value in _given(environ, dotenv).items() if name.startswith(OTEL_PREFIX) and value}


def service_links(environ: Mapping[str, str] | None = None) -> list[str]:
    """Variables of the environment that have our prefix, and that Kubernetes has added for a Service."""
    return sorted(name for name, value in _environment(environ).items() if is_service_link(name, value))


def _names() -> list[str]:
    return [variable(setting.name) for setting in fields(Settings)]


def _environment(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ


def _given(environ: Mapping[str, str] | None, dotenv: Path | None) -> dict[str, str | None]:
    """All variables: those of the environment, and those that only the file `.env` has; no service links."""
    try:
        in_file = dotenv_values(dotenv) if dotenv else {}
    except UnicodeDecodeError as error:
        raise SettingsError(f"the settings in {dotenv} must be text in UTF-8") from error
    except OSError as error:
        raise SettingsError(f"the settings in {dotenv} cannot be read: {error.strerror}") from error
    ours = {name: value for name, value in _environment(environ).items() if not is_service_link(name, value)}
    return {**in_file, **ours}


def _refuse_misspelt(names: list[str]) -> None:
    """Refuse a name that resembles a setting's: if it was ignored, the service might be open where it should not be."""
    for name in names:
        if meant := meant_by(name, _names()):
            raise SettingsError(f"{name} is not a setting; did you mean {meant}?")


def _check(settings: Settings) -> None:
    for name, values in CHOICES.items():
        if getattr(settings, name) not in values:
            raise SettingsError(f"{variable(name)} must be one of {', '.join(values)}")
    for name in ("mysql_url", "mysql_replica_url"):
        _check_url(name, getattr(settings, name), schemes=("mysql://",))
    _check_url("redis_url", settings.redis_url, schemes=REDIS_SCHEMES)
    if not REDIS_PREFIX.fullmatch(settings.redis_prefix):
        raise SettingsError(f"{variable('redis_prefix')} must be 1 to 64 letters, digits and any of . _ : -")
    _check_url("storage_url", settings.storage_url, schemes=("s3://", "gs://", "az://", "file:///"))


def _check_url(name: str, url: str, *, schemes: tuple[str, ...]) -> None:
    if not url:
        return
    if not url.startswith(schemes):
        beginnings = " or ".join(filter(None, (", ".join(schemes[:-1]), schemes[-1])))
        raise SettingsError(f"{variable(name)} must be a URL that begins with {beginnings}")
    try:
        parts = urlsplit(url)
        # What follows the scheme of several servers is checked where it is read. An @ behind the host is a password's.
        usable = "+" in parts.scheme or (
            parts.port != 0 and not (name != "storage_url" and parts.netloc and "@" in parts.path + parts.fragment)
        )
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"{variable(name)} has a port that is no number, or a password with {UNESCAPED}")
