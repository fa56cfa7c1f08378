"""Server side: the scratch directory of a process. It is removed when the process ends; if the process was killed, the
next one removes it.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

LOCK = "lock"


@contextmanager
def private_directory(root: Path) -> Iterator[Path]:
    """An empty directory below `root` that only this process uses. Also removes the directories of processes that died.

    A directory is in use while its lock file is locked; the kernel releases the lock when the process dies.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory = root / str(uuid4())
    directory.mkdir(mode=0o700)
    with (directory / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_abandoned(root)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _remove_abandoned(root: Path) -> None:
    for directory in root.iterdir():
        # Skip a directory without a lock file: another process is just creating or removing it.
        with suppress(OSError), (directory / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
