"""The command `search`: builds the index for searches anew."""

import asyncio
import time
from contextlib import suppress

from docserver.commands import print_line
from docserver.database.retries import transactional
from docserver.database.tables import search_index
from docserver.documents.search_indexing import Indexer
from docserver.resources import Resources

POLL_S = 0.2
"""Interval at which the progress is read."""

REPORT_S = 5.0
"""Time between two lines about the progress."""


async def rebuild(resources: Resources) -> None:
    """Begin an empty index, and print its progress until it is complete. A running service builds it; without one, this
    process does. After an interruption, a service goes on. Raises DatabaseUnavailable.
    """
    await _begin(resources)
    print_line("The index is empty; searches are answered with 503 until it is built.")
    indexing = asyncio.create_task(Indexer(resources).run())
    try:
        reported = time.monotonic()
        while not (progress := await _progress(resources)).is_complete:
            if time.monotonic() - reported > REPORT_S:
                reported = time.monotonic()
                print_line(f"{progress.jobs_walked} of {progress.jobs_total} jobs")
            await asyncio.sleep(POLL_S)
    finally:
        indexing.cancel()
        with suppress(asyncio.CancelledError):
            await indexing
    print_line("The index is complete.")


@transactional
async def _begin(resources: Resources) -> None:
    async with resources.maintenance_db.transaction() as cur:
        await search_index.begin(cur)


async def _progress(resources: Resources) -> search_index.Progress:
    async with resources.maintenance_db.session() as cur:
        return await search_index.progress(cur)
