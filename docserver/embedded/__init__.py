"""A private MariaDB and Redis: child processes on unix sockets, with their files in a data directory. No SQL of ours.

Below the data directory: `mysql/` and `redis/`, each with its `err.log`; two lock files; and while the servers run,
`run`, which leads to their sockets.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from docserver.embedded import locks, mariadb, programs, redis, sockets
from docserver.embedded.server import EmbeddedError, make_directory, send

__all__ = ["EmbeddedError", "Endpoints", "servers"]


@dataclass(frozen=True)
class Endpoints:
    """How to reach the servers: root without a password, guarded by the mode of the sockets' directory."""

    mysql_url: str
    redis_url: str


@asynccontextmanager
async def servers(data_dir: Path) -> AsyncIterator[Endpoints]:
    """Run both servers, and run them again should they end, until the block ends; then nothing is left running.

    To be called from the main thread, as the kernel ends the servers together with the thread that started them. Raises
    EmbeddedError if a program is missing, the directory is in use or cannot be written, or a server does not start.
    """
    found = programs.find()
    data_dir = make_directory(data_dir)
    with ExitStack() as stack:
        await locks.take(stack.enter_context(locks.opened(data_dir / "docserver.lock")), data_dir)
        # The servers inherit this one, so it stays locked until the last of them has ended, whatever became of us.
        held = stack.enter_context(locks.opened(data_dir / "servers.lock"))
        await locks.wait_for_leftovers(held, data_dir)
        runtime = stack.enter_context(sockets.directory(data_dir))
        database = mariadb.server(found, data_dir, runtime, held=held)
        store = redis.server(found, data_dir, runtime, held=held)
        supervisors: list[asyncio.Task[None]] = []
        try:
            await _side_by_side(database.start(), store.start())
            supervisors += [asyncio.create_task(each.supervise(), name=each.name) for each in (database, store)]
            yield Endpoints(
                mysql_url=f"mysql:///docserver?unix_socket={quote(str(database.socket))}",
                redis_url=f"unix://{quote(str(store.socket))}",
            )
        finally:
            for supervisor in supervisors:
                supervisor.cancel()
            try:
                await asyncio.gather(*supervisors, return_exceptions=True)
                await asyncio.gather(database.stop(), store.stop())
            finally:
                for pid in locks.holders(held):
                    send(pid, signal.SIGKILL)


async def _side_by_side(*steps: Awaitable[None]) -> None:
    """Wait for all steps; the first that fails ends the others, and its error is raised as it is."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
