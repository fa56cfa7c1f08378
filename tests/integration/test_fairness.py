"""Fairness between tenants, over HTTP: which pages are read while one waits for its turn. Recognition is a fake."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.jobs.paces import MAX_PAGES
from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.maintenance import Maintenance
from docserver.ocr.requests import Opened
from docserver.ocr.server.slot import Slot
from docserver.resources import Resources
from docserver.setting_types import Auth
from docserver.web.app import make_app
from tests.support.client import Client
from tests.support.rows import READING
from tests.support.samples import png
from tests.support.service import form
from tests.support.tenants import key_of, limit
from tests.support.waiting import until

SLOTS = 2
BACKLOG = 10_000
PAGE_S = 0.002
GREEDY, OTHER = "tenant:greedy", "tenant:other"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose documents were opened, and whose pages read, in this order. A document of the greedy tenant has BACKLOG
    pages, all others have one.
    """
    pages: list[str] = []

    async def start(_: Slot) -> None:
        pass

    async def open_document(slot: Slot, *_: Any, **__: Any) -> Opened:
        pages.append(slot.client)
        await asyncio.sleep(0)
        return Opened(BACKLOG if slot.client == GREEDY else 1)

    async def read(slot: Slot, *_: Any, **__: Any) -> Any:
        pages.append(slot.client)
        # The backlog has to last until the end of the test, however fast the machine is.
        await asyncio.sleep(PAGE_S)
        return READING

    monkeypatch.setattr(Slot, "start", start)
    monkeypatch.setattr(Slot, "open", open_document)
    monkeypatch.setattr(Slot, "read", read)
    return pages


@pytest.fixture(params=["redis", "database"])
def serving(request: pytest.FixtureRequest, resources: Resources, without_redis: Resources) -> Resources:
    """Everything opened, with Redis or without."""
    return replace(
        resources if request.param == "redis" else without_redis,
        settings=replace(resources.settings, rate_limit=False, auth=Auth.KEYS),
    )


@asynccontextmanager
async def at_work(resources: Resources, tmp_path: Path) -> AsyncIterator[None]:
    worker = Worker(Pipeline(resources, scratch=tmp_path / "scratch"), resources.queue, slots=SLOTS)
    worker.start()
    yield
    await worker.stop(grace_s=10)


async def send(client: Client, key: dict[str, str], content: str) -> str:
    """Upload a document; returns the address of its job."""
    async with client.post("/v1/documents/upload-document", data=form(png(content), "a.png"), headers=key) as response:
        assert response.status == 202, await response.text()
        return response.headers["Location"]


async def test_one_page_waits_for_a_chunk_of_each_slot_at_most_however_many_another_tenant_has(
    serving: Resources, aiohttp_client: AiohttpClient, tmp_path: Path, begun: list[str]
) -> None:
    client: Client = await aiohttp_client(make_app(serving))
    greedy, other = await key_of(serving, "greedy"), await key_of(serving, "other")
    waits = []
    async with at_work(serving, tmp_path):
        backlog = await send(client, greedy, "backlog")
        for number in range(5):
            await until(lambda number=number: len(begun) > 20 * (number + 1))  # type: ignore[misc]
            address = await send(client, other, f"one page {number}")
            accepted = len(begun)
            async with client.get(address, params={"wait": 60}, headers=other) as response:
                assert (await response.json())["status"] == "completed"
            waits.append(begun.index(OTHER, accepted) - accepted if OTHER in begun[accepted:] else 0)
        async with client.get(backlog, headers=greedy) as response:
            left = (await response.json())["pages"]
            assert left["total"] > left["done"]
        async with client.post(f"{backlog}/cancel", headers=greedy) as response:
            assert response.status == 200

    # Each slot may have taken a chunk just before, and each but one may begin another while that one claims the page.
    assert max(waits) <= (2 * SLOTS - 1) * MAX_PAGES, waits


async def test_turns_are_as_many_in_a_row_as_a_tenant_weighs(
    serving: Resources, aiohttp_client: AiohttpClient, tmp_path: Path, begun: list[str]
) -> None:
    client: Client = await aiohttp_client(make_app(serving))
    light, heavy = await key_of(serving, "light"), await key_of(serving, "heavy")
    await limit(serving.db, "heavy", weight=3)
    await Maintenance(serving).round()
    for number in range(9):
        await send(client, heavy, f"heavy {number}")
    for number in range(3):
        await send(client, light, f"light {number}")

    worker = Worker(Pipeline(serving, scratch=tmp_path / "scratch"), serving.queue, slots=1)
    worker.start()
    await until(lambda: len(begun) == 2 * 12)
    await worker.stop(grace_s=10)

    # Each document is opened, and its only page read, in one turn.
    order = "".join("h" if client == "tenant:heavy" else "l" for client in begun[::2])
    assert order in ("hhhlhhhlhhhl", "lhhhlhhhlhhh")
