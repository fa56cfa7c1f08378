"""Server side: makes a document available to an OCR process, and opens the file that the process has written."""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO


def expose(source: Path, directory: Path) -> Path:
    """Put a document into the only directory for documents that an OCR process may read; returns its path there.

    It is a hard link, or a copy if the storage is on another file system. The sandbox keeps a process from writing to
    it. The path is absolute, so no program takes it for an option. Raises FileNotFoundError if the document or the
    directory does not exist.
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
    # A process that was taken over may have left a link to another file, or a pipe, which would block the server.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    result = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        result.close()
        raise OSError(errno.EINVAL, "This is not a regular file with one name.")
    return result
