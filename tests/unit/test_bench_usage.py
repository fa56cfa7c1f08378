"""What `make bench` says of CPU and memory."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.usage import PeakMemory, cpu_of_tree_s, memory_mb, tree

BURN = "import time\nwhile time.process_time() < 0.5: pass\n"


def test_cpu_of_children_that_have_ended_is_counted() -> None:
    before_s = cpu_of_tree_s(os.getpid())
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert cpu_of_tree_s(os.getpid()) - before_s >= 0.45


def test_a_tree_has_its_grandchildren_but_not_what_is_left_out() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        sleeper = int(shell.stdout.readline())
        try:
            assert {shell.pid, sleeper} <= tree(os.getpid())
            assert not {shell.pid, sleeper} & tree(os.getpid(), without=[shell.pid])
        finally:
            os.kill(sleeper, 9)


def test_the_peak_of_memory_is_kept_when_the_memory_is_given_back() -> None:
    own_mb = memory_mb([os.getpid()])
    with PeakMemory(lambda: [os.getpid()]) as memory:
        held = b"x" * 100_000_000
        deadline = time.monotonic() + 30
        while memory.peak_mb < own_mb + 80 and time.monotonic() < deadline:
            Path("/proc/self/stat").read_bytes()
        del held
    assert memory.peak_mb > own_mb + 80
