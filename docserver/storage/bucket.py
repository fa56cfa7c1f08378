"""Objects in a bucket: read, written, copied, listed, deleted. Every error is an OSError without a secret in its text.

Methods block for a bounded time. The library's coroutines are not used: they end the process with SIGABRT if it stops
while one of its threads calls back into Python.
"""

import asyncio
import errno
import logging
import mmap
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from docserver.settings import Settings, SettingsError, variable
from docserver.storage import BucketError
from docserver.storage.bucket_url import BucketUrl
from docserver.storage.multipart_uploads import MultipartUploads
from docserver.storage.signed_urls import SignedUrls

LIST_AT_ONCE = 1000
"""Objects of one part of a listing; no server gives more in one answer."""

THREADS = 32
"""Most requests of a process to the bucket at the same time. More would only share its bandwidth."""

RETRIES = 5
"""Most repetitions of a request that the bucket has refused for now (503 SlowDown) or not answered."""

CONNECT_S = 5.0
"""Longest wait for a connection. Servers that are there answer within a fraction of a second."""

FULL_CODES = {
    *("QuotaExceeded", "EntityTooLarge", "InsufficientStorage", "AccountProblem"),
    *("XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"),
}
"""Error codes of S3 servers that mean that no more may be stored. Amazon's own buckets are never full."""

MISSING_BUCKET = ("NoSuchBucket", "NoSuchContainer", "ContainerNotFound")
"""Error codes that tell a missing bucket from a missing object."""

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_UNKNOWN = re.compile(r"Configuration key: '(\w{1,60})' is not valid")

log = logging.getLogger("docserver.storage")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, as listings tell it."""

    key: str
    size: int
    modified: datetime
    """By the bucket's clock."""


class Bucket:
    """The part of a bucket below a prefix."""

    def __init__(self, settings: Settings) -> None:
        """Sends no request. Raises SettingsError for a URL that cannot be used."""
        url = BucketUrl.parse(settings.storage_url)
        # A request is repeated for half the time; the last repetition may take the other half.
        self.timeout_s = settings.storage_timeout_s
        half = timedelta(seconds=self.timeout_s / 2)
        try:
            any_store: Any = from_url
            self._store = any_store(
                url.place,
                config=url.config,
                client_options={
                    "allow_http": url.allow_http,
                    "timeout": half,
                    "connect_timeout": min(half, timedelta(seconds=CONNECT_S)),
                },
                retry_config={"max_retries": RETRIES, "retry_timeout": half},
            )
        except (BaseError, ValueError) as error:
            # The library's message may have a key.
            name = variable("storage_url")
            wrong = _UNKNOWN.search(str(error))
            raise SettingsError(
                f"{name} has an unknown parameter {wrong[1]}"
                if wrong
                else f"{name} has a parameter whose value {url.scheme}:// does not take"
            ) from None
        self.place = url.place
        self.signed_urls: SignedUrls | None = None
        with suppress(LookupError):
            self.signed_urls = SignedUrls(url)
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="bucket")

    async def run(self, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run something that waits for the bucket, in a thread. The threads for the local disk never wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(act, *arguments, **named))

    def get(self, key: str, *, start: int = 0, length: int) -> bytes:
        """At most `length` bytes of an object from `start` on; raises FileNotFoundError."""
        with self._translated("get"):
            return bytes(obstore.get_range(self._store, key, start=start, length=length))

    def head(self, key: str) -> StoredObject:
        """Raises FileNotFoundError."""
        try:
            with self._translated("head"):
                return _stored(obstore.head(self._store, key))
        except FileNotFoundError:
            # The answer to such a request has no body, so it does not tell a missing object from a missing bucket.
            self.require()
            raise

    def exists(self, key: str) -> bool:
        """True if there is an object with this key."""
        try:
            self.head(key)
        except FileNotFoundError:
            return False
        return True

    def put(self, key: str, data: bytes | mmap.mmap) -> None:
        """Store an object, in place of an earlier one."""
        with self._translated("put"):
            obstore.put(self._store, key, data, use_multipart=False)

    def put_new(self, key: str, data: bytes) -> None:
        """Store an object unless there is one with this key."""
        try:
            with self._translated("put"):
                obstore.put(self._store, key, data, mode="create")
        except FileExistsError:
            return
        except BucketError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            # Some servers have no conditional writes. Two processes that start for the first time in the same
            # milliseconds may then both write; both read again what was written last.
            if not self.exists(key):
                self.put(key, data)

    def put_parts(self, key: str, parts: Iterator[bytes | mmap.mmap], *, part_bytes: int) -> None:
        """Store an object of parts, all but the last of this size. It appears once the iterator has ended.

        If the iterator raises, it does not appear, and this raises the same error.
        """
        with self._translated("put parts"):
            obstore.put(self._store, key, parts, use_multipart=True, chunk_size=part_bytes, max_concurrency=1)

    def abort_abandoned(self, age_s: float) -> int:
        """Abort uploads in parts that were begun longer ago than this, and have not ended; returns how many."""
        if self.signed_urls is None:
            return 0
        uploads = MultipartUploads(self.signed_urls, timeout_s=self.timeout_s)
        oldest = self.now() - timedelta(seconds=age_s)
        abandoned = [upload for upload in uploads.list() if upload.begun < oldest]
        for upload in abandoned:
            uploads.abort(upload)
        return len(abandoned)

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the bucket; raises FileNotFoundError."""
        with self._translated("copy"):
            obstore.copy(self._store, source, target)

    def delete(self, *keys: str) -> None:
        """Delete objects. Those that are not there are skipped."""
        for key in keys:
            with self._translated("delete"):
                try:
                    obstore.delete(self._store, key)
                except FileNotFoundError as error:
                    if any(code in str(error) for code in MISSING_BUCKET):
                        raise

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects that are there, 1000 by one request."""
        with self._translated("delete"):
            obstore.delete(self._store, keys)

    async def parts(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """All objects below a prefix, in the order of their keys, in parts. Does not block; raises BucketError."""
        listing = self._list(prefix, LIST_AT_ONCE)

        def step() -> Sequence[StoredObject] | None:
            with self._translated("list"):
                part = next(listing, None)
            return None if part is None else _objects(part)

        while (part := await self.run(step)) is not None:
            yield part

    def first(self, prefix: str) -> Sequence[StoredObject]:
        """The first objects below a prefix, at most those of one answer."""
        with self._translated("list"):
            return _objects(next(self._list(prefix, LIST_AT_ONCE), ()))

    def now(self) -> datetime:
        """The time by the bucket's clock. Stores a small object."""
        self.put("clock", b"")
        return self.head("clock").modified

    def require(self, prefix: str = "identity") -> bool:
        """True if there are objects below a prefix. Raises BucketError if the bucket does not exist or not answer."""
        with self._translated("list"):
            return any(islice(self._list(prefix, 1), 1))

    def _list(self, prefix: str, size: int) -> Iterator[Sequence[Any]]:
        return iter(obstore.list(self._store, prefix, chunk_size=size))

    @staticmethod
    @contextmanager
    def _translated(operation: str) -> Iterator[None]:
        """Turn the library's errors into OSErrors."""
        try:
            yield
        except (FileNotFoundError, BaseError) as error:
            translated = _translation(operation, error)
        else:
            return
        # The library's text has addresses and signatures.
        raise translated from None


def _translation(operation: str, error: BaseException) -> OSError:
    if isinstance(error, AlreadyExistsError):
        return FileExistsError(errno.EEXIST, "object exists")
    if isinstance(error, FileNotFoundError):
        if any(code in str(error) for code in MISSING_BUCKET):
            return _fault(operation, error, errno.ENXIO)
        return FileNotFoundError(errno.ENOENT, "no such object")
    return _fault(operation, error, _number(error))


def _fault(operation: str, error: BaseException, number: int) -> BucketError:
    kind = _kind(error)
    if number != errno.EOPNOTSUPP:
        log.warning("bucket does not do what it is asked for", extra={"operation": operation, "fault": kind})
    return BucketError(number, f"the bucket answers a request ({operation}) with {kind}")


def _kind(error: BaseException) -> str:
    """What of an error may be shown: its code and status, or else its class."""
    text = str(error)
    parts = [match[1] for match in (_STATUS.search(text), _CODE.search(text)) if match]
    return " ".join(parts) or ("no answer" if "HTTP error" in text else type(error).__name__)


def _number(error: BaseException) -> int:
    status, _, code = _kind(error).partition(" ")
    # Ceph answers with 403 when a quota is used up, as if a right was missing.
    if status == "507" or code in FULL_CODES:
        return errno.ENOSPC
    if status == "501":
        return errno.EOPNOTSUPP
    if code in MISSING_BUCKET:
        return errno.ENXIO
    if status in ("401", "403") or isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return errno.EACCES
    return errno.EIO


def _objects(part: Sequence[Any]) -> list[StoredObject]:
    return [_stored(meta) for meta in part]


def _stored(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["last_modified"])
