"""Sends one webhook by HTTP. It follows no redirect, uses no proxy, and does not read the body of the response."""

import asyncio
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from docserver import __version__
from docserver.webhook_types import Fault
from docserver.webhooks.addresses import AddressRefused, Guard
from docserver.webhooks.bounded_answer import BoundedConnector

CONNECT_S = 5.0
"""Longest wait for the receiver's address, and for a connection. A healthy receiver answers in a fraction of it."""

MAX_RETRY_AFTER_S = 86_400.0
"""Longest wait that a receiver can ask for."""

LOOKUPS_PER_CONNECTION = 2
"""A lookup cannot be cancelled, and may take longer than the attempt that it is for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt."""

    http_status: int | None = None
    fault: Fault | None = None
    """Why there is no answer."""
    retry_after_s: float = 0.0

    @property
    def is_success(self) -> bool:
        return self.http_status is not None and 200 <= self.http_status < 300

    @property
    def is_gone(self) -> bool:
        return self.http_status == 410


class Client:
    """Sends webhooks to receivers that the guard allows."""

    def __init__(self, guard: Guard, *, timeout_s: float, connections: int) -> None:
        """Needs a running event loop; the caller closes it. At most this many connections are open at the same time."""
        self._guard = guard
        # The event loop's own threads are few, and others wait for them.
        self._lookups = ThreadPoolExecutor(connections * LOOKUPS_PER_CONNECTION, thread_name_prefix="webhook lookup")
        self._resolver = _Resolver(self._lookups)
        connector = BoundedConnector(
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            limit=connections,
            socket_factory=guard.open_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S, timeout_s)),
        )

    async def close(self) -> None:
        await self._session.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def reach(self, url: str) -> Fault | None:
        """Connect to the receiver, send nothing, and return what is in the way, if anything is."""
        target = URL(url)
        fault: Fault | None = Fault.ADDRESS
        try:
            async with asyncio.timeout(CONNECT_S):
                for address in await self._resolver.resolve(target.raw_host or "", target.port or 0):
                    if self._guard.allows(address["host"]):
                        fault = await _connect_fault(address)
                    if fault is None:
                        return None
        except (OSError, ValueError) as error:
            return _fault(error)
        return fault

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a webhook once. Only the status and Retry-After of the response are read."""
        common = {"Content-Type": "application/json", "User-Agent": f"docserver/{__version__}"}
        try:
            async with self._session.post(
                url, data=body, headers={**common, **headers}, allow_redirects=False
            ) as response:
                return Answer(response.status, retry_after_s=_retry_after_s(response.headers.get("Retry-After", "")))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # A TimeoutError is an OSError.
            return Answer(fault=_fault(error))


class _Resolver(AbstractResolver):
    """Looks up addresses in threads of its own, anew for each connection."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        infos = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=resolved_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for resolved_family, _, protocol, _, place in infos
        ]

    async def close(self) -> None:
        pass


async def _connect_fault(address: ResolveResult) -> Fault | None:
    try:
        _, writer = await asyncio.open_connection(address["host"], address["port"])
    except OSError as error:
        return _fault(error)
    writer.close()
    return None


def _fault(error: BaseException) -> Fault:
    if isinstance(error, TimeoutError):
        return Fault.TIMEOUT
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror | UnicodeError):
        return Fault.NAME
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return Fault.TLS
    # aiohttp takes addresses in their usual form only: no 127.1 and no 0x7f000001.
    if isinstance(error, aiohttp.InvalidURL) or isinstance(error.__cause__, AddressRefused):
        return Fault.ADDRESS
    return Fault.CONNECTION


def _retry_after_s(value: str) -> float:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 if it is missing or malformed."""
    # Python takes the digits of all scripts for numbers.
    if not value.isascii():
        return 0.0
    try:
        asked_s = float(value) if value.isdecimal() else parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(asked_s, 0.0), MAX_RETRY_AFTER_S)
