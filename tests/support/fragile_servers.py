"""A MariaDB and a Redis that tests may hurt: each behind a proxy, killed, frozen and started again at will."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis as Client

from docserver.database.address import Address
from docserver.database.driver import connect
from docserver.embedded import locks, mariadb, programs, sockets
from docserver.embedded import redis as embedded_redis
from docserver.embedded.server import Server, make_directory
from docserver.redis.client import Key, Redis
from tests.support.proxy import Proxy
from tests.support.waiting import HANG_S

USER, PASSWORD = "docserver", "not-a-secret"
"""An ordinary user, whom `read_only` and `max_connections` bind as they do not bind root."""

MAX_CONNECTIONS = 100

REDIS_AS_IT_WAS = {
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "min-replicas-to-write": "0",
    "maxclients": "1000",
}
MARIADB_AS_IT_WAS = {"read_only": "0", "max_connections": str(MAX_CONNECTIONS)}


@dataclass(frozen=True)
class Servers:
    """`mysql` and `redis` are the ways to them that a service takes; `sql` and `command` reach them beside the ways."""

    database: Server
    store: Server
    mysql: Proxy
    redis: Proxy
    directory: Path
    _client: Client
    """A connection that is there before all others, and so also when there is room for no more."""

    def mysql_url(self, database: str) -> str:
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.mysql.port}/{database}"

    def redis_url(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.redis.port}/{number}"

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        """Run a statement as root."""
        return await sql_as_root(self.database, statement, *arguments)

    async def command(self, *words: Key | str | float, number: int = 0) -> Any:
        """Run a Redis command in the database of this number."""
        client = Redis(f"unix://{quote(str(self.store.socket))}?db={number}", timeout_s=10)
        try:
            return await client.command(*words)
        finally:
            await client.close()

    async def admin(self, *words: str | float) -> Any:
        """Run a Redis command even if there is no room for a new connection."""
        return await self._client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def heal(self) -> None:
        """Make both as they were at the start, whatever a test has left."""
        for proxy in (self.mysql, self.redis):
            proxy.heal()
        for server in (self.database, self.store):
            thaw(server)
            if not running(server):
                await server.start()
        await self.admin("REPLICAOF", "NO", "ONE")
        for name, value in REDIS_AS_IT_WAS.items():
            await self.admin("CONFIG", "SET", name, value)
        for name, value in MARIADB_AS_IT_WAS.items():
            await self.sql(f"SET GLOBAL {name} = {value}")


async def sql_as_root(database: Server, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    """Run a statement as root, whom `read_only` does not bind."""
    address = Address.parse(f"mysql:///?unix_socket={quote(str(database.socket))}")
    connection = await connect(address, timeout_s=HANG_S, database=None)
    try:
        async with connection.cursor() as cursor:
            await cursor.execute(statement, arguments or None)
            return list(await cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def running(server: Server) -> bool:
    return server._process is not None and server._process.returncode is None


def pid(server: Server) -> int:
    assert server._process is not None
    return server._process.pid


async def kill(server: Server) -> None:
    """End a server as a power cut would."""
    assert server._process is not None
    os.kill(server._process.pid, signal.SIGKILL)
    await server._process.wait()


def freeze(server: Server) -> None:
    os.kill(pid(server), signal.SIGSTOP)


def thaw(server: Server) -> None:
    if running(server):
        os.kill(pid(server), signal.SIGCONT)


async def restart_empty(store: Server, directory: Path) -> None:
    """Kill Redis and start it with nothing of what it held."""
    await kill(store)
    shutil.rmtree(directory / "redis")
    await store.start()


@asynccontextmanager
async def own_servers(directory: Path) -> AsyncIterator[Servers]:
    """Run both until the block ends."""
    installed = programs.find()
    make_directory(directory)
    async with AsyncExitStack() as stack:
        lock = stack.enter_context(locks.opened(directory / "servers.lock"))
        runtime = stack.enter_context(sockets.directory(directory))
        database = mariadb.server(installed, directory, runtime, lock=lock)
        store = _redis(installed, directory, runtime, lock=lock)
        for server in (database, store):
            await server.start()
            stack.push_async_callback(server.stop)
        mysql_proxy, redis_proxy = Proxy(database.socket), Proxy(store.socket)
        for proxy in (mysql_proxy, redis_proxy):
            await proxy.start()
            stack.push_async_callback(proxy.close)
        client = Client(unix_socket_path=str(store.socket), single_connection_client=True)
        stack.push_async_callback(client.aclose)
        servers = Servers(database, store, mysql_proxy, redis_proxy, directory, client)
        await servers.heal()
        await servers.sql(f"CREATE USER {USER}@localhost IDENTIFIED BY '{PASSWORD}'")
        await servers.sql(f"GRANT ALL ON `docserver%%`.* TO {USER}@localhost")
        try:
            yield servers
        finally:
            for server in (database, store):
                thaw(server)


def _redis(found: programs.Programs, directory: Path, runtime: Path, *, lock: int) -> Server:
    plain = embedded_redis.server(found, directory, runtime, lock=lock)
    more = ("--enable-debug-command", "yes", "--databases", "512")
    return Server(
        name=plain.name,
        directory=directory / "redis",
        socket=plain.socket,
        lock=lock,
        command=[*plain._command, *more],
        is_answering=plain._is_answering,
        prepare=plain._prepare,
    )
