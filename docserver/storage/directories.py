"""Names of files: new ones that replace none, and changes of a directory that survive a crash of the machine."""

import os
from pathlib import Path


def sync(directory: Path) -> None:
    """Write the directory's entries to the disk: new names, and names that were replaced. Blocks."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_new(new: Path, path: Path) -> None:
    """Give a file its name, unless the name is taken. Blocks.

    Some file systems have no hard links; a rename has to do.
    """
    try:
        path.hardlink_to(new)
    except FileExistsError:
        pass
    except OSError:
        new.rename(path)
