"""Repeats work that the database did not answer, or rolled back in favour of other work; within bounds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from docserver.database.connection import Contended
from docserver.errors import DatabaseUnavailable, StorageUnavailable

T = TypeVar("T")

START_PAUSES_S = (0.5, 1, 2, 4, 8)
"""Pauses between tries during a start. The database has just answered, so it is away only for a moment."""

CONTENDED_TRIES = 5
"""Tries of a transaction that the server rolls back in favour of another one. The same two seldom collide twice."""

log = logging.getLogger("docserver.db")


async def until_answered(work: Callable[[], Awaitable[T]], *, pauses_s: Sequence[float] = START_PAUSES_S) -> T:
    """The result of work that may be done again. Raises DatabaseUnavailable or StorageUnavailable if there is no answer
    after the last pause.
    """
    for pause_s in pauses_s:
        try:
            return await work()
        except DatabaseUnavailable:
            log.info("waiting for the database")
        except StorageUnavailable:
            log.info("waiting for the storage")
        await asyncio.sleep(pause_s)
    return await work()


async def uncontended(transaction: Callable[[], Awaitable[T]]) -> T:
    """Run a transaction; repeat it if the server rolls it back in favour of another one. Raises Contended after
    CONTENDED_TRIES tries.
    """
    for _ in range(CONTENDED_TRIES - 1):
        try:
            return await transaction()
        except Contended:
            continue
    return await transaction()
