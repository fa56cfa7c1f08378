"""The Redis client on a real server: pipelines, turns, waits for an element."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from docserver.redis import client
from docserver.redis.client import Redis
from docserver.resources import Resources
from docserver.settings import SettingsError
from tests.support.waiting import HANG_S


@pytest.fixture
def sent(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Any]]:
    """The pipelines that the client sends from now on."""
    pipelines: list[Sequence[Any]] = []
    send = resources.redis._send

    async def recorded(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        pipelines.append(commands)
        return await send(commands)

    monkeypatch.setattr(resources.redis, "_send", recorded)
    return pipelines


@pytest.mark.parametrize("option", ["db=first", "colour=blue", "socket_timeout=soon"])
async def test_an_option_of_the_url_that_cannot_work_is_a_wrong_setting(option: str) -> None:
    with pytest.raises(SettingsError, match=r"^DOCSERVER_REDIS_URL has an option with a wrong name or value$"):
        Redis(f"redis://localhost/0?{option}", timeout_s=1)


async def test_commands_of_one_turn_of_the_event_loop_travel_in_one_pipeline(
    resources: Resources, sent: list[Sequence[Any]]
) -> None:
    replies = await asyncio.gather(*(resources.redis.command("ECHO", number) for number in range(100)))

    assert replies == [str(number).encode() for number in range(100)]
    assert [len(commands) for commands in sent] == [100]


async def test_commands_that_wait_for_a_connection_travel_together(
    resources: Resources, sent: list[Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "COMMAND_CONNECTIONS", 1)
    busy = asyncio.ensure_future(resources.redis.command("BLPOP", "nothing", 0))
    commands = []
    for number in range(5):
        await asyncio.sleep(0.01)
        commands.append(asyncio.ensure_future(resources.redis.command("ECHO", number)))
    other = Redis(resources.settings.redis_url, timeout_s=HANG_S)
    await other.command("RPUSH", "nothing", "something")
    await other.close()

    await asyncio.gather(busy, *commands)

    assert [len(pipeline) for pipeline in sent] == [1, 5]


async def test_more_waits_than_connections_for_them_take_turns(resources: Resources) -> None:
    await resources.redis.command("RPUSH", "elements", *range(5))

    rotated = await asyncio.gather(*(resources.redis.rotate("elements", wait_s=HANG_S) for _ in range(6)))

    assert rotated == [str(number).encode() for number in (0, 1, 2, 3, 4, 0)]
    assert await resources.redis.rotate("nothing", wait_s=0.01) is None
