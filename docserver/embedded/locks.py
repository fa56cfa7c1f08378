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

from docserver.embedded.server import EmbeddedError, send_signal

log = logging.getLogger(__name__)

IN_USE_S = 0.5
"""How long to wait for the lock of a docserver that was just killed. The kernel releases it within milliseconds."""
LEFTOVER_S = 15.0
"""How long to wait for the servers of a killed docserver to end. They need a fraction of a second."""
POLL_S = 0.02


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


async def take_from_leftovers(descriptor: int, data_dir: Path) -> None:
    """Take the lock that the servers inherit. If servers of an earlier run still hold it, end them first."""
    if await _locked(descriptor, within_s=0):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = holders(descriptor)
        log.info("servers of an earlier run are still ending", extra={"pids": pids})
        for pid in pids:
            send_signal(pid, number)
        if await _locked(descriptor, within_s=LEFTOVER_S):
            return
    raise EmbeddedError(f"the data directory {data_dir} is in use by servers of an earlier run that do not end")


def holders(descriptor: int) -> list[int]:
    """The other processes that hold this lock (proc_pid_fdinfo(5)). Having the file open is not enough."""
    inode = f":{os.fstat(descriptor).st_ino} "
    pids = set()
    for info in Path("/proc").glob("[0-9]*/fdinfo/*"):
        with suppress(OSError):
            if any("FLOCK" in line and inode in line for line in info.read_text().splitlines()):
                pids.add(int(info.parts[2]))
    return sorted(pids - {os.getpid()})


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
