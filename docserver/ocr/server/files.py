"""Server side: how a document reaches an OCR process, and how the file that it writes comes back."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO


def expose(source: Path, directory: Path) -> Path:
    """Put a document into the only directory that an OCR process may read. Raises FileNotFoundError if either is gone.

    It is a hard link, which costs nothing and through which a confined process cannot write; or a copy, if the
    storage is on another file system. The path is absolute, so no program takes it for an option.
    """
    exposed = directory / source.name
    exposed.unlink(missing_ok=True)
    try:
        exposed.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, exposed)
    return exposed


def open_result(path: Path) -> BinaryIO:
    """Open the file that an OCR process has written. Raises OSError unless it is a regular file with one name."""
    # The process may have left a link to another file, or a pipe, which would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    result = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        result.close()
        raise OSError(errno.EINVAL, "This is no regular file with one name.")
    return result
