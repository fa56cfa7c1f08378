"""A server as a child process: start, supervise, stop. Nothing here is specific to MariaDB or Redis."""

import asyncio
import logging
import os
import re
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from docserver import room
from docserver.backoff import doubling

log = logging.getLogger(__name__)

START_S = 60.0
"""Longest time for a server to start. Recovery after heavy writing takes seconds on a busy disk."""
STOP_S = 10.0
"""Longest time for a server to stop; then it is killed. Both servers stop within a second, and both survive a kill."""
ANSWER_S = 1.0
"""Longest wait for a server's answer when checking whether it is up."""
POLL_S = 0.02
CHECK_S = 1.0
"""Interval between two checks that a server's socket is still there. A check takes microseconds."""
MIN_PAUSE_S, MAX_PAUSE_S = 0.1, 30.0
"""Shortest and longest pause before a restart. Each pause is twice as long as the one before."""
STABLE_S = 60.0
"""If a server ran for longer than this, its next restart waits for the shortest pause again."""
LOG_BYTES = 1_000_000
"""Longest log of a server; one old log is kept. Without faults it takes years to fill."""
START_BYTES = 16_000_000
"""Room on the disk that a server needs to start. MariaDB writes a temporary tablespace of 12 MB."""

FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded|\berror:? (28|122)\b", re.IGNORECASE)
"""What MariaDB and Redis write into their logs when they meet a full disk or quota: the message, or Linux's number."""

IsAnswering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class EmbeddedError(Exception):
    """The servers cannot run; the message is one line for the operator."""


class DiskFull(EmbeddedError):
    """The server's log says that it has met a full disk."""


class Server:
    def __init__(
        self,
        *,
        name: str,
        directory: Path,
        socket: Path,
        lock: int,
        command: Sequence[str],
        is_answering: IsAnswering,
        prepare: Callable[[], None],
        create: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`lock` is the descriptor of a lock that the server inherits.

        `prepare` makes the directories and links that somebody else may remove. It runs before each start and at each
        check of a running server. `create` creates the server's directory if its files must never be lost; it runs
        at the first start only. Without `create`, a server that does not start is started again with an empty
        directory.
        """
        self.name = name
        self.socket = socket
        self._directory = directory
        self._lock = lock
        self._command = command
        self._is_answering = is_answering
        self._prepare = prepare
        self._create = create
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server and wait until it answers; raises EmbeddedError with the last error in the server's log.

        First waits for room on the disk: MariaDB dies each time it starts on a full disk. Raises OSError if none comes.
        """
        until = time.monotonic() + room.WAIT_S
        while True:
            await room.wait_for(self._directory, START_BYTES, user=self.name)
            try:
                await self._start()
            except (EmbeddedError, OSError) as error:
                await self.stop()
                if time.monotonic() > until or not await self._met_full_disk(error):
                    if isinstance(error, OSError):
                        raise
                    if self._create:
                        raise self._with_remedy(error) from error
                    await self._start_empty(reason=str(error))
                    return
                log.warning("server did not start on a full disk", extra={"server": self.name, "reason": str(error)})
                await asyncio.sleep(room.WAIT_POLL_S)
            else:
                return

    def _with_remedy(self, error: EmbeddedError) -> EmbeddedError:
        if not self._directory.exists():
            return error
        return EmbeddedError(f"{error}; if its files are damaged, restore {self._directory} from a backup")

    async def _met_full_disk(self, error: EmbeddedError | OSError) -> bool:
        # Somebody may have freed the disk since, so its room alone does not tell.
        is_said = isinstance(error, DiskFull) or FULL_DISK.search(str(error))
        return bool(is_said) or not await room.has(self._directory, START_BYTES)

    async def _start(self) -> None:
        self._prepare()
        if self._create is None:
            make_directory(self._directory)
        elif self._process is None:
            # Only at first: if the directory of a server that ran is gone, its disk was perhaps unmounted.
            await self._create()
        await self._run()

    async def _start_empty(self, *, reason: str) -> None:
        log.warning("server starts again with an empty directory", extra={"server": self.name, "reason": reason})
        _set_aside(self._directory)
        await self._run()

    async def supervise(self) -> None:
        """Restart the server each time it ends or loses its socket, until cancelled."""
        pauses_s = doubling(MIN_PAUSE_S, MAX_PAUSE_S)
        while self._process:
            since = time.monotonic()
            code = await self._end(self._process)
            if time.monotonic() - since > STABLE_S:
                pauses_s = doubling(MIN_PAUSE_S, MAX_PAUSE_S)
            pause_s = next(pauses_s)
            log.warning("server ended by itself", extra={"server": self.name, "exit_code": code, "pause_s": pause_s})
            await asyncio.sleep(pause_s)
            try:
                await self.start()
            except (EmbeddedError, OSError) as error:
                log.warning("server did not start again", extra={"server": self.name, "reason": str(error)})
                await self.stop()
            else:
                log.info("server restarted", extra={"server": self.name})

    async def _end(self, process: asyncio.subprocess.Process) -> int:
        """Wait until the server ends; returns its exit code. Without its socket nobody can reach it, so stop it."""
        end = asyncio.create_task(process.wait())
        try:
            while not (await asyncio.wait({end}, timeout=CHECK_S))[0]:
                try:
                    self._prepare()
                except EmbeddedError as error:
                    log.warning("server may fail", extra={"server": self.name, "reason": str(error)})
                limit_log(self._directory)
                if not self.socket.is_socket():
                    log.warning("server stopped: its socket was removed", extra={"server": self.name})
                    await self.stop()
            return end.result()
        finally:
            end.cancel()

    async def stop(self) -> None:
        """Stop the server; kill it if that takes too long or the caller is cancelled."""
        if self._process is None or self._process.returncode is not None:
            return
        send_signal(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("server killed: it did not stop in time", extra={"server": self.name})
        finally:
            await kill(self._process)

    async def _run(self) -> None:
        _unlink(self.socket)
        with log_file(self._directory) as output:
            since = output.tell()
            self._process = await spawn(self._command, cwd=self._directory, output=output, lock=self._lock)
        try:
            async with asyncio.timeout(START_S):
                while not await self._is_up():
                    if self._process.returncode is not None:
                        raise failure(f"{self.name} did not start", self._directory, since)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise failure(f"{self.name} did not answer within {START_S:g} s", self._directory, since) from None

    async def _is_up(self) -> bool:
        writer = None
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
                return await self._is_answering(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        finally:
            if writer:
                writer.close()


async def spawn(
    command: Sequence[str], *, cwd: Path, output: IO[bytes], lock: int, statements: IO[bytes] | None = None
) -> asyncio.subprocess.Process:
    """Start a child process that holds the lock while it lives. It has its own session, so Ctrl-C does not reach it."""
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=statements or asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(lock,),
        start_new_session=True,
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process if it has not ended yet, and wait until it has."""
    if process.returncode is None:
        send_signal(process.pid, signal.SIGKILL)
        await process.wait()


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, which may have ended already."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def make_directory(path: Path) -> Path:
    """Create the directory for this user only, unless it exists; returns its absolute path."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"the directory {path} cannot be made: {error.strerror}") from error
    return path.absolute()


def limit_log(directory: Path) -> None:
    """Empty the server's log if it has become too long, and keep a copy. The server goes on to append to it."""
    path = directory / "err.log"
    with suppress(OSError):
        if path.stat().st_size > LOG_BYTES:
            # On a full disk there is no copy.
            with suppress(OSError):
                shutil.copyfile(path, directory / "err.log.1")
            os.truncate(path, 0)


def log_file(directory: Path) -> IO[bytes]:
    """Open the server's log to append to it."""
    path = directory / "err.log"
    limit_log(directory)
    try:
        return path.open("ab")
    except OSError as error:
        raise EmbeddedError(f"{path} cannot be written: {error.strerror}") from error


def failure(what: str, directory: Path, since: int) -> EmbeddedError:
    """The error with the last complaint in the log after the offset `since`; without one, with the last line."""
    try:
        text = (directory / "err.log").read_bytes()[since:].decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    complaints = [line for line in lines if "error" in line.lower() and not line.endswith("Aborting")]
    kind = DiskFull if FULL_DISK.search(text) else EmbeddedError
    return kind(f"{what}: {(complaints or lines or ['its log is empty'])[-1]}")


def _set_aside(directory: Path) -> None:
    aside = directory.with_name(f"{directory.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    directory.rename(aside)
    make_directory(directory)


def _unlink(socket: Path) -> None:
    with suppress(OSError):
        socket.unlink()
