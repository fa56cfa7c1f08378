"""Child side: the entry points of an OCR process, and the bounds it puts on itself before it touches a document.

The server imports this module too, to name its functions; so what decodes and reads is imported in the child alone.
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

PASSED_ON = frozenset(
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
"""The environment that tesseract and poppler need; the rest may hold passwords."""

OPEN_FILES = 256
"""Python, its pipes and one page need about 20; fontconfig opens some dozens."""

SPARE_TASKS = 1024
"""Processes and threads that all of this user's programs may start beside those there are now. Root has no such bound,
and the server's own is closer (`guard`): this one is for the second in which it does not look."""

CPU_MARGIN_S = 10
"""So that the clock of the parent strikes first, and this one only where there is no parent any more."""

LAST_BYTES = 1 << 16
"""A program that fails because the disk is full has written as much as there was room for."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def start(limits: Limits) -> None:
    """Initializer: an own session, death with the parent, rlimits, a bare environment, and the sandbox.

    Raises NotConfined where a sandbox is required and cannot be had.
    """
    os.setsid()
    libc = ctypes.CDLL(None)
    # The kernel only wakes this process, should it be stopped: killed at once it could not kill its programs any more.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)
    # Orphans come to this process, so that the server finds all that was started below it.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for variable in set(os.environ) - PASSED_ON:
        del os.environ[variable]
    # More threads than one make a page cost four times the CPU.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    os.environ["TMPDIR"] = tempfile.tempdir = limits.scratch
    os.chdir(limits.scratch)
    _bound(limits)
    # Decoders write what they think of a file to standard error, where the server's log is.
    nowhere = os.open(os.devnull, os.O_RDWR)
    # And what is written to Python's own helper makes that delete shared memory, out of the sandbox.
    helper = resource_tracker.getfd()
    assert helper is not None
    for descriptor in (0, 1, 2, helper):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    policy.confine(
        mode=limits.sandbox,
        models=Path(limits.tessdata),
        scratch=Path(limits.scratch),
        source=Path(limits.source),
    )
    # After the sandbox, which threads that are there already would stay out of.
    _die_with_parent()


def ready(limits: Limits) -> Ready:
    """Answers once the initializer has run and all that pages need is loaded."""
    from docserver.ocr.child import tasks

    tasks.load(limits)
    return Ready()


def run(request: Request[Any], source: str, limits: Limits) -> Answer:
    """Carry out a request on the document at `source`, and turn what it may raise into a Failed.

    Nothing stays in the scratch directory but the request's result, and that until the next call.
    """
    from docserver.ocr.child import tasks

    scratch = Path(limits.scratch)
    try:
        _bound_cpu(limits)
        empty(scratch)
        answer = tasks.perform(request, source, limits)
    except Exception as error:  # noqa: BLE001 - the boundary of the child: a bad document is a result
        answer = _failed(error, source=Path(source), scratch=scratch)
    # What cannot be deleted now, as when memory is out, the next call deletes.
    with suppress(OSError, MemoryError):
        empty(scratch, keep=None if isinstance(answer, Failed) else request.result_file)
    return answer


def _failed(error: Exception, *, source: Path, scratch: Path) -> Failed:
    """The answer to a request that ended with this exception."""
    if isinstance(error, Unreadable):
        failure, detail = error.failure, error.detail or repr(error.__cause__ or "")
    else:
        place = traceback.extract_tb(error.__traceback__)[-1]
        failure, detail = _unexpected(error), f"{type(error).__name__} in {place.name}, line {place.lineno}"
    if failure.code not in RESOURCE_FAULTS and not source.is_file():
        # Decoders report anything of a document that is deleted while they read it.
        detail = failure.code.value
        failure = Failure(DocumentErrorCode.ENGINE_CRASHED, "The document vanished while it was read.")
    return Failed(failure, detail, disk_full=_is_full(scratch, error))


def _unexpected(error: Exception) -> Failure:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return Failure(DocumentErrorCode.OUT_OF_MEMORY, "Reading took more memory than is allowed.")
    return Failure(DocumentErrorCode.ENGINE_CRASHED, "Reading failed unexpectedly.")


def _is_full(scratch: Path, error: BaseException | None) -> bool:
    """Whether an error may come of a full disk: it says so, or what a program wrote has taken the last of it."""
    while error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    with suppress(OSError):
        return shutil.disk_usage(scratch).free < LAST_BYTES
    return False


def empty(directory: Path, *, keep: str | None = None) -> None:
    """Delete all that is in a directory, except the file named `keep`."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != keep:
            entry.unlink(missing_ok=True)


def _die_with_parent() -> None:
    """End with the parent, and take along what was started here."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_guard, args=(parent.sentinel,), name="parent-guard", daemon=True).start()


def _guard(sentinel: int) -> None:
    connection.wait([sentinel])
    # Not 0 for its own group: the sandbox may refuse that, as it takes whoever adopted an orphan for the server.
    os.killpg(os.getpid(), signal.SIGKILL)


def _bound(limits: Limits) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, _tasks_of_this_user() + SPARE_TASKS),
    ):
        _, hard = resource.getrlimit(kind)
        bounded = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bounded, bounded))


def _tasks_of_this_user() -> int:
    """The processes and threads that the limit of processes counts, as far as they can be seen."""
    tasks = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == os.getuid():
                # A directory has two links, and one more for each directory in it.
                tasks += (process / "task").stat().st_nlink - 2
    return tasks


def _bound_cpu(limits: Limits) -> None:
    """Programs that outlive this process and its parent come to an end all the same; each inherits the bound."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    # Twice: decoders of this process may have several threads, whose times add up.
    seconds = int(time.process_time() + 2 * limits.call_s) + CPU_MARGIN_S
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard))
