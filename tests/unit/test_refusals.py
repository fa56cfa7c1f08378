"""Refusals that are held: whose, and whose not."""

import asyncio
import random
from typing import Any

import pytest
from aiohttp import web

from docserver.errors import TooManyRequests
from docserver.exclusive import current_client
from docserver.web import refusals


async def test_a_client_that_comes_back_at_once_waits_for_its_refusal_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "HOLD_S", 300.0)
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    middleware: Any = refusals.hold_refusals()

    def ask(client: str) -> asyncio.Task[None]:
        async def refuse(_: web.Request) -> None:
            current_client.set(client)
            raise TooManyRequests("Too many.")

        return asyncio.create_task(middleware(None, refuse))

    with pytest.raises(TooManyRequests):
        await ask("greedy")
    again = ask("greedy")
    with pytest.raises(TooManyRequests):
        await ask("other")

    assert not again.done()
    again.cancel()


async def test_a_client_that_comes_back_later_does_not_wait() -> None:
    refused: dict[str, float] = {}

    assert not refusals._note(refused, "patient")
    assert refusals._note(refused, "patient")
    refused["patient"] -= refusals.HOLD_S

    assert not refusals._note(refused, "other")
    assert refused.keys() == {"other"}
