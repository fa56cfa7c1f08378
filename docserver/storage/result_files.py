"""Large results in a directory: `results/<document>/<key>.<ETag>.<SHA-256>`."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

from docserver.model import StoredResult
from docserver.room import Room
from docserver.storage.directories import sync
from docserver.storage.receiving import write
from docserver.storage.results import Listed, named_result, result_name

LISTED_AT_ONCE = 500
"""Documents whose results are listed in one step of a thread. It takes some milliseconds."""


class ResultDirectory:
    """A `ResultPlace` in a directory that all processes of the service share."""

    lists_quickly = True

    def __init__(self, directory: Path, *, incoming: Path, room: Room) -> None:
        """A result is written in `incoming`, on the same file system, unless `room` has too little for it."""
        self._directory, self._incoming, self._room = directory, incoming, room

    async def find(self, document_id: UUID, key: str) -> StoredResult | None:
        listed = await asyncio.to_thread(_of_document, self._directory / str(document_id))
        return next((each.result for each in listed if each.result.key == key), None)

    async def put(self, result: StoredResult, pieces: AsyncIterator[bytes]) -> None:
        part = self._incoming / f"{uuid4()}.part"
        try:
            await write(part, pieces, max_bytes=result.size, room=self._room)
            await asyncio.to_thread(_move, part, self._path(result))
        except BaseException:
            await asyncio.shield(asyncio.to_thread(part.unlink, missing_ok=True))
            raise

    async def open(self, result: StoredResult) -> IO[bytes]:
        return await asyncio.to_thread(self._path(result).open, "rb", buffering=0)

    async def delete(self, document_id: UUID) -> None:
        await asyncio.to_thread(_remove_directory, self._directory / str(document_id))

    async def parts(self) -> AsyncIterator[Sequence[Listed]]:
        documents = iter(await asyncio.to_thread(_entries, self._directory))
        while part := list(islice(documents, LISTED_AT_ONCE)):
            yield await asyncio.to_thread(lambda: [each for document in part for each in _of_document(document)])

    async def remove(self, results: Sequence[StoredResult]) -> None:
        await asyncio.to_thread(self._remove, results)

    def _path(self, result: StoredResult) -> Path:
        return self._directory / str(result.document_id) / result_name(result)

    def _remove(self, results: Sequence[StoredResult]) -> None:
        for path in map(self._path, results):
            path.unlink(missing_ok=True)
            # Others may still be in the directory.
            with suppress(OSError):
                path.parent.rmdir()


def _of_document(directory: Path) -> list[Listed]:
    listed = []
    for path in _entries(directory):
        with suppress(FileNotFoundError):
            status = path.stat()
            if result := named_result(directory.name, path.name, size=status.st_size):
                listed.append(Listed(result, status.st_mtime))
    return listed


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _move(part: Path, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part.rename(path)
    sync(path.parent)


def _remove_directory(directory: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(directory)
