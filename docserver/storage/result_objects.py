"""Large results in a bucket: `results/<document>/<key>.<ETag>.<SHA-256>`."""

import asyncio
import errno
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO
from uuid import UUID

from docserver.model import StoredResult
from docserver.room import Room
from docserver.storage import BucketError
from docserver.storage.bucket import Bucket, StoredObject
from docserver.storage.object_records import RESULTS
from docserver.storage.object_upload import PART_BYTES, ObjectUpload
from docserver.storage.results import Listed, named_result, result_name


class ResultObjects:
    """A `ResultPlace` in a bucket."""

    lists_quickly = False

    def __init__(self, bucket: Bucket, *, incoming: Path, room: Room, turns: asyncio.Semaphore) -> None:
        """As for `ObjectUpload`: what is not sent yet waits in `incoming`."""
        self._bucket, self._incoming, self._room, self._turns = bucket, incoming, room, turns

    async def find(self, document_id: UUID, key: str) -> StoredResult | None:
        # If a document has more results than one answer lists, some are made again.
        objects = await self._bucket.run(self._bucket.first, _place(document_id))
        return next((each.result for each in _listed(objects) if each.result.key == key), None)

    async def put(self, result: StoredResult, pieces: AsyncIterator[bytes]) -> None:
        upload = ObjectUpload(
            self._bucket,
            result_key(result),
            directory=self._incoming,
            room=self._room,
            max_bytes=result.size,
            turns=self._turns,
        )
        try:
            async for piece in pieces:
                await upload.write(piece)
            await upload.finish()
        except BaseException:
            await asyncio.shield(upload.abort())
            raise

    async def open(self, result: StoredResult) -> IO[bytes]:
        return await self._bucket.run(self._fetch, result)

    async def delete(self, document_id: UUID) -> None:
        async for part in self._bucket.parts(_place(document_id)):
            await self._bucket.run(self._bucket.delete_many, [each.key for each in part])

    def _fetch(self, result: StoredResult) -> IO[bytes]:
        """All of a result before its reader gets the first byte: what comes from the bucket may be damaged."""
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest = sha256()
        with ExitStack() as stack:
            file = stack.enter_context(tempfile.TemporaryFile(dir=self._incoming))
            for start in range(0, result.size, PART_BYTES):
                length = min(PART_BYTES, result.size - start)
                piece = self._bucket.get(result_key(result), start=start, length=length)
                self._room.require(len(piece))
                digest.update(piece)
                file.write(piece)
            if digest.hexdigest() != result.digest:
                raise BucketError(errno.EIO, "a result comes with other bytes than were stored")
            file.flush()
            stack.pop_all()
        return file

    async def parts(self) -> AsyncIterator[Sequence[Listed]]:
        async for part in self._bucket.parts(RESULTS):
            yield _listed(part)

    async def remove(self, results: Sequence[StoredResult]) -> None:
        if results:
            await self._bucket.run(self._bucket.delete_many, [result_key(each) for each in results])


def result_key(result: StoredResult) -> str:
    """The key of a result's object."""
    return f"{_place(result.document_id)}/{result_name(result)}"


def _place(document_id: UUID) -> str:
    return f"{RESULTS}/{document_id}"


def _listed(objects: Sequence[StoredObject]) -> list[Listed]:
    listed = []
    for each in objects:
        # Others may have put something there, as consoles do that show folders.
        key = PurePosixPath(each.key)
        if result := named_result(key.parent.name, key.name, size=each.size):
            listed.append(Listed(result, each.modified.timestamp()))
    return listed
