"""Large results in a bucket: `results/<document>/<key>.<ETag>`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

from docserver.model import StoredResult
from docserver.room import Room
from docserver.storage.bucket import Bucket, StoredObject
from docserver.storage.object_records import RESULTS
from docserver.storage.object_upload import ObjectUpload
from docserver.storage.remote_file import RemoteObject
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

    async def open(self, result: StoredResult) -> RemoteObject:
        return RemoteObject(self._bucket, result_key(result), size=result.size)

    async def delete(self, document_id: UUID) -> None:
        async for part in self._bucket.parts(_place(document_id)):
            await self._bucket.run(self._bucket.delete_many, [each.key for each in part])

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
        document, name = each.key.split("/")[-2:]
        if result := named_result(document, name, size=each.size):
            listed.append(Listed(result, each.modified.timestamp()))
    return listed
