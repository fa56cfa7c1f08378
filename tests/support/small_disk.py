"""A small disk that a test fills and frees: mounted, or where this process may not mount, forced on the service."""

import errno
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.fault_launcher import Fault


@dataclass(frozen=True, slots=True)
class SmallDisk:
    directory: Path
    mounted: bool
    flag: Path
    """It exists while the disk is full, where nothing is mounted."""

    def faults(self, *places: str) -> Sequence[Fault]:
        """Where nothing is mounted: the functions that meet the full disk."""
        if self.mounted:
            return ()
        return [Fault(place, errno=errno.ENOSPC, while_there=str(self.flag)) for place in places]

    def fill(self) -> None:
        """Leave no byte free."""
        if not self.mounted:
            self.flag.touch()
            return
        with (self.directory / "filler").open("ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.directory / "filler").unlink(missing_ok=True)
        self.flag.unlink(missing_ok=True)


@contextmanager
def small_disk(directory: Path, *, size: int, options: str = "") -> Iterator[SmallDisk]:
    """Make the directory a file system of `size` bytes, if this process may."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(directory)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield SmallDisk(directory, mounted, directory.with_name(f"{directory.name}.full"))
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", directory], check=True)


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a disk does when it is full: the last write takes a part, the next fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
