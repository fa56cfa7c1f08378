"""The database and Redis of a measurement: private ones, with the memory and the limits of servers on their own."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.growth.counters import Counters, count
from bench.growth.recognition import ENGINE
from bench.usage import cpu_s, tree
from docserver.database.connection import Cursor
from docserver.database.migrate import migrate
from docserver.embedded import servers
from docserver.identity import identify
from docserver.resources import Resources, opened
from docserver.setting_types import SandboxMode
from docserver.settings import Settings

OPTIONS = {
    "innodb_buffer_pool_size": 1 << 31,
    "innodb_log_file_size": 1 << 30,
    "max_connections": 1000,
}
"""MariaDB with the memory of a small server. Every commit is flushed to the disk, which is its default."""

STATEMENT_S = 600.0
"""Longest time for a statement: some of the measurement's own fill or empty tables."""

FEW_DIRTY = 10
FEW_OLD_VERSIONS = 50
"""Pages to write, and transactions to clean up after, that a database at rest may have."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured, opened."""

    resources: Resources
    database_pid: int
    redis_pid: int

    def database_cpu_ms(self) -> float:
        """The CPU time of the database so far."""
        return cpu_s(self.database_pid) * 1000

    async def settled(self) -> None:
        """Wait until the database has written all changed pages and removed all old versions of rows.

        Otherwise this would be a part of what is measured next.
        """
        async with asyncio.timeout(STATEMENT_S), self.resources.maintenance_db.session() as cur:
            await cur.execute("SET GLOBAL innodb_max_dirty_pages_pct = 0")
            while not await _is_settled(cur):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
            await cur.execute("SET GLOBAL innodb_max_dirty_pages_pct = DEFAULT")

    async def counters(self) -> Counters:
        """What both servers have done so far."""
        resources = self.resources
        return await count(
            resources.maintenance_db, resources.redis, database_pid=self.database_pid, redis_pid=self.redis_pid
        )


@asynccontextmanager
async def running() -> AsyncIterator[Measured]:
    """Start the servers, and open what a process of the service opens."""
    with tempfile.TemporaryDirectory(prefix="docserver-growth-") as directory:
        async with servers(Path(directory)) as endpoints:
            settings = replace(
                Settings(),
                data_dir=Path(directory) / "data",
                mysql_url=endpoints.mysql_url,
                redis_url=endpoints.redis_url,
                mysql_timeout_s=STATEMENT_S,
                redis_timeout_s=60.0,
                sandbox=SandboxMode.OFF,
            )
            await migrate(settings)
            await identify(settings)
            async with opened(settings, ENGINE) as resources:
                async with resources.db.session() as cur:
                    for name, value in OPTIONS.items():
                        await cur.execute(f"SET GLOBAL {name} = {value}")
                await resources.redis.command("CONFIG", "SET", "maxmemory", "0")
                yield Measured(resources, _pid("mariadbd"), _pid("redis-server"))


def _pid(name: str) -> int:
    """The latest child process with this name."""
    return max(pid for pid in tree(os.getpid()) if Path(f"/proc/{pid}/comm").read_text().strip() == name)


async def _is_settled(cur: Cursor) -> bool:
    await cur.execute("SHOW GLOBAL STATUS")
    status = {row["Variable_name"]: row["Value"] for row in cur.rows()}
    return (
        int(status["Innodb_buffer_pool_pages_dirty"]) <= FEW_DIRTY
        and int(status["Innodb_history_list_length"]) <= FEW_OLD_VERSIONS
    )
