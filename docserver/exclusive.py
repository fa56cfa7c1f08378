"""Turns for work that runs for few clients at a time; the other clients wait for a limited time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from docserver.errors import Unavailable


@asynccontextmanager
async def acquired(
    lock: asyncio.Lock | asyncio.Semaphore, *, within_s: float, refusal: str, retry_after_s: int | None = None
) -> AsyncIterator[None]:
    """Hold the lock during the block. Raises Unavailable with the text `refusal` if the lock is not free in time."""
    try:
        async with asyncio.timeout(within_s):
            await lock.acquire()
    except TimeoutError as error:
        headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None
        raise Unavailable(refusal, headers=headers) from error
    try:
        yield
    finally:
        lock.release()
