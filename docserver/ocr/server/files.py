"""Server side: makes a document available to an OCR process, and opens the file that the process has written."""

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from docserver.ocr.limits import Limits

COPY_BYTES = 1 << 20


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


def open_result(directory: int, name: str, *, limits: Limits) -> BinaryIO:
    """Open the file that an OCR process has written, and remove its name. `directory` is the open scratch directory.

    Raises OSError unless it is a regular file with one name.
    """
    # A process that was taken over may have left a link to another file, or a pipe, which would block the server.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    result = os.fdopen(os.open(name, flags, dir_fd=directory), "rb")
    status = os.fstat(result.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        result.close()
        raise OSError(errno.EINVAL, "This is not a regular file with one name.")
    # The process may have nothing to do for a while, and the document may be deleted meanwhile.
    with suppress(OSError):
        os.unlink(name, dir_fd=directory)
    if not has_own_file_system(directory, limits):
        return result
    # A client may take its time to read the result, which must not stay in memory until then.
    with result:
        copy = tempfile.TemporaryFile(dir=limits.source)  # noqa: SIM115 - the caller closes it
        try:
            shutil.copyfileobj(result, copy, COPY_BYTES)
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
    return cast("BinaryIO", copy)


def has_own_file_system(directory: int, limits: Limits) -> bool:
    """True if this open scratch directory is the file system that an OCR process has mounted for itself."""
    return os.fstat(directory).st_dev != Path(limits.source).stat().st_dev
