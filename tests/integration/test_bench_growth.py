"""`python -m bench.growth`, whose tables docs/scaling.md has: what it measures with a small backlog."""

import pytest

from bench.growth import pages
from bench.growth.servers import running


async def test_the_costs_of_a_page_are_measured_beside_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGES", 20)
    monkeypatch.setattr(pages, "ROUNDS", 1)
    monkeypatch.setattr(pages, "REPEATED", 1)

    async with running() as measured:
        (cost,) = await pages.measure(measured, pages.QUICK, (200,))

    assert cost.size == 200
    assert cost.page.statements > 0
    assert cost.page.rows_read > 0
    assert cost.maintenance.statements > 0
