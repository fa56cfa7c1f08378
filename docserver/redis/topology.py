"""Which server has a key: the only one, the primary that Sentinels name, or a node of a cluster."""

import asyncio
import random
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from docserver.redis.address import Address, Kind, Target, arguments, connection_class

FAULTS = (RedisError, OSError, TimeoutError, RuntimeError)
"""What asking a server may raise. uvloop raises RuntimeError for a write to a connection that was reset."""

SLOTS = 16_384
"""Parts of the keys of a cluster. Each belongs to one primary."""

ASKED_NODES = 3
"""Nodes of a cluster that are asked at the same time. One that is dead, or knows nothing new, then delays nobody."""

Answer = TypeVar("Answer")


class UnknownService(ResponseError):
    """The Sentinels watch no primary by the name that the URL has."""


class Topology(Protocol):
    """Where the primaries are, as was found out last. Until something is found out, there are none."""

    def primary(self, key: bytes | None) -> Address | None:
        """The server that has a key; for no key, any primary. None if it is not known."""

    def primaries(self) -> frozenset[Address]:
        """All primaries. Empty if some keys have none."""

    def moved(self, slot: int, to: Address) -> None:
        """Note that a server has said who has these keys now."""

    async def discover(self) -> None:
        """Ask where the primaries are; raises one of FAULTS if nobody can tell."""

    async def close(self) -> None:
        """Wait for the servers that were slow to tell."""


def topology(target: Target, *, timeout_s: float) -> Topology:
    """The topology that a URL means. To ask for it takes `timeout_s` at most."""
    if target.kind is Kind.SENTINEL:
        return Sentinels(target, timeout_s=timeout_s)
    return Cluster(target, timeout_s=timeout_s) if target.kind is Kind.CLUSTER else Single(target.addresses[0])


class Single:
    """One server. A name that leads to another server after a failover is looked up with each connection."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def primary(self, key: bytes | None) -> Address:  # noqa: ARG002 - it has every key
        return self._address

    def primaries(self) -> frozenset[Address]:
        return frozenset((self._address,))

    def moved(self, slot: int, to: Address) -> None:
        """Servers outside of a cluster do not say this."""

    async def discover(self) -> None:
        """There is nothing to find out."""

    async def close(self) -> None:
        """Nobody was asked."""


class Sentinels:
    """A primary and its replicas, watched by Sentinels, which make a replica the primary if the primary is away."""

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._target = target
        self._questions = Questions(timeout_s=timeout_s)
        self._primary: Address | None = None

    def primary(self, key: bytes | None) -> Address | None:  # noqa: ARG002 - it has every key
        return self._primary

    def primaries(self) -> frozenset[Address]:
        return frozenset((self._primary,) if self._primary else ())

    def moved(self, slot: int, to: Address) -> None:
        """Servers outside of a cluster do not say this."""

    async def discover(self) -> None:
        """Ask all Sentinels until most have answered, and believe the latest of these answers.

        A Sentinel that was cut off may name the primary before the last failover.
        """
        most = self.number // 2 + 1
        answers = await self._questions.first_answers(map(self._ask, self._target.addresses), number=most)
        self._primary = max(answers)[1]

    async def close(self) -> None:
        await self._questions.close()

    @property
    def number(self) -> int:
        """How many Sentinels there are."""
        return len(self._target.addresses)

    async def answering(self) -> int:
        """How many Sentinels answer."""
        try:
            asked = map(self._ask, self._target.addresses)
            return len(await self._questions.first_answers(asked, number=self.number))
        except FAULTS:
            return 0

    async def _ask(self, sentinel: Address) -> tuple[int, Address]:
        """The number of the last failover that the Sentinel knows, and the primary since then."""
        service = self._target.service
        try:
            reply = await ask(self._target.sentinel_options, sentinel, "SENTINEL", "MASTER", service)
        except ResponseError as error:
            if "No such master" not in str(error):
                raise
            raise UnknownService(f"the Sentinels know no service `{service}`") from error
        facts = dict(zip(reply[::2], reply[1::2], strict=True))
        return int(facts[b"config-epoch"]), Address(facts[b"ip"].decode(), int(facts[b"port"]))


class Cluster:
    """Primaries that share the slots. If one is away, its replica takes over its slots."""

    def __init__(self, target: Target, *, timeout_s: float) -> None:
        self._target = target
        self._questions = Questions(timeout_s=timeout_s)
        self._owners: list[Address | None] = [None] * SLOTS
        self._primaries: frozenset[Address] = frozenset()
        self._nodes: frozenset[Address] = frozenset()
        self.without_replica = 0
        """How many primaries have no replica."""

    def primary(self, key: bytes | None) -> Address | None:
        if key is not None:
            return self._owners[key_slot(key)]
        return random.choice(tuple(self._primaries)) if self._primaries else None  # noqa: S311 - no secret

    def primaries(self) -> frozenset[Address]:
        return frozenset() if None in self._owners else self._primaries

    def moved(self, slot: int, to: Address) -> None:
        self._owners[slot] = to
        self._primaries |= {to}

    async def discover(self) -> None:
        """Ask a few nodes who has which slots. A wrong answer is put right by `moved`, or by asking again."""
        known = list(self._nodes.union(self._target.addresses))
        asked = random.sample(known, min(ASKED_NODES, len(known)))
        (ranges,) = await self._questions.first_answers(map(self._ask, asked), number=1)
        owners: list[Address | None] = [None] * SLOTS
        for first, last, primary, *_ in ranges:
            owners[first : last + 1] = [primary] * (last + 1 - first)
        self._owners = owners
        self._primaries = frozenset(primary for _, _, primary, *_ in ranges)
        self._nodes = frozenset(node for _, _, *nodes in ranges for node in nodes)
        self.without_replica = len({primary for _, _, primary, *replicas in ranges if not replicas})

    async def close(self) -> None:
        await self._questions.close()

    async def _ask(self, node: Address) -> list[tuple[Any, ...]]:
        """The slots as this node knows them: first, last, the address of the primary, and those of its replicas."""
        reply = await ask(self._target.options, node, "CLUSTER", "SLOTS")
        if not reply:
            raise RedisConnectionError("the node has joined no cluster")
        # A server that does not know its name leaves it out: it is the one that was connected to.
        return [
            (
                int(first),
                int(last),
                *(Address((host or b"").decode() or node.host, int(port)) for host, port, *_ in servers),
            )
            for first, last, *servers in reply
        ]


class Questions:
    """Asks several servers at the same time. Those that are slow are left to end by themselves: to give up a TLS
    connection in the middle of its handshake would leave it open for longer.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._asked: set[asyncio.Task[Any]] = set()

    async def first_answers(self, asked: Iterable[Coroutine[Any, Any, Answer]], *, number: int) -> list[Answer]:
        """The first `number` answers, or those that come in time; raises one of FAULTS if there is none."""
        tasks = [asyncio.ensure_future(self._in_time(question)) for question in asked]
        for task in tasks:
            self._asked.add(task)
            task.add_done_callback(self._ended)
        answers: list[Answer] = []
        fault: Exception = RedisConnectionError("nobody answers")
        for next_answer in asyncio.as_completed(tasks):
            try:
                answers.append(await next_answer)
            except FAULTS as error:
                # What a server says tells more than that another one is silent.
                fault = fault if isinstance(fault, ResponseError) else error
            if len(answers) == number:
                break
        if not answers:
            raise fault
        return answers

    async def close(self) -> None:
        """Wait for the servers that were slow."""
        if self._asked:
            await asyncio.wait(self._asked)

    async def _in_time(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await question
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # A server that answers nonsense cannot tell anything.
            raise RedisConnectionError("the answer cannot be read") from error

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            # Nobody may be left to ask for it, about which asyncio would log an error.
            task.exception()


async def ask(options: Mapping[str, Any], address: Address, *command: str) -> Any:
    """Send a command over a connection of its own. The caller limits the time of all this."""
    # In the older protocol, replies have the same form from every release.
    given = {**arguments(options), "host": address.host, "port": address.port, "protocol": 2}
    connection = connection_class(options)(**given, retry=Retry(NoBackoff(), 0))
    try:
        await connection.connect()
        await connection.send_command(*command)
        reply = await connection.read_response()
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    await connection.disconnect()
    return reply
