"""Addresses of a bucket that are given to clients, so that bytes do not go through this service."""

from collections.abc import Mapping
from uuid import UUID

from docserver.storage import BucketError
from docserver.storage.bucket import Bucket, StoredObject
from docserver.storage.disk import unavailable
from docserver.storage.object_records import ObjectQuarantine, original_key
from docserver.storage.signed_urls import SignedUrls

DOWNLOAD_S = 60
"""How long a download may begin after its link was given. One that has begun goes on."""


class ObjectLinks:
    """`Links` of a bucket."""

    def __init__(self, bucket: Bucket, urls: SignedUrls, quarantine: ObjectQuarantine) -> None:
        self._bucket, self._urls, self._quarantine = bucket, urls, quarantine

    async def download(self, document_id: UUID, *, method: str, size: int, headers: Mapping[str, str]) -> str:
        try:
            original = await self._original(document_id)
        except BucketError as error:
            raise unavailable() from error
        if original.size != size:
            raise FileNotFoundError
        query = {f"response-{name.lower()}": value for name, value in headers.items()}
        return self._urls.public(method, original_key(document_id), query=query, expires_s=DOWNLOAD_S)

    async def _original(self, document_id: UUID) -> StoredObject:
        try:
            return await self._bucket.run(self._bucket.head, original_key(document_id))
        except FileNotFoundError:
            # While its document was unknown, as after a restore of an older database, it may have been quarantined.
            await self._quarantine.put_back([document_id])
            return await self._bucket.run(self._bucket.head, original_key(document_id))
