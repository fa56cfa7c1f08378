"""Starts docserver by forking a process that has imported it: to import it takes most of the CPU time of a start."""

import asyncio
import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tests.support import forked_ocr, hosts

if TYPE_CHECKING:
    from tests.support.machine import Machine

PRELOADED = (
    "docserver.__main__",
    "docserver.command_line",
    "docserver.serving",
    "docserver.jobs.worker",
    "docserver.web.app",
    "docserver.webhooks.sender",
    "tests.support.fault_launcher",
    "uvloop",
)

MAX_MESSAGE_BYTES = 1 << 17

TOP = Path(__file__).parents[2]

# What is in the directory where a process starts comes first; the tests are found behind it.
ENVIRONMENT = {**forked_ocr.ENVIRONMENT, "PYTHONPATH": str(TOP)}
"""That of processes that import everything: as it was before any test changed it."""


class Process:
    """A running program, with what the tests need of asyncio's `Process`."""

    def __init__(
        self, pid: int, *, status: asyncio.StreamReader, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self._ended = asyncio.create_task(_exit_status(status))

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


async def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    limit: int,
    namespace: str = "",
    version: str = "",
    own_errors: bool = False,
) -> Process:
    """Run a module's `main` in a process of its own, in a network namespace if one is given, and of the `version` of
    docserver in this directory if it is not this one. `limit` is the longest line of its output, in bytes. With
    `own_errors`, `stderr` has its errors; else they come with the output.
    """
    pipes = [os.pipe() for _ in range(3 if own_errors else 2)]
    try:
        message = json.dumps([module, arguments, dict(environment), namespace]).encode()
        socket.send_fds(_preloaded(version), [message], [end for _, end in pipes])
    finally:
        for _, end in pipes:
            os.close(end)
    status, stdout, *stderr = [await _reader(pipe, limit) for pipe, _ in pipes]
    return Process(int(await status.readline()), status=status, stdout=stdout, stderr=(*stderr, stdout)[0])


async def _reader(descriptor: int, limit: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=limit)
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: _ClosedAtItsEnd(reader), pipe)
    return reader


class _ClosedAtItsEnd(asyncio.StreamReaderProtocol):
    def eof_received(self) -> bool:
        super().eof_received()
        return False


async def _exit_status(status: asyncio.StreamReader) -> int:
    # To the pipe's end, so that nothing of it is left when the event loop ends.
    return os.waitstatus_to_exitcode(int(await status.read()))


@cache
def _preloaded(version: str) -> socket.socket:
    """The way to the process that has imported everything of a version. It ends when this process does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.support.forked", str(its.fileno())]
    process = subprocess.Popen(
        command, pass_fds=[its.fileno()], stdout=subprocess.DEVNULL, cwd=version or None, env=ENVIRONMENT
    )
    its.close()
    # The first of them runs last.
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def main() -> None:
    """Fork a process for each message, until the tests end."""
    # As docserver does it, before it imports this.
    os.environ.setdefault("LOGNAME", "docserver")
    for module in PRELOADED:
        # Another version may not have it.
        with suppress(ModuleNotFoundError):
            import_module(module)
    machine = None
    # Another version may start OCR processes and find out about the machine in other ways.
    if Path(import_module("docserver").__file__ or "").is_relative_to(TOP):
        forked_ocr.preload()
        # The regular expressions and translations of the command line stay in the memory of the forks.
        import_module("docserver.command_line").make_parser()
        from tests.support.machine import Machine

        machine = Machine.explored()
    others = {thread.name for thread in threading.enumerate()} - {"MainThread", "coverage"}
    assert not others, f"a fork would not have these threads: {others}"
    # Collections in the forks would copy the memory of all these objects.
    gc.freeze()
    # Processes that have ended leave nothing behind.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    messages = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, descriptors, *_ = socket.recv_fds(messages, MAX_MESSAGE_BYTES, 3)
        if not message:
            return
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            messages.close()
            status, *outputs = descriptors
            _start_and_report(*json.loads(message), status=status, outputs=outputs, machine=machine)
        for descriptor in descriptors:
            os.close(descriptor)


def _start_and_report(
    module: str,
    arguments: list[str],
    environment: dict[str, str],
    namespace: str,
    *,
    status: int,
    outputs: list[int],
    machine: "Machine | None",
) -> NoReturn:
    """Report the id of a process that runs the module, and how it ends."""
    pid = os.fork()
    if pid:
        for output in outputs:
            os.close(output)
        os.write(status, b"%d\n" % pid)
        os.write(status, b"%d\n" % os.waitpid(pid, 0)[1])
        os._exit(0)
    os.dup2(outputs[0], 1)
    os.dup2(outputs[-1], 2)
    os.closerange(3, max(status, *outputs) + 1)
    if namespace:
        hosts.enter(namespace)
    if machine:
        machine.show(environment)
        # What a fork has inherited counts, too, where the memory of an OCR process is limited.
        if "DOCSERVER_CHILD_MEMORY_MB" not in environment:
            forked_ocr.install()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    # As if Python had been started with the module: processes that this one spawns import it again.
    sys.modules["__main__"] = import_module(module)
    forked_ocr.end_with(sys.modules["__main__"].main)


if __name__ == "__main__":
    main()
