"""Which answers about the primaries are believed."""

from collections.abc import Mapping
from typing import Any

import pytest
from redis.exceptions import RedisError

from docserver.redis import topology
from docserver.redis.address import Address, parse
from docserver.redis.topology import Cluster, Sentinels


def answering(monkeypatch: pytest.MonkeyPatch, replies: Mapping[str, Any]) -> None:
    """Let each host answer with its reply, or raise it."""

    async def ask(_options: object, address: Address, *_command: str) -> Any:
        reply = replies[address.host]
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(topology, "ask", ask)


def master(host: str, *, epoch: int) -> list[bytes]:
    return [b"ip", host.encode(), b"port", b"6379", b"config-epoch", b"%d" % epoch]


async def test_of_what_most_sentinels_say_the_latest_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"a": OSError(), "b": master("former", epoch=1), "c": master("present", epoch=2)})
    sentinels = Sentinels(parse("redis+sentinel://a,b,c/name"), timeout_s=1)
    assert sentinels.primary(None) is None

    await sentinels.discover()

    assert sentinels.primaries() == {Address("present", 6379)}


@pytest.mark.parametrize(
    "reply", [OSError(), [b"ip"], {}, None, 7, ["ip", 1], [b"ip", b"x", b"port", b"y", b"config-epoch", b"z"]]
)
async def test_without_a_usable_answer_the_last_primary_stays(monkeypatch: pytest.MonkeyPatch, reply: object) -> None:
    sentinels = Sentinels(parse("redis+sentinel://a/name"), timeout_s=1)
    answering(monkeypatch, {"a": master("present", epoch=2)})
    await sentinels.discover()
    answering(monkeypatch, {"a": reply})

    with pytest.raises((RedisError, OSError)):
        await sentinels.discover()

    assert sentinels.primaries() == {Address("present", 6379)}


async def test_a_node_that_does_not_know_its_name_is_the_one_that_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"a": [[0, 16383, [b"", 7000, b"id"], [b"b", 7001, b"id"]]]})
    cluster = Cluster(parse("redis+cluster://a"), timeout_s=1)

    await cluster.discover()

    assert cluster.primary(b"key") == Address("a", 7000)
    assert (len(cluster.primaries()), cluster.without_replica) == (1, 0)


async def test_keys_whose_slot_nobody_has_are_nowhere_and_the_cluster_is_not_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, {"a": [[0, 8000, [b"a", 7000, b"id"]], [8002, 16383, [b"b", 7000, b"id"]]]})
    cluster = Cluster(parse("redis+cluster://a"), timeout_s=1)
    await cluster.discover()

    assert cluster.primaries() == frozenset()
    cluster.moved(8001, Address("c", 7000))

    assert cluster.primaries() == {Address(host, 7000) for host in "abc"}
    assert {cluster.primary(b"%d" % number) for number in range(1000)} <= cluster.primaries()
