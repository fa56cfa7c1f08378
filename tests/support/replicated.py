"""Two MariaDBs, of which one follows the other by GTID, behind a proxy that a failover points to the other one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docserver.embedded import locks, mariadb, programs, sockets
from docserver.embedded.server import Server, make_directory
from tests.support.certificate import make_certificate
from tests.support.fragile_servers import PASSWORD, USER, kill, running, sql_as_root
from tests.support.nginx import free_ports
from tests.support.proxy import Proxy
from tests.support.waiting import HANG_S, until


@dataclass(slots=True)
class Member:
    """One of the two servers."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        """Where an ordinary user reaches it."""
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    async def sql(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        """Run a statement as root, whom `read_only` does not bind."""
        return await sql_as_root(self.server, statement, *arguments)

    async def position(self) -> str:
        """The last transaction that it has carried out."""
        (row,) = await self.sql("SELECT @@global.gtid_current_pos AS position")
        return str(row["position"])

    async def follow(self, primary: "Member") -> None:
        """Become the replica of another one, and wait until it has all that this has."""
        await self.sql("SET GLOBAL read_only = 1")
        # What it has written as the primary, the other one has already.
        await self.sql("SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos")
        await self.sql(
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = '{USER}',"
            f" MASTER_PASSWORD = '{PASSWORD}', MASTER_USE_GTID = slave_pos"
        )
        await self.sql("START SLAVE")
        await self.caught_up_with(primary)

    async def caught_up_with(self, primary: "Member") -> None:
        """Wait until it has all that another one has now."""
        wanted = await primary.position()
        (row,) = await self.sql("SELECT MASTER_GTID_WAIT(%s, %s) AS outcome", wanted, HANG_S)
        assert row["outcome"] == 0

    async def lead(self) -> None:
        """Carry out what it has received, and become the primary."""
        await self.sql("STOP SLAVE IO_THREAD")
        await until(self._has_carried_out)
        await self.sql("STOP SLAVE")
        await self.sql("RESET SLAVE ALL")
        await self.sql("SET GLOBAL read_only = 0")

    async def _has_carried_out(self) -> bool:
        (status,) = await self.sql("SHOW SLAVE STATUS")
        (row,) = await self.sql("SELECT @@global.gtid_slave_pos AS position")
        return bool(row["position"] == status["Gtid_IO_Pos"])


@dataclass(slots=True)
class Pair:
    """`proxy` leads to the primary. Everything that is committed has reached the replica before it is answered."""

    primary: Member
    replica: Member
    proxy: Proxy
    certificate: Path
    key: Path

    async def switch(self) -> None:
        """Let the replica lead, as an operator would. Connections to the former primary stay open; it is read-only."""
        former, new = self.primary, self.replica
        await former.sql("SET GLOBAL read_only = 1")
        await new.caught_up_with(former)
        await self._let_lead(new, former)

    async def fail_over(self) -> None:
        """Kill the primary in the middle of its work, and let the replica lead."""
        former, new = self.primary, self.replica
        await kill(former.server)
        await self._let_lead(new, former)

    async def _let_lead(self, new: Member, former: Member) -> None:
        await new.lead()
        self.proxy.point_to(new.server.socket)
        self.primary, self.replica = new, former


@asynccontextmanager
async def replicating(directory: Path) -> AsyncIterator[Pair]:
    """Run both until the block ends."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    make_certificate(certificate, key)
    async with AsyncExitStack() as stack:
        members = []
        for number, port in enumerate(free_ports(2), start=1):
            own = make_directory(directory / str(number))
            lock = stack.enter_context(locks.opened(own / "servers.lock"))
            runtime = stack.enter_context(sockets.directory(own))
            server = mariadb.server(programs.find(), own, runtime, lock=lock)
            server._command = [*server._command, *_options(number, port, certificate, key)]
            await server.start()
            stack.push_async_callback(_stop, server)
            members.append(Member(server, port))
        primary, replica = members
        proxy = Proxy(primary.server.socket)
        await proxy.start()
        stack.push_async_callback(proxy.close)
        for host in ("localhost", "127.0.0.1"):
            await primary.sql(f"CREATE USER {USER}@{host} IDENTIFIED BY '{PASSWORD}'")
            await primary.sql(f"GRANT ALL ON `docserver%%`.* TO {USER}@{host}")
            await primary.sql(f"GRANT REPLICATION SLAVE ON *.* TO {USER}@{host}")
        await replica.follow(primary)
        yield Pair(primary, replica, proxy, certificate, key)


def _options(number: int, port: int, certificate: Path, key: Path) -> list[str]:
    return [
        *("--skip-networking=0", "--bind-address=127.0.0.1", f"--port={port}", f"--server-id={number}"),
        *("--log-bin=log", "--log-slave-updates", "--gtid-strict-mode=1", "--slave-net-timeout=10"),
        # What is not synced survives a killed process, only not a machine that loses power.
        *("--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2"),
        *("--rpl-semi-sync-master-enabled=1", "--rpl-semi-sync-slave-enabled=1"),
        *("--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-wait-no-slave=0"),
        f"--rpl-semi-sync-master-timeout={HANG_S * 1000:.0f}",
        *(f"--ssl-ca={certificate}", f"--ssl-cert={certificate}", f"--ssl-key={key}"),
    ]


async def _stop(server: Server) -> None:
    if running(server):
        await kill(server)
