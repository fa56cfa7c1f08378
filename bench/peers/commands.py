"""Measures peers that are programs, with all processes that they start."""

import os
import resource
import time
from collections.abc import Callable, Collection

from bench.peers import Outcome
from bench.usage import PeakMemory, tree

ONE_THREAD = {**os.environ, "OMP_THREAD_LIMIT": "1"}
"""With OpenMP's own choice of threads Tesseract takes four times the CPU, which would be unfair to this peer."""


def measured(read: Callable[[], list[str]], *, others: Collection[int]) -> Outcome:
    """Measure the programs that `read` starts and waits for; `others` are processes of the bench that do not count."""
    own = os.getpid()

    def started() -> set[int]:
        return tree(own, without=others) - {own}

    before_s, began = _children_cpu_s(), time.perf_counter()
    with PeakMemory(started) as memory:
        texts = read()
    return Outcome(time.perf_counter() - began, _children_cpu_s() - before_s, memory.peak_mb, texts)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
