"""Slows down clients that do not heed Retry-After: refusing them again and again would keep the event loop busy."""

import asyncio
import random

from aiohttp import web

HOLD_S = 1.0
"""A client that was refused within this time waits for its next refusal, up to this time. So one with 100 connections
is refused 200 times in a second, not 700 times. The shortest Retry-After is as long, so nobody who heeds it waits."""


class Refusals:
    """The clients that were refused (429) a moment ago."""

    def __init__(self) -> None:
        self._refused: dict[str, float] = {}
        """When clients were refused, the earliest first."""

    async def hold(self, client: str) -> None:
        """Note that a client is refused, and wait if it was refused a moment ago."""
        if self._note(client):
            # At random, so that the refusals of many connections do not all end at the same time.
            await asyncio.sleep(random.uniform(0, HOLD_S))  # noqa: S311 - no security depends on it

    def _note(self, client: str) -> bool:
        """Note that a client is refused. True if it was refused a moment ago."""
        now = asyncio.get_running_loop().time()
        refused = self._refused
        while refused and refused[earliest := next(iter(refused))] <= now - HOLD_S:
            del refused[earliest]
        is_repeated = refused.pop(client, None) is not None
        refused[client] = now
        return is_repeated


REFUSALS: web.AppKey[Refusals] = web.AppKey("refusals", Refusals)
