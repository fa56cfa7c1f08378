"""The quarantine: originals that no document knows, kept for a while in the data directory's `quarantine/`.

A file's modification time says when it was put here, by the file system's clock. Files move by renaming, so a crash at
any moment leaves each one here or among the originals. Somebody else decides which files move.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from docserver.model import parse_id

log = logging.getLogger("docserver.storage")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the storage."""

    age_s: float
    """Time since it was written, or was put into the quarantine, by the file system's clock."""
    size: int

    @classmethod
    def of(cls, path: Path, *, now: float) -> "StoredFile | None":
        """What is there, or None if it is gone, cannot be looked at, or is no file."""
        try:
            status = path.lstat()
        except OSError:
            return None
        return cls(now - status.st_mtime, status.st_size) if stat.S_ISREG(status.st_mode) else None


class QuarantineDirectory:
    """A directory on the file system of the originals."""

    def __init__(self, directory: Path, *, original: Callable[[UUID], Path]) -> None:
        """`original` gives the path of a document's original."""
        self._directory = directory
        self._original = original

    async def files(self) -> Mapping[UUID, StoredFile]:
        return await asyncio.to_thread(self._files)

    async def put(self, document_ids: Iterable[UUID]) -> None:
        await asyncio.to_thread(_each, self._put, list(document_ids))

    async def put_back(self, document_ids: Iterable[UUID]) -> None:
        await asyncio.to_thread(_each, self._put_back, list(document_ids))

    async def delete(self, document_ids: Iterable[UUID]) -> None:
        await asyncio.to_thread(_each, self._delete, list(document_ids))

    def prepare(self) -> None:
        """Create the directory if it is missing. Blocks."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _files(self) -> dict[UUID, StoredFile]:
        # A restore of the data directory may have removed it.
        self.prepare()
        os.utime(self._directory)
        now = self._directory.stat().st_mtime
        files = {}
        for path in self._directory.iterdir():
            document_id = parse_id(path.name)
            if document_id and (file := StoredFile.of(path, now=now)):
                files[document_id] = file
        return files

    def _put(self, document_id: UUID) -> None:
        # If the process is killed between these two, the original only seems new for a while.
        os.utime(self._original(document_id))
        self._original(document_id).rename(self._directory / str(document_id))

    def _put_back(self, document_id: UUID) -> None:
        path, original = self._directory / str(document_id), self._original(document_id)
        if path.is_file() and not original.exists():
            original.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.rename(original)

    def _delete(self, document_id: UUID) -> None:
        (self._directory / str(document_id)).unlink()


def _each(act: Callable[[UUID], None], document_ids: list[UUID]) -> None:
    """Do this with each file. One that is gone is skipped, and so is one that the system does not let us touch: it must
    not stop what is to be done with the others.
    """
    for document_id in document_ids:
        try:
            act(document_id)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("file not moved or deleted", extra={"document_id": str(document_id), "number": error.errno})
