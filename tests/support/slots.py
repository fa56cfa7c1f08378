"""Slots as tests drive them: reading a small page, programs put in the place of Tesseract, code run inside a child."""

import asyncio
import json
import multiprocessing
import os
import platform
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from docserver.errors import Failure
from docserver.model import Reading
from docserver.ocr.requests import Ready
from docserver.ocr.sandbox import syscalls
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from tests.support.waiting import HANG_S, until

NUMBERS = {**syscalls.REFUSED[platform.machine()], **syscalls.JUDGED[platform.machine()]}

CRASH = "ulimit -s 128; crash() { crash; }; crash"
"""Ends a shell by SIGSEGV. The sandbox refuses a program's signal to itself."""


def install(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{script}\n")
    (programs / name).chmod(0o755)


@contextmanager
def older_kernels(directory: Path, *, lacking: str) -> Iterator[None]:
    """Starts OCR processes as on a system that lacks these features, as in `older_kernel`."""
    tests = Path(__file__).parent.parent
    install(
        directory,
        "python",
        f"export PYTHONPATH={tests.parent}\n"
        f'exec {sys.executable} {tests / "support" / "older_kernel.py"} {lacking} {sys.executable} "$@"',
    )
    multiprocessing.set_executable(str(directory / "python"))
    try:
        yield
    finally:
        multiprocessing.set_executable(sys.executable)


def tesseract_that_sleeps(programs: Path) -> Path:
    """Never ends, and has a process of its own; returns the directory where a file will hold both their ids."""
    install(programs, "tesseract", "sleep 1000 & echo $$ $! > $TMPDIR/new; mv $TMPDIR/new $TMPDIR/pids; wait")
    return programs.parent


def alive(pid: int) -> bool:
    """True if a process or a thread of it runs; a dead one that nobody has reaped does not."""
    try:
        # After the command in brackets, the first field is the state, and the 18th counts the threads (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in ("Z", "X") or int(fields[17]) > 1


async def pids_in(directory: Path, name: str = "pids") -> list[int]:
    """The process ids in a file of this name that somebody writes below this directory."""
    await until(lambda: any(files_below(directory, name)))
    return [int(pid) for pid in next(files_below(directory, name)).read_text().split()]


def files_below(directory: Path, name: str) -> Iterator[Path]:
    """Files below a directory, also those in the scratch directories that OCR processes have mounted for themselves."""
    yield from directory.rglob(name)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(directory):
                yield from (process / "cwd").glob(name)


def child_of(slot: Slot) -> int:
    assert slot._child is not None
    assert slot._child.process.pid is not None
    return slot._child.process.pid


def set_page_timeout(slot: Slot, timeout_s: float = HANG_S) -> None:
    """Bound the next pages; a page that has to be read needs longer on a busy machine than a test wants to wait."""
    slot._settings = replace(slot._settings, page_timeout_s=timeout_s)


async def read(slot: Slot, source: Path) -> Reading | Failure:
    return await slot.read(source, "image/png", page=1, options=Options("eng"))


async def count_pages(slot: Slot, source: Path, content_type: str = "image/png") -> int | Failure:
    """Open a document; returns the number of its pages, or why it cannot be opened."""
    opened = await slot.open(source, content_type)
    return opened if isinstance(opened, Failure) else opened.pages


async def assert_reads(slot: Slot, source: Path) -> None:
    reading = await read(slot, source)
    assert isinstance(reading, Reading), reading
    assert reading.text == "Still here"


async def inside(slot: Slot, attack: str) -> Any:
    """Run statements in a slot's process; returns what they leave in `found`, and raises their OSErrors."""
    running = await slot._running_child()
    code = f"[names := {{}}, exec({ATTACK!r}, names), names['answer']({PRELUDE + textwrap.dedent(attack)!r})][2]"
    # A failure answers every request; its detail carries what the attack says.
    running.answers.expect(Ready)
    failed = await asyncio.wrap_future(running.executor.submit(eval, code))
    answer = json.loads(failed.detail)
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))
    return answer["found"]


ATTACK = """
import json
from docserver.errors import DocumentErrorCode, Failure
from docserver.ocr.requests import Failed

def failed(said):
    return Failed(Failure(DocumentErrorCode.ENGINE_CRASHED, ""), detail=json.dumps(said))

def answer(attack):
    names = {}
    try:
        exec(attack, names)
    except OSError as error:
        return failed({"errno": error.errno})
    return failed({"found": names.get("found")})
"""

PRELUDE = textwrap.dedent(f"""
    import ctypes, fcntl, os, signal, socket, struct, subprocess, time
    from pathlib import Path
    numbers = {NUMBERS}
    server = os.getppid()

    def call(name, *arguments):
        result = ctypes.CDLL(None, use_errno=True).syscall(numbers.get(name, name), *arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result
""")
