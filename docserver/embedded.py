"""A private MariaDB and Redis: child processes on unix sockets, with their files in a data directory. No SQL and no Redis keys of ours.

Below the data directory: `mysql/` and `redis/` (each with its `err.log`), two lock files, and while the servers run `run`,
a link to the directory of their sockets. Call it from the main thread: the kernel ends the servers when the thread that
started them ends.
"""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

log = logging.getLogger(__name__)

START_S = 60.0
"""A crash recovery after heavy writing, on a busy disk, takes seconds; a minute without an answer is a fault."""
STOP_S = 10.0
"""Both stop in under a second; InnoDB and the append-only file recover from a kill."""
LEFTOVER_S = 15.0
"""Time for the servers of a docserver that was killed to end in order."""
ANSWER_S = 1.0
POLL_S = 0.02
IN_USE_S = 0.5
"""A docserver that was killed keeps its lock until the kernel has taken it apart, which takes milliseconds."""
PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""Between two restarts of a server, doubling from the first to the second."""
STEADY_S = 60.0
"""A server that ran this long is restarted without a longer pause."""
LOG_BYTES = 1_000_000
"""A log that is longer when its server starts is kept aside once, so that two of these are the most a server keeps."""
SOCKET_PATH_BYTES = 107
"""sun_path holds 108 bytes with the final zero, unix(7)."""

ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where mariadbd is, and where the PATH of an ordinary user on Debian does not lead."""
SHARE = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
"""Where the packages of MariaDB up to 10.11 and from 11 keep the SQL that makes a new data directory."""


class EmbeddedError(Exception):
    """The servers cannot run; the message is one line for the operator."""


@dataclass(frozen=True)
class Endpoints:
    """How to reach the servers: root without a password, guarded by the mode of the sockets' directory."""

    mysql_url: str
    redis_url: str


@asynccontextmanager
async def servers(data_dir: Path) -> AsyncIterator[Endpoints]:
    """Run both servers, and run them again should they end, until the block ends; then nothing is left running.

    Raises EmbeddedError if a program is missing, the directory is in use or cannot be written, or a server does not start.
    """
    programs = _Programs.find()
    data_dir = data_dir.absolute()
    with ExitStack() as stack:
        _make(data_dir)
        await _lock(stack.enter_context(_opened(data_dir / "docserver.lock")), data_dir)
        # The servers inherit this one, so it stays locked until the last of them has ended, whatever became of us.
        held = stack.enter_context(_opened(data_dir / "servers.lock"))
        await _end_leftovers(held, data_dir)
        sockets = stack.enter_context(_socket_directory(data_dir))
        both = (_mariadb(programs, data_dir, sockets, held=held), _redis(programs, data_dir, sockets, held=held))
        supervisors: list[asyncio.Task[None]] = []
        try:
            await _all(*(server.start() for server in both))
            supervisors += [asyncio.create_task(server.supervise(), name=server.name) for server in both]
            yield Endpoints(
                mysql_url=f"mysql:///docserver?unix_socket={quote(str(both[0].socket))}",
                redis_url=f"unix://{quote(str(both[1].socket))}",
            )
        finally:
            for supervisor in supervisors:
                supervisor.cancel()
            try:
                await asyncio.gather(*supervisors, return_exceptions=True)
                await asyncio.gather(*(server.stop() for server in both))
            finally:
                for pid in _holders(held):
                    _signal(pid, signal.SIGKILL)


async def _all(*steps: Awaitable[None]) -> None:
    """Run the steps side by side; the first failure ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Server:
    """One server: started, watched, stopped."""

    def __init__(
        self,
        *,
        name: str,
        directory: Path,
        socket: Path,
        held: int,
        command: Sequence[str],
        answers: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]],
        create: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`create` makes a directory that is worth keeping; without it the server may begin anew with an empty one."""
        self.name = name
        self.socket = socket
        self._directory = directory
        self._held = held
        self._command = command
        self._answers = answers
        self._create = create
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        if self._create:
            await self._create()
            return await self._run()
        _make(self._directory)
        try:
            await self._run()
        except EmbeddedError as error:
            log.warning("server begins anew with an empty directory", extra={"server": self.name, "reason": str(error)})
            await self.stop()
            _set_aside(self._directory)
            await self._run()

    async def _run(self) -> None:
        self.socket.unlink(missing_ok=True)
        with _log_file(self._directory) as output:
            since = output.tell()
            self._process = await _spawn(self._command, cwd=self._directory, output=output, held=self._held)
        try:
            async with asyncio.timeout(START_S):
                while not await self._is_up():
                    if self._process.returncode is not None:
                        raise EmbeddedError(f"{self.name} did not start: {_last_line(self._directory, since)}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise EmbeddedError(
                f"{self.name} did not answer within {START_S:g} s: {_last_line(self._directory, since)}"
            ) from None

    async def _is_up(self) -> bool:
        writer = None
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
                return await self._answers(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        finally:
            if writer:
                writer.close()

    async def supervise(self) -> None:
        """Start the server again each time it ends, until cancelled."""
        pause_s = PAUSE_S
        while self._process:
            since = time.monotonic()
            code = await self._process.wait()
            if time.monotonic() - since > STEADY_S:
                pause_s = PAUSE_S
            log.warning("server ended by itself", extra={"server": self.name, "exit_code": code, "again_in_s": pause_s})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                await self.start()
            except (EmbeddedError, OSError) as error:
                log.error("server could not be started again", extra={"server": self.name, "reason": str(error)})  # noqa: TRY400
                await self.stop()
            else:
                log.info("server runs again", extra={"server": self.name})

    async def stop(self) -> None:
        """End the server in order, or by force when that takes too long or the caller is cancelled."""
        if self._process is None or self._process.returncode is not None:
            return
        _signal(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("server did not stop in time and is killed", extra={"server": self.name})
        finally:
            if self._process.returncode is None:
                _signal(self._process.pid, signal.SIGKILL)
                await self._process.wait()


def _mariadb(programs: "_Programs", data_dir: Path, sockets: Path, *, held: int) -> _Server:
    directory = data_dir / "mysql"
    socket = sockets / "mysql.sock"

    async def create() -> None:
        if not directory.exists():
            await _bootstrap(programs, directory, sockets, held=held)

    async def answers(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> bool:
        # The handshake of protocol 10 stands behind four bytes of length and number; an error would be 255.
        return (await reader.readexactly(5))[4] == 10

    command = [
        *programs.mariadbd_for(directory),
        f"--socket={socket}",
        f"--pid-file={directory / 'mariadbd.pid'}",
        f"--tmpdir={sockets}",
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
        # What MySQL allows by default, so that both take the same pages.
        "--max-allowed-packet=64M",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_520_ci",
        "--default-time-zone=+00:00",
    ]
    return _Server(
        name="mariadbd", directory=directory, socket=socket, held=held, command=command, answers=answers, create=create
    )


async def _bootstrap(programs: "_Programs", directory: Path, sockets: Path, *, held: int) -> None:
    """Make a new MariaDB data directory; it gets its name when it is complete."""
    new = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    _make(new)
    script = sockets / "bootstrap.sql"
    script.write_bytes(programs.system_tables)
    with script.open("rb") as statements, _log_file(new) as output:
        process = await _spawn(
            [
                *programs.mariadbd_for(new),
                "--bootstrap",
                "--enforce-storage-engine=",
                "--max-allowed-packet=8M",
                "--net-buffer-length=16K",
            ],
            cwd=new,
            output=output,
            held=held,
            statements=statements,
        )
        try:
            async with asyncio.timeout(START_S):
                code = await process.wait()
        except TimeoutError:
            raise EmbeddedError(f"mariadbd did not make its data directory within {START_S:g} s") from None
        finally:
            if process.returncode is None:
                _signal(process.pid, signal.SIGKILL)
                await process.wait()
    if code:
        raise EmbeddedError(f"mariadbd could not make its data directory: {_last_line(new, 0)}")
    new.rename(directory)


def _redis(programs: "_Programs", data_dir: Path, sockets: Path, *, held: int) -> _Server:
    socket = sockets / "redis.sock"
    # Debian's redis-tools holds the server as redis-check-rdb; one program, it goes by the name it is called by.
    program = sockets / "redis-server"
    program.symlink_to(programs.redis)

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"PING\r\n")
        return await reader.readexactly(5) == b"+PONG"

    command = [
        *(programs.setpriv, "--pdeathsig", "TERM", str(program)),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", "."),
        *("--appendonly", "yes"),
        *("--save", ""),
        *("--maxmemory", "256mb"),
        # What has no time to live, the list of jobs, is never evicted.
        *("--maxmemory-policy", "volatile-lru"),
    ]
    return _Server(
        name="redis-server", directory=data_dir / "redis", socket=socket, held=held, command=command, answers=answers
    )


@dataclass(frozen=True)
class _Programs:
    """Where the programs are."""

    mariadbd: str
    redis: str
    setpriv: str
    share: Path

    @classmethod
    def find(cls) -> "_Programs":
        mariadbd = _program("mariadbd", package="mariadb-server-core")
        redis = _program("redis-server", "redis-check-rdb", package="redis-tools")
        setpriv = _program("setpriv", package="util-linux")
        for share in SHARE:
            if list(share.glob("*_system_tables.sql")):
                return cls(mariadbd, redis, setpriv, share)
        raise EmbeddedError("the SQL files of mariadbd are missing: install the package mariadb-server-core")

    @property
    def system_tables(self) -> bytes:
        """What mariadb-install-db feeds to the server; run here without it, as it needs programs of other packages."""
        files = (
            "m*_system_tables.sql",
            "m*_performance_tables.sql",
            "m*_system_tables_data.sql",
            "maria_add_gis_sp_bootstrap.sql",
        )
        parts = [
            b"create database if not exists mysql;\nuse mysql;\nset @auth_root_socket=null;\nset @skip_auth_anonymous=1;\n"
        ]
        parts += [path.read_bytes() for name in files for path in sorted(self.share.glob(name))]
        return b"\n".join(parts)

    def mariadbd_for(self, directory: Path) -> list[str]:
        """The beginning of each mariadbd command: these must be the same when the directory is made and when it is used."""
        return [
            *(self.setpriv, "--pdeathsig", "TERM", self.mariadbd),
            "--no-defaults",
            f"--datadir={directory}",
            "--innodb-log-file-size=16M",
            "--innodb-buffer-pool-size=32M",
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]


def _program(*names: str, package: str) -> str:
    path = f"{os.environ.get('PATH', os.defpath)}:{ADMIN_PATH}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise EmbeddedError(f"{names[0]} is missing: install the package {package}")


async def _spawn(
    command: Sequence[str], *, cwd: Path, output: IO[bytes], held: int, statements: IO[bytes] | None = None
) -> asyncio.subprocess.Process:
    """Start a child that holds the lock, ends with us (setpriv, in `command`), and is out of the terminal's Ctrl-C."""
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=statements or asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(held,),
        start_new_session=True,
    )


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"the data directory {directory} cannot be made: {error.strerror}") from error


def _set_aside(directory: Path) -> None:
    aside = directory.with_name(f"{directory.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    directory.rename(aside)
    _make(directory)


def _log_file(directory: Path) -> IO[bytes]:
    path = directory / "err.log"
    try:
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.rename(directory / "err.log.1")
        return path.open("ab")
    except OSError as error:
        raise EmbeddedError(f"{path} cannot be written: {error.strerror}") from error


def _last_line(directory: Path, since: int) -> str:
    """The last complaint in a server's log from that offset on, or its last line."""
    try:
        text = (directory / "err.log").read_bytes()[since:].decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    complaints = [
        line for line in lines if ("error" in line.lower() or "***" in line) and not line.endswith("Aborting")
    ]
    return ([*lines, *complaints] or ["it said nothing"])[-1]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(f"the data directory {path.parent} cannot be written: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _lock(descriptor: int, data_dir: Path) -> None:
    if not await _locked(descriptor, within_s=IN_USE_S):
        raise EmbeddedError(f"the data directory {data_dir} is in use by another docserver")


async def _locked(descriptor: int, *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        except OSError as error:
            raise EmbeddedError(f"the data directory cannot be locked: {error.strerror}") from error
        else:
            return True


async def _end_leftovers(held: int, data_dir: Path) -> None:
    """Wait until the servers of a docserver that was killed have ended."""
    if await _locked(held, within_s=0):
        return
    for way in (signal.SIGTERM, signal.SIGKILL):
        pids = _holders(held)
        log.info("waiting for servers of an earlier run to end", extra={"pids": pids})
        for pid in pids:
            _signal(pid, way)
        if await _locked(held, within_s=LEFTOVER_S):
            return
    raise EmbeddedError(f"the data directory {data_dir} is in use by servers of an earlier run that do not end")


def _holders(descriptor: int) -> list[int]:
    """The other processes that hold the lock of this file, proc_pid_fdinfo(5); a reader of the file is none of them."""
    inode = os.fstat(descriptor).st_ino
    found = set()
    for info in Path("/proc").glob("[0-9]*/fdinfo/*"):
        with suppress(OSError):
            facts = info.read_text()
            if "FLOCK" in facts and f":{inode} " in facts:
                found.add(int(info.parts[2]))
    return sorted(found - {os.getpid()})


def _signal(pid: int, way: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, way)


@contextmanager
def _socket_directory(data_dir: Path) -> Iterator[Path]:
    """A directory that only we may enter, with a path short enough for sockets; `run` in the data directory leads to it."""
    link = data_dir / "run"
    _forget_sockets(link)
    with tempfile.TemporaryDirectory(prefix="docserver-", ignore_cleanup_errors=True) as usual, ExitStack() as stack:
        path = Path(usual)
        if len(os.fsencode(path / "redis-server")) > SOCKET_PATH_BYTES:
            short = tempfile.TemporaryDirectory(prefix="docserver-", dir="/tmp", ignore_cleanup_errors=True)
            path = Path(stack.enter_context(short))
        with suppress(OSError):
            link.symlink_to(path)
        try:
            yield path
        finally:
            link.unlink(missing_ok=True)


def _forget_sockets(link: Path) -> None:
    """Remove what a docserver that was killed could not."""
    with suppress(OSError):
        old = link.readlink()
        link.unlink()
        if old.name.startswith("docserver-") and old.lstat().st_uid == os.geteuid():
            shutil.rmtree(old, ignore_errors=True)
