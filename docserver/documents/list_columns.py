"""Fills in the columns that lists are narrowed by, for jobs of earlier releases, some at a time."""

import asyncio
import time

from docserver.database.tables import document_lists
from docserver.resources import Resources

AT_ONCE = 500
"""Jobs that one statement fills in. It locks their rows for some hundredths of a second."""

SHARE = 0.2
"""Share of the time for this. A million jobs take about ten minutes."""


async def fill(resources: Resources) -> None:
    """Fill in the columns until none is left; raises DatabaseUnavailable."""
    while True:
        began = time.monotonic()
        async with resources.maintenance_db.session() as cur:
            job_ids = await document_lists.unfilled(cur, limit=AT_ONCE)
            if not job_ids:
                return
            await document_lists.fill(cur, job_ids)
        await asyncio.sleep((time.monotonic() - began) / SHARE)
