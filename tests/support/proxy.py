"""A TCP proxy before a server that cuts, delays, swallows or spoils what goes through it."""

import asyncio
import random
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

CHUNK_BYTES = 1 << 16


class Cut(Enum):
    """Where a connection is cut when the client says what a trap waits for."""

    BEFORE = "the server never sees it"
    AFTER = "the server carries it out, but the client never hears"


@dataclass(slots=True)
class Trap:
    """Cuts one connection, once."""

    pattern: bytes
    cut: Cut
    for_good: bool
    """Whether all connections are refused from then on."""
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    deaf: bool = False

    def abort(self) -> None:
        for end in (self.client, self.server):
            end.transport.abort()


class Proxy:
    """Forwards to `target` until told otherwise; `heal` makes it forward again."""

    def __init__(self, target: Path | int) -> None:
        """`target` is a unix socket, or a port of this machine."""
        self._target = target
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._traps: list[Trap] = []
        self._to_server, self._to_client = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.heal()

    async def start(self, listener: socket.socket | None = None) -> None:
        """`listener` is where it is reached, if not on a free port of this machine."""
        if listener:
            self._server = await asyncio.start_server(self._serve, sock=listener)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server:
            self._server.close()
        self.heal()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def heal(self) -> None:
        """Forward everything, as it is, at once."""
        self._refusing = False
        self._delay_s = 0.0
        self._spoiler: random.Random | None = None
        self._traps.clear()
        self._to_server.set()
        self._to_client.set()

    def point_to(self, target: Path) -> None:
        """Lead new connections to another server; those that are open stay."""
        self._target = target

    def cut(self) -> None:
        """Break all connections; new ones are welcome."""
        for link in tuple(self._links):
            link.abort()

    def reset(self) -> None:
        """Break all connections as a server or a firewall does that forgot them; new ones are welcome."""
        for link in tuple(self._links):
            at_once = struct.pack("ii", 1, 0)
            link.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            link.abort()

    def refuse(self) -> None:
        """Break all connections, old and new."""
        self._refusing = True
        self.cut()

    def swallow(self, *, requests: bool = True, replies: bool = True) -> None:
        """Keep connections open and let nothing through, in one direction or both."""
        if requests:
            self._to_server.clear()
        if replies:
            self._to_client.clear()

    def delay(self, seconds: float) -> None:
        """Hold back each piece for so long."""
        self._delay_s = seconds

    def spoil(self, seed: int = 1) -> None:
        """Replace what the server says by nonsense."""
        self._spoiler = random.Random(seed)

    def trap(self, pattern: bytes, cut: Cut, *, for_good: bool = False) -> Trap:
        """Cut the first connection on which the client says this."""
        made = Trap(pattern, cut, for_good)
        self._traps.append(made)
        return made

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._pump_requests(reader, link), self._pump_replies(server_reader, link))
        except OSError:
            pass
        except RuntimeError:
            # What uvloop raises for a transport that another task has aborted.
            if not (writer.is_closing() or server_writer.is_closing()):
                raise
        finally:
            link.abort()
            self._links.discard(link)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pump_requests(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._hold(self._to_server)
            trap = next((trap for trap in self._traps if trap.pattern in data), None)
            if trap:
                self._traps.remove(trap)
                trap.sprung.set()
                self._refusing = trap.for_good
                if trap.cut is Cut.BEFORE:
                    break
                link.deaf = True
            link.server.write(data)
            await link.server.drain()
        link.abort()

    async def _pump_replies(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while data := await reader.read(CHUNK_BYTES):
            await self._hold(self._to_client)
            if link.deaf:
                break
            link.client.write(self._spoiler.randbytes(len(data)) if self._spoiler else data)
            await link.client.drain()
        link.abort()

    async def _hold(self, open_: asyncio.Event) -> None:
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        await open_.wait()
