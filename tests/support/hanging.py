"""Shows where a test hangs, and ends its process."""

import asyncio
import faulthandler
import gc
import os
import sys
import threading
from typing import Any, TextIO

import pytest


def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Takes the place of the timer of pytest-timeout. That one shows no tasks, and writes to the standard output, which
    processes of pytest-xdist throw away: all that one learned was that a process had crashed.
    """
    timer = threading.Timer(settings.timeout, _end, [item])

    def cancel() -> None:
        timer.cancel()
        timer.join()

    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    timer.start()
    return True


def _end(item: pytest.Item) -> None:
    try:
        item.config.pluginmanager.getplugin("capturemanager").suspend_global_capture(in_=True)
        show(item.nodeid, sys.stderr)
    finally:
        os._exit(1)


def show(test: str, output: TextIO) -> None:
    """Write where the tasks and the threads of this process are."""
    output.write(f"\n{test} takes too long\n")
    for task in [each for each in gc.get_objects() if isinstance(each, asyncio.Task)]:
        task.print_stack(file=output)
    output.flush()
    faulthandler.dump_traceback(output)
