"""Processes below another one: which there are, which still run, and waiting until they are gone."""

import os
from contextlib import suppress
from pathlib import Path

from tests.support import forked_ocr
from tests.support.waiting import until


def children(pid: int) -> set[int]:
    """All descendants of a process, but for the one that only the tests have."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            if names({child}) != {forked_ocr.NAME}:
                found |= {child} | children(child)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that run; a zombie does not."""
    return {pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and _state(pid) != "Z"}


def ocr_processes(server: int) -> set[int]:
    """The processes below a server in which documents are opened; what they run is below them, in their group."""
    processes = set()
    for pid in children(server):
        with suppress(OSError):
            if os.getpgid(pid) == pid and "/slot-" in str(Path(f"/proc/{pid}/cwd").readlink()):
                processes.add(pid)
    return processes


def names(pids: set[int]) -> set[str]:
    """The programs that the processes run, as the kernel calls them."""
    programs = set()
    for pid in pids:
        with suppress(OSError):
            programs.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return programs


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


async def until_gone(pids: set[int]) -> None:
    await until(lambda: not alive(pids))
