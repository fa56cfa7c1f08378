"""The quota of connections: requests of a tenant at the same time, over all processes, and what a killed one leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from pytest_aiohttp import AiohttpClient

from docserver.caller import DEFAULT_TENANT
from docserver.redis import requests
from docserver.redis.client import Redis
from docserver.redis.requests import Requests
from docserver.resources import Resources
from docserver.tenants import connections
from docserver.web.app import make_app
from docserver.web.keys import CONNECTIONS
from tests.support.client import Client, MakeClient, get, upload
from tests.support.tenants import limit
from tests.support.waiting import until


def in_progress(client: Client) -> int:
    """How many requests the client's application counts."""
    assert client.app is not None
    return sum(map(len, client.app[CONNECTIONS]._requests._here.values()))


@asynccontextmanager
async def polling(client: Client, job_id: str) -> AsyncIterator[None]:
    """A request that is answered during the block."""
    before = in_progress(client)
    poll = asyncio.create_task(client.get(f"/v1/jobs/{job_id}", params={"wait": 60}))
    await until(lambda: in_progress(client) == before + 1)
    yield
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)


async def answer(client: Client) -> tuple[int, str | None, Any]:
    async with client.get("/v1/usage") as response:
        return response.status, response.headers.get("Retry-After"), await response.json()


async def test_requests_of_all_processes_count_until_they_are_answered(make_client: MakeClient) -> None:
    one, other = [await make_client(rate_limit=False, quota_max_connections=3) for _ in range(2)]
    job_id = (await upload(one))["job_id"]

    async with polling(one, job_id), polling(other, job_id):
        assert (await get(other, "/v1/usage"))["connections"] == {"used": 3, "limit": 3}
        async with polling(one, job_id):
            refused = await answer(other)
            async with other.get("/livez") as response:
                assert response.status == 200

    assert refused[:2] == (429, "1")
    assert (refused[2]["code"], refused[2]["detail"]) == (
        "quota_exceeded",
        "The quota of requests at the same time is 3.",
    )
    for client in (one, other):
        await until(lambda client=client: in_progress(client) == 0)  # type: ignore[misc]
    # Redis hears of the ends a moment later.
    while (await answer(other))[2]["connections"]["used"] != 1:
        await asyncio.sleep(0.01)


async def test_without_redis_each_process_counts_its_own(
    without_redis: Resources, aiohttp_client: AiohttpClient
) -> None:
    settings = replace(without_redis.settings, rate_limit=False, quota_max_connections=1)
    app = partial(make_app, replace(without_redis, settings=settings))
    client, other = await aiohttp_client(app()), await aiohttp_client(app())
    job_id = (await upload(client))["job_id"]

    async with polling(client, job_id):
        assert (await answer(client))[0] == 429
        assert (await answer(other))[0] == 200


async def test_a_quota_that_is_set_holds_soon_and_one_that_is_removed_no_longer(
    make_client: MakeClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REFRESH_S", 0.01)
    client = await make_client(rate_limit=False)
    assert (await answer(client))[2]["connections"] == {"used": None, "limit": None}

    await limit(resources.db, max_connections=0)
    while (refused := await answer(client))[0] == 200:
        await asyncio.sleep(0.01)
    await limit(resources.db, max_connections=None)
    while (await answer(client))[0] == 429:
        await asyncio.sleep(0.01)

    assert refused[1] is None, "waiting does not help"


async def test_requests_that_began_before_the_quota_was_set_count_too(
    make_client: MakeClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "REFRESH_S", 0.01)
    one, other = [await make_client(rate_limit=False) for _ in range(2)]
    job_id = (await upload(one))["job_id"]

    async with polling(one, job_id), polling(one, job_id):
        await limit(resources.db, max_connections=2)
        while (await answer(other))[0] == 200:
            await asyncio.sleep(0.01)

    while (await answer(other))[0] == 429:
        await asyncio.sleep(0.01)


async def test_the_requests_of_a_killed_process_are_forgotten_and_those_of_a_living_one_are_not(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, living = Requests(resources.redis), Requests(resources.redis)
    assert await living.begin(DEFAULT_TENANT, most=2)
    monkeypatch.setattr(requests, "FORGOTTEN_S", 0.01)
    assert await killed.begin(DEFAULT_TENANT, most=2)

    while (counted := await living.begin(DEFAULT_TENANT, most=2)) is None:
        await asyncio.sleep(0.01)

    living.end(DEFAULT_TENANT, counted, is_limited=True)
    await living.close()
    monkeypatch.undo()
    await living.refresh(lambda _: True)
    assert await living.number(DEFAULT_TENANT) == 1


async def test_requests_that_redis_has_lost_count_again(resources: Resources) -> None:
    here = Requests(resources.redis)
    first = await here.begin(DEFAULT_TENANT, most=1)
    await resources.redis.command("FLUSHALL")

    await here.refresh(lambda _: True)

    assert await here.begin(DEFAULT_TENANT, most=1) is None
    assert first
    here.end(DEFAULT_TENANT, first, is_limited=True)
    await here.close()
    assert await here.begin(DEFAULT_TENANT, most=1)


async def test_a_request_that_is_cancelled_while_it_is_counted_does_not_count_here(dead_redis: Redis) -> None:
    here = Requests(dead_redis)
    begun = asyncio.create_task(here.begin(DEFAULT_TENANT, most=1))
    await asyncio.sleep(0)
    begun.cancel()
    await asyncio.gather(begun, return_exceptions=True)

    assert here._here == {}
    assert await here.number(DEFAULT_TENANT) == 0
