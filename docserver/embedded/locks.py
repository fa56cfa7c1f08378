"""Locks on the data directory. One docserver may use it, and only after the servers of an earlier run have ended."""

import asyncio
import fcntl
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docserver.embedded.programs import Programs
from docserver.embedded.server import EmbeddedError

log = logging.getLogger(__name__)

IN_USE_S = 0.5
"""How long to wait for the lock of a docserver that was just killed. The kernel releases it within milliseconds."""
LEFTOVER_S = 15.0
"""How long to wait for the servers of a killed docserver to end. They need a fraction of a second."""
POLL_S = 0.02
DIRECTORIES = ("mysql", "mysql.new", "redis")
"""The working directories of the servers, in the data directory."""


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a lock file. Its lock becomes free when the block and all processes that inherited it have ended."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(f"the data directory {path.parent} cannot be written: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def take(descriptor: int, data_dir: Path) -> None:
    """Lock the data directory for this docserver; raises EmbeddedError if another one uses it."""
    if not await _locked(descriptor, within_s=IN_USE_S):
        raise EmbeddedError(f"the data directory {data_dir} is in use by another docserver")


async def take_from_leftovers(descriptor: int, data_dir: Path, installed: Programs) -> None:
    """Take the lock that the servers inherit. If servers of an earlier run still hold it, end them first."""
    if await _locked(descriptor, within_s=0):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = end_servers(descriptor, data_dir, installed, number)
        log.info("servers of an earlier run are still ending", extra={"pids": pids})
        if await _locked(descriptor, within_s=LEFTOVER_S):
            return
    raise EmbeddedError(
        f"the data directory {data_dir} is still in use after the servers of an earlier run were ended: "
        f"its servers.lock is locked by the processes {holders(descriptor)}"
    )


def end_servers(descriptor: int, data_dir: Path, installed: Programs, number: signal.Signals) -> list[int]:
    """Signal the servers of this data directory that hold this lock, and no other process; returns their ids.

    The lock is exclusive, so all who hold it have inherited it from the same docserver: this one or an earlier one.
    """
    signalled = []
    for pid in holders(descriptor):
        # Without pidfd_open, no process is signalled. An old kernel or a container's seccomp filter may refuse it.
        with suppress(OSError), _process(pid) as process:
            # Check after the process is open: if its id was given to another one since, the signal reaches nobody.
            if _is_server(pid, data_dir, installed) and _holds(pid, os.fstat(descriptor)):
                signal.pidfd_send_signal(process, number)
                signalled.append(pid)
    return signalled


def holders(descriptor: int) -> list[int]:
    """The other processes that hold this lock. Having the file open is not enough."""
    file = os.fstat(descriptor)
    pids = {int(path.name) for path in Path("/proc").glob("[0-9]*")} - {os.getpid()}
    return sorted(pid for pid in pids if _holds(pid, file))


def _holds(pid: int, file: os.stat_result) -> bool:
    """True if a descriptor of the process is this file and holds a lock on it (proc_pid_fdinfo(5)).

    The device in the line about the lock is not compared: on btrfs and overlayfs, stat(2) reports another one.
    """
    for info in Path(f"/proc/{pid}/fdinfo").glob("*"):
        with suppress(OSError):
            is_lock = any(line.startswith("lock:") and "FLOCK" in line for line in info.read_text().splitlines())
            if is_lock and os.path.samestat(Path(f"/proc/{pid}/fd/{info.name}").stat(), file):
                return True
    return False


def _is_server(pid: int, data_dir: Path, installed: Programs) -> bool:
    """True if this user runs the process from one of the servers' programs, in a server's directory."""
    process = Path(f"/proc/{pid}")
    # After an update of the package, the kernel adds a note to the name of the program.
    program = (process / "exe").readlink().name.removesuffix(" (deleted)")
    programs = (installed.mariadbd, installed.redis, installed.setpriv)
    if process.stat().st_uid != os.geteuid() or program not in {Path(path).resolve().name for path in programs}:
        return False
    directory = (process / "cwd").stat()
    own = (data_dir / name for name in DIRECTORIES)
    return any(path.exists() and os.path.samestat(path.stat(), directory) for path in own)


@contextmanager
def _process(pid: int) -> Iterator[int]:
    """Open a process, so that a signal cannot reach a later process with the same id."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _locked(descriptor: int, *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        except OSError as error:
            raise EmbeddedError(f"the data directory cannot be locked: {error.strerror}") from error
        else:
            return True
