"""Both sides: deletes directories that a process may have filled which a document has taken over.

Such a tree may be deeper than any path, path length or recursion allows, have millions of entries, and directories
without permissions. So no function here recurses, joins paths, follows links or works without a deadline.
"""

import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FIND_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(directory: Path, *, within_s: float) -> bool:
    """Delete a directory with everything in it.

    False if time was too short; another call continues. Raises OSError if the system refuses to delete what is left.
    """
    if not empty(directory, within_s=within_s):
        return False
    with suppress(FileNotFoundError):
        directory.rmdir()
    return True


def empty(directory: Path, *, within_s: float, keep: str | None = None) -> bool:
    """Delete everything in a directory, except the entry named `keep`.

    False if time was too short; another call continues. Raises OSError if the system refuses to delete what is left.
    """
    deadline = time.monotonic() + within_s
    try:
        top = _opened(None, str(directory))
    except FileNotFoundError:
        return True
    try:
        progress = _Progress(left=True)
        while progress.left and time.monotonic() < deadline:
            progress = _delete_entries(top, deadline, keep)
            if progress.refusal and not progress.deleted:
                raise progress.refusal
        return not progress.left
    finally:
        os.close(top)


@dataclass(slots=True)
class _Progress:
    """What one pass over a directory has achieved."""

    deleted: bool = False
    left: bool = False
    refusal: OSError | None = None
    """Why the system has refused to delete one of the entries that are left."""


def _delete_entries(top: int, deadline: float, keep: str | None) -> _Progress:
    """Go through a directory once."""
    progress = _Progress()
    with os.scandir(top) as entries:
        for entry in entries:
            if entry.name == keep:
                continue
            if time.monotonic() > deadline:
                progress.left = True
                break
            try:
                if entry.is_dir(follow_symlinks=False):
                    progress.left |= _dissolve(top, entry.name, deadline)
                else:
                    os.unlink(entry.name, dir_fd=top)
                progress.deleted = True
            except FileNotFoundError:
                # Another process deletes the same directory.
                pass
            except OSError as error:
                progress.left, progress.refusal = True, error
    return progress


def _dissolve(top: int, name: str, deadline: float) -> bool:
    """Delete a directory in `top` after moving the directories in it up to `top`; returns whether something is left.

    Thus two open descriptors and names of one component are enough for a tree of any depth.
    """
    if _rmdir(top, name):
        return False
    moved = False
    directory = _opened(top, name)
    try:
        if os.fstat(directory).st_dev != os.fstat(top).st_dev:
            raise OSError("Another file system is mounted here.")
        with os.scandir(directory) as entries:
            for entry in entries:
                if time.monotonic() > deadline:
                    return True
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=directory)
                elif not _rmdir(directory, entry.name):
                    _permit(directory, entry.name)
                    os.rename(entry.name, secrets.token_hex(8), src_dir_fd=directory, dst_dir_fd=top)
                    moved = True
    finally:
        os.close(directory)
    # Another pass is needed for what was moved, and for entries that the scan has missed while others were deleted.
    return not _rmdir(top, name) or moved


def _rmdir(parent: int, name: str) -> bool:
    """Delete a directory if it is empty; returns whether it is gone."""
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _opened(parent: int | None, name: str) -> int:
    _permit(parent, name)
    return os.open(name, _OPEN_DIRECTORY, dir_fd=parent)


def _permit(parent: int | None, name: str) -> None:
    """Allow the owner to list, change and move a directory that was made with other permissions."""
    found = os.open(name, _FIND_DIRECTORY, dir_fd=parent)
    try:
        if os.fstat(found).st_mode & stat.S_IRWXU != stat.S_IRWXU:
            # No system call of older kernels changes the mode by a descriptor of this kind.
            Path(f"/proc/self/fd/{found}").chmod(stat.S_IRWXU)
    finally:
        os.close(found)
