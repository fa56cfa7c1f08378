import subprocess
import sys

FREED_AND_NEEDED_AGAIN = """
import ctypes, resource
from docserver.ocr.child import memory

memory.keep_freed(ctypes.CDLL(None))

def draw():
    drawings = [bytearray(500_000) for _ in range(8)]

draw()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    draw()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""Prints how many pages of memory the kernel had to give, of 4 KB each. All drawings together have 49 000."""


def test_memory_that_is_freed_is_used_again() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", FREED_AND_NEEDED_AGAIN], capture_output=True, check=True, text=True, timeout=60
    ).stdout

    assert int(printed) < 5000
