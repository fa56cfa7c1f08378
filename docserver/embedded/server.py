"""One server as a child process: started, watched, started again, stopped. Knows neither MariaDB nor Redis."""

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

START_S = 60.0
"""A recovery after heavy writing, on a busy disk, takes seconds; a minute without an answer is a fault."""
STOP_S = 10.0
"""Both stop in under a second, and both recover from a kill."""
ANSWER_S = 1.0
POLL_S = 0.02
PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
"""Between two restarts of a server, doubling from the first to the second."""
STEADY_S = 60.0
"""After this long the next restart comes without a longer pause."""
LOG_BYTES = 1_000_000
"""A longer log is put aside when its server starts; years of starts fit, and only one is kept."""

Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class EmbeddedError(Exception):
    """The servers cannot run; the message is one line for the operator."""


class Server:
    def __init__(
        self,
        *,
        name: str,
        directory: Path,
        socket: Path,
        held: int,
        command: Sequence[str],
        answers: Answers,
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
        """Start the server and wait until it answers; raises EmbeddedError with what its log says."""
        if self._create:
            await self._create()
            await self._run()
            return
        make_directory(self._directory)
        try:
            await self._run()
        except EmbeddedError as error:
            log.warning("server begins anew with an empty directory", extra={"server": self.name, "reason": str(error)})
            await self.stop()
            _set_aside(self._directory)
            await self._run()

    async def supervise(self) -> None:
        """Start the server again each time it ends, until cancelled."""
        pause_s = PAUSE_S
        while self._process:
            since = time.monotonic()
            code = await self._process.wait()
            if time.monotonic() - since > STEADY_S:
                pause_s = PAUSE_S
            log.warning("server ended by itself", extra={"server": self.name, "exit_code": code, "pause_s": pause_s})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                await self.start()
            except (EmbeddedError, OSError) as error:
                log.warning("server did not start again", extra={"server": self.name, "reason": str(error)})
                await self.stop()
            else:
                log.info("server runs again", extra={"server": self.name})

    async def stop(self) -> None:
        """End the server in order, or by force when that takes too long or the caller is cancelled."""
        if self._process is None or self._process.returncode is not None:
            return
        send(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("server did not stop in time and is killed", extra={"server": self.name})
        finally:
            await kill(self._process)

    async def _run(self) -> None:
        _unlink(self.socket)
        with log_file(self._directory) as output:
            since = output.tell()
            self._process = await spawn(self._command, cwd=self._directory, output=output, held=self._held)
        try:
            async with asyncio.timeout(START_S):
                while not await self._is_up():
                    if self._process.returncode is not None:
                        raise EmbeddedError(f"{self.name} did not start: {last_words(self._directory, since)}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            said = last_words(self._directory, since)
            raise EmbeddedError(f"{self.name} did not answer within {START_S:g} s: {said}") from None

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


async def spawn(
    command: Sequence[str], *, cwd: Path, output: IO[bytes], held: int, statements: IO[bytes] | None = None
) -> asyncio.subprocess.Process:
    """Start a child that keeps the lock `held` while it lives, and that the terminal's Ctrl-C does not reach."""
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        stdin=statements or asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(held,),
        start_new_session=True,
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End the process, if it has not ended, and wait for that."""
    if process.returncode is None:
        send(process.pid, signal.SIGKILL)
        await process.wait()


def send(pid: int, way: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, way)


def make_directory(path: Path) -> Path:
    """Make the directory, for us alone, unless it is there; return its absolute path."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"the directory {path} cannot be made: {error.strerror}") from error
    return path.absolute()


def log_file(directory: Path) -> IO[bytes]:
    """Open the server's log for what it says next."""
    path = directory / "err.log"
    try:
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.rename(directory / "err.log.1")
        return path.open("ab")
    except OSError as error:
        raise EmbeddedError(f"{path} cannot be written: {error.strerror}") from error


def last_words(directory: Path, since: int) -> str:
    """Tell the last complaint in the log from that offset on, or its last line."""
    try:
        text = (directory / "err.log").read_bytes()[since:].decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    complaints = [line for line in lines if "error" in line.lower() and not line.endswith("Aborting")]
    return (complaints or lines or ["it said nothing"])[-1]


def _set_aside(directory: Path) -> None:
    aside = directory.with_name(f"{directory.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    directory.rename(aside)
    make_directory(directory)


def _unlink(socket: Path) -> None:
    with suppress(OSError):
        socket.unlink()
