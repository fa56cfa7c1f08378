"""Server side: the scratch directory of a process, and what becomes of the files that OCR processes leave there.

Nothing that an OCR process leaves stops a slot or a start: what is not deleted at once is renamed and deleted later.
"""

import fcntl
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from docserver.ocr.removal import remove

log = logging.getLogger(__name__)

LOCK = "lock"
ABANDONED = "abandoned-"
"""The names of the directories that nobody uses any more begin like this. Every process may delete them."""

REMOVAL_S = 0.5
"""Longest time that a slot or a stop waits for the deletion of a directory. A page leaves about five files, which takes
milliseconds."""

SWEEP_INTERVAL_S = 10.0
"""Interval between two searches for abandoned directories."""

STEP_S = 0.2
PAUSE_S = 0.2
"""The sweeper deletes for STEP_S and then rests for PAUSE_S, so that it does not keep the disk busy."""


@contextmanager
def private_directory(root: Path) -> Iterator[Path]:
    """An empty directory below `root` that only this process uses. Also removes the directories of processes that died.

    A directory is in use while its lock file is locked; the kernel releases the lock when the process dies.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory = root / str(uuid4())
    directory.mkdir(mode=0o700)
    with (directory / LOCK).open("w") as lock, _sweeper(root, directory):
        fcntl.flock(lock, fcntl.LOCK_EX)
        _abandon_unlocked(root)
        try:
            yield directory
        finally:
            with suppress(OSError):
                discard(directory)


def discard(directory: Path) -> None:
    """Free the name of a directory, whatever is in it, and delete it within REMOVAL_S if possible. Else the sweeper
    deletes it. Raises OSError if the name cannot be freed.
    """
    aside = directory.with_name(f"{ABANDONED}{uuid4()}")
    try:
        directory.rename(aside)
    except FileNotFoundError:
        return
    with suppress(OSError):
        if remove(aside, within_s=REMOVAL_S):
            return
    log.warning("scratch directory left for the sweeper", extra={"directory": aside.name})


def _abandon_unlocked(root: Path) -> None:
    """Discard the directories of processes that died."""
    for directory in root.iterdir():
        # Skip a directory without a lock file: another process is just creating it.
        with suppress(OSError), (directory / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            discard(directory)


@contextmanager
def _sweeper(*parents: Path) -> Iterator[None]:
    """A thread that deletes the abandoned directories in these directories, as long as the context is open."""
    stop = threading.Event()
    thread = threading.Thread(target=_sweep_until, args=(stop, parents), name="scratch-sweeper", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # One step takes longer only if the disk hangs.
        thread.join(10 * STEP_S)


def _sweep_until(stop: threading.Event, parents: Sequence[Path]) -> None:
    reported: set[Path] = set()
    while not stop.wait(SWEEP_INTERVAL_S):
        for directory in (found for parent in parents for found in parent.glob(f"{ABANDONED}*")):
            try:
                while not stop.is_set() and not remove(directory, within_s=STEP_S):
                    stop.wait(PAUSE_S)
            except OSError as error:
                if directory not in reported:
                    reported.add(directory)
                    extra = {"directory": directory.name, "fault": type(error).__name__, "errno": error.errno}
                    log.error("scratch directory cannot be deleted", extra=extra)  # noqa: TRY400
