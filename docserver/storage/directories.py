"""Makes changes of a directory survive a crash of the machine."""

import os
from pathlib import Path


def sync(directory: Path) -> None:
    """Write the directory's entries to the disk: new names, and names that were replaced. Blocks."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
