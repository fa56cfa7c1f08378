"""Receives the files of a batch: several files, or one ZIP, which stays open as a file without a name."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from docserver.documents import intake, zip_archive
from docserver.documents.batches import SentFile
from docserver.documents.zip_archive import Entry
from docserver.errors import TooLarge, Unprocessable
from docserver.resources import Resources
from docserver.sniff import HEAD_BYTES
from docserver.storage import Received
from docserver.storage.disk import on_disk

LARGEST_UPLOADS = 10
"""A batch may be as large as this many of the largest uploads. A ZIP may not be larger inflated either."""


class BatchReceiver:
    """Receives files one after the other."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._files = 0
        self._archive: BinaryIO | None = None
        self.max_bytes = LARGEST_UPLOADS * resources.settings.max_upload_bytes

    async def receive(self, chunks: AsyncIterator[bytes]) -> Received:
        """Receive a file; raises what `intake.receive` raises, and Unprocessable for a file after a ZIP."""
        if self._archive:
            raise Unprocessable("A ZIP must be the only file of its batch.")
        self._files += 1
        head = b""
        while len(head) < len(zip_archive.SIGNATURES[0]) and (chunk := await anext(chunks, b"")):
            head += chunk
        whole = _chained(head, chunks)
        if self._files == 1 and head.startswith(zip_archive.SIGNATURES):
            return await self._receive_archive(whole)
        return await intake.receive(self._resources, whole)

    async def _receive_archive(self, chunks: AsyncIterator[bytes]) -> Received:
        directory = self._resources.settings.data_dir
        opened = await on_disk(partial(tempfile.TemporaryFile, dir=directory))
        archive = self._archive = cast("BinaryIO", opened)
        digest, size, head = hashlib.sha256(), 0, b""
        async for chunk in chunks:
            size += len(chunk)
            if size > self.max_bytes:
                raise TooLarge(f"The ZIP is larger than the {self.max_bytes / 1_000_000:g} MB that are accepted.")
            head = head or chunk[:HEAD_BYTES]
            digest.update(chunk)
            await on_disk(archive.write, chunk)
        return Received(Path(), size, digest.digest(), head)

    async def discard(self, received: Received) -> None:
        """Remove a file that was received, unless it is the ZIP, which goes by itself."""
        if not self._archive:
            await self._resources.storage.discard(received)

    async def files(self, received: Sequence[tuple[str, Received]]) -> Sequence[SentFile]:
        """The files of the batch, or those in its ZIP; raises Unprocessable, TooLarge."""
        if not self._archive:
            return [SentFile(name, partial(_at_hand, file)) for name, file in received]
        entries = await asyncio.to_thread(
            zip_archive.entries,
            self._archive,
            max_bytes=self._resources.settings.max_upload_bytes,
            max_total_bytes=self.max_bytes,
        )
        return [SentFile(entry.name, partial(self._inflated, entry)) for entry in entries]

    async def _inflated(self, entry: Entry) -> Received:
        return await intake.receive(self._resources, entry.content())

    def close(self) -> None:
        """Give up the ZIP."""
        if self._archive:
            self._archive.close()


async def _chained(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk


async def _at_hand(received: Received) -> Received:
    return received
