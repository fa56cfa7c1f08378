"""The protocol of a storage for original files and large results. Further modules have the kinds of storage."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from docserver.errors import StorageUnavailable
from docserver.model import StoredResult
from docserver.storage.open_file import OpenFile
from docserver.storage.quarantine import StoredFile
from docserver.storage.results import Results


class BucketError(OSError):
    """A bucket refuses a request, or does not answer. It says nothing about whether an object exists."""


class ObjectMissing(FileNotFoundError):
    """A bucket says itself that there is no such object. Nothing else proves it, least of all a missing local file."""


class ArrivesDamaged(StorageUnavailable):
    """An original comes with other bytes than were uploaded, and the bucket does not say that they are its own. Either
    is damaged: the original, or what comes of it.
    """


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that has arrived completely and does not belong to a document yet."""

    path: Path
    """Where it is: a file, or the key of an object."""
    size: int
    sha256: bytes
    head: bytes
    """The first bytes; `sniff` detects the media type from them."""
    document_id: UUID | None = None
    """The id of the document whose original it can become without being moved; None if that makes no difference."""


class Quarantine(Protocol):
    """Originals that no document knows, kept for a while. Somebody else decides which ones move. Raises OSError."""

    async def files(self) -> Mapping[UUID, StoredFile]:
        """All files, by the document that each was the original of."""

    async def put(self, document_ids: Iterable[UUID]) -> None:
        """Move originals into the quarantine. An original that is gone is skipped."""

    async def put_back(self, document_ids: Iterable[UUID]) -> None:
        """Move files back to the originals. One that is not here, or whose original is there, is skipped."""

    async def delete(self, document_ids: Iterable[UUID]) -> None:
        """Delete files for good. One that is not here is skipped."""


class DeletedDocuments(Protocol):
    """The ids of deleted documents, for the case that an older database is restored. Raises OSError."""

    async def remember(self, *document_ids: UUID) -> None:
        """Record deletions, so that they survive a crash of the machine."""

    def ids(self) -> AsyncIterator[list[UUID]]:
        """All recorded documents, in parts."""

    async def forget_old(self) -> None:
        """Remove the records that are older than KEPT_DAYS."""


@dataclass(frozen=True, slots=True)
class UploadLink:
    """Where a client sends a file, by one PUT."""

    id: UUID
    url: str
    size: int
    """The bytes that the bucket takes there, no more and no fewer."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LinkedUpload:
    """A file that a client has been given a link for. The client can still replace it."""

    id: UUID
    key: str
    size: int
    is_sent: bool
    """False if it has not arrived."""
    etag: str


class Links(Protocol):
    """Addresses at which clients reach a bucket themselves. Raises StorageUnavailable and StorageFull."""

    async def download(self, document_id: UUID, *, method: str, size: int, headers: Mapping[str, str]) -> str:
        """The address of an original, for requests of this method, whose answers have these `headers`: Content-Type,
        Content-Disposition and others that S3 allows. It is valid for a minute.

        Raises FileNotFoundError if the original is missing or has another size.
        """

    async def result(self, result: StoredResult, *, method: str, headers: Mapping[str, str]) -> str:
        """The same for a result, which is not looked for."""

    async def begin_upload(self, tenant: str, *, size: int, valid_s: int) -> UploadLink:
        """Reserve the place of a file, and let the client send it for this time."""

    async def begun_uploads(self, tenant: str) -> Sequence[LinkedUpload]:
        """Those of a tenant that are not discarded, 1000 at most."""

    async def find_upload(self, tenant: str, upload_id: UUID) -> LinkedUpload | None:
        """One of a tenant's, or None."""

    def content(self, upload: LinkedUpload) -> AsyncIterator[bytes]:
        """The bytes of a file that was sent. At its end, raises Conflict if the client has replaced it meanwhile, and
        StorageUnavailable if the bucket has other bytes; before, FileNotFoundError if it is gone.
        """

    async def discard_upload(self, upload: LinkedUpload) -> None:
        """Remove a completed one. What the client sends later is removed when it is old."""

    async def discard_uploads(self, tenant: str) -> None:
        """Remove all of a tenant's."""


class Storage(Protocol):
    """Stores each document's original bytes under the document's id."""

    @property
    def quarantine(self) -> Quarantine:
        """For originals that no document knows."""

    @property
    def deleted(self) -> DeletedDocuments:
        """The documents that were deleted."""

    @property
    def results(self) -> Results:
        """Large results of documents."""

    @property
    def links(self) -> Links | None:
        """None if there are none: files are in a directory, or in a bucket that is not one of S3."""

    async def prepare(self) -> None:
        """Make the storage ready for use; raises OSError."""

    async def receive(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Received:
        """Store an upload without holding all of it in memory. If this raises, it leaves nothing behind.

        Raises TooLarge, StorageFull and StorageUnavailable, and every error of the iterator `chunks`.
        """

    async def keep(self, received: Received, document_id: UUID) -> Received:
        """Make an upload the original of a document; it takes the place of an earlier one. After this, it survives a
        crash of the machine. Returns the upload at its new place.
        """

    def intact(self, document_id: UUID, *, size: int, sha256: bytes) -> AbstractAsyncContextManager[Path | None]:
        """As `file`, once all bytes were read and compared; None if the original is missing or has other bytes.

        Raises StorageUnavailable, and ArrivesDamaged if the original may still have the right bytes.
        """

    async def discard(self, received: Received) -> None:
        """Remove an upload that does not become a document."""

    def file(self, document_id: UUID) -> AbstractAsyncContextManager[Path]:
        """The path of a local file with the original, which is there during the block. It may come from the quarantine.

        Raises FileNotFoundError and StorageUnavailable.
        """

    async def remote(self, document_id: UUID) -> OpenFile | None:
        """The original, to be read from afar; None if a local file is there. Raises FileNotFoundError and
        StorageUnavailable.
        """

    async def examine(self, document_id: UUID) -> Received:
        """What an upload with the bytes of this original would be; raises FileNotFoundError."""

    async def delete(self, document_id: UUID) -> None:
        """Remove the original if there is one, also from the quarantine, and all results of the document."""

    async def is_empty(self) -> bool:
        """True if there is no original, and none in the quarantine. The storage need not be prepared."""

    async def has_any(self, document_ids: Sequence[UUID]) -> bool:
        """True if the original of at least one of these documents is there. The storage need not be prepared."""

    async def missing(self, document_ids: Sequence[UUID]) -> list[UUID]:
        """Those of the documents whose originals are missing. Does not look into the quarantine."""

    def older_than(self, age_s: float) -> AsyncIterator[Mapping[UUID, StoredFile]]:
        """Originals that are older than this, in seconds, in parts of moderate size."""

    async def discard_abandoned(self, age_s: float) -> int:
        """Remove uploads that were not written to for this time; returns how many."""

    async def check(self) -> None:
        """Raise OSError unless the storage can be written to, and StorageFull if only room is missing."""
