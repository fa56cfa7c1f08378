"""Addresses of a bucket that are given to clients, so that bytes do not go through this service.

The key of an upload names its tenant and its size, and an empty object holds its place: nothing else remembers it until
it is completed.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from docserver.errors import Conflict
from docserver.model import StoredResult, new_id
from docserver.storage import BucketError, LinkedUpload, UploadLink
from docserver.storage.bucket import Bucket, StoredObject, md5
from docserver.storage.disk import refusal, unavailable
from docserver.storage.object_records import UPLOADS, ObjectQuarantine
from docserver.storage.result_objects import result_key
from docserver.storage.signed_urls import SignedUrls

DOWNLOAD_S = 60
"""How long a download may begin after its link was given. One that has begun goes on."""

READ_BYTES = 1 << 20
"""Bytes of an upload that are fetched by one request and held in memory."""

log = logging.getLogger("docserver.storage")
T = TypeVar("T")


class ObjectLinks:
    """`Links` of a bucket."""

    def __init__(self, bucket: Bucket, urls: SignedUrls, quarantine: ObjectQuarantine) -> None:
        self._bucket, self._urls, self._quarantine = bucket, urls, quarantine

    async def download(self, document_id: UUID, *, method: str, size: int, headers: Mapping[str, str]) -> str:
        try:
            original = await self._quarantine.original(document_id)
        except BucketError as error:
            raise refusal(error) from error
        if original.size != size:
            raise FileNotFoundError
        return await self._download(method, original.key, headers)

    async def result(self, result: StoredResult, *, method: str, headers: Mapping[str, str]) -> str:
        return await self._download(method, result_key(result), headers)

    async def begin_upload(self, tenant: str, *, size: int, valid_s: int) -> UploadLink:
        upload_id, valid_s = new_id(), await self._act(self._urls.longest_s, valid_s)
        key = f"{_place(tenant)}/{upload_id}/{size}"
        await self._act(self._bucket.put, key, b"")
        expires_at = datetime.now(UTC) + timedelta(seconds=valid_s)
        url = await self._act(self._urls.public, "PUT", key, expires_s=valid_s, size=size)
        return UploadLink(upload_id, url, size, expires_at)

    async def begun_uploads(self, tenant: str) -> Sequence[LinkedUpload]:
        return list(map(_upload, await self._act(self._bucket.first, _place(tenant))))

    async def find_upload(self, tenant: str, upload_id: UUID) -> LinkedUpload | None:
        objects = await self._act(self._bucket.first, f"{_place(tenant)}/{upload_id}")
        return _upload(objects[0]) if objects else None

    async def content(self, upload: LinkedUpload) -> AsyncIterator[bytes]:
        digest, size = md5(), 0
        for start in range(0, upload.size, READ_BYTES):
            length = min(READ_BYTES, upload.size - start)
            piece = await self._act(self._bucket.get, upload.key, start=start, length=length)
            size += len(piece)
            digest.update(piece)
            yield piece
        if digest.hexdigest() != upload.etag:
            await self._require_same(upload, md5_read=digest.hexdigest(), size_read=size)

    async def discard_upload(self, upload: LinkedUpload) -> None:
        await self._act(self._bucket.delete, upload.key)

    async def discard_uploads(self, tenant: str) -> None:
        while objects := await self._act(self._bucket.first, _place(tenant)):
            await self._act(self._bucket.delete_many, [each.key for each in objects])

    async def _require_same(self, upload: LinkedUpload, *, md5_read: str, size_read: int) -> None:
        """Raise Conflict or StorageUnavailable if what was read of a file is not what the bucket has."""
        stored = await self._act(self._bucket.describe, upload.key)
        if stored.etag == md5_read:
            return
        if stored.etag != upload.etag:
            raise Conflict("The file has changed while it was read; complete the upload again.")
        if size_read != upload.size or await self._act(self._bucket.has_md5, stored):
            log.warning("upload by a link comes with other bytes than the bucket has")
            raise unavailable()

    async def _download(self, method: str, key: str, headers: Mapping[str, str]) -> str:
        query = {f"response-{name.lower()}": value for name, value in headers.items()}
        return await self._act(self._urls.public, method, key, query=query, expires_s=DOWNLOAD_S)

    async def _act(self, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
        try:
            return await self._bucket.run(act, *arguments, **named)
        except BucketError as error:
            raise refusal(error) from error


def _place(tenant: str) -> str:
    return f"{UPLOADS}/{tenant}"


def _upload(stored: StoredObject) -> LinkedUpload:
    upload_id, size = stored.key.split("/")[-2:]
    return LinkedUpload(UUID(upload_id), stored.key, int(size), is_sent=stored.size == int(size), etag=stored.etag)
