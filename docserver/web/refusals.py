"""Slows down clients that do not heed Retry-After: refusing them again and again would keep the event loop busy."""

import asyncio
import random

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from docserver.errors import ServiceError, TooManyRequests
from docserver.exclusive import current_client

HOLD_S = 1.0
"""A client that was refused within this time waits for its next refusal, up to this time. So one with 100 connections
is refused 200 times in a second, not 700 times. The shortest Retry-After is as long, so nobody who heeds it waits."""


def hold_refusals() -> Middleware:
    """A middleware that holds refusals (429) of clients that were refused a moment ago."""
    refused: dict[str, float] = {}
    """When clients were refused, the earliest first."""

    @web.middleware
    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ServiceError as error:
            if error.status == TooManyRequests.status and _note(refused, current_client.get()):
                # At random, so that the refusals of many connections do not all end at the same time.
                await asyncio.sleep(random.uniform(0, HOLD_S))  # noqa: S311 - no security depends on it
            raise

    return hold


def _note(refused: dict[str, float], client: str) -> bool:
    """Note that a client is refused. True if it was refused a moment ago."""
    now = asyncio.get_running_loop().time()
    while refused and refused[earliest := next(iter(refused))] <= now - HOLD_S:
        del refused[earliest]
    is_repeated = refused.pop(client, None) is not None
    refused[client] = now
    return is_repeated
