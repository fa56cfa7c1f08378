"""Server side: how a document comes before an OCR process, and what that has made comes back, as files."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO


def show(source: Path, directory: Path) -> Path:
    """Put a document where a process that may read nothing else finds it; raises FileNotFoundError if either is gone.

    As another name of the same file, which costs nothing and cannot be written from there, or as a copy where the
    storage is on another file system. The name is a plain one, absolute, and cannot look like an option.
    """
    shown = directory / source.name
    shown.unlink(missing_ok=True)
    try:
        shown.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, shown)
    return shown


def open_made(path: Path) -> BinaryIO:
    """What an OCR process has made under this name; raises OSError unless it is a file of its own."""
    # Not a link to elsewhere, nor a pipe, which would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    made = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        made.close()
        raise OSError(errno.EINVAL, "That is no file of its own.")
    return made
