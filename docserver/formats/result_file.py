"""Results as readers get them: bytes in memory, a temporary file that several readers share, or a stored result."""

import os
from dataclasses import dataclass, replace
from typing import IO

from docserver.model import StoredResult


class SharedFile:
    """An unnamed temporary file. It is closed, and so removed, when its last user closes it."""

    threads = None
    """It may be read in any thread."""

    def __init__(self, file: IO[bytes]) -> None:
        """The caller is its first user."""
        self._file = file
        self._users = 1
        self.size = os.fstat(file.fileno()).st_size

    @property
    def shared(self) -> bool:
        """True if it has more than one user."""
        return self._users > 1

    @property
    def closed(self) -> bool:
        return self._users == 0

    def open(self) -> "SharedFile":
        """Count one more user."""
        self._users += 1
        return self

    def close(self) -> None:
        self._users -= 1
        if self.closed:
            self._file.close()

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on. Blocks."""
        return os.pread(self._file.fileno(), size, offset)


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result in one format."""

    etag: str
    body: bytes | SharedFile | StoredResult | None
    """Bytes if small, else a file, which the caller closes, or a place in the storage. None if the client has this
    version already.
    """

    def open(self) -> "ResultFile":
        """The same result for one more user."""
        return replace(self, body=self.body.open()) if isinstance(self.body, SharedFile) else self

    def close(self) -> None:
        """Close the file, if the body is one."""
        if isinstance(self.body, SharedFile):
            self.body.close()

    def without_body(self) -> "ResultFile":
        """The same result for a client that has this version already; closes the file."""
        self.close()
        return ResultFile(self.etag, None)


def from_file(etag: str, file: IO[bytes], *, max_bytes: int) -> ResultFile:
    """The result in this file: its bytes if they are at most `max_bytes`, else the file itself. Blocks."""
    shared = SharedFile(file)
    if shared.size > max_bytes:
        return ResultFile(etag, shared)
    with file:
        return ResultFile(etag, os.pread(file.fileno(), shared.size, 0))
