"""Stored files that are open for one reader, who reads them part by part."""

import os
from concurrent.futures import Executor
from typing import BinaryIO, Protocol


class OpenFile(Protocol):
    """A file in a directory or a bucket."""

    @property
    def size(self) -> int: ...

    @property
    def threads(self) -> Executor | None:
        """Where it may block; None if anywhere."""

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on. Blocks; raises ConnectionResetError if the bucket fails."""

    def close(self) -> None:
        """Free what it holds."""


class LocalFile:
    """An `OpenFile` in a directory."""

    threads = None

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self._file.fileno(), size, offset)

    def close(self) -> None:
        self._file.close()
