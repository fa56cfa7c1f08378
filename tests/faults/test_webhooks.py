"""Processes that die between the end of a job and the delivery of its webhook: none is lost, and all keep their ids."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from tests.faults.place import Place
from tests.support.receiver import SECRET, Receiver, receiving
from tests.support.samples import png
from tests.support.waiting import FOREVER_S

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def reaching(receiver: Receiver) -> dict[str, Any]:
    """Settings under which a service reaches the receiver, and soon sends again what a dead one has left."""
    return {"webhook_networks": "127.0.0.0/8", "webhook_ports": str(receiver.port), "webhook_timeout_s": "5"}


async def test_kill_9_after_a_jobs_end_leaves_its_webhook_to_another_process(place: Place, receiver: Receiver) -> None:
    first = await place.start(**reaching(receiver), webhook_connections="0")
    job = await first.upload(png("apples"), callback_url=receiver.url(), callback_secret=SECRET)
    assert (await first.finished(job["job_id"]))["status"] == "completed"
    await place.kill(first)

    await place.start(**reaching(receiver), slots="0")

    (delivered,) = await receiver.arrived()
    assert delivered.verified()["data"]["job_id"] == job["job_id"]


async def test_kill_9_while_a_webhook_is_sent_has_it_sent_again_with_the_same_id(
    place: Place, receiver: Receiver
) -> None:
    accept = receiver.answer

    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(FOREVER_S)
        return web.Response()

    receiver.answer = never
    first = await place.start(**reaching(receiver))
    await first.upload(png("bread"), callback_url=receiver.url(), callback_secret=SECRET)
    await receiver.arrived()
    await place.kill(first)

    receiver.answer = accept
    second = await place.start(**reaching(receiver), slots="0")

    await receiver.arrived(2)
    await second.logged("webhook delivered")
    assert len({(delivered.id, delivered.body) for delivered in receiver.received}) == 1
    for delivered in receiver.received:
        assert delivered.verified()["type"] == "job.completed"
