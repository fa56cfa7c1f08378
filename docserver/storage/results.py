"""Large results that the storage keeps, so that they are not made again. Each can be made again at any time."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Protocol
from uuid import UUID

from docserver.errors import ServiceError
from docserver.model import StoredResult, parse_id

FIND_S = 3.0
"""Longest wait for a look whether a result is there. Making it again may be quicker."""

PUT_S = 30.0
"""Longest time to store a result, while its reader waits. The largest has 1 GB; most are stored within a second."""

OPEN_S = 30.0
"""Longest time to fetch a result from a bucket."""

PAUSE_S = 60.0
"""For this time after a failure, results are neither looked for nor stored, so that few readers wait for a storage that
does not answer."""

log = logging.getLogger("docserver.storage")


@dataclass(frozen=True, slots=True)
class Listed:
    """A result as a listing tells it."""

    result: StoredResult
    written: float
    """A time by the storage's clock."""


class ResultPlace(Protocol):
    """Where results are: a directory or a bucket. Raises OSError and ServiceError."""

    lists_quickly: bool
    """True if a listing takes no requests over the network."""

    async def find(self, document_id: UUID, key: str) -> StoredResult | None:
        """The result with this key, if it is there."""

    async def put(self, result: StoredResult, pieces: AsyncIterator[bytes]) -> None:
        """Store a result. It appears whole or not at all."""

    async def open(self, result: StoredResult) -> IO[bytes]:
        """A local file with a result, which the caller closes; raises FileNotFoundError if it was removed, and OSError
        if it does not come as it was stored.
        """

    async def delete(self, document_id: UUID) -> None:
        """Delete all results of a document."""

    def parts(self) -> AsyncIterator[Sequence[Listed]]:
        """All results, in parts of moderate size."""

    async def remove(self, results: Sequence[StoredResult]) -> None:
        """Delete these results. One that is not there is skipped."""


class Results:
    """The results of a storage, bounded in their sum. While the storage fails, none are found and none are stored."""

    def __init__(self, place: ResultPlace, *, max_bytes: int) -> None:
        self._place = place
        self._max_bytes = max_bytes
        self._paused_until = -math.inf

    async def find(self, document_id: UUID, key: str) -> StoredResult | None:
        """The result with this key, or None."""
        if self._is_in_use(1):
            with self._pausing("find"):
                async with asyncio.timeout(FIND_S):
                    return await self._place.find(document_id, key)
        return None

    async def put(self, result: StoredResult, pieces: AsyncIterator[bytes]) -> bool:
        """Store a result; False if it cannot be stored now, or is too large."""
        if not self._is_in_use(result.size):
            return False
        with self._pausing("put"):
            async with asyncio.timeout(PUT_S):
                await self._place.put(result, pieces)
            if self._place.lists_quickly:
                await self.clean(_all_exist)
            return True
        return False

    async def open(self, result: StoredResult) -> IO[bytes] | None:
        """A local file with a result, which the caller closes; None if it was removed or cannot be used now."""
        with self._pausing("open"), suppress(FileNotFoundError):
            async with asyncio.timeout(OPEN_S):
                return await self._place.open(result)
        return None

    async def delete(self, document_id: UUID) -> None:
        """Delete all results of a document; raises OSError."""
        await self._place.delete(document_id)

    async def clean(self, existing: Callable[[Sequence[UUID]], Awaitable[Collection[UUID]]]) -> None:
        """Remove the results of documents that do not exist, and the oldest of the others if there are too many.

        `existing` returns those of the given documents that exist. Raises OSError.
        """
        known: list[Listed] = []
        async for part in self._place.parts():
            documents = await existing(list({each.result.document_id for each in part}))
            known += [each for each in part if each.result.document_id in documents]
            await self._place.remove([each.result for each in part if each.result.document_id not in documents])
        await self._place.remove(list(_oldest(known, leave_bytes=self._max_bytes)))

    def _is_in_use(self, size: int) -> bool:
        return size <= self._max_bytes and time.monotonic() >= self._paused_until

    @contextmanager
    def _pausing(self, operation: str) -> Iterator[None]:
        """Pause after a failure, which is no failure of the request."""
        try:
            yield
        except (OSError, ServiceError) as error:
            self._paused_until = time.monotonic() + PAUSE_S
            facts = {"operation": operation, "fault": type(error).__name__, "pause_s": PAUSE_S}
            log.warning("large results are not kept for a while", extra=facts)


def result_name(result: StoredResult) -> str:
    """The name of a result among those of its document."""
    etag = result.etag.strip('"')
    return f"{result.key}.{etag}.{result.digest}"


def named_result(document: str, name: str, *, size: int) -> StoredResult | None:
    """The result that `result_name` has named; None if it is something else."""
    document_id = parse_id(document)
    key, etag, digest = (*name.split("."), "", "")[:3]
    return StoredResult(document_id, key, f'"{etag}"', digest, size) if document_id and key and etag else None


def _oldest(results: list[Listed], *, leave_bytes: int) -> Iterator[StoredResult]:
    """The oldest results, so many that the others take at most this."""
    total = sum(each.result.size for each in results)
    for each in sorted(results, key=lambda listed: listed.written):
        if total <= leave_bytes:
            return
        total -= each.result.size
        yield each.result


async def _all_exist(document_ids: Sequence[UUID]) -> Sequence[UUID]:
    return document_ids
