"""Reads an object of a bucket part by part, for a client that downloads it."""

from docserver.storage import BucketError
from docserver.storage.bucket import Bucket

READ_BYTES = 1 << 20
"""Bytes that are fetched by one request, and held in memory for each download."""


class RemoteObject:
    """An `OpenFile` in a bucket."""

    def __init__(self, bucket: Bucket, key: str, *, size: int) -> None:
        self._bucket, self._key = bucket, key
        self.size, self.threads = size, bucket.threads
        self._start, self._fetched = 0, b""

    def read(self, size: int, offset: int) -> bytes:
        if not self._start <= offset < self._start + len(self._fetched):
            self._start, self._fetched = offset, self._fetch(offset)
        first = offset - self._start
        return self._fetched[first : first + size]

    def close(self) -> None:
        self._fetched = b""

    def _fetch(self, offset: int) -> bytes:
        if offset >= self.size:
            return b""
        try:
            return self._bucket.get(self._key, start=offset, length=min(READ_BYTES, self.size - offset))
        except (FileNotFoundError, BucketError) as error:
            # The client has the beginning already, and must not take it for the whole.
            raise ConnectionResetError("The bucket has failed in the middle of a file.") from error
