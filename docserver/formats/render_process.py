"""Starts a process that writes one large result, and sends it the pages. `renderer` is what runs in that process."""

import asyncio
import logging
import pickle
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import docserver
from docserver.errors import ServiceError, Unavailable, Unprocessable
from docserver.formats import TextFormat
from docserver.formats.renderer import DISK_FULL, FAILED, TOO_LARGE
from docserver.model import Job, Page

log = logging.getLogger(__name__)

MODULE = "docserver.formats.renderer"


async def render(
    text_format: TextFormat, job: Job, batches: AsyncIterator[Sequence[Page]], *, scratch: Path
) -> tuple[str, IO[bytes]]:
    """Write a result; returns its SHA-256 in hexadecimal, and an unnamed file in `scratch`, which the caller closes.

    Raises Unavailable, Unprocessable if the result is too large, and what `batches` raises.
    """
    try:
        file = await asyncio.to_thread(_open, scratch)
    except OSError as error:
        raise disk_full() from error
    try:
        return await _write(text_format, job, batches, file), file
    except BaseException:
        file.close()
        raise


def _open(scratch: Path) -> IO[bytes]:
    # Somebody may have removed it.
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    return tempfile.TemporaryFile(dir=str(scratch))


async def _write(text_format: TextFormat, job: Job, batches: AsyncIterator[Sequence[Page]], file: IO[bytes]) -> str:
    process = await _start(file.fileno())
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # If the process ends early, its exit status says why.
        with suppress(BrokenPipeError, ConnectionResetError):
            await _send(process.stdin, (text_format, job))
            async for batch in batches:
                await _send(process.stdin, batch)
            await _send(process.stdin, [])
        output = await process.stdout.read()
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        raise _failed(status, output.decode(errors="replace"))
    return output.decode()


async def _start(descriptor: int) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", MODULE, str(descriptor)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(descriptor,),
            # A signal that a terminal or supervisor sends to the server's group must not reach the process.
            start_new_session=True,
            env={"PYTHONPATH": str(Path(docserver.__file__).parents[1])},
        )
    except OSError as error:
        log.warning("no process for a result", extra={"fault": error.strerror})
        raise _not_made() from error


async def _send(stdin: asyncio.StreamWriter, value: object) -> None:
    if stdin.is_closing():
        # The process has ended. uvloop raises RuntimeError for a write now.
        raise BrokenPipeError
    stdin.write(pickle.dumps(value))
    await stdin.drain()


def _failed(status: int, output: str) -> ServiceError:
    if status == DISK_FULL:
        return disk_full()
    if status == TOO_LARGE:
        return Unprocessable(
            "The result is too large; request fewer pages at a time.",
            errors=[{"detail": "These pages become too large a file.", "parameter": "pages"}],
        )
    log.error("result not written", extra={"status": status, "detail": output if status == FAILED else None})
    return _not_made()


def _not_made() -> Unavailable:
    return Unavailable("The result could not be made; try again.")


def disk_full() -> Unavailable:
    """The answer to a request for a large result for which the disk has no room."""
    return Unavailable("There is not enough disk space for such a large result; request fewer pages.")
