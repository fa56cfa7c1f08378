"""The directory of the servers' sockets: where it is, and that it is there each time a server starts."""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docserver.embedded.server import EmbeddedError

PREFIX = "docserver-"
LONGEST_NAME = "mysql.sock"
PATH_BYTES = 107
"""Longest path of a socket: its address has 108 bytes, including the final zero (unix(7))."""
CONNECT_S = 1.0
"""Longest wait for a server to accept a connection. One that is running does so at once."""
ELSEWHERE = ("/run", "/tmp")  # noqa: S108 - mkdtemp makes a new name there, for this user only
"""Where the directory is if it cannot be in the data directory. Only root can write /run, and nobody cleans it up. A
user's own directory below /run/user is removed when the user logs out, and this user could not create it again."""


@contextmanager
def directory(data_dir: Path) -> Iterator[Path]:
    """Create a directory for this user only; remove it at the end.

    It is `run` in the data directory. If that path is too long for a socket, or its file system has no sockets or no
    permissions, it is in another place, and `run` is a link to it.
    """
    run = data_dir / "run"
    _remove_leftover(run)
    path = run if _is_usable(run) else _elsewhere()
    try:
        if path != run:
            # The link helps people to find the sockets, and the next start to remove what a killed docserver has left.
            # It may fail: some file systems have no links.
            with suppress(OSError):
                run.symlink_to(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            run.unlink(missing_ok=True)


def ensure(path: Path) -> None:
    """Create the directory for this user only if it is missing; raises EmbeddedError if it belongs to somebody else."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        is_own = _is_own(path)
        if is_own:
            path.chmod(0o700)
    except OSError as error:
        raise EmbeddedError(f"the directory {path} cannot be made: {error.strerror}") from error
    if not is_own:
        raise EmbeddedError(f"the directory {path} is a link or belongs to another user")


def is_served(path: Path) -> bool:
    """True if a server accepts connections at this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_S)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _is_usable(path: Path) -> bool:
    """True if this directory can be created for this user only, and a socket in it accepts connections."""
    if len(os.fsencode(path / LONGEST_NAME)) > PATH_BYTES:
        return False
    try:
        path.mkdir(mode=0o700)
        address = str(path / LONGEST_NAME)
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind(address)
            server.listen()
            client.connect(address)
        Path(address).unlink()
        is_private = _is_own(path) and not path.stat().st_mode & 0o077
    except OSError:
        is_private = False
    if not is_private:
        shutil.rmtree(path, ignore_errors=True)
    return is_private


def _is_own(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _elsewhere() -> Path:
    for place in ELSEWHERE:
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    raise EmbeddedError(f"no directory for sockets can be made in {' or '.join(ELSEWHERE)}")


def _remove_leftover(run: Path) -> None:
    """Remove the directory that a killed docserver has left behind, and the link to it."""
    if not run.is_symlink():
        shutil.rmtree(run, ignore_errors=True)
        return
    with suppress(OSError):
        old = run.readlink()
        run.unlink()
        if old.name.startswith(PREFIX) and not old.is_symlink() and old.stat().st_uid == os.geteuid():
            shutil.rmtree(old, ignore_errors=True)
