"""The OCR processes of a service: found, and held in the middle of a page for as long as a test likes."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support import processes
from tests.support.service import Service
from tests.support.waiting import until


async def ocr_processes(service: Service) -> set[int]:
    """The processes in which documents are opened, once they are there; what they run is below them."""
    found: set[int] = set()

    async def ready() -> bool:
        found.clear()
        found.update(processes.ocr_processes(service.pid))
        return bool(found) and all(_has_started(pid) for pid in found)

    await until(ready)
    return found


def _has_started(pid: int) -> bool:
    """The last thing that it does before it is ready: nothing more goes to the log."""
    return str(Path(f"/proc/{pid}/fd/2").readlink()) == os.devnull


def send(pids: set[int], way: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, way)


@asynccontextmanager
async def held(service: Service) -> AsyncIterator[set[int]]:
    """While the block runs, no page and no document that is opened comes to its end."""
    pids = await ocr_processes(service)
    send(pids, signal.SIGSTOP)
    try:
        yield pids
    finally:
        send(pids, signal.SIGCONT)
