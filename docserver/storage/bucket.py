"""Objects in a bucket: read, written, copied, listed, deleted. Every error is an OSError without a secret in its text.

Methods block for a bounded time. The library's coroutines are not used: they end the process with SIGABRT if it stops
while one of its threads calls back into Python.
"""

import asyncio
import errno
import hashlib
import logging
import mmap
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import obstore

from docserver.settings import Settings
from docserver.storage import BucketError
from docserver.storage.bucket_faults import translated
from docserver.storage.bucket_store import open_store
from docserver.storage.bucket_url import BucketUrl
from docserver.storage.listing_ends import has_more
from docserver.storage.multipart_uploads import MultipartUploads
from docserver.storage.signed_urls import SignedUrls

LIST_AT_ONCE = 1000
"""Objects of one part of a listing; no server gives more in one answer."""

THREADS = 32
"""Most requests of a process to the bucket at the same time. More would only share its bandwidth."""

PROBE = bytes(range(256)) * 16
"""The bytes of an object that shows whether the bucket takes and gives bytes as they are."""

_PROBE_KEY = "probe/bytes"
_MD5 = re.compile("[0-9a-f]{32}")

md5 = partial(hashlib.md5, usedforsecurity=False)

log = logging.getLogger("docserver.storage")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, as listings tell it."""

    key: str
    size: int
    modified: datetime
    """By the bucket's clock."""
    etag: str
    """In most buckets the MD5 of the bytes, unless they came in parts or are encrypted with a key of KMS."""


class Bucket:
    """The part of a bucket below a prefix."""

    def __init__(self, settings: Settings) -> None:
        """Sends no request. Raises SettingsError for a URL that cannot be used."""
        url = BucketUrl.parse(settings.storage_url)
        url.check_files()
        self.timeout_s = settings.storage_timeout_s
        self._store = open_store(url, timeout_s=self.timeout_s)
        self.place = url.place
        self.signed_urls: SignedUrls | None = None
        with suppress(LookupError):
            self.signed_urls = SignedUrls(url)
        self._has_md5 = True
        """False once the probe had another ETag, as where KMS encrypts all objects, and in buckets of S3 Express."""
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="bucket")

    async def run(self, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Run something that waits for the bucket, in a thread. The threads for the local disk never wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(act, *arguments, **named))

    def get(self, key: str, *, start: int = 0, length: int) -> bytes:
        """At most `length` bytes of an object from `start` on; raises FileNotFoundError."""
        with translated("get"):
            return bytes(obstore.get_range(self._store, key, start=start, length=length))

    def fetch(self, key: str, *, start: int = 0, length: int) -> tuple[bytes, StoredObject]:
        """At most `length` bytes of an object that goes on after `start`, and what it is; raises FileNotFoundError."""
        with translated("get"):
            answer = obstore.get(self._store, key, options={"range": (start, start + length)})
            return bytes(answer.bytes()), _stored(answer.meta)

    def describe(self, key: str) -> StoredObject:
        """An object without its bytes; raises FileNotFoundError."""
        # HEAD would not do: its answers have no body, so whatever stands between here and the bucket may have given
        # them. The answer to a range tells the whole size, or the code of an error.
        try:
            with translated("get"):
                return _stored(obstore.get(self._store, key, options={"range": (0, 1)}).meta)
        except BucketError as error:
            if error.errno != errno.ERANGE:
                raise
        with translated("head"):
            return _stored(obstore.head(self._store, key))

    def listed(self, key: str) -> StoredObject | None:
        """An object as lists tell it, or None. What answers a request for one object with another one, such as a broken
        cache in front of the bucket, cannot answer so that both agree.
        """
        place = key.rpartition("/")[0]
        with translated("list"):
            objects = _objects(next(iter(obstore.list(self._store, place, offset=key[:-1])), ()))
        return next((each for each in objects if each.key == key), None)

    def exists(self, key: str) -> bool:
        """True if there is an object with this key."""
        try:
            self.describe(key)
        except FileNotFoundError:
            return False
        return True

    def has_bytes(self, key: str, path: Path) -> bool:
        """True if the bucket's lists say that an object has the bytes of this file, so that nothing on the way has
        changed them. False proves nothing: few objects of several parts, and none that KMS encrypts, have an ETag that
        tells.
        """
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, md5)
        listed = self.listed(key)
        return listed is not None and listed.etag == digest.hexdigest()

    def has_md5(self, stored: StoredObject) -> bool:
        """True if the ETag of an S3 object can only be the MD5 of its bytes: it has no parts, KMS does not encrypt it,
        and that of the probe is one.
        """
        requests = self._signed_requests()
        if requests is None or not (self._has_md5 and _MD5.fullmatch(stored.etag)):
            return False
        # If the probe had other bytes as well, its ETag would tell nothing of those of others.
        self.require_same_bytes()
        probe, listed = self.describe(_PROBE_KEY), self.listed(_PROBE_KEY)
        if listed is None or listed.etag != probe.etag:
            raise BucketError(errno.EIO, "the bucket says two things of one object")
        self._has_md5 = probe.etag == md5(PROBE).hexdigest()
        key = f"{requests.prefix}/{stored.key}".lstrip("/")
        return self._has_md5 and not requests.header(key, "x-amz-server-side-encryption").startswith("aws:kms")

    def tells_nothing(self, key: str) -> bool:
        """True if lists and the object agree on its ETag, and that is not the MD5 of its bytes."""
        listed = self.listed(key)
        return listed is not None and listed.etag == self.describe(key).etag and not self.has_md5(listed)

    def require_same_bytes(self) -> None:
        """Raise BucketError unless the bucket takes an object and gives it back as it is."""
        self.put(_PROBE_KEY, PROBE)
        try:
            same = self.get(_PROBE_KEY, length=len(PROBE) + 1) == PROBE
        except FileNotFoundError:
            same = False
        if not same:
            log.warning("bucket gives other bytes than it was given")
            raise BucketError(errno.EIO, "the bucket gives other bytes than it was given")

    def put(self, key: str, data: bytes | mmap.mmap) -> None:
        """Store an object, in place of an earlier one."""
        with translated("put"):
            answer = obstore.put(self._store, key, data, use_multipart=False)
        self._confirm(key, data, answer)

    def put_new(self, key: str, data: bytes) -> None:
        """Store an object unless there is one with this key."""
        try:
            with translated("put"):
                answer = obstore.put(self._store, key, data, mode="create")
            self._confirm(key, data, answer)
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
        size = 0

        def counted() -> Iterator[bytes | mmap.mmap]:
            nonlocal size
            for part in parts:
                size += len(part)
                yield part

        with translated("put parts"):
            obstore.put(self._store, key, counted(), use_multipart=True, chunk_size=part_bytes, max_concurrency=1)
        self._require_size(key, size)

    def abort_abandoned(self, age_s: float) -> int:
        """Abort uploads in parts that were begun longer ago than this, and have not ended; returns how many."""
        uploads = self._signed_requests()
        if uploads is None:
            return 0
        oldest = self.now() - timedelta(seconds=age_s)
        abandoned = [upload for upload in uploads.list() if upload.begun < oldest]
        for upload in abandoned:
            uploads.abort(upload)
        return len(abandoned)

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside the bucket, in place of an earlier one; raises FileNotFoundError."""
        original = self.describe(source)
        earlier = self.describe(target) if self.exists(target) else None
        with translated("copy"):
            obstore.copy(self._store, source, target)
        copied = self._require_size(target, original.size)
        if copied == earlier and copied.etag != original.etag:
            raise _not_stored()

    def delete(self, *keys: str) -> None:
        """Delete objects. Those that are not there are skipped."""
        for key in keys:
            with suppress(FileNotFoundError), translated("delete"):
                obstore.delete(self._store, key)

    def delete_many(self, keys: Sequence[str]) -> None:
        """Delete objects that are there, 1000 by one request."""
        with translated("delete"):
            obstore.delete(self._store, keys)

    async def parts(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """All objects below a prefix, in the order of their keys, in parts. Does not block; raises BucketError."""
        pages = self._pages(prefix)
        while (part := await self.run(next, pages, None)) is not None:
            yield part

    def first(self, prefix: str) -> Sequence[StoredObject]:
        """The first objects below a prefix, at most those of one answer."""
        return next(self._pages(prefix), ())

    def now(self) -> datetime:
        """The time by the bucket's clock. Stores a small object."""
        self.put("clock", b"now")
        return self.describe("clock").modified

    def require(self, prefix: str = "identity") -> bool:
        """True if there are objects below a prefix. Raises BucketError if the bucket does not exist or not answer."""
        return any(self._pages(prefix, size=1))

    def _confirm(self, key: str, data: bytes | mmap.mmap, answer: Any) -> None:
        """Raise BucketError unless an object is there. The answer proves that if it has the MD5 of the bytes."""
        # Any other answer may come from a proxy in front of the bucket, which may also have changed the bytes.
        digest = md5(data).hexdigest()
        if _etag(answer) == digest:
            return
        stored = self._require_size(key, len(data))
        if key != _PROBE_KEY and stored.etag != digest and self.has_md5(stored):
            raise _not_stored()

    def _require_size(self, key: str, size: int) -> StoredObject:
        try:
            stored = self.describe(key)
        except FileNotFoundError:
            raise _not_stored() from None
        if stored.size != size:
            raise _not_stored()
        return stored

    def _pages(self, prefix: str, *, size: int = LIST_AT_ONCE) -> Iterator[Sequence[StoredObject]]:
        last = previous = ""
        while True:
            listing = iter(obstore.list(self._store, prefix, offset=last or None, chunk_size=size))
            while True:
                with translated("list"):
                    objects = _objects(next(listing, ()))
                if not objects:
                    break
                last = objects[-1].key
                yield objects
            requests = self._signed_requests()
            if requests is None or not has_more(requests, prefix, after=last):
                return
            if last == previous:
                raise BucketError(errno.EIO, "the bucket's lists contradict each other")
            previous = last

    def _signed_requests(self) -> MultipartUploads | None:
        return MultipartUploads(self.signed_urls, timeout_s=self.timeout_s) if self.signed_urls else None


def _not_stored() -> BucketError:
    log.warning("bucket has confirmed an object and does not have it")
    return BucketError(errno.EIO, "the bucket has confirmed an object and does not have it")


def _objects(part: Sequence[Any]) -> list[StoredObject]:
    return [_stored(meta) for meta in part]


def _stored(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["last_modified"], _etag(meta))


def _etag(meta: Any) -> str:
    return (meta["e_tag"] or "").strip('"')
