"""Cgroups as tests make them: below the one that the tests run in, and only if that is allowed."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from docserver.ocr.server.cgroup import CONTROLLERS, own_cgroup
from tests.support.waiting import HANG_S

POLL_S = 0.01


@contextmanager
def delegated_cgroup() -> Iterator[Path | None]:
    """A cgroup that is marked as systemd marks a delegated one; None if this system lets the tests make none."""
    own = own_cgroup()
    directory = own and own / f"test-{uuid4()}"
    try:
        if directory:
            directory.mkdir()
            os.setxattr(directory, "user.delegate", b"1")
    except OSError:
        directory = None
    yield directory
    if directory:
        (directory / "cgroup.kill").write_text("1")
        for below in (*sorted(filter(Path.is_dir, directory.rglob("*")), reverse=True), directory):
            _remove(below)


def _remove(cgroup: Path) -> None:
    """Remove a cgroup whose processes were killed; they stay in it until they have ended."""
    until = time.monotonic() + HANG_S
    while True:
        try:
            cgroup.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_S)
        else:
            return


def enable_controllers(directory: Path) -> None:
    """Let the kernel limit memory and processes in the cgroups below, as far as the system can."""
    available = (directory / "cgroup.controllers").read_text().split()
    for controller in CONTROLLERS.keys() & set(available):
        (directory / "cgroup.subtree_control").write_text(f"+{controller}")


def cgroup_of(pid: int) -> str:
    """The path of a process's cgroup v2, as /proc shows it."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
