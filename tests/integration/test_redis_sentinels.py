"""Redis behind Sentinels, over TLS, as a user with few rights: found, asked, and followed to another primary."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from docserver.doctor import redis as doctor
from docserver.doctor.findings import Status
from docserver.errors import RedisUnavailable
from docserver.redis import client
from docserver.redis.client import Key, Redis
from docserver.settings import Settings
from tests.support.redis_calls import hearing, run_every_script
from tests.support.redis_groups import PASSWORD, SERVICE, Group, watched
from tests.support.waiting import HANG_S, in_time, until


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    with watched(tmp_path_factory.mktemp("sentinels")) as group:
        yield group


@pytest.fixture
async def redis(group: Group) -> AsyncIterator[Redis]:
    redis = Redis(group.url, timeout_s=HANG_S)
    yield redis
    await redis.close()


async def test_a_user_with_few_rights_can_do_all_that_is_needed(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    await run_every_script(redis)
    async with redis.subscribed("changes") as subscription:
        assert await subscription.message() is None

    assert "redis fault" not in caplog.messages


async def test_a_user_of_one_prefix_can_do_nothing_with_another(group: Group) -> None:
    redis = Redis(group.url, timeout_s=HANG_S, prefix="other")

    with pytest.raises(RedisUnavailable):
        await redis.command("SET", Key(b"name"), "value")

    await redis.close()


async def test_a_frozen_sentinel_delays_nobody(group: Group) -> None:
    redis = Redis(group.url, timeout_s=2 * HANG_S)
    # Afterwards it may do nothing for 30 s, because its clock has jumped: the failover below is left to another.
    frozen = group.sentinels[1].process.pid
    os.kill(frozen, signal.SIGSTOP)
    try:
        async with in_time():
            await redis.check_writable()
    finally:
        os.kill(frozen, signal.SIGCONT)
    await redis.close()


async def test_a_wrong_password_or_service_is_a_fault_that_shows_no_secret(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    for url, said in (
        (group.url.replace(f"/{SERVICE}/", "/others/"), "the Sentinels know no service `others`"),
        (group.url.replace("docserver:", "docserver:x"), "refuses the user or the password (AuthenticationError)"),
        (group.url.replace("sentinel_password=", "sentinel_password=x"), "refuses the user or the password"),
    ):
        caplog.clear()
        redis = Redis(url, timeout_s=HANG_S)
        with pytest.raises(RedisUnavailable, match=r"^Redis does not answer\.$"):
            await redis.check_writable()
        await redis.close()
        (finding,) = [finding async for finding in doctor.check_redis(Settings(redis_url=url, redis_timeout_s=HANG_S))]

        assert finding.detail.startswith(said)
        assert "start it" not in finding.remedy
        assert {record.__dict__.get("setting") for record in caplog.records} == {"DOCSERVER_REDIS_URL"}
        assert PASSWORD not in f"{caplog.text}{finding}"


async def test_doctor_tells_of_the_sentinels(group: Group) -> None:
    settings = replace(Settings(), redis_url=group.url, redis_timeout_s=HANG_S)
    (primary,) = group.primaries()

    well = [finding async for finding in doctor.check_redis(settings)]
    group.sentinels[2].kill()
    worse = [finding async for finding in doctor.check_redis(settings)]

    assert {finding.status for finding in well} == {Status.OK}
    assert well[0].detail == f"127.0.0.1:{primary.port} is the primary, and 3 of 3 Sentinels answer"
    assert (worse[0].status, worse[0].detail) == (Status.WARNING, well[0].detail.replace("3 of 3", "2 of 3"))


async def test_another_primary_is_found_although_the_former_one_still_answers(
    group: Group, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LOOK_AGAIN_S", 0.1)
    (former,) = group.primaries()
    async with hearing(redis):
        group.sentinels[0].command("SENTINEL", "FAILOVER", SERVICE)
        await until(lambda: former.port not in {address.port for address in redis.topology.primaries()})

    await redis.command("SET", Key(b"name"), "value")

    (address,) = redis.topology.primaries()
    (primary,) = (server for server in group.servers if server.port == address.port)
    assert primary.command("GET", "docserver:name") == "value"
