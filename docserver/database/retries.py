"""Repeats work, within bounds: while the database does not answer, or after it was certainly not carried out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from docserver.database.faults import ConnectionCut, Contended, TakesNoWrites
from docserver.errors import DatabaseUnavailable, StorageUnavailable

P = ParamSpec("P")
T = TypeVar("T")

START_PAUSES_S = (0.5, 1, 2, 4, 8)
"""Pauses between tries during a start. The database has just answered, so it is away only for a moment."""

REPEAT_PAUSES_S = (0.0, 0.2, 0.5, 1.0)
"""Pauses between tries of a transaction. The first repetition comes at once: its new connection may lead to the new
primary already. If that takes longer than all pauses, clients get a 503."""

REPEATABLE = (Contended, TakesNoWrites, ConnectionCut)
"""Errors after which a transaction is repeated: nothing of it was written."""

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


def transactional(work: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorates a function that makes one transaction, and changes nothing else before that is committed.

    It is called again if the transaction was rolled back in favour of another one, or because the connection was cut
    before COMMIT, and if the server takes no writes. After the last try, it raises that error. It raises CommitUnknown
    at once.
    """

    @wraps(work)
    async def repeated(*args: P.args, **named: P.kwargs) -> T:
        return await repeat(lambda: work(*args, **named))

    return repeated


async def repeat(
    work: Callable[[], Awaitable[T]],
    *,
    after: tuple[type[DatabaseUnavailable], ...] = REPEATABLE,
) -> T:
    """The result of work that is done again after these errors, as often as there are pauses."""
    for pause_s in REPEAT_PAUSES_S:
        try:
            return await work()
        except after as error:
            # Who has waited for a lock, or lost to another transaction, need not wait for a new primary.
            await asyncio.sleep(0 if isinstance(error, Contended) else pause_s)
    return await work()
