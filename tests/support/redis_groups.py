"""Private groups of Redis servers that survive the loss of one, with Sentinels and as a cluster: with TLS, passwords,
and a user with few rights.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from docserver.embedded import programs
from docserver.redis.client import Key
from docserver.redis.topology import SLOTS
from tests.support.certificate import make_certificate
from tests.support.nginx import free_ports
from tests.support.waiting import wait_for

USER, PASSWORD = "docserver", "not@a/secret"
ADMIN_PASSWORD = "not-a-secret-of-the-admin"
SENTINEL_PASSWORD = "not-a-secret-of-sentinels"

ACL_RULE = "resetchannels &docserver:* ~docserver:* +@all -@admin -@dangerous +info"
"""As docs/redis.md gives it."""

SERVICE = "documents"

ONE_SERVER, CLUSTER = "one server", "a cluster"

on_a_cluster_too = pytest.mark.parametrize("redis_url", [ONE_SERVER, CLUSTER], indirect=True)
"""Runs a test of the resources with each."""

SILENT_MS = 1000
"""A server that is silent for this time is replaced by another."""


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]
    _client: redis.Redis
    """It may do everything."""

    def command(self, *words: str | float) -> Any:
        return self._client.execute_command(*words)  # type: ignore[no-untyped-call]

    @property
    def is_primary(self) -> bool:
        try:
            return bool(self.command("ROLE")[0] == "master")
        except RedisError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Group:
    url: str
    servers: list[Server]
    sentinels: Sequence[Server] = ()

    def primaries(self) -> list[Server]:
        return [server for server in self.servers if server.is_primary]

    def owner(self, key: Key) -> Server:
        """The primary that has a key."""
        primary, *others = self.primaries()
        if not others:
            return primary
        slot = key_slot(b"docserver:" + key)
        ranges = primary.command("CLUSTER", "SLOTS")
        (port,) = (address[1] for first, last, address, *_ in ranges if first <= slot <= last)
        return next(server for server in self.servers if server.port == port)


USERS = [
    f"user default on >{ADMIN_PASSWORD} ~* &* +@all",
    f"user {USER} on >{PASSWORD} {ACL_RULE}",
    f"masterauth {ADMIN_PASSWORD}",
]
"""For the configuration of servers."""


class Tls:
    """What servers and clients are told of the certificate that all servers of a group have."""

    def __init__(self, directory: Path) -> None:
        certificate, key = directory / "certificate.pem", directory / "key.pem"
        make_certificate(certificate, key)
        self.server = [f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {certificate}"]
        self.server += ["port 0", "tls-auth-clients no", "tls-replication yes"]
        self.client = {"ssl": True, "ssl_ca_certs": str(certificate)}
        self.option = f"ssl_ca_certs={quote(str(certificate))}"
        """In URLs."""


LOGIN = f"{USER}:{quote(PASSWORD, safe='')}"
"""In URLs."""


@contextmanager
def watched(directory: Path) -> Iterator[Group]:
    """A primary with two replicas, and three Sentinels."""
    tls = Tls(directory)
    ports = free_ports(6)
    primary, sentinels = ports[0], ports[3:]
    watch = [
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2",
        f"sentinel auth-pass {SERVICE} {ADMIN_PASSWORD}",
        f"sentinel down-after-milliseconds {SERVICE} {SILENT_MS}",
        f"sentinel failover-timeout {SERVICE} 3000",
        f"requirepass {SENTINEL_PASSWORD}",
    ]
    with ExitStack() as stack:

        def start(port: int, lines: Sequence[str], password: str, *arguments: str) -> Server:
            configured = [*tls.server, f"tls-port {port}", *lines]
            client = {**tls.client, "password": password}
            return stack.enter_context(_running(directory, port, configured, client, *arguments))

        servers = []
        for port in ports[:3]:
            replicates = [f"replicaof 127.0.0.1 {primary}"] if port != primary else []
            servers.append(start(port, [*USERS, *replicates], ADMIN_PASSWORD))
        wait_for(lambda: len(servers[0].command("ROLE")[2]) == 2)
        watchers = [start(port, watch, SENTINEL_PASSWORD, "--sentinel") for port in sentinels]
        for watcher in watchers:
            wait_for(partial(_knows_all, watcher))
        hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        options = f"sentinel_password={SENTINEL_PASSWORD}&{tls.option}"
        yield Group(f"rediss+sentinel://{LOGIN}@{hosts}/{SERVICE}/0?{options}", servers, watchers)


def _knows_all(sentinel: Server) -> bool:
    facts = sentinel.command("SENTINEL", "MASTER", SERVICE)
    return (int(facts["num-slaves"]), int(facts["num-other-sentinels"])) == (2, 2)


@contextmanager
def cluster(directory: Path) -> Iterator[Group]:
    """A cluster of three primaries, each with a replica. The URL names two of the nodes."""
    tls = Tls(directory)
    ports, bus_ports = free_ports(6), free_ports(6)
    with ExitStack() as stack:
        servers = []
        for number, port in enumerate(ports):
            own = directory / str(port)
            own.mkdir()
            # It is a cluster from the start: to make one of nodes that must first hear of each other takes 10 s.
            (own / "nodes.conf").write_text(_nodes(ports, bus_ports, number))
            # By default, the port for the cluster's own messages is 10000 higher, which may be too high.
            lines = [*tls.server, f"tls-port {port}", "tls-cluster yes", *USERS]
            lines += ["cluster-enabled yes", f"cluster-port {bus_ports[number]}", f"cluster-node-timeout {SILENT_MS}"]
            client = {**tls.client, "password": ADMIN_PASSWORD}
            servers.append(stack.enter_context(_running(directory, port, lines, client)))
        for replica in servers[3:]:
            wait_for(partial(_has_copied, replica))
        for server in servers:
            wait_for(partial(_sees_whole_cluster, server))
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports[:2])
        yield Group(f"rediss+cluster://{LOGIN}@{hosts}?{tls.option}", servers)


def _nodes(ports: Sequence[int], bus_ports: Sequence[int], me: int) -> str:
    """What one of the nodes knows of the cluster, as Redis writes it down."""
    lines = []
    for number, (port, bus) in enumerate(zip(ports, bus_ports, strict=True)):
        myself = "myself," if number == me else ""
        first, end = (SLOTS * part // 3 for part in (number, number + 1))
        rest = f"master - 0 0 {number + 1} connected {first}-{end - 1}"
        if number >= 3:
            rest = f"slave {number - 2:040x} 0 0 {number - 2} connected"
        lines.append(f"{number + 1:040x} 127.0.0.1:{port}@{bus} {myself}{rest}")
    return "\n".join([*lines, "vars currentEpoch 3 lastVoteEpoch 0", ""])


def _sees_whole_cluster(server: Server) -> bool:
    """A replica is named for its slots only after it has copied, and each node learns of that by itself."""
    if "cluster_state:ok" not in server.command("CLUSTER", "INFO").split():
        return False
    ranges = server.command("CLUSTER", "SLOTS")
    return len(ranges) == 3 and all(len(nodes) == 2 for _, _, *nodes in ranges)


def _has_copied(replica: Server) -> bool:
    return bool(replica.command("ROLE")[3] == "connected")


@contextmanager
def _running(
    directory: Path, port: int, lines: Sequence[str], client: Mapping[str, Any], *arguments: str
) -> Iterator[Server]:
    found = programs.find()
    # The program behaves as a server only if it is started under this name.
    program = directory / "redis-server"
    if not program.is_symlink():
        program.symlink_to(found.redis)
    configuration = directory / f"{port}.conf"
    own = directory / str(port)
    own.mkdir(exist_ok=True)
    plain = ["bind 127.0.0.1", "save ''", f"dir {own}", "repl-diskless-sync-delay 0", "loglevel warning"]
    configuration.write_text("\n".join([*plain, *lines, ""]))
    process = subprocess.Popen(
        [found.setpriv, "--pdeathsig", "KILL", program, configuration, *arguments], stdout=subprocess.DEVNULL
    )
    with redis.Redis(host="127.0.0.1", port=port, decode_responses=True, **client) as administrator:
        server = Server(port, process, administrator)
        try:
            wait_for(lambda: _answers(server))
            yield server
        finally:
            server.kill()


def _answers(server: Server) -> bool:
    try:
        return bool(server.command("PING"))
    except RedisError:
        assert server.process.poll() is None, "the server has ended"
        return False
