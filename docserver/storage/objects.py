"""Stores originals as objects in a bucket, named by document id, and hands out local copies of them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from docserver.errors import StorageFull
from docserver.exclusive import SingleFlight
from docserver.model import new_id
from docserver.room import FULL, UNLIMITED, Room, require_writable
from docserver.settings import Settings
from docserver.storage import ArrivesDamaged, BucketError, ObjectMissing, Received
from docserver.storage.bucket import Bucket
from docserver.storage.cache import FileCache
from docserver.storage.comparing import Comparison, examine
from docserver.storage.disk import full, refusal, refusals, unavailable
from docserver.storage.links import ObjectLinks
from docserver.storage.object_records import (
    ORIGINALS,
    QUARANTINE,
    UPLOADS,
    DeletedObjects,
    ObjectQuarantine,
    older_files,
    original_key,
)
from docserver.storage.object_upload import PARTS_AT_ONCE, ObjectUpload
from docserver.storage.quarantine import StoredFile
from docserver.storage.receiving import Arrival
from docserver.storage.remote_file import RemoteObject
from docserver.storage.result_objects import ResultObjects
from docserver.storage.results import Results

FETCH_BYTES = 8 << 20
"""Bytes of an original that are fetched by one request and held in memory."""

FETCH_TRIES = 3
"""Most times that an original is fetched for one reader. A full cache may remove it before it is opened, and it may
come with wrong bytes."""

CHECKED_S = 10.0
"""Once the bucket has taken and given an object, it counts as ready for this time: each request costs money."""

FULL_S = 60.0
"""A bucket that has refused an upload for want of room counts as full for this time, unless it takes another upload.
The empty object that a check writes may have room where uploads have none."""

LOOKUPS = 16
"""Most originals that are looked up at the same time."""

log = logging.getLogger("docserver.storage")


class ObjectStorage:
    """A `Storage` in a bucket that all processes of the service share. Only copies are on this machine's disk."""

    def __init__(self, settings: Settings, room: Room = UNLIMITED) -> None:
        """Uploads are refused when `room` has too little for them. Raises SettingsError."""
        self._bucket = Bucket(settings)
        self._room = room
        self._longest_upload_s = settings.upload_timeout_s
        self._incoming = settings.data_dir / "incoming"
        self._cache = FileCache(settings.data_dir / "cache", max_bytes=int(settings.storage_cache_mb * 1_000_000))
        self._comparison = Comparison()
        self._fetches: SingleFlight[UUID, None] = SingleFlight()
        self._turns = asyncio.Semaphore(PARTS_AT_ONCE)
        self._not_kept: set[UUID] = set()
        """Uploads that do not belong to a document yet."""
        self._checked_at = -CHECKED_S
        self._full_at = -FULL_S
        self.deleted = DeletedObjects(self._bucket)
        self.quarantine = ObjectQuarantine(self._bucket)
        place = ResultObjects(self._bucket, incoming=self._incoming, room=room, turns=self._turns)
        self.results = Results(place, max_bytes=settings.max_result_bytes)
        urls = self._bucket.signed_urls
        self.links = ObjectLinks(self._bucket, urls, self.quarantine) if urls else None

    async def prepare(self) -> None:
        await asyncio.to_thread(self._prepare)

    async def receive(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Received:
        # It is written where the original of its document will be: to move it later would take the bucket seconds.
        document_id = new_id()
        key = original_key(document_id)
        upload = ObjectUpload(
            self._bucket,
            key,
            directory=self._incoming,
            room=self._room,
            max_bytes=max_bytes,
            turns=self._turns,
        )
        arrival = Arrival(max_bytes)
        try:
            async with aclosing(arrival.pieces(chunks)) as pieces:
                async for piece in pieces:
                    with refusals():
                        await upload.write(piece)
            with refusals():
                await upload.finish()
        except BaseException as error:
            if isinstance(error, StorageFull):
                self._full_at = time.monotonic()
            await asyncio.shield(self._discard(document_id, upload))
            raise
        self._full_at = -FULL_S
        self._not_kept.add(document_id)
        return Received(Path(key), arrival.size, upload.digest.digest(), arrival.head, document_id)

    async def keep(self, received: Received, document_id: UUID) -> Received:
        key = original_key(document_id)
        if received.document_id:
            self._not_kept.discard(received.document_id)
        if str(received.path) != key:
            with refusals():
                await self._bucket.run(self._move, str(received.path), key)
            await asyncio.to_thread(self._cache.remove, document_id)
        return replace(received, path=Path(key), document_id=document_id)

    @asynccontextmanager
    async def intact(self, document_id: UUID, *, size: int, sha256: bytes) -> AsyncIterator[Path | None]:
        async with AsyncExitStack() as stack:
            yield await self._intact(document_id, stack, size=size, sha256=sha256)

    async def _intact(self, document_id: UUID, stack: AsyncExitStack, *, size: int, sha256: bytes) -> Path | None:
        """A copy with these bytes, which stays until the stack is closed; None if the original has others."""
        for _ in range(FETCH_TRIES):
            try:
                path = await stack.enter_async_context(self.file(document_id))
            except ObjectMissing:
                log.warning("original missing", extra={"document_id": str(document_id)})
                return None
            try:
                if await self._comparison.equal(path, size=size, sha256=sha256):
                    return path
                # The copy may be damaged, or what came over the network, and not the original.
                is_own = await self._bucket.run(self._bucket.has_bytes, original_key(document_id), path)
                await asyncio.to_thread(self._cache.remove, document_id)
            except OSError as error:
                raise unavailable() from error
            if is_own:
                log.warning("original damaged", extra={"document_id": str(document_id)})
                return None
        try:
            await self._bucket.run(self._bucket.require_same_bytes)
        except BucketError as error:
            raise unavailable() from error
        log.warning("original comes with other bytes than were uploaded", extra={"document_id": str(document_id)})
        raise ArrivesDamaged("The document's file comes damaged from the storage; try again later.")

    async def discard(self, received: Received) -> None:
        if received.document_id in self._not_kept:
            await self._discard(received.document_id)

    @asynccontextmanager
    async def file(self, document_id: UUID) -> AsyncIterator[Path]:
        with await self._copy(document_id):
            yield self._cache.path(document_id)

    async def remote(self, document_id: UUID) -> RemoteObject | None:
        if await asyncio.to_thread(self._cache.path(document_id).is_file):
            return None
        try:
            original = await self.quarantine.original(document_id)
        except BucketError as error:
            raise refusal(error) from error
        return RemoteObject(self._bucket, original.key, size=original.size)

    async def examine(self, document_id: UUID) -> Received:
        key, before = original_key(document_id), None
        for _ in range(FETCH_TRIES):
            async with self.file(document_id) as path:
                received = await examine(path)
                try:
                    is_own = await self._bucket.run(self._bucket.has_bytes, key, path)
                    is_own = is_own or (received == before and await self._bucket.run(self._bucket.tells_nothing, key))
                except BucketError as error:
                    raise unavailable() from error
                if is_own:
                    return received
            before = received
            await asyncio.to_thread(self._cache.remove, document_id)
        raise unavailable()

    async def delete(self, document_id: UUID) -> None:
        await asyncio.to_thread(self._cache.remove, document_id)
        await self._bucket.run(self._bucket.delete, original_key(document_id), f"{QUARANTINE}/{document_id}")
        await self.results.delete(document_id)

    async def is_empty(self) -> bool:
        places = [self._bucket.run(self._bucket.require, prefix) for prefix in (ORIGINALS, QUARANTINE)]
        return not any(await asyncio.gather(*places))

    async def has_any(self, document_ids: Sequence[UUID]) -> bool:
        return len(await self.missing(document_ids)) < len(document_ids)

    async def missing(self, document_ids: Sequence[UUID]) -> list[UUID]:
        missing: list[UUID] = []
        # A bucket that fails is not asked for the other parts.
        for start in range(0, len(document_ids), LOOKUPS):
            part = document_ids[start : start + LOOKUPS]
            lookups = (self._bucket.run(self._bucket.exists, original_key(each)) for each in part)
            found = await asyncio.gather(*lookups)
            missing += [each for each, is_there in zip(part, found, strict=True) if not is_there]
        return missing

    async def older_than(self, age_s: float) -> AsyncIterator[Mapping[UUID, StoredFile]]:
        moment = await self._bucket.run(self._bucket.now)
        async for part in self._bucket.parts(ORIGINALS):
            yield older_files(part, age_s, moment)

    async def discard_abandoned(self, age_s: float) -> int:
        # Of an upload in parts, and of one by a link, it is only known when it began.
        age_s += self._longest_upload_s
        removed = await self._discard_old(UPLOADS, age_s)
        try:
            return removed + await self._bucket.run(self._bucket.abort_abandoned, age_s)
        except BucketError as error:
            # Not all servers and roles allow this. A rule of the bucket's lifecycle does the same.
            log.warning("parts of abandoned uploads not removed", extra={"number": error.errno})
            return removed

    async def check(self) -> None:
        if time.monotonic() - self._full_at < FULL_S:
            raise full()
        try:
            await asyncio.to_thread(self._check_disk)
            if time.monotonic() - self._checked_at > CHECKED_S:
                await self._bucket.run(self._bucket.require_same_bytes)
                self._checked_at = time.monotonic()
        except OSError as error:
            if error.errno in FULL:
                raise full() from error
            raise

    async def _discard_old(self, place: str, age_s: float) -> int:
        moment = await self._bucket.run(self._bucket.now)
        removed = 0
        async for part in self._bucket.parts(place):
            old = [each.key for each in part if (moment - each.modified).total_seconds() > age_s]
            await self._bucket.run(self._bucket.delete, *old)
            removed += len(old)
        return removed

    def _prepare(self) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._cache.prepare()

    def _check_disk(self) -> None:
        self._room.require()
        # Those that are missing are made when they are needed.
        for directory in (self._incoming, self._cache.directory):
            require_writable(directory)

    def _move(self, source: str, target: str) -> None:
        self._bucket.copy(source, target)
        self._bucket.delete(source)

    async def _discard(self, document_id: UUID, upload: ObjectUpload | None = None) -> None:
        """Remove an upload; if that fails, maintenance puts it into the quarantine later."""
        self._not_kept.discard(document_id)
        try:
            if upload:
                await upload.abort()
            await self._bucket.run(self._bucket.delete, original_key(document_id))
        except OSError as error:
            log.warning("upload not removed", extra={"number": error.errno})

    async def _copy(self, document_id: UUID) -> BinaryIO:
        """Open the local copy of an original, once it is there; raises FileNotFoundError and StorageUnavailable."""
        for _ in range(FETCH_TRIES):
            try:
                if file := await asyncio.to_thread(self._cache.open, document_id):
                    return file
                await self._fetches.do(document_id, partial(self._fetch, document_id))
            except ObjectMissing:
                raise
            except BucketError as error:
                raise unavailable() from error
            except OSError as error:
                log.exception("no local copy of an original", extra={"number": error.errno})
                raise unavailable() from error
        raise unavailable()

    async def _fetch(self, document_id: UUID) -> None:
        fetch = partial(self._bucket.run, self._cache.add, document_id, partial(self._write_copy, document_id))
        try:
            await fetch()
        except ObjectMissing:
            # While its document was unknown, as after a restore of an older database, it may have been quarantined.
            await self.quarantine.put_back([document_id])
            await fetch()

    def _write_copy(self, document_id: UUID, file: BinaryIO) -> None:
        key = original_key(document_id)
        size = self._bucket.describe(key).size
        starts = range(0, size, FETCH_BYTES)
        file.writelines(self._bucket.get(key, start=start, length=min(FETCH_BYTES, size - start)) for start in starts)
