"""Server side: a cgroup for each OCR process, where one is delegated to this service. The kernel then limits the memory
and the number of all its processes together, and kills also those that have left its process group.

Source: the kernel's admin-guide/cgroup-v2, systemd.io/CGROUP_DELEGATION.
"""

import fcntl
import itertools
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from docserver.ocr.child.main import SPARE_BYTES
from docserver.ocr.limits import Limits
from docserver.ocr.server.watchdog import MAX_THREADS, MEMORY_SHARES

log = logging.getLogger(__name__)

PREFIX = "docserver-"
SERVER = "server"
"""The cgroup of the server itself, beside those of its OCR processes: a cgroup whose children have controllers may have
no processes of its own."""

CONTROLLERS = {"memory": "memory", "pids": "processes"}
"""The controllers that limit an OCR process, and what each of them limits."""

MARKS = ("user.delegate", "trusted.delegate")
"""Extended attributes by which systemd marks a cgroup that it has delegated. Only root can read the second."""

REMOVAL_S = 2.0
"""Longest wait until a killed cgroup is empty. It takes milliseconds."""

REMOVAL_POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The cgroup of one OCR process and everything that it has started."""

    directory: Path

    @property
    def kill_file(self) -> Path:
        """Whoever writes 1 to it kills all processes of the cgroup (Linux 5.14)."""
        return self.directory / "cgroup.kill"

    def kill(self) -> None:
        with suppress(OSError):
            _write(self.kill_file, "1")

    def end(self) -> bool:
        """Kill what is left and remove the cgroup. True if the kernel has killed it for its use of memory."""
        self.kill()
        exceeded_memory = self._exceeded_memory()
        self.remove(until=time.monotonic() + REMOVAL_S)
        return exceeded_memory

    def _exceeded_memory(self) -> bool:
        try:
            lines = (self.directory / "memory.events").read_text().splitlines()
        except OSError:
            return False
        events = {name: int(count) for name, count in (line.split() for line in lines)}
        # When the machine runs out of memory, only `oom_kill` counts.
        return bool(events.get("oom") and events.get("oom_kill"))

    def remove(self, *, until: float) -> None:
        """Remove the cgroup once its killed processes have ended. One that stays is removed at a later start.

        `until` is the end of the longest wait, as `time.monotonic` counts.
        """
        while True:
            try:
                self.directory.rmdir()
            except FileNotFoundError:
                return
            except OSError as error:
                if time.monotonic() > until:
                    extra = {"directory": self.directory.name, "errno": error.errno}
                    log.error("cgroup cannot be removed", extra=extra)  # noqa: TRY400
                    return
                time.sleep(REMOVAL_POLL_S)
            else:
                return


class Cgroups:
    """The cgroups of the OCR processes of this service."""

    def __init__(self, directory: Path) -> None:
        """`directory` is the cgroup that holds them. Raises OSError if it is none."""
        self._directory = directory
        self._numbers = itertools.count(1)
        enabled = (directory / "cgroup.subtree_control").read_text().split()
        self.limited = tuple(limited for controller, limited in CONTROLLERS.items() if controller in enabled)

    def __str__(self) -> str:
        return f"cgroup of {' and '.join(self.limited)}" if self.limited else "cgroup"

    def enter(self, process: int, limits: Limits) -> Cgroup | None:
        """Move a process into a new cgroup; None if the system refuses. What it has started before is not moved."""
        cgroup = Cgroup(self._directory / f"slot-{next(self._numbers)}")
        try:
            cgroup.directory.mkdir()
            for name, value in _settings(limits):
                # A file is missing if its controller is, or if the kernel does not count swap.
                with suppress(FileNotFoundError):
                    _write(cgroup.directory / name, str(value))
            _write(cgroup.directory / "cgroup.procs", str(process))
        except OSError as error:
            log.warning("OCR process has no cgroup", extra={"errno": error.errno})
            with suppress(OSError):
                cgroup.directory.rmdir()
            return None
        return cgroup


def _settings(limits: Limits) -> Iterator[tuple[str, int]]:
    # The scratch directory may be in memory.
    yield "memory.max", MEMORY_SHARES * limits.memory_bytes + limits.disk_bytes + SPARE_BYTES
    yield "memory.swap.max", 0
    yield "memory.oom.group", 1
    yield "pids.max", MAX_THREADS


@contextmanager
def service_cgroups() -> Iterator[Cgroups | None]:
    """Move this process, which has started no other yet, into a cgroup of its own, beside which there may be others.

    None if no cgroup is delegated to this service. Also removes the cgroups of services that have ended.
    """
    own = own_cgroup()
    parent = own and delegated(own)
    if own is None or parent is None:
        yield None
        return
    _remove_leftovers(parent)
    directory = parent / f"{PREFIX}{uuid4()}"
    with _made(directory) as made:
        try:
            yield _cgroups(directory) if made else None
        finally:
            # The kernel refuses to move processes back if the cgroup has controllers. The next start removes ours.
            with suppress(OSError):
                _move(directory / SERVER, own)
                _end(directory)


@contextmanager
def _made(directory: Path) -> Iterator[bool]:
    """Make a cgroup and move this process into its child `server`. It is in use while it is locked."""
    lock = None
    try:
        directory.mkdir()
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Another service that just looks for leftovers holds the lock for a moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        (directory / SERVER).mkdir()
        _write(directory / SERVER / "cgroup.procs", str(os.getpid()))
        made = True
    except OSError as error:
        log.warning("the delegated cgroup cannot be used", extra={"errno": error.errno})
        with suppress(OSError):
            _end(directory)
        made = False
    try:
        yield made
    finally:
        if lock is not None:
            os.close(lock)


def _cgroups(directory: Path) -> Cgroups:
    """Enable the controllers for the children of a cgroup, as far as the system has them and allows it."""
    # The root of the whole machine, which alone has no type, is not ours to change.
    cgroups = (directory.parent, directory) if (directory.parent / "cgroup.type").exists() else (directory,)
    for controller in CONTROLLERS:
        # The kernel refuses this if other processes, which are not ours to move, are in the cgroup above.
        with suppress(OSError):
            for cgroup in cgroups:
                _write(cgroup / "cgroup.subtree_control", f"+{controller}")
    return Cgroups(directory)


def own_cgroup() -> Path | None:
    """The directory of the cgroup v2 of this process; None if it cannot be seen."""
    with suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text(errors="surrogateescape").splitlines()
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
        for path in (line.removeprefix("0::/") for line in lines if line.startswith("0::/")):
            for place in (mount.split(" ")[4] for mount in mounts if " - cgroup2 " in mount):
                # Another part of the tree may be mounted there.
                with suppress(OSError):
                    directory = Path(place, path)
                    if str(os.getpid()) in (directory / "cgroup.procs").read_text().split():
                        return directory
    return None


def delegated(own: Path) -> Path | None:
    """The cgroup below which this service may make others: its own, or with systemd's DelegateSubgroup= the one above.

    The root of what this process can see belongs to it if it can write there, as in a container.
    """
    is_root = own.is_mount()
    for cgroup in (own,) if is_root else (own, own.parent):
        if (is_root or _is_marked(cgroup)) and os.access(cgroup, os.W_OK):
            return cgroup
    return None


def _is_marked(cgroup: Path) -> bool:
    for mark in MARKS:
        with suppress(OSError):
            if os.getxattr(cgroup, mark) == b"1":
                return True
    return False


def _remove_leftovers(parent: Path) -> None:
    """Remove the cgroups of services that have ended, and kill the OCR processes that are still in them."""
    for directory in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # If `server` is missing, another service is just making this cgroup.
                if (directory / SERVER).is_dir():
                    _end(directory)
            finally:
                os.close(lock)


def _move(cgroup: Path, other: Path) -> None:
    """Move this process and its helpers, such as the resource tracker. Raises OSError if one cannot be moved."""
    for process in (cgroup / "cgroup.procs").read_text().split():
        with suppress(ProcessLookupError):
            _write(other / "cgroup.procs", process)


def _end(directory: Path) -> None:
    """Kill all OCR processes of a service and remove its cgroup. Raises OSError if its embedded servers still run."""
    children = [Cgroup(child) for child in directory.glob("slot-*")]
    for child in children:
        child.kill()
    until = time.monotonic() + REMOVAL_S
    for child in children:
        child.remove(until=until)
    with suppress(FileNotFoundError):
        (directory / SERVER).rmdir()
    directory.rmdir()


def _write(file: Path, text: str) -> None:
    """Write to a file of a cgroup in one call, and never create it."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
