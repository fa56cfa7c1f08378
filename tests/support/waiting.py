"""Waiting for states: what a test waits for is bounded only so that something that hangs does not hang the tests."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

HANG_S = 100.0
"""Only what hangs takes this long, however busy the machine."""

FOREVER_S = 1000.0
"""Longer than any test: for waits that something else has to end."""


def in_time() -> asyncio.Timeout:
    """Fails a block that hangs."""
    return asyncio.timeout(HANG_S)


async def until(holds: Callable[[], bool | Awaitable[bool]], *, pause_s: float = 0.02) -> None:
    """Wait until a condition, plain or asynchronous, holds."""
    async with in_time():
        while not await _value(holds()):
            await asyncio.sleep(pause_s)


async def _value(outcome: bool | Awaitable[bool]) -> bool:
    return await outcome if isawaitable(outcome) else outcome


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds, where no event loop runs."""
    until = time.monotonic() + HANG_S
    while not holds():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.05)
