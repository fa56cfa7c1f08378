"""Redis: how it runs in little memory, on a socket only."""

import asyncio
from pathlib import Path

from docserver.embedded.programs import Programs
from docserver.embedded.server import Server


def server(programs: Programs, data_dir: Path, runtime: Path, *, lock: int) -> Server:
    """The server; it may lose its files, since everything in it can be found again in the database."""
    socket = runtime / "redis.sock"
    # The program is a server only if it is called by this name.
    program = runtime / "redis-server"
    program.symlink_to(programs.redis)
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
            *("--maxmemory", "256mb"),
            # Evict only keys with a time to live; the list of jobs has none.
            *("--maxmemory-policy", "volatile-lru"),
        ],
        is_answering=_is_answering,
    )


async def _is_answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"PING\r\n")
    return await reader.readexactly(5) == b"+PONG"
