"""Hosts on a network of their own: namespaces of the kernel, joined by a bridge; and what goes wrong between them.

Nothing of it is seen outside, and nothing is left of it when the tests end, however they do.
"""

import ctypes
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.support.waiting import wait_for

SUBNET = "10.211.0"

CLONE_NEWNET = 0x40000000
"""From sched.h."""


class Refused(Exception):
    """The kernel, or the rights of this user, do not allow it."""


@dataclass(frozen=True, slots=True)
class Host:
    """Packets that it loses are lost in silence, as where a cable is cut or a firewall drops them."""

    name: str
    address: str
    pid: int
    """A process that does nothing but keep the namespace."""

    @property
    def namespace(self) -> str:
        return f"/proc/{self.pid}/ns/net"

    def run(self, *words: str) -> None:
        command = ["nsenter", f"--net={self.namespace}", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(f"{' '.join(words)}: {done.stderr.strip()}")

    def hears_nothing_of(self, other: "Host") -> None:
        self.run("iptables", "-w", "-A", "INPUT", "-s", other.address, "-j", "DROP")

    def loses(self, share: float) -> None:
        """Lose this share of all packets that arrive."""
        chosen = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        self.run("iptables", "-w", "-A", "INPUT", "-i", "eth0", *chosen, "-j", "DROP")

    def becomes_slow(self, kbit: int) -> None:
        """Send no more than this in a second; what waits longer than two is lost."""
        self.run(
            "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", *f"rate {kbit}kbit burst 4kb latency 2s".split()
        )

    def heal(self) -> None:
        self.run("iptables", "-w", "-F")
        # It has no such queue if it was not slow.
        with suppress(Refused):
            self.run("tc", "qdisc", "del", "dev", "eth0", "root")

    def unplug(self) -> None:
        self.run("ip", "link", "set", "eth0", "down")

    def session(self, port: int) -> aiohttp.ClientSession:
        """A client that is on this host, as its server is."""

        def make_socket(found: aiohttp.AddrInfoType) -> socket.socket:
            family, kind, protocol, *_ = found
            with _inside(self.namespace):
                return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(socket_factory=make_socket)
        return aiohttp.ClientSession(f"http://{self.address}:{port}", connector=connector)

    def listener(self, port: int) -> socket.socket:
        """For a server that runs elsewhere, and is reached by this host."""
        with _inside(self.namespace):
            return socket.create_server((self.address, port))


@contextmanager
def network(names: Sequence[str]) -> Iterator[list[Host]]:
    """As many hosts as names, all joined. Raises Refused."""
    with ExitStack() as stack:
        switch = stack.enter_context(_host("switch", 0))
        switch.run("ip", "link", "add", "bridge", "type", "bridge")
        switch.run("ip", "link", "set", "bridge", "up")
        hosts = []
        for number, name in enumerate(names, start=1):
            host = stack.enter_context(_host(name, number))
            switch.run(*f"ip link add {name} type veth peer name eth0 netns {host.pid}".split())
            switch.run(*f"ip link set {name} master bridge up".split())
            host.run(*f"ip address add {host.address}/24 dev eth0".split())
            for device in ("eth0", "lo"):
                host.run("ip", "link", "set", device, "up")
            hosts.append(host)
        # A kernel may have namespaces, and lack what hurts them.
        hosts[0].loses(0.5)
        hosts[0].becomes_slow(1000)
        hosts[0].heal()
        yield hosts


@contextmanager
def _host(name: str, number: int) -> Iterator[Host]:
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            host = Host(name, f"{SUBNET}.{number}", process.pid)
            wait_for(lambda: process.poll() is not None or _is_apart(host))
            if process.poll() is not None:
                assert process.stderr is not None
                raise Refused(process.stderr.read().decode().strip())
            yield host
        finally:
            process.kill()


def _is_apart(host: Host) -> bool:
    return Path(host.namespace).readlink() != Path("/proc/self/ns/net").readlink()


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """This thread's sockets are of the namespace, for as long as they live."""
    with Path("/proc/thread-self/ns/net").open() as own:
        enter(namespace)
        try:
            yield
        finally:
            _enter(own.fileno())


def enter(namespace: str) -> None:
    """Let this thread, and the processes that it starts, be on that host. Raises OSError."""
    with Path(namespace).open() as file:
        _enter(file.fileno())


def _enter(descriptor: int) -> None:
    # Python has a function of its own for it from 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
