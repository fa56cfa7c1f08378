"""Addresses of a bucket that are given to clients, so that bytes do not go through this service.

The key of an upload names its tenant and its size, and an empty object holds its place: nothing else remembers it until
it is completed.
"""

import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from docserver.errors import Conflict, ServiceError
from docserver.model import StoredResult, new_id, parse_id
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

_KEY = re.compile(rf"{UPLOADS}/[^/]+/(?P<id>[^/]+)/(?P<size>[1-9][0-9]{{0,18}})")

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
        return await self._uploads(_place(tenant))

    async def find_upload(self, tenant: str, upload_id: UUID) -> LinkedUpload | None:
        return next(iter(await self._uploads(f"{_place(tenant)}/{upload_id}")), None)

    async def content(self, upload: LinkedUpload) -> AsyncIterator[bytes]:
        digest = md5()
        for start in range(0, upload.size, READ_BYTES):
            length = min(READ_BYTES, upload.size - start)
            piece, given = await self._act(self._bucket.fetch, upload.key, start=start, length=length)
            if given.etag != upload.etag or len(piece) != length:
                raise await self._reason(upload)
            digest.update(piece)
            is_last = start + length == upload.size
            if is_last and digest.hexdigest() != upload.etag and await self._act(self._bucket.has_md5, given):
                raise await self._reason(upload)
            yield piece

    async def discard_upload(self, upload: LinkedUpload) -> None:
        await self._act(self._bucket.delete, upload.key)

    async def discard_uploads(self, tenant: str) -> None:
        while uploads := await self.begun_uploads(tenant):
            await self._act(self._bucket.delete_many, [each.key for each in uploads])

    async def _uploads(self, place: str) -> list[LinkedUpload]:
        objects = await self._act(self._bucket.first, place)
        # The marker of a folder has the folder's key.
        if any(each.key != place and not each.key.startswith(f"{place}/") for each in objects):
            log.warning("bucket answers a list with that of another place")
            raise unavailable()
        return [upload for each in objects if (upload := _upload(each))]

    async def _reason(self, upload: LinkedUpload) -> ServiceError:
        """Why other bytes came than those of this file: it was replaced, or something on the way is at fault."""
        stored = await self._act(self._bucket.listed, upload.key)
        if stored is None or stored.etag != upload.etag:
            return Conflict("The file has changed while it was read; complete the upload again.")
        log.warning("upload by a link comes with other bytes than the bucket has")
        return unavailable()

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


def _upload(stored: StoredObject) -> LinkedUpload | None:
    """None for an object that someone else has put there, as consoles do that show folders."""
    match = _KEY.fullmatch(stored.key)
    upload_id = match and parse_id(match["id"])
    if not (match and upload_id):
        return None
    size = int(match["size"])
    return LinkedUpload(upload_id, stored.key, size, is_sent=stored.size == size, etag=stored.etag)
