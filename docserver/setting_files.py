"""Files that settings name: certificates, keys and tokens. Does not check what they contain."""

import os
import stat
from pathlib import Path

MOST_BYTES = 10_000_000
"""Largest file. A bundle of all certificates that browsers trust is a fiftieth of that."""


def wrong_file(path: str) -> str | None:
    """What is wrong with a file that a setting names; None if it can be read. Does not show its path. Blocks, but never
    waits for a pipe.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name has a sign that names cannot have"
        return f"the file cannot be read ({reason})"
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        return f"it must be a file, and is {kind}"
    if status.st_size > MOST_BYTES:
        return f"the file is larger than {MOST_BYTES // 1_000_000} MB"
    return None


def wrong_directory(path: str) -> str | None:
    """What is wrong with a directory that a setting names; None if it is one. Blocks."""
    return None if Path(path).is_dir() else "it must be a directory"
