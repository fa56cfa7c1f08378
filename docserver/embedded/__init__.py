"""A private MariaDB and Redis: child processes on unix sockets, with their files in a data directory.

The data directory contains `mysql/` and `redis/`, each with an `err.log`, and two lock files. While the servers run, it
also contains `mysql.tmp/`, and `run/` with their sockets, or a link `run` to the directory of their sockets.
"""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from docserver.embedded import locks, mariadb, programs, redis, sockets
from docserver.embedded.server import EmbeddedError, make_directory
from docserver.identity import require_embedded_database
from docserver.settings import Settings

__all__ = ["EmbeddedError", "Endpoints", "running", "servers", "with_embedded_servers"]


@dataclass(frozen=True)
class Endpoints:
    """URLs of the servers. They contain no password, because only this user can open the directory of the sockets."""

    mysql_url: str
    redis_url: str

    @classmethod
    def at(cls, *, mysql: Path, redis: Path) -> "Endpoints":
        return cls(f"mysql:///docserver?unix_socket={quote(str(mysql))}", f"unix://{quote(str(redis))}")


def running(data_dir: Path) -> Endpoints | None:
    """The servers that another docserver runs in this data directory; None if there are none."""
    # The directory of the sockets may be a link, because the path of a socket must be short.
    runtime = (data_dir / "run").resolve()
    mysql, redis_ = runtime / mariadb.SOCKET, runtime / redis.SOCKET
    return Endpoints.at(mysql=mysql, redis=redis_) if all(map(sockets.is_served, (mysql, redis_))) else None


@asynccontextmanager
async def servers(data_dir: Path) -> AsyncIterator[Endpoints]:
    """Run both servers until the block ends. If a server ends before, restart it.

    Call this in the main thread: when the thread that started the servers ends, the kernel ends the servers. Raises
    EmbeddedError if a program is missing, the directory is in use or cannot be written, or a server does not start.
    """
    installed = programs.find()
    data_dir = make_directory(data_dir)
    with ExitStack() as stack:
        await locks.take(stack.enter_context(locks.opened(data_dir / "docserver.lock")), data_dir)
        # The servers inherit this lock. It stays locked until both have ended, even if this process is killed.
        lock = stack.enter_context(locks.opened(data_dir / "servers.lock"))
        await locks.take_from_leftovers(lock, data_dir, installed)
        temporary = data_dir / mariadb.TEMPORARY
        shutil.rmtree(temporary, ignore_errors=True)
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        runtime = stack.enter_context(sockets.directory(data_dir))
        database = mariadb.server(installed, data_dir, runtime, lock=lock)
        store = redis.server(installed, data_dir, runtime, lock=lock)
        supervisors: list[asyncio.Task[None]] = []
        try:
            await _concurrently(database.start(), store.start())
            supervisors += [asyncio.create_task(server.supervise(), name=server.name) for server in (database, store)]
            yield Endpoints.at(mysql=database.socket, redis=store.socket)
        finally:
            for supervisor in supervisors:
                supervisor.cancel()
            try:
                await asyncio.gather(*supervisors, return_exceptions=True)
                await asyncio.gather(database.stop(), store.stop())
            finally:
                locks.end_servers(lock, data_dir, installed, signal.SIGKILL)


async def with_embedded_servers(
    settings: Settings, stack: AsyncExitStack, *, may_share: bool = False, may_be_lost: bool = False
) -> Settings:
    """Return the settings. If they ask for embedded servers, start those first and set their URLs.

    With `may_share`, use those of a running service if there are any. Raises IdentityError if the database was lost,
    unless it may be lost: a new one takes its place then.
    """
    if not settings.embedded:
        return settings
    if not may_be_lost:
        await require_embedded_database(settings)
    endpoints = running(settings.data_dir) if may_share else None
    if endpoints is None:
        endpoints = await stack.enter_async_context(servers(settings.data_dir))
    return replace(settings, mysql_url=endpoints.mysql_url, redis_url=endpoints.redis_url)


async def _concurrently(*steps: Awaitable[None]) -> None:
    """Run all steps at the same time. If one fails, cancel the others and raise its error."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
