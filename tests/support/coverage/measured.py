"""Measures coverage in the process that imports it. `make coverage` lets every Python process do so.

OCR processes are always killed, and the faults of the tests kill other processes, so data is also saved while a process
runs. The thread that saves starts before an OCR process confines its main thread, so it may write the data.
"""

import atexit
import os
import threading
from pathlib import Path

import coverage

ROOT = Path(__file__).parents[3]

SAVE_EVERY_S = 0.5
"""What a process does in the last such time before it is killed is not measured."""


def _start() -> coverage.Coverage | None:
    # Remove the variables at once: tests check which variables a process has, and some processes get none.
    os.environ["COVERAGE_PROCESS_START"] = str(ROOT / "pyproject.toml")
    os.environ["COVERAGE_FILE"] = str(ROOT / "build/coverage/data")
    try:
        return coverage.process_startup()
    finally:
        del os.environ["COVERAGE_PROCESS_START"], os.environ["COVERAGE_FILE"]


def _save_again_and_again(measurement: coverage.Coverage, ending: threading.Event) -> None:
    """Save the data until the process ends. coverage itself saves it then, and must not do so at the same time."""
    save, saving = measurement.save, threading.Lock()

    def save_alone() -> None:
        with saving:
            save()

    measurement.save = save_alone  # type: ignore[method-assign]
    os.register_at_fork(before=saving.acquire, after_in_parent=saving.release, after_in_child=saving.release)
    while not ending.wait(SAVE_EVERY_S):
        measurement.save()


def _measure() -> None:
    measurement = _start()
    if measurement is None:
        return
    ending = threading.Event()
    saver = threading.Thread(target=_save_again_and_again, args=(measurement, ending), name="coverage", daemon=True)
    saver.start()
    atexit.register(saver.join)
    atexit.register(ending.set)


_measure()
