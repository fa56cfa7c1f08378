"""Refusals that are held: whose, and whose not."""

import asyncio
import random

import pytest

from docserver.web import refusals
from docserver.web.refusals import Refusals


async def test_a_client_that_comes_back_at_once_waits_for_its_refusal_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "HOLD_S", 300.0)
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    refused = Refusals()

    await refused.hold("greedy")
    again = asyncio.create_task(refused.hold("greedy"))
    await refused.hold("other")

    assert not again.done()
    again.cancel()


async def test_a_client_that_comes_back_later_does_not_wait() -> None:
    refused = Refusals()

    assert not refused._note("patient")
    assert refused._note("patient")
    refused._refused["patient"] -= refusals.HOLD_S

    assert not refused._note("other")
    assert refused._refused.keys() == {"other"}
