"""A primary of Redis dies and another server takes over: with Sentinels, and in a cluster."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from docserver.caller import DEFAULT_TENANT
from docserver.redis.cache import job_key
from docserver.redis.client import Redis
from docserver.redis.queue import RING
from tests.faults.place import Place
from tests.support.followed import stream
from tests.support.receiver import SECRET, Receiver, receiving
from tests.support.redis_groups import Group, cluster, watched
from tests.support.service import Service
from tests.support.waiting import HANG_S, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module", params=[watched, cluster], ids=["Sentinels", "a cluster"])
def group(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with request.param(tmp_path_factory.mktemp("redis")) as group:
        yield group


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_no_document_event_or_webhook_is_lost_with_the_primary_of(
    group: Group, place: Place, receiver: Receiver
) -> None:
    settings: dict[str, Any] = {
        "redis_url": group.url,
        "mysql_timeout_s": "10",
        "webhook_networks": "127.0.0.0/8",
        "webhook_ports": str(receiver.port),
    }
    api = await place.start(**settings)
    async with api.http.post("/v1/webhooks", json={"url": receiver.url(), "secret": SECRET}) as response:
        assert response.status == 201
    followed = await place.must_upload(api, pages=6)
    following = asyncio.create_task(_pages(api, followed.job_id))
    await api.logged("page read", job_id=followed.job_id)
    number = len(group.primaries())

    group.owner(RING).kill()

    for _ in range(3):
        made = await place.must_upload(api)
        assert (await api.finished(made.job_id))["status"] == "completed"
    await until(lambda: len(group.primaries()) == number, pause_s=0.2)
    await until(lambda: _redis_is_well(api), pause_s=0.2)
    last = await place.must_upload(api)
    await until(lambda: _is_cached_when_shown(api, group, last.job_id))
    await place.assert_kept(api)
    assert await following == [1, 2, 3, 4, 5, 6]
    await receiver.arrived(len(place.accepted))
    told = [delivered.event["data"]["job_id"] for delivered in receiver.received]
    assert sorted(set(told)) == sorted(accepted.job_id for accepted in place.accepted)


async def _pages(api: Service, job_id: str) -> list[int]:
    """The pages that a client is told of while it follows a job to its end."""
    async with stream(api.http, job_id) as events:
        return sorted([event.number async for event in events if event.kind == "page"])


async def _redis_is_well(api: Service) -> bool:
    async with api.http.get("/readyz") as response:
        return bool((await response.json())["checks"]["redis"]["status"] == "ok")


async def _is_cached_when_shown(api: Service, group: Group, job_id: str) -> bool:
    """True if Redis has a job that was just shown. On a busy machine, a write may take too long."""
    await api.job(job_id)
    redis = Redis(group.url, timeout_s=HANG_S)
    try:
        return bool(await redis.command("EXISTS", job_key(job_id, DEFAULT_TENANT)))
    finally:
        await redis.close()
