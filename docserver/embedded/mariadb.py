"""MariaDB: creates its data directory, and sets the options to run it in little memory and only on a socket."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from docserver import room
from docserver.embedded import sockets
from docserver.embedded.programs import Programs
from docserver.embedded.server import (
    START_S,
    EmbeddedError,
    Server,
    failure,
    kill,
    log_file,
    make_directory,
    spawn,
)

SYSTEM_TABLES = (
    "m*_system_tables.sql",
    "m*_performance_tables.sql",
    "m*_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)
"""The SQL files that the script mariadb-install-db gives to the server. The script is not used, because it needs
programs from further packages."""

PREAMBLE = """
create database if not exists mysql;
use mysql;
set @auth_root_socket = null;
set @skip_auth_anonymous = 1;
"""

RUN = (
    "--skip-networking",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--innodb-log-buffer-size=2M",
    "--key-buffer-size=64K",
    "--aria-pagecache-buffer-size=1M",
    "--query-cache-type=0",
    "--query-cache-size=0",
    "--table-open-cache=256",
    "--max-connections=100",
    # MySQL's default, so that MariaDB accepts rows of the same size.
    "--max-allowed-packet=64M",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_520_ci",
    "--default-time-zone=+00:00",
)
BOOTSTRAP = ("--bootstrap", "--enforce-storage-engine=", "--max-allowed-packet=8M", "--net-buffer-length=16K")
TEMPORARY = "mysql.tmp"
"""The directory of MariaDB's temporary files, in the data directory. It exists while docserver runs."""
CREATE_BYTES = 64_000_000
"""Room on the disk to create the data directory and start. It has 30 MB, and 12 MB more while MariaDB runs."""
SOCKET = "mysql.sock"
PROTOCOL = 10
"""The protocol version: the first byte after the header of the server's greeting. An error packet has 255 there."""


def server(programs: Programs, data_dir: Path, runtime: Path, *, lock: int) -> Server:
    """The MariaDB server. Its data directory is created when it starts for the first time."""
    directory = data_dir / "mysql"
    socket = runtime / SOCKET
    temporary = data_dir / TEMPORARY

    def prepare() -> None:
        sockets.ensure(runtime)
        sockets.ensure(temporary)

    async def create() -> None:
        if not directory.exists():
            await _make(programs, directory, temporary, lock=lock)

    return Server(
        name="mariadbd",
        directory=directory,
        socket=socket,
        lock=lock,
        command=_command(
            programs,
            directory,
            (f"--socket={socket}", f"--pid-file={directory / 'mariadbd.pid'}", _tmpdir(temporary, directory), *RUN),
        ),
        is_answering=_is_answering,
        prepare=prepare,
        create=create,
    )


def _tmpdir(temporary: Path, directory: Path) -> str:
    """The option for MariaDB's temporary files, relative to its data directory.

    Do not use /tmp: when MariaDB starts, it deletes all temporary tables there, also those of other servers; and the
    system removes old files there. An absolute path might contain a colon, which separates the paths of a list.
    """
    return f"--tmpdir={os.path.relpath(temporary.resolve(), directory.resolve())}"


def _command(programs: Programs, directory: Path, options: Sequence[str]) -> list[str]:
    return [
        *(programs.setpriv, "--pdeathsig", "TERM", programs.mariadbd),
        "--no-defaults",
        f"--datadir={directory}",
        "--innodb-log-file-size=16M",
        "--innodb-buffer-pool-size=32M",
        # MariaDB refuses to run as root without this option.
        *(["--user=root"] if os.geteuid() == 0 else []),
        *options,
    ]


async def _is_answering(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> bool:
    # A packet begins with a header: three bytes with the length, and one with the sequence number.
    return (await reader.readexactly(5))[4] == PROTOCOL


async def _make(programs: Programs, directory: Path, temporary: Path, *, lock: int) -> None:
    """Create the data directory under another name, and rename it when it is complete."""
    new = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    await room.wait_for(directory, CREATE_BYTES, user="mariadbd")
    make_directory(new)
    script = _script(programs, temporary)
    command = _command(programs, new, (_tmpdir(temporary, new), *BOOTSTRAP))
    with script.open("rb") as statements, log_file(new) as output:
        process = await spawn(command, cwd=new, output=output, lock=lock, statements=statements)
        try:
            async with asyncio.timeout(START_S):
                code = await process.wait()
        except TimeoutError:
            raise EmbeddedError(f"mariadbd did not make its data directory within {START_S:g} s") from None
        finally:
            await kill(process)
    if code:
        raise failure("mariadbd could not make its data directory", new, 0)
    new.rename(directory)


def _script(programs: Programs, temporary: Path) -> Path:
    script = temporary / "bootstrap.sql"
    files = (path for name in SYSTEM_TABLES for path in sorted(programs.share.glob(name)))
    script.write_bytes(b"\n".join((PREAMBLE.encode(), *(path.read_bytes() for path in files))))
    return script
