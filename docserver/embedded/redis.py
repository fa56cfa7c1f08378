"""Redis: sets the options to run it in little memory and only on a socket."""

import asyncio
from pathlib import Path

from docserver.embedded import sockets
from docserver.embedded.programs import Programs
from docserver.embedded.server import EmbeddedError, Server

SOCKET = "redis.sock"


def server(programs: Programs, data_dir: Path, runtime: Path, *, lock: int) -> Server:
    """The Redis server. It may lose its files, because everything in it can be restored from the database."""
    socket = runtime / SOCKET
    # The program behaves as a server only if it is started under this name.
    program = runtime / "redis-server"

    def prepare() -> None:
        sockets.ensure(runtime)
        if not program.is_symlink():
            try:
                program.symlink_to(programs.redis)
            except OSError as error:
                raise EmbeddedError(f"the link {program} cannot be made: {error.strerror}") from error

    return Server(
        name="redis-server",
        directory=data_dir / "redis",
        socket=socket,
        lock=lock,
        command=[
            *(programs.setpriv, "--pdeathsig", "TERM", str(program)),
            *("--port", "0"),
            *("--unixsocket", str(socket)),
            *("--unixsocketperm", "700"),
            *("--dir", "."),
            *("--appendonly", "yes"),
            *("--save", ""),
            # Redis's default of 64 MB is much on a small disk. The file holds what can be made again.
            *("--auto-aof-rewrite-min-size", "16mb"),
            *("--maxmemory", "256mb"),
            # Evict only keys with a time to live, so the queue of jobs, which has none, is never evicted.
            *("--maxmemory-policy", "volatile-lru"),
        ],
        is_answering=_is_answering,
        prepare=prepare,
    )


async def _is_answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"PING\r\n")
    return await reader.readexactly(5) == b"+PONG"
