"""Uploads that clients send to the bucket by a link, and then complete. From there on they are like all others.

A file is copied while it is read, and only the copy becomes an original: what a client changes later changes nothing.
The job has the id of the upload, and that it was completed is recorded. So requests that complete the same upload lead
to one document, and to no other after that was deleted.
"""

import logging
from collections.abc import AsyncIterator
from uuid import UUID

from docserver.database.tables import jobs
from docserver.documents import completed_uploads
from docserver.errors import Conflict, QuotaExceeded, ServiceError, TooLarge
from docserver.model import Job
from docserver.resources import Resources
from docserver.settings import variable
from docserver.storage import LinkedUpload, Links, Received, UploadLink
from docserver.tenants import quotas

log = logging.getLogger("docserver.api")

MAX_PUT_BYTES = 5_000_000_000
"""S3 takes no larger file by one request (5 GiB)."""

MAX_BEGUN = 500
"""Most uploads of a tenant that are begun and not completed. Each is an object in the bucket."""

BEGUN_RETRY_S = 60
"""Seconds after which a client that has begun too many should try again: some may have been completed by then."""


async def begin(resources: Resources, tenant: str, *, size: int) -> UploadLink:
    """Make a link for a file of this size; raises Conflict, TooLarge, QuotaExceeded, StorageUnavailable, StorageFull.

    What is begun counts in the quota of bytes, so that nobody fills the bucket with files that are never completed.
    """
    links, settings = _links(resources), resources.settings
    largest = min(settings.max_upload_bytes, MAX_PUT_BYTES)
    if size > largest:
        right = f"at most {largest / 1_000_000:g} MB are accepted ({variable('max_upload_mb')}, and 5 GB)"
        raise TooLarge(f"The file has {size / 1_000_000:g} MB; {right}.")
    begun = await links.begun_uploads(tenant)
    if len(begun) >= MAX_BEGUN:
        raise QuotaExceeded(
            f"{len(begun)} uploads are begun; complete them, or wait until they expire.", retry_after_s=BEGUN_RETRY_S
        )
    reserved = sum(upload.size for upload in begun)
    async with resources.db.session() as cur:
        await quotas.check_bytes(cur, tenant, size=reserved + size, defaults=quotas.defaults(settings))
    return await links.begin_upload(tenant, size=size, valid_s=int(settings.upload_timeout_s))


async def completed(resources: Resources, tenant: str, upload_id: UUID) -> tuple[Job, bool] | None:
    """The job of an upload that was completed, and True if it is that of an earlier equal upload; else None.

    An upload is completed once, whether its client has got the answer or not. Raises NotFound if its document was
    deleted.
    """
    async with resources.db.session() as cur:
        if job := await jobs.of_tenant(cur, upload_id, tenant=tenant):
            return job, False
        job_id = await completed_uploads.find(cur, tenant, upload_id)
        if job_id is None:
            return None
        job = await jobs.of_tenant(cur, job_id, tenant=tenant)
    if job is None:
        raise completed_uploads.gone()
    return job, job_id != upload_id


async def find(resources: Resources, tenant: str, upload_id: UUID) -> LinkedUpload:
    """A file that was sent; raises NotFound, Conflict, StorageUnavailable."""
    links = resources.storage.links
    upload = await links.find_upload(tenant, upload_id) if links else None
    if upload is None:
        raise completed_uploads.gone()
    if not upload.is_sent:
        raise Conflict(f"The file has not arrived: send its {upload.size} bytes to the link first.")
    return upload


async def receive(resources: Resources, upload: LinkedUpload) -> Received:
    """Receive its bytes as those of any upload; raises what `intake.receive` raises, and NotFound, Conflict."""
    content = _content(_links(resources), upload)
    return await resources.storage.receive(content, max_bytes=resources.settings.max_upload_bytes)


async def finish(resources: Resources, tenant: str, upload: LinkedUpload, *, job_id: UUID) -> None:
    """Record that it was completed as this job, if that is an earlier one. Then remove its file: now or, while the
    bucket fails, when it is old. Raises DatabaseUnavailable.
    """
    if job_id != upload.id:
        async with resources.db.session() as cur:
            await completed_uploads.record(cur, resources.settings, tenant=tenant, upload_id=upload.id, job_id=job_id)
    try:
        await _links(resources).discard_upload(upload)
    except ServiceError:
        log.warning("completed upload not removed from the bucket yet")


def _links(resources: Resources) -> Links:
    if resources.storage.links is None:
        raise Conflict("Files cannot be sent by links here; send this one to /v1/documents/upload-document.")
    return resources.storage.links


async def _content(links: Links, upload: LinkedUpload) -> AsyncIterator[bytes]:
    try:
        async for piece in links.content(upload):
            yield piece
    except FileNotFoundError as error:
        raise completed_uploads.gone() from error
