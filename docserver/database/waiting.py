"""Repeats work for which the database gave no answer, for a moment."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from docserver.errors import DatabaseUnavailable

T = TypeVar("T")

START_PAUSES_S = (0.5, 1, 2, 4, 8)
"""Pauses between tries during a start. The database has just answered, so it is away only for a moment."""

log = logging.getLogger("docserver.db")


async def until_answered(work: Callable[[], Awaitable[T]], *, pauses_s: Sequence[float] = START_PAUSES_S) -> T:
    """The result of work that may be done again. Raises DatabaseUnavailable if the database gives no answer after the
    last pause.
    """
    for pause_s in pauses_s:
        try:
            return await work()
        except DatabaseUnavailable:
            log.info("waiting for the database")
        await asyncio.sleep(pause_s)
    return await work()
