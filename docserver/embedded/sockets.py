"""The directory of the servers' sockets. It is not in the data directory, whose path may be too long for a socket."""

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
"""Longest path of a socket: its address has 108 bytes, including the final zero (unix(7))."""
SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a new name there, for this user only


@contextmanager
def directory(data_dir: Path) -> Iterator[Path]:
    """Create a directory for this user only, and the link `run` to it in the data directory; remove both at the end."""
    link = data_dir / "run"
    _remove_leftover(link)
    try:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        if len(os.fsencode(path / LONGEST_NAME)) > PATH_BYTES:
            path.rmdir()
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=SHORT))
    except OSError as error:
        raise EmbeddedError(f"no directory for sockets can be made: {error.strerror} ({error.filename})") from error
    try:
        # The link only helps people to find the sockets, so it may fail: some file systems have no links.
        with suppress(OSError):
            link.symlink_to(path)
        yield path
    finally:
        with suppress(OSError):
            link.unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def _remove_leftover(link: Path) -> None:
    """Remove the link and the directory that a killed docserver has left behind."""
    with suppress(OSError):
        old = link.readlink()
        link.unlink()
        if old.name.startswith(PREFIX) and not old.is_symlink() and old.stat().st_uid == os.geteuid():
            shutil.rmtree(old, ignore_errors=True)
