"""Checks this machine: the data directory and its disk, the port, open files, and who may use the service."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import aiohttp

from docserver.doctor.findings import Finding, ok, problem, warning
from docserver.errors import ServiceError
from docserver.room import UPLOADS, Room, require_writable
from docserver.setting_types import Auth
from docserver.settings import Settings, SettingsError
from docserver.storage import BucketError
from docserver.storage.bucket_url import BucketUrl
from docserver.storage.identity import IdentityError, public_mark
from docserver.storage.local import LocalStorage
from docserver.storage.opening import open_identities, open_storage
from docserver.web.connection_limits import needed_descriptors
from docserver.web.handlers.system import DEPLOYMENT_HEADER

ASK_S = 5.0
"""Longest wait for the answer of a running service. Its own checks of its parts take two seconds at most."""

MOVED_BETWEEN = ("incoming", "originals", "quarantine")
"""Files are renamed from one of these directories to another, so they have to be on one file system."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What docserver at a port says."""

    finding: Finding
    is_ours: bool
    """True if it has this data directory and database."""


async def check_disk(settings: Settings) -> AsyncIterator[Finding]:
    """The directory of uploads: writable, with room, on one file system that keeps what is synced."""
    data_dir = settings.storage_dir or settings.data_dir
    try:
        if not await asyncio.to_thread((data_dir / "incoming").is_dir):
            yield await asyncio.to_thread(_unused, data_dir)
            return
        yield await _room(settings)
        if settings.storage_dir:
            missing = [name for name in MOVED_BETWEEN if not await asyncio.to_thread((data_dir / name).is_dir)]
            yield _without(data_dir, missing) if missing else await asyncio.to_thread(_moves, data_dir)
        for finding in await asyncio.to_thread(_scratch, settings.data_dir / "scratch"):
            yield finding
    except OSError as error:
        remedy = "run this as the service's user, or correct DOCSERVER_DATA_DIR"
        yield problem("disk", f"{data_dir} cannot be used ({error.strerror})", remedy)


async def check_storage(settings: Settings) -> AsyncIterator[Finding]:
    """The bucket, if originals are kept in one: it takes a small object, and gives it back."""
    if settings.storage_dir:
        return
    try:
        place = BucketUrl.parse(settings.storage_url).place
        await open_storage(settings).check()
    except SettingsError as error:
        yield problem("storage", str(error), "see docs/storage.md")
    except (BucketError, ServiceError) as error:
        why = error.strerror if isinstance(error, BucketError) else str(error)
        yield problem(
            "storage",
            f"{place} cannot be used ({why})",
            "correct DOCSERVER_STORAGE_URL, or the rights of its credentials",
        )
    except OSError as error:
        detail = f"{error.filename or settings.data_dir} cannot be written ({error.strerror}), so nothing is received"
        yield problem("storage", detail, "make it a directory that this user may write, or remove it")
    else:
        yield ok("storage", f"{place} can be written and read")
    if not settings.secret_key:
        detail = "this machine has a key of its own, so others cannot sign the webhooks of its clients"
        yield warning("secret key", detail, "set the same DOCSERVER_SECRET_KEY on all machines")


async def check_port(settings: Settings) -> AsyncIterator[Finding]:
    """The API's port: free, or used by this deployment of docserver, which then says how it is."""
    mark = await asyncio.to_thread(_mark, settings)
    yield await _port("port", settings.listen_host, settings.port, partial(_service, mark=mark))


async def check_metrics_port(settings: Settings) -> AsyncIterator[Finding]:
    """The same for the port of the metrics, if there is one."""
    if settings.metrics_port:
        mark = await asyncio.to_thread(_mark, settings)
        yield await _port("metrics port", settings.metrics_host, settings.metrics_port, partial(_metrics, mark=mark))


async def check_limits(settings: Settings) -> AsyncIterator[Finding]:
    """The limit on open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = needed_descriptors(settings.max_connections)
    if hard != resource.RLIM_INFINITY and hard < needed:
        detail = f"{hard} allowed, {needed} needed for {settings.max_connections} connections"
        yield warning("open files", detail, "raise it (systemd: LimitNOFILE=), or lower DOCSERVER_MAX_CONNECTIONS")
    else:
        yield ok("open files", f"{needed} needed, which the limit allows")


async def check_access(settings: Settings) -> AsyncIterator[Finding]:
    """Who may use the API."""
    if settings.auth is Auth.OFF and not _is_loopback(settings.listen_host):
        detail = f"whoever reaches {settings.listen_host}:{settings.port} can read and delete everything"
        yield warning("access", detail, "set DOCSERVER_AUTH=keys, or let only trusted machines reach the port")
    else:
        yield ok("access", "by API keys" if settings.auth is Auth.KEYS else "without keys, from this machine alone")


def _mark(settings: Settings) -> str | None:
    """The mark of the deployment with this storage; None if it has none. `check_database` reports damage."""
    try:
        identity = open_identities(settings).database()
    except (IdentityError, ServiceError, SettingsError):
        return None
    return public_mark(identity) if identity else None


def _unused(data_dir: Path) -> Finding:
    existing = next(path for path in (data_dir, *data_dir.absolute().parents) if path.exists())
    try:
        with TemporaryDirectory(dir=existing):
            pass
    except OSError as error:
        remedy = f"let the service's user write {existing}, or correct DOCSERVER_DATA_DIR"
        return problem("disk", f"{data_dir} cannot be made ({error.strerror})", remedy)
    return ok("disk", f"{data_dir} is not used yet; {_free(existing)} free")


async def _room(settings: Settings) -> Finding:
    data_dir = settings.data_dir
    room = Room((data_dir,), min_free_mb=settings.min_free_mb, share=UPLOADS, stops="uploads")
    free = await asyncio.to_thread(_free, data_dir)
    try:
        await LocalStorage(data_dir, room).check()
    except ServiceError:
        return problem("disk", f"only {free} free: uploads are refused", "free room, or delete documents")
    return ok("disk", f"{free} free, and {data_dir} can be written")


def _scratch(directory: Path) -> list[Finding]:
    """What keeps OCR processes from having directories of their own, if something does."""
    try:
        require_writable(directory)
    except OSError as error:
        detail = f"{directory} cannot be written ({error.strerror}), so no page is read"
        return [problem("scratch", detail, "make it a directory that this user may write, or remove it")]
    return []


def _without(data_dir: Path, missing: list[str]) -> Finding:
    detail = f"{data_dir} has no {' and no '.join(missing)}, which a first start makes"
    return warning(
        "file system", detail, "set DOCSERVER_STORAGE_URL, if originals are in a bucket; or mount what is missing"
    )


def _free(directory: Path) -> str:
    disk = os.statvfs(directory)
    return f"{disk.f_bavail * disk.f_frsize / 1e9:.1f} GB"


def _moves(data_dir: Path) -> Finding:
    """Whether a file that is synced can be moved as an upload is."""
    probe = data_dir / MOVED_BETWEEN[0] / f"{uuid4()}.probe"
    places = [probe, *(data_dir / name / probe.name for name in MOVED_BETWEEN[1:])]
    try:
        with probe.open("xb") as file:
            file.write(b"ready")
            file.flush()
            os.fsync(file.fileno())
        for source, target in pairwise(places):
            source.rename(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            remedy = "mount the data directory as a whole"
            return problem("file system", f"{', '.join(MOVED_BETWEEN)} are on several file systems", remedy)
        remedy = "use a file system that supports fsync and rename"
        return problem("file system", f"a file cannot be synced and moved ({error.strerror})", remedy)
    finally:
        for place in places:
            with suppress(OSError):
                place.unlink(missing_ok=True)
    return ok("file system", "files are synced, and moved within one file system")


def _bind(host: str, port: int) -> None:
    """Take the port for a moment; raises OSError if that is impossible."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


async def _port(subject: str, host: str, port: int, used: Callable[[str], Awaitable[_Answer]]) -> Finding:
    """Whether a port is free, or used by this deployment of docserver; what `used` finds at the URL there."""
    place = f"{host}:{port}"
    try:
        await asyncio.to_thread(_bind, host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            remedy = "correct DOCSERVER_HOST, or choose another port"
            return problem(subject, f"cannot listen on {place} ({error.strerror})", remedy)
        here = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared only
        remedy = "stop it, or choose another port"
        try:
            answer = await used(f"http://{f'[{here}]' if ':' in here else here}:{port}")
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, AttributeError):
            return problem(subject, f"another program uses {place}", remedy)
        return answer.finding if answer.is_ours else problem(subject, f"another docserver uses {place}", remedy)
    return ok(subject, f"{place} is free; docserver does not run there")


async def _service(url: str, mark: str | None) -> _Answer:
    async with _session() as session, session.get(f"{url}/readyz") as response:
        body = await response.json()
    status, header = body["status"], response.headers.get(DEPLOYMENT_HEADER)
    wrong = sorted(name for name, part in body["checks"].items() if part["status"] not in ("ok", "off", "unused"))
    detail = f"docserver runs at {url}, and says that it is {status}"
    if response.status == 200 and not wrong:
        finding = ok("service", detail)
    else:
        kind = warning if response.status == 200 else problem
        finding = kind("service", detail, f"see {', '.join(wrong) or 'its log'}")
    # Before its first start has ended, a deployment has no mark.
    return _Answer(finding, is_ours=status == "starting" or (header is not None and header == mark))


async def _metrics(url: str, mark: str | None) -> _Answer:
    async with _session() as session, session.get(f"{url}/metrics") as response:
        if "docserver_" not in await response.text():
            raise ValueError(url)
    header = response.headers.get(DEPLOYMENT_HEADER)
    finding = ok("metrics port", f"docserver serves its metrics at {url}")
    return _Answer(finding, is_ours=header is not None and header == mark)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_S))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
