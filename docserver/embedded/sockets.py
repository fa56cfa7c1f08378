"""The directory of the servers' sockets: outside the data directory, whose path may be too long for one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docserver.embedded.server import EmbeddedError

PREFIX = "docserver-"
LONGEST_NAME = "mysql.sock"
PATH_BYTES = 107
"""A socket's address has room for 108 bytes with the final zero, unix(7)."""
SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a name of its own there, for us alone


@contextmanager
def directory(data_dir: Path) -> Iterator[Path]:
    """Make a directory for us alone, and `run` in the data directory leading to it; both go with the block."""
    link = data_dir / "run"
    _forget(link)
    try:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        if len(os.fsencode(path / LONGEST_NAME)) > PATH_BYTES:
            path.rmdir()
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHORT))
    except OSError as error:
        raise EmbeddedError(f"no directory for sockets can be made: {error.strerror} ({error.filename})") from error
    try:
        # Not every file system of a data directory has links, and only people who look for the sockets need it.
        with suppress(OSError):
            link.symlink_to(path)
        yield path
    finally:
        with suppress(OSError):
            link.unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def _forget(link: Path) -> None:
    """Remove what a docserver that was killed could not."""
    with suppress(OSError):
        old = link.readlink()
        link.unlink()
        if old.name.startswith(PREFIX) and not old.is_symlink() and old.stat().st_uid == os.geteuid():
            shutil.rmtree(old, ignore_errors=True)
