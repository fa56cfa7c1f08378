"""Measures coverage in every Python process of `make coverage`, which puts this directory on the PYTHONPATH.

OCR processes are always killed, and the faults of the tests kill other processes, so data is also saved while a process
runs. The thread that saves starts before an OCR process confines its main thread, so it may write the data.
"""

import threading
import time

import coverage

SAVE_EVERY_S = 1.0


def _save_again_and_again(measurement: coverage.Coverage) -> None:
    while True:
        time.sleep(SAVE_EVERY_S)
        measurement.save()


coverage.process_startup()
if measurement := coverage.Coverage.current():
    threading.Thread(target=_save_again_and_again, args=(measurement,), name="coverage", daemon=True).start()
