"""Turns: work that is done for one client at a time, for which others wait no longer than they may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from docserver.errors import Unavailable


@asynccontextmanager
async def taken(turn: asyncio.Lock, *, within_s: float, refusal: str, retry_after_s: int) -> AsyncIterator[None]:
    """Hold the turn until the block ends; raises Unavailable with this refusal if it does not come in time."""
    try:
        async with asyncio.timeout(within_s):
            await turn.acquire()
    except TimeoutError as error:
        raise Unavailable(refusal, headers={"Retry-After": str(retry_after_s)}) from error
    try:
        yield
    finally:
        turn.release()
