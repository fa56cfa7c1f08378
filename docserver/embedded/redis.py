"""Redis: how it is run small, on a socket alone, keeping what it can."""

import asyncio
from pathlib import Path

from docserver.embedded.programs import Programs
from docserver.embedded.server import Server


def server(programs: Programs, data_dir: Path, runtime: Path, *, held: int) -> Server:
    """Describe the server; it may lose its files, as everything in it is a hint."""
    socket = runtime / "redis.sock"
    # One program is server and checker both, and does what the name says that it is called by.
    program = runtime / "redis-server"
    program.symlink_to(programs.redis)
    return Server(
        name="redis-server",
        directory=data_dir / "redis",
        socket=socket,
        held=held,
        command=[
            *(programs.setpriv, "--pdeathsig", "TERM", str(program)),
            *("--port", "0"),
            *("--unixsocket", str(socket)),
            *("--unixsocketperm", "700"),
            *("--dir", "."),
            *("--appendonly", "yes"),
            *("--save", ""),
            *("--maxmemory", "256mb"),
            # Only what has a time to live may be evicted; the list of jobs has none.
            *("--maxmemory-policy", "volatile-lru"),
        ],
        answers=_answers,
    )


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(b"PING\r\n")
    return await reader.readexactly(5) == b"+PONG"
