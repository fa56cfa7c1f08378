"""Opens the stored file of a document for a download, and compares its bytes with those of the upload."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from docserver.errors import STORAGE_MISSING, NotFound
from docserver.model import Document
from docserver.storage import Links, Storage
from docserver.storage.open_file import LocalFile, OpenFile

log = logging.getLogger("docserver.api")

COMPARED_BYTES = 8_000_000
"""Largest original whose bytes are compared before any of it is sent. That takes about 10 ms; clients may request many
small parts of a large file, and to read all of it each time would cost too much."""


class Original:
    """The file of a document, for one reader. If it is read from its beginning, its last bytes are given only if all of
    them are those of the upload. So the client sees that a damaged file is not complete.
    """

    def __init__(self, file: OpenFile, document: Document) -> None:
        self._file = file
        self.size, self.threads = file.size, file.threads
        self.close = file.close
        self._document = document
        self._digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int, offset: int) -> bytes:
        """The bytes there. Raises ConnectionResetError instead of giving the last bytes of a damaged file."""
        piece = self._file.read(size, offset)
        if offset == self._hashed:
            self._digest.update(piece)
            self._hashed += len(piece)
        if self._hashed == self.size and self._digest.digest() != self._document.sha256:
            log.error("original damaged", extra={"document_id": str(self._document.id)})
            raise ConnectionResetError("The file is damaged.")
        return piece


async def opened(storage: Storage, document: Document) -> Original:
    """The document's file, which the caller closes; raises NotFound if it is missing, or has another size.

    The bytes of a small file are compared here, those of a large one while it is read, from a bucket perhaps.
    """
    try:
        file = await _content(storage, document)
    except FileNotFoundError:
        file = None
    if file and file.size != document.size:
        file.close()
        file = None
    if file is None:
        raise NotFound(STORAGE_MISSING.message)
    return Original(file, document)


async def _content(storage: Storage, document: Document) -> OpenFile | None:
    if document.size > COMPARED_BYTES and (remote := await storage.remote(document.id)):
        return remote
    async with _local(storage, document) as path:
        return await asyncio.to_thread(_open, path) if path else None


async def link(links: Links, document: Document, *, method: str, headers: Mapping[str, str]) -> str:
    """The address at which the client itself gets the document's file; raises NotFound if it is missing."""
    try:
        return await links.download(document.id, method=method, size=document.size, headers=headers)
    except FileNotFoundError as error:
        raise NotFound(STORAGE_MISSING.message) from error


def _local(storage: Storage, document: Document) -> AbstractAsyncContextManager[Path | None]:
    if document.size <= COMPARED_BYTES:
        return storage.intact(document.id, size=document.size, sha256=document.sha256)
    return storage.file(document.id)


def _open(path: Path) -> LocalFile:
    return LocalFile(path.open("rb"))
