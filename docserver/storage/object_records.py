"""What a bucket has beside the originals' bytes: their keys, the quarantine, and the records of deletions."""

import errno
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from docserver.model import new_id, parse_id
from docserver.storage.bucket import Bucket, StoredObject
from docserver.storage.deleted import KEPT_DAYS, READ_AT_ONCE
from docserver.storage.quarantine import StoredFile

ORIGINALS, QUARANTINE, DELETED, RESULTS, UPLOADS = "originals", "quarantine", "deleted", "results", "uploads"
"""The first parts of the keys."""

PACK = "pack-"
"""What the names of packed records begin with."""

PACKED = 10_000
"""Records in one object, at most: 160 kB."""

log = logging.getLogger("docserver.storage")


def original_key(document_id: UUID) -> str:
    """The key of a document's original."""
    name = str(document_id)
    # Buckets share load by the beginnings of keys. The last characters of a UUIDv7 are random.
    return f"{ORIGINALS}/{name[-2:]}/{name}"


def older_files(part: Sequence[StoredObject], age_s: float, now: datetime) -> dict[UUID, StoredFile]:
    """The objects of a listing that are named by document ids and older than this."""
    files = {}
    for each in part:
        document_id = _record(each.key)
        file = StoredFile((now - each.modified).total_seconds(), each.size)
        if document_id and file.age_s > age_s:
            files[document_id] = file
    return files


class ObjectQuarantine:
    """The objects below `quarantine/`. A move copies and then deletes, so a crash leaves each at one place at least.

    Raises BucketError, after which the rest is not done.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def files(self) -> Mapping[UUID, StoredFile]:
        now = await self._bucket.run(self._bucket.now)
        files: dict[UUID, StoredFile] = {}
        async for part in self._bucket.parts(QUARANTINE):
            files |= older_files(part, float("-inf"), now)
        return files

    async def put(self, document_ids: Iterable[UUID]) -> None:
        await self._each(self._put, document_ids)

    async def put_back(self, document_ids: Iterable[UUID]) -> None:
        await self._each(self._put_back, document_ids)

    async def delete(self, document_ids: Iterable[UUID]) -> None:
        await self._each(lambda document_id: self._bucket.delete(_quarantined(document_id)), document_ids)

    async def original(self, document_id: UUID) -> StoredObject:
        """A document's original. While its document was unknown, as after a restore of an older database, it may have
        come here; then it is put back first. Raises FileNotFoundError.
        """
        try:
            return await self._bucket.run(self._bucket.describe, original_key(document_id))
        except FileNotFoundError:
            await self.put_back([document_id])
            return await self._bucket.run(self._bucket.describe, original_key(document_id))

    async def _each(self, act: Callable[[UUID], None], document_ids: Iterable[UUID]) -> None:
        for document_id in document_ids:
            try:
                await self._bucket.run(act, document_id)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno != errno.EACCES:
                    raise
                # It may be locked. That must not stop what is to be done with the others.
                facts = {"document_id": str(document_id), "number": error.errno}
                log.warning("file not moved or deleted", extra=facts)

    def _put(self, document_id: UUID) -> None:
        self._bucket.copy(original_key(document_id), _quarantined(document_id))
        self._bucket.delete(original_key(document_id))

    def _put_back(self, document_id: UUID) -> None:
        # Azure's answer to the copy of an object that is missing does not tell what is.
        original, quarantined = original_key(document_id), _quarantined(document_id)
        if self._bucket.exists(quarantined) and not self._bucket.exists(original):
            self._bucket.copy(quarantined, original)
            self._bucket.delete(quarantined)


class DeletedObjects:
    """An empty object for each deleted document, `deleted/<day>/<document>`. Those of days that have ended are packed
    into few objects, which have the ids as bytes: each start reads all records.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def remember(self, *document_ids: UUID) -> None:
        today = datetime.now(UTC).date()
        for document_id in document_ids:
            await self._bucket.run(self._bucket.put, f"{DELETED}/{today}/{document_id}", b"")

    async def ids(self) -> AsyncIterator[list[UUID]]:
        async for part in self._bucket.parts(DELETED):
            yield [document_id for each in part if (document_id := _record(each.key))]
            for each in part:
                if _name(each.key).startswith(PACK):
                    async for unpacked in self._unpacked(each):
                        yield unpacked

    async def forget_old(self) -> None:
        today = datetime.now(UTC).date()
        # Clocks differ, so something may still be recorded under yesterday.
        oldest, open_from = today - timedelta(days=KEPT_DAYS), today - timedelta(days=1)
        records: list[str] = []
        async for part in self._bucket.parts(DELETED):
            days = {each.key: day for each in part if (day := _day(each.key))}
            if old := [key for key, day in days.items() if day < oldest]:
                await self._bucket.run(self._bucket.delete_many, old)
            records += [key for key, day in days.items() if oldest <= day < open_from and _record(key)]
            while len(records) >= PACKED:
                await self._bucket.run(self._pack, records[:PACKED])
                del records[:PACKED]
            if max(days.values(), default=oldest) >= open_from:
                # The days follow one another.
                break
        if len(records) > 1:
            await self._bucket.run(self._pack, records)

    def _pack(self, keys: Sequence[str]) -> None:
        # It is kept as long as its newest record. If this is interrupted, some are there twice.
        ids = b"".join(document_id.bytes for key in keys if (document_id := _record(key)))
        self._bucket.put(f"{DELETED}/{_day(keys[-1])}/{PACK}{new_id()}", ids)
        self._bucket.delete_many(keys)

    async def _unpacked(self, pack: StoredObject) -> AsyncIterator[list[UUID]]:
        # Another process may remove it now, because it is old.
        with suppress(FileNotFoundError):
            data = await self._bucket.run(self._bucket.get, pack.key, length=pack.size)
            ids = [UUID(bytes=data[start : start + 16]) for start in range(0, len(data) - 15, 16)]
            for start in range(0, len(ids), READ_AT_ONCE):
                yield ids[start : start + READ_AT_ONCE]


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _record(key: str) -> UUID | None:
    """The document whose deletion an object records, or None."""
    return parse_id(_name(key))


def _quarantined(document_id: UUID) -> str:
    return f"{QUARANTINE}/{document_id}"


def _day(key: str) -> date | None:
    try:
        return date.fromisoformat(key.split("/")[1])
    except (ValueError, IndexError):
        return None
