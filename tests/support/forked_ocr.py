"""Starts OCR processes by forking a process that has imported their decoders and loaded a model: that takes most of the
CPU time of a start. All that an OCR process does to confine itself comes after that, as in a process that was spawned.
"""

import asyncio
import atexit
import ctypes
import fcntl
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from multiprocessing import util
from pathlib import Path
from typing import Any, NoReturn

from docserver.ocr.engine import describe
from docserver.ocr.requests import ReadPage
from docserver.reading_options import Options
from docserver.settings import Settings
from tests.support import fault_launcher
from tests.support.limits import LIMITS
from tests.support.samples import KINDS

PRELOADED = (
    "PIL.BmpImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.TiffImagePlugin",
    "docserver.__main__",
    "docserver.ocr.child.inspection",
    "docserver.ocr.child.main",
    "docserver.ocr.child.page_images",
    "docserver.ocr.child.pdf_making",
    "docserver.ocr.child.tasks",
    "docserver.ocr.recognition.tesseract_library",
    "docserver.ocr.recognition.tesseract_program",
)

WARMING = ("png", "pdf_text")
"""Documents that are read before the first fork: one by OCR, which loads a model, and one with a text of its own, which
makes the shapes that glyphs are compared with."""

MAX_MESSAGE_BYTES = 1 << 17
MAX_DESCRIPTORS = 64

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

NAME = "preloaded"
"""What the kernel calls the process that has imported everything, which no test asks for."""

ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""As it was before any test changed it: some have programs of their own on the PATH, which describe no engine. A fork
copies the page tables, which are small for huge pages. Programs that forks start have an environment without this.
"""

spawnv_passfds = util.spawnv_passfds
_asking = threading.Lock()
_preloaded: socket.socket | None = None
"""The way to the process that has imported everything; None before there is one. It ends when this process does."""


def preload() -> None:
    for module in PRELOADED:
        import_module(module)
    # As in OCR processes; else Tesseract would start threads, which forks do not have.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    from docserver.ocr.child import tasks

    engine = asyncio.run(describe(Settings.engine))
    # asyncio waits for a program in a thread, which may outlive the wait for it.
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio-waitpid"):
            thread.join()
    with tempfile.TemporaryDirectory() as scratch:
        limits = replace(LIMITS, scratch=scratch, source=scratch, binding=engine.binding, tessdata=engine.tessdata)
        for kind in WARMING:
            source = Path(scratch) / "page"
            source.write_bytes(KINDS[kind].data())
            request = ReadPage(content_type=KINDS[kind].content_type, page=1, options=Options("eng"))
            tasks.read_page(request, str(source), limits)


def install() -> None:
    """Start OCR processes of this process in this way. It must have preloaded what they need, and have no threads."""
    global _preloaded
    _preloaded, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        _preloaded.close()
        serve(its)
    its.close()
    util.spawnv_passfds = spawn


def spawn(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
    """Takes the place of multiprocessing's `spawnv_passfds`: returns the id of a child of this process."""
    # `make coverage` measures OCR processes only if they start by themselves.
    if os.fsdecode(path) != sys.executable or "coverage" in sys.modules:
        return spawnv_passfds(path, args, passfds)
    code = args[args.index("-c") + 1]
    numbers = [0, 1, 2, *passfds]
    message = json.dumps([code, numbers, dict(os.environ), str(Path.cwd())]).encode()
    libc = ctypes.CDLL(None)
    with _asking:
        preloaded = _preloaded or _started()
        # A process whose parent has ended becomes a child of this process.
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(preloaded, [message], numbers)
            return int(preloaded.recv(MAX_MESSAGE_BYTES))
        finally:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@cache
def _started() -> socket.socket:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", __name__, str(its.fileno())]
    process = subprocess.Popen(command, pass_fds=[its.fileno()], env=ENVIRONMENT)
    its.close()
    # The first of them runs last.
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def serve(messages: socket.socket) -> NoReturn:
    """Fork a process for each message, until the other side ends."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NAME, NAME.encode(), 0, 0, 0)
    gc.freeze()
    while True:
        message, descriptors, *_ = socket.recv_fds(messages, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
        if not message:
            os._exit(0)
        code, numbers, environment, directory = json.loads(message)
        begin, begins = os.pipe()
        answer, answers = os.pipe()
        middle = os.fork()
        if not middle:
            pid = os.fork()
            if pid:
                os.write(answers, str(pid).encode())
                os._exit(0)
            libc.prctl(PR_SET_NAME, b"python", 0, 0, 0)
            os.close(begins)
            os.read(begin, 1)
            _run(code, dict(zip(numbers, descriptors, strict=True)), environment=environment, directory=directory)
        os.waitpid(middle, 0)
        # The process in the middle has ended, so the other side is the parent now, and the process may begin.
        os.close(begins)
        messages.send(os.read(answer, MAX_MESSAGE_BYTES))
        for descriptor in (begin, answer, answers, *descriptors):
            os.close(descriptor)


def _run(code: str, descriptors: dict[int, int], *, environment: dict[str, str], directory: str) -> NoReturn:
    """Run a program of multiprocessing as `python -c` does, with these descriptors and no others."""
    free = max(descriptors) + 1
    for number, descriptor in {
        number: fcntl.fcntl(descriptor, fcntl.F_DUPFD, free) for number, descriptor in descriptors.items()
    }.items():
        os.dup2(descriptor, number)
    for number in range(free):
        if number not in descriptors:
            os.closerange(number, number + 1)
    os.closerange(free, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv = ["-c", "--multiprocessing-fork"]
    # multiprocessing runs the server's main module again, and Python warns where it was imported before.
    sys.modules.pop(fault_launcher.MODULE, None)
    end_with(lambda: exec(code, {"__name__": "__main__"}))


def end_with(run: Callable[[], None]) -> NoReturn:
    """Run a program, wait for its threads, call what it registered for its exit, and exit with its status.

    Python itself would then delete all modules, and so copy the memory that the forks share.
    """
    status: Any = 0
    try:
        run()
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:  # noqa: BLE001 - what no program catches is written and makes the status 1
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # The resource tracker of multiprocessing closes them.
        if not stream.closed:
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
