"""The ids of deleted documents, in the data directory's `deleted/`, for the case that an older database is restored.

Each process appends to its own file, one for each day: on a network file system, no two may write to the same file.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TextIO
from uuid import UUID, uuid4

from docserver.model import parse_id
from docserver.storage.directories import sync

KEPT_DAYS = 30
"""A document that was deleted longer ago than this comes back with an older database. The database itself remembers
deletions as long. A record takes 37 bytes."""

READ_AT_ONCE = 500
"""Number of ids that are read in one step of a thread, and looked up by one statement."""


class DeletedFiles:
    """A directory that all processes of the service share."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = uuid4()

    async def remember(self, *document_ids: UUID) -> None:
        await asyncio.to_thread(self._remember, document_ids)

    async def ids(self) -> AsyncIterator[list[UUID]]:
        for path in await asyncio.to_thread(self._files):
            with await asyncio.to_thread(_open, path) as file:
                while lines := await asyncio.to_thread(_lines, file):
                    yield [document_id for line in lines if (document_id := parse_id(line.strip()))]

    async def forget_old(self) -> None:
        await asyncio.to_thread(self._forget_old)

    def prepare(self) -> None:
        """Create the directory if it is missing. Blocks."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _remember(self, document_ids: Sequence[UUID]) -> None:
        path = self._directory / f"{datetime.now(UTC).date()}.{self._process}"
        # The line break comes first, so that what a full disk has cut off spoils no other line.
        lines = "".join(f"\n{document_id}" for document_id in document_ids).encode()
        with path.open("ab", buffering=0) as file:
            if file.write(lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        sync(self._directory)

    def _files(self) -> list[Path]:
        # A restore of the data directory may have removed it.
        self.prepare()
        return [path for path in sorted(self._directory.iterdir()) if path.is_file()]

    def _forget_old(self) -> None:
        oldest = datetime.now(UTC).date() - timedelta(days=KEPT_DAYS)
        for path in self._files():
            day = _day(path)
            if day and day < oldest:
                path.unlink(missing_ok=True)


def _open(path: Path) -> TextIO:
    return path.open(encoding="ascii", errors="replace")


def _lines(file: TextIO) -> list[str]:
    return list(islice(file, READ_AT_ONCE))


def _day(path: Path) -> date | None:
    try:
        return date.fromisoformat(path.name[:10])
    except ValueError:
        return None
