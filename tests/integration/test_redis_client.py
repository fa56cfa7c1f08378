"""The Redis client on a real server: pipelines, turns, waits for an element."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from redis.exceptions import AuthenticationError

from docserver.caller import DEFAULT_TENANT
from docserver.errors import RedisUnavailable
from docserver.redis import node
from docserver.redis.client import Key, Redis
from docserver.resources import Resources
from docserver.settings import SettingsError
from tests.support.proxy import Proxy
from tests.support.redis_calls import JOB, run_every_script
from tests.support.redis_state import listening, only_node
from tests.support.waiting import HANG_S, until


@pytest.fixture
def sent(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Any]]:
    """The pipelines that the client sends from now on."""
    pipelines: list[Sequence[Any]] = []
    only = only_node(resources.redis)
    send = only._send

    async def recorded(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        pipelines.append(commands)
        return await send(commands)

    monkeypatch.setattr(only, "_send", recorded)
    return pipelines


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("db=first", "a wrong db: it must be the number of a database"),
        ("ssl_check_hostname=true", "ssl_check_hostname, which needs rediss in place of redis"),
    ],
)
async def test_an_option_of_the_url_that_cannot_work_is_a_wrong_setting(option: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"^DOCSERVER_REDIS_URL has {why}$"):
        Redis(f"redis://localhost/0?{option}", timeout_s=1)


def test_a_password_that_the_server_does_not_take_is_logged_with_the_setting_that_has_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for fault in (AuthenticationError("WRONGPASS hidden"), ConnectionResetError()):
        node.unavailable(fault)

    settings = [record.__dict__.get("setting") for record in caplog.records]
    assert settings == ["DOCSERVER_REDIS_URL", None]
    assert "hidden" not in caplog.text


async def test_commands_of_one_turn_of_the_event_loop_travel_in_one_pipeline(
    resources: Resources, sent: list[Sequence[Any]]
) -> None:
    replies = await asyncio.gather(*(resources.redis.command("ECHO", number) for number in range(100)))

    assert replies == [str(number).encode() for number in range(100)]
    assert [len(commands) for commands in sent] == [100]


async def test_each_command_of_a_pipeline_gets_its_own_reply_however_they_arrive(resources: Resources) -> None:
    texts = [letter * size for letter, size in zip("abcdef", (300_000, 1, 0, 300_000, 2, 100_000), strict=True)]
    wrong = Key(b"text")
    await resources.redis.command("SET", wrong, "no number")

    *replies, refused, after = await asyncio.gather(
        *(resources.redis.command("ECHO", text) for text in texts),
        resources.redis.command("INCR", wrong),
        resources.redis.command("ECHO", "after"),
        return_exceptions=True,
    )

    assert replies == [text.encode() for text in texts]
    assert isinstance(refused, RedisUnavailable)
    assert after == b"after"


async def test_a_connection_that_was_reset_is_an_outage_for_its_commands_alone(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "PAUSE_S", 0.0)
    proxy = Proxy(Path(urlsplit(resources.settings.redis_url).path))
    await proxy.start()
    client = Redis(f"redis://127.0.0.1:{proxy.port}/0", timeout_s=HANG_S)
    try:
        await client.check_writable()
        idle: Any = only_node(client)._idle[0]
        proxy.reset()
        await until(idle._writer.transport.is_closing)

        with pytest.raises(RedisUnavailable):
            await client.check_writable()

        await client.check_writable()
    finally:
        await client.close()
        await proxy.close()


async def test_commands_that_wait_for_a_connection_travel_together(
    resources: Resources, sent: list[Sequence[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "COMMAND_CONNECTIONS", 1)
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
    await resources.redis.command("RPUSH", Key(b"elements"), *range(5))

    rotated = await asyncio.gather(*(resources.redis.rotate(Key(b"elements"), wait_s=HANG_S) for _ in range(6)))

    assert rotated == [str(number).encode() for number in (0, 1, 2, 3, 4, 0)]
    assert await resources.redis.rotate(Key(b"nothing"), wait_s=0.01) is None


async def test_new_connections_do_not_look_up_the_version_of_redis_py(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise AssertionError("the metadata of redis-py are read again")

    monkeypatch.setattr("redis.utils.get_lib_version", refuse)
    new = Redis(resources.settings.redis_url, timeout_s=HANG_S)
    try:
        await new.check_writable()
    finally:
        await new.close()


async def test_services_with_prefixes_of_their_own_share_a_redis_and_see_nothing_of_each_other(
    resources: Resources,
) -> None:
    other = Redis(resources.settings.redis_url, timeout_s=HANG_S, prefix="staging:eu")
    heard: list[UUID] = []
    await listening(resources)
    try:
        with resources.changes.every_change(heard.append):
            await run_every_script(other)
            # Messages come in order: had there been one of the other service, it would be here before this.
            await resources.cache.put_job(JOB, job_id=UUID(int=1), tenant=DEFAULT_TENANT)
            await until(lambda: bool(heard))
        names = [key.partition(b":")[0] for key in await resources.redis.command("KEYS", "*")]
    finally:
        await other.close()

    assert heard == [UUID(int=1)]
    assert names.count(b"docserver") == 1
    assert set(names) == {b"docserver", b"staging"}
