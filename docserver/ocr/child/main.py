"""Child side: the entry points of an OCR process. They set its limits before it opens a document.

The server imports this module too, because it passes these functions to the OCR process. They import `tasks`, and with
it all decoders, only when they run, so that the server does not load the decoders.
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
from docserver.ocr import removal
from docserver.ocr.child import memory
from docserver.ocr.errors import Unreadable
from docserver.ocr.limits import MAX_FILES, Limits
from docserver.ocr.requests import Answer, Failed, Ready, Request
from docserver.ocr.sandbox import mounts, policy
from docserver.setting_types import SandboxMode

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
"""The environment variables that tesseract and poppler need. All others are removed, as they may contain passwords."""

MAX_OPEN_FILES = 256
"""Most open files of an OCR process. Python, pipes and one page need about 20; fontconfig opens a few dozen more."""

SPARE_TASKS = 1024
"""How many processes and threads this user may have in addition to the present ones. The kernel does not apply this
limit to root. The watchdog has a lower limit, but checks it only once a second."""

CPU_MARGIN_S = 10
"""CPU time that is added to the limit of a call, so that the server's timeout comes first. The CPU limit only ends
programs whose server has died."""

AFTERWARDS_S = 1.0
"""Longest time after a call for emptying the scratch directory. A page leaves about five files."""

FULL_BELOW_BYTES = 1 << 16
"""With less free space than this, a disk counts as full. A program that fails on a full disk may leave some space."""

NICENESS = 5
"""OCR processes take what CPU time the server leaves: it answers requests while all cores read pages."""

RLIMIT_SIGPENDING = 11
"""The number is the same on all architectures that we filter; Python has no name for it. Source: asm/resource.h."""

MAX_QUEUED_SIGNALS = 64
"""Most queued signals of the user when this process queues one more. Reading queues none. Without this limit, a process
that was taken over could use up those of all processes of the user."""

SPARE_BYTES = 1 << 20
SPARE_ENTRIES = 10

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def start(limits: Limits) -> None:
    """Prepare this process before its first call: session, death with the server, rlimits, environment, and sandbox.

    Raises NotConfined if a sandbox is required and impossible.
    """
    os.setsid()
    # When memory is short, the kernel shall end this process and not the server.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(NICENESS)
    if limits.sandbox is not SandboxMode.OFF:
        # The watchdog kills a process that has begun to use what is to spare.
        mounts.mount_scratch(
            Path(limits.scratch), size=limits.disk_bytes + SPARE_BYTES, entries=MAX_FILES + SPARE_ENTRIES
        )
    libc = ctypes.CDLL(None)
    memory.keep_freed(libc)
    # When the server dies, the kernel sends SIGCONT, which wakes this process if it is stopped. It then kills its
    # programs and itself (`_end_with_server`). With SIGKILL instead, its programs would survive.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)
    # Programs whose parent has ended become children of this process, so the server can find them all.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for variable in set(os.environ) - PASSED_VARIABLES:
        del os.environ[variable]
    # With more than one thread, a page takes four times the CPU time.
    os.environ["OMP_THREAD_LIMIT"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["TMPDIR"] = tempfile.tempdir = limits.scratch
    os.chdir(limits.scratch)
    _set_rlimits(limits)
    # Decoders write messages to standard error, which would go into the server's log.
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
    # Start this thread only now, because the sandbox does not confine threads that are already running.
    _end_with_server()


def ready(limits: Limits) -> Ready:
    """Load everything that reading needs, and answer. The initializer has run before."""
    from docserver.ocr.child import tasks

    tasks.load(limits)
    memory.collect_seldom()
    return Ready()


def run(request: Request[Any], source: str, limits: Limits) -> Answer:
    """Carry out a request on the document at `source`. If an exception occurs, the answer is Failed.

    Empties the scratch directory before and after. Only the request's result file stays until the next call.
    """
    from docserver.ocr.child import tasks

    scratch = Path(limits.scratch)
    try:
        _limit_cpu_time(limits)
        removal.empty(scratch, within_s=limits.call_s)
        answer = tasks.perform(request, source, limits)
    except Exception as error:  # noqa: BLE001 - the boundary of the child: a bad document is a result
        answer = _failed(error, source=Path(source), scratch=scratch)
    # If files cannot be deleted now, for example because memory is short, the next call deletes them.
    with suppress(OSError, MemoryError):
        keep = None if isinstance(answer, Failed) else request.result_file
        removal.empty(scratch, within_s=AFTERWARDS_S, keep=keep)
    return answer


def _failed(error: Exception, *, source: Path, scratch: Path) -> Failed:
    """The answer to a request that ended with this exception."""
    if isinstance(error, Unreadable):
        cause = error.__cause__
        failure, detail = error.failure, error.detail or (repr(cause) if cause else "")
    else:
        place = traceback.extract_tb(error.__traceback__)[-1]
        failure, detail = _unexpected_failure(error), f"{type(error).__name__} in {place.name}, line {place.lineno}"
    if failure.code not in RESOURCE_FAULTS and not source.is_file():
        # If a document is deleted while it is read, decoders may report any error, so their report is not used.
        detail = failure.code.value
        failure = Failure(DocumentErrorCode.ENGINE_CRASHED, "The document was deleted while it was read.")
    return Failed(failure, detail, disk_full=_is_disk_full(scratch, error))


def _unexpected_failure(error: Exception) -> Failure:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return Failure(DocumentErrorCode.OUT_OF_MEMORY, "Reading took more memory than is allowed.")
    return Failure(DocumentErrorCode.ENGINE_CRASHED, "Reading failed unexpectedly.")


def _is_disk_full(scratch: Path, error: BaseException | None) -> bool:
    """True if a full disk may have caused the error: the error says so, or the disk has almost no space left."""
    while error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    with suppress(OSError):
        return shutil.disk_usage(scratch).free < FULL_BELOW_BYTES
    return False


def _end_with_server() -> None:
    """Start a thread that, when the server ends, kills this process and all programs that it has started."""
    server = multiprocessing.parent_process()
    assert server is not None
    threading.Thread(target=_wait_and_kill, args=(server.sentinel,), name="server-watch", daemon=True).start()


def _wait_and_kill(sentinel: int) -> None:
    connection.wait([sentinel])
    os.killpg(os.getpid(), signal.SIGKILL)


def _set_rlimits(limits: Limits) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (RLIMIT_SIGPENDING, MAX_QUEUED_SIGNALS),
        (resource.RLIMIT_NPROC, _tasks_of_this_user() + SPARE_TASKS),
    ):
        _, hard = resource.getrlimit(kind)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _tasks_of_this_user() -> int:
    """The number of this user's processes and threads, which RLIMIT_NPROC limits, as far as /proc shows them."""
    tasks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == os.getuid():
                # `task` has one directory per thread. A directory's link count is 2 plus the directories in it.
                tasks += (process / "task").stat().st_nlink - 2
    return tasks


def _limit_cpu_time(limits: Limits) -> None:
    """Limit the CPU time of this process and, by inheritance, of its programs. This ends programs that outlive it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    # Allow twice the time of the call, because decoders may run several threads, and their CPU times add up.
    seconds = int(time.process_time() + 2 * limits.call_s) + CPU_MARGIN_S
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard))
