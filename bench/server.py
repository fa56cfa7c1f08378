"""Starts and stops the servers to measure: docserver with private servers of its own, and a Redis for the peer."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent

START_S = 90.0
"""Longest start: the first one creates a database, and the machine may be busy."""

STOP_S = 60.0
"""Longest stop: more than docserver's own grace time."""

LOG_LINES = 40
"""Last lines of a failed server's log to show: enough for a traceback at start."""


class BenchError(Exception):
    """The measurement cannot be made, or what was measured gave a wrong result."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    url: str
    pid: int
    mysql_socket: Path | None = None
    """The socket of docserver's private MariaDB."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def docserver(**settings: str | int) -> Iterator[Server]:
    """Run a fresh docserver with these `DOCSERVER_` settings; at the end, SIGTERM must make it exit with 0."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as directory:
        log = Path(directory) / "log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCSERVER_")}
        given = {"HOST": "127.0.0.1", "PORT": port, "DATA_DIR": Path(directory) / "data", **settings}
        environment |= {f"DOCSERVER_{name}": str(value) for name, value in given.items()}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "docserver", "--embedded"], cwd=TOP, env=environment, stdout=out, stderr=out
            )
        try:
            server = Server(
                f"http://127.0.0.1:{port}", process.pid, mysql_socket=Path(directory) / "data" / "run" / "mysql.sock"
            )
            _wait_until(lambda: _ready(f"{server.url}/readyz"), process)
            yield server
        except BaseException:
            sys.stderr.write("".join(log.read_text().splitlines(keepends=True)[-LOG_LINES:]))
            _stop(process)
            raise
        code = _stop(process)
        if code != 0:
            sys.stderr.write("".join(log.read_text().splitlines(keepends=True)[-LOG_LINES:]))
            raise BenchError(f"docserver ended with {code} after SIGTERM")


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a fresh Redis on a unix socket; its URL."""
    # Debian's redis-tools has the server under the name of the checker: both are one program.
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if program is None:
        raise BenchError("redis-server is missing: apt-get install redis-tools")
    with tempfile.TemporaryDirectory(prefix="redis-bench-") as directory:
        path = f"{directory}/redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", path, "--dir", directory, "--save", ""]
        process = subprocess.Popen(command, executable=program, stdout=subprocess.DEVNULL)
        try:
            _wait_until(lambda: Path(path).exists(), process)
            yield f"unix://{path}"
        finally:
            _stop(process)


@contextmanager
def peer(*command: str, url: str, ready_path: str) -> Iterator[Server]:
    """Run a Python server until the end of the block, which starts when the path answers with 200."""
    process = subprocess.Popen([sys.executable, *command], cwd=TOP, stdout=subprocess.DEVNULL)
    try:
        _wait_until(lambda: _ready(url + ready_path), process)
        yield Server(url, process.pid)
    finally:
        _stop(process)


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None:
            raise BenchError(f"{process.args!r} ended with {process.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise BenchError(f"{process.args!r} was not ready after {START_S:.0f} s")
        time.sleep(0.05)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
