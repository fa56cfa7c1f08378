"""CPU time and memory of processes with all their descendants, from /proc (proc(5))."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

SAMPLE_S = 0.1
"""Interval between two samples: recognition of a line takes about as long, of a page ten times as long."""

SAMPLING_SHARE = 0.02
"""Largest share of a core for sampling: one sample of eight processes takes ten milliseconds away from the measured."""


def cpu_s(pid: int) -> float:
    """CPU seconds of one process, without its children."""
    return sum(_ticks(pid)[:2]) / TICKS_PER_S


def cpu_of_tree_s(pid: int) -> float:
    """CPU seconds of a process and all its descendants, including those that have ended."""
    return sum(sum(_ticks(member)) for member in tree(pid)) / TICKS_PER_S


def tree(pid: int, *, without: Iterable[int] = ()) -> set[int]:
    """A process and all its living descendants, except the processes of `without` and their descendants."""
    excluded, members, pending = set(without), set(), [pid]
    while pending:
        member = pending.pop()
        if member in excluded:
            continue
        members.add(member)
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                pending += map(int, task.read_text().split())
            except OSError:
                continue
    return members


def memory_mb(pids: Iterable[int]) -> float:
    """Memory of these processes together; memory that several share counts once (PSS)."""
    return sum(map(_pss_kb, pids)) / 1024


class PeakMemory:
    """Samples in a thread how much memory the processes that `members` returns use together."""

    def __init__(self, members: Callable[[], Iterable[int]]) -> None:
        self.peak_mb = 0.0
        self._members = members
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            began_s = time.thread_time()
            self.peak_mb = max(self.peak_mb, memory_mb(self._members()))
            if self._ended.wait(max(SAMPLE_S, (time.thread_time() - began_s) / SAMPLING_SHARE)):
                return


def _pss_kb(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        # It has ended.
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def _ticks(pid: int) -> tuple[int, int, int, int]:
    """Ticks in user and kernel mode, and the same two of children that have ended (fields 14 to 17)."""
    try:
        # The name, field 2, is in brackets and may contain spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0, 0, 0
    user, system, children_user, children_system = map(int, fields[11:15])
    return user, system, children_user, children_system
