"""Redis as its callers use it: commands and Lua scripts, sent to the server that has their keys. The names of keys and
the meaning of replies belong to the callers.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import AskError, ClusterDownError, MovedError

from docserver.errors import RedisUnavailable
from docserver.redis.address import Address, parse
from docserver.redis.node import PAUSE_S, Command, Node, Reply, Script, unavailable
from docserver.redis.subscription import Subscription
from docserver.redis.topology import FAULTS, topology
from docserver.settings import Settings

LOOK_AGAIN_S = 5.0
"""How often a process asks where the primaries are although it has met no fault: it may be the one that did not hear of
a failover, because it was cut off together with the former primary."""


class Key(bytes):
    """The name of a key, to which the client adds the prefix. Keys with the same part in braces are in the same slot of
    a cluster, so one script may use them.
    """

    __slots__ = ()


PROBE = Key(b"{queue}:probe")
"""No key has this name."""


class Redis:
    """Sends commands to Redis, each with a time limit; every fault is raised as RedisUnavailable."""

    def __init__(self, url: str, *, timeout_s: float, prefix: str = Settings.redis_prefix) -> None:
        """Raises SettingsError if the URL cannot be used."""
        self._target = parse(url)
        self._timeout_s = timeout_s
        self._prefix = f"{prefix}:".encode()
        self.topology = topology(self._target, timeout_s=timeout_s)
        self._nodes: dict[Address, Node] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = float("-inf")
        self._fault: Exception | None = None
        """Why it could not be found out last where the primaries are."""

    async def run(self, script: Script, *, keys: Sequence[Key], args: Sequence[str | bytes | float]) -> Reply:
        """Run a Lua script, whose keys must be in one slot of a cluster; returns its reply."""
        names = [self._prefix + key for key in keys]
        (reply,) = await self._send(names[0], [("EVALSHA", script.sha, len(names), *names, *args)], script)
        return reply

    async def command(self, *command: Key | str | bytes | float) -> Reply:
        """Run one command; returns Redis' reply unchanged. Without a key, any primary runs it."""
        (reply,) = await self.commands(command)
        return reply

    def commands(self, *commands: Sequence[Key | str | bytes | float]) -> Coroutine[Any, Any, list[Reply]]:
        """Run commands whose keys are in one slot of a cluster; returns their replies."""
        words = [self._words(command) for command in commands]
        key = None
        for word, whole in zip(commands[0], words[0], strict=True):
            if type(word) is Key:
                key = whole
                break
        return self._send(key, words)

    async def rotate(self, key: Key, *, wait_s: float) -> bytes | None:
        """Move the first element of a list to its end, waiting up to `wait_s` for one; returns the element."""
        node = await self._node(self._prefix + key)
        try:
            command = self._words(("BLMOVE", key, key, "LEFT", "RIGHT", wait_s))
            element: bytes | None = await node.wait(command, wait_s=wait_s)
        except AskError as error:
            self._redirect(error, node)
            raise unavailable(error) from error
        return element

    @asynccontextmanager
    async def subscribed(self, channel: str) -> AsyncIterator[Subscription]:
        """Subscribe to a channel, which has the prefix; raises RedisUnavailable, or one of FAULTS."""
        node = await self._node(None)
        async with node.subscriber() as pubsub:
            async with asyncio.timeout(self._timeout_s):
                await pubsub.subscribe(self.channel(channel))
            yield Subscription(pubsub, is_current=lambda: node.address in self.topology.primaries())

    def channel(self, name: str) -> bytes:
        """The name of a channel with the prefix, for a script that publishes on it."""
        return self._prefix + name.encode()

    async def on_each_primary(self, *command: str) -> dict[Address, Reply]:
        """Run a command without a key on every primary. This ends the pauses after faults."""
        primaries = self.topology.primaries()
        if not primaries:
            self._looked_at = float("-inf")
            await self._look()
            primaries = self.topology.primaries()
        if not primaries:
            raise self._nowhere()
        nodes = [self._node_at(address) for address in primaries]
        for node in nodes:
            node.end_pause()
        calls = [node.call([command]) for node in nodes]
        # If one fault ended the wait, asyncio would log errors for the others.
        await asyncio.gather(*calls, return_exceptions=True)
        return {address: call.result()[0] for address, call in zip(primaries, calls, strict=True)}

    async def check_writable(self) -> None:
        """Raise RedisUnavailable unless every primary answers now, and the one of the queues takes writes. This ends
        the pauses after faults.
        """
        await self.on_each_primary("PING")
        # It changes nothing, and is refused as all writes are: by a replica, or if the memory or the disk is full.
        await self.command("SETRANGE", PROBE, 0, "")

    def look_again(self) -> None:
        """Ask in the background where the primaries are, if that was found out a while ago."""
        if time.monotonic() - self._looked_at > LOOK_AGAIN_S:
            self._start_looking()

    async def close(self) -> None:
        """Wait for the commands in progress, then close all connections."""
        await asyncio.gather(*(node.close() for node in self._nodes.values()))
        if self._looking:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await self.topology.close()

    async def _send(self, key: bytes | None, commands: Sequence[Command], script: Script | None = None) -> list[Reply]:
        """Send commands to the server that has the key, or to any primary."""
        address = self.topology.primary(key)
        node = (self._nodes.get(address) if address else None) or await self._node(key)
        replies = await node.call(commands, script)
        for index, reply in enumerate(replies):
            if isinstance(reply, AskError):
                replies[index] = await self._send_elsewhere(reply, node, commands[index], script)
        return replies

    async def _send_elsewhere(self, error: AskError, node: Node, words: Command, script: Script | None) -> Reply:
        """Send a command to the node that this one names, once."""
        target = self._redirect(error, node)
        if isinstance(error, MovedError):
            (reply,) = await target.call([words], script)
        else:
            # ASKING holds for the next command alone, so a script must come as a whole.
            whole = ("EVAL", script.source, *words[2:]) if script else words
            _, reply = await target.call([("ASKING",), whole])
        if isinstance(reply, AskError):
            raise unavailable(reply) from reply
        return reply

    def _redirect(self, error: AskError, node: Node) -> Node:
        """The node that has the key, as another node has said."""
        # Without a host, the node means its own.
        address = Address(error.host or node.address.host, error.port)
        if isinstance(error, MovedError):
            self.topology.moved(error.slot_id, address)
            self._start_looking()
        return self._node_at(address)

    def _words(self, command: Sequence[Key | str | bytes | float]) -> Command:
        # No class inherits from Key, and every read comes through here: `isinstance` takes twice as long.
        return tuple([self._prefix + word if type(word) is Key else word for word in command])

    async def _node(self, key: bytes | None) -> Node:
        """The server that has a key, or any primary."""
        address = self.topology.primary(key)
        if address is None:
            await self._look()
            address = self.topology.primary(key)
        if address is None:
            raise self._nowhere()
        return self._node_at(address)

    def _node_at(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            options, timeout_s = self._target.options, self._timeout_s
            node = Node(address, options, timeout_s=timeout_s, on_fault=self._start_looking)
            self._nodes[address] = node
        return node

    def _nowhere(self) -> RedisUnavailable:
        """What to raise if no primary is known that has a key."""
        raised = RedisUnavailable("Redis does not answer.")
        raised.__cause__ = self._fault or ClusterDownError("some keys have no primary")
        return raised

    async def _look(self) -> None:
        """Wait until it was asked where the primaries are, unless that has failed just now."""
        if time.monotonic() - self._looked_at > PAUSE_S:
            self._start_looking()
        if self._looking:
            await asyncio.wait([self._looking])

    def _start_looking(self) -> None:
        if self._looking is None or self._looking.done():
            self._looked_at = time.monotonic()
            self._looking = asyncio.get_running_loop().create_task(self._discover())

    async def _discover(self) -> None:
        """Find out where the primaries are, and close the connections to servers that are none."""
        try:
            await self.topology.discover()
        except FAULTS as error:
            unavailable(error)
            self._fault = error
            return
        self._fault = None
        primaries = self.topology.primaries()
        if gone := [address for address in self._nodes if primaries and address not in primaries]:
            await asyncio.gather(*(self._nodes.pop(address).close() for address in gone))
