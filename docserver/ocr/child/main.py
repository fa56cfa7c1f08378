"""Child side: the entry points of an OCR process, and the limits that it sets itself before it opens a document.

The server imports this module too, because it submits these functions. So they import `tasks`, and with it all
decoders, only when they run.
"""

import ctypes
import errno
import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing import connection, resource_tracker
from pathlib import Path
from typing import Any

from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode, Failure
from docserver.ocr.errors import Unreadable
from docserver.ocr.limits import Limits
from docserver.ocr.requests import Answer, Failed, Ready, Request
from docserver.ocr.sandbox import policy

PASSED_VARIABLES = frozenset(
    {
        "FONTCONFIG_FILE",
        "FONTCONFIG_PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LD_LIBRARY_PATH",
        "PATH",
        "TESSDATA_PREFIX",
        "XDG_CACHE_HOME",
    }
)
"""What tesseract and poppler need of the environment; the other variables may hold passwords."""

MAX_OPEN_FILES = 256
"""Python, its pipes and one page need about 20; fontconfig opens some dozens more."""

SPARE_TASKS = 1024
"""Processes and threads that this user's programs may start in addition to the present ones. The kernel does not apply
this limit to root. The watchdog's limit is lower, but it checks only once a second."""

CPU_MARGIN_S = 10
"""The server's timeout comes first; the CPU limit ends programs whose server is gone."""

FULL_BELOW_BYTES = 1 << 16
"""With less free space than this, a disk counts as full: a program that failed on it has used up nearly all of it."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def start(limits: Limits) -> None:
    """Initializer: a session of its own, death with the server, rlimits, a bare environment, and the sandbox.

    Raises NotConfined if a sandbox is required and impossible.
    """
    os.setsid()
    libc = ctypes.CDLL(None)
    # Wakes this process if it is stopped, so that it can kill its programs and itself. SIGKILL would spare them.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)
    # Orphans become children of this process, so the server finds every program below it.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for variable in set(os.environ) - PASSED_VARIABLES:
        del os.environ[variable]
    # With more than one thread a page costs four times the CPU time.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    os.environ["TMPDIR"] = tempfile.tempdir = limits.scratch
    os.chdir(limits.scratch)
    _set_rlimits(limits)
    # Decoders complain on standard error, which is the server's log.
    null = os.open(os.devnull, os.O_RDWR)
    # The resource tracker runs outside the sandbox and unlinks shared memory on command; the child must not reach it.
    tracker = resource_tracker.getfd()
    assert tracker is not None
    for descriptor in (0, 1, 2, tracker):
        os.dup2(null, descriptor)
    os.close(null)
    policy.confine(
        mode=limits.sandbox,
        models=Path(limits.tessdata),
        scratch=Path(limits.scratch),
        source=Path(limits.source),
    )
    # After the sandbox, because it does not confine threads that already run.
    _end_with_server()


def ready(limits: Limits) -> Ready:
    """Answer once the initializer has run and all that pages need is loaded."""
    from docserver.ocr.child import tasks

    tasks.load(limits)
    return Ready()


def run(request: Request[Any], source: str, limits: Limits) -> Answer:
    """Carry out a request on the document at `source`; an exception becomes a Failed.

    Empties the scratch directory, except for the request's result file, which stays there until the next call.
    """
    from docserver.ocr.child import tasks

    scratch = Path(limits.scratch)
    try:
        _limit_cpu_time(limits)
        empty(scratch)
        answer = tasks.perform(request, source, limits)
    except Exception as error:  # noqa: BLE001 - the boundary of the child: a bad document is a result
        answer = _failed(error, source=Path(source), scratch=scratch)
    # The next call deletes what cannot be deleted now, for want of memory for example.
    with suppress(OSError, MemoryError):
        empty(scratch, keep=None if isinstance(answer, Failed) else request.result_file)
    return answer


def _failed(error: Exception, *, source: Path, scratch: Path) -> Failed:
    """The answer to a request that ended with this exception."""
    if isinstance(error, Unreadable):
        failure, detail = error.failure, error.detail or repr(error.__cause__ or "")
    else:
        place = traceback.extract_tb(error.__traceback__)[-1]
        failure, detail = _unexpected_failure(error), f"{type(error).__name__} in {place.name}, line {place.lineno}"
    if failure.code not in RESOURCE_FAULTS and not source.is_file():
        # Decoders report anything of a document that is deleted while they read it.
        detail = failure.code.value
        failure = Failure(DocumentErrorCode.ENGINE_CRASHED, "The document vanished while it was read.")
    return Failed(failure, detail, disk_full=_is_disk_full(scratch, error))


def _unexpected_failure(error: Exception) -> Failure:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return Failure(DocumentErrorCode.OUT_OF_MEMORY, "Reading took more memory than is allowed.")
    return Failure(DocumentErrorCode.ENGINE_CRASHED, "Reading failed unexpectedly.")


def _is_disk_full(scratch: Path, error: BaseException | None) -> bool:
    """True if a full disk may have caused the error: the error says so, or the disk has next to no space left."""
    while error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    with suppress(OSError):
        return shutil.disk_usage(scratch).free < FULL_BELOW_BYTES
    return False


def empty(directory: Path, *, keep: str | None = None) -> None:
    """Delete everything in a directory, except the file named `keep`."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != keep:
            entry.unlink(missing_ok=True)


def _end_with_server() -> None:
    """Start a thread that kills this process and all that it started when the server ends."""
    server = multiprocessing.parent_process()
    if server is not None:
        threading.Thread(target=_wait_and_kill, args=(server.sentinel,), name="server-watch", daemon=True).start()


def _wait_and_kill(sentinel: int) -> None:
    connection.wait([sentinel])
    # By its number: the filter may refuse 0. If the server died early, it protects the group of the process that
    # adopted this one, and the number of that group may be 0.
    os.killpg(os.getpid(), signal.SIGKILL)


def _set_rlimits(limits: Limits) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_NPROC, _tasks_of_this_user() + SPARE_TASKS),
    ):
        _, hard = resource.getrlimit(kind)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _tasks_of_this_user() -> int:
    """The processes and threads that RLIMIT_NPROC counts, as far as /proc shows them."""
    tasks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == os.getuid():
                # A directory has two links, and one more for each directory in it: one per thread.
                tasks += (process / "task").stat().st_nlink - 2
    return tasks


def _limit_cpu_time(limits: Limits) -> None:
    """End programs that outlive this process and the server; each inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    # Twice the time, because decoders may run several threads, whose CPU times add up.
    seconds = int(time.process_time() + 2 * limits.call_s) + CPU_MARGIN_S
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard))
