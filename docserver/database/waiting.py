"""Lets the work of a start go on when the database, which has answered before, is away for a moment."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from docserver.errors import DatabaseUnavailable

T = TypeVar("T")

PAUSES_S = (0.5, 1, 2, 4, 8)
"""Pauses between tries. The database has just answered, so it is away only for a moment."""

log = logging.getLogger("docserver.db")


async def until_answered(work: Callable[[], Awaitable[T]]) -> T:
    """The result of work that may be done again. Raises DatabaseUnavailable if the database stays away."""
    for pause_s in PAUSES_S:
        try:
            return await work()
        except DatabaseUnavailable:
            log.info("waiting for the database")
        await asyncio.sleep(pause_s)
    return await work()
