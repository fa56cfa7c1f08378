"""Accepts an upload: stores its file, commits its document and job, and announces the job.

Once `accept` has returned, the job will reach a final status, even if this process dies.
"""

import logging
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

import orjson
from pymysql.err import IntegrityError

from docserver import tracing
from docserver.caller import Caller
from docserver.database.faults import CommitUnknown
from docserver.database.retries import transactional
from docserver.database.tables import documents, equal_uploads, jobs, webhook_endpoints
from docserver.database.tables.webhook_endpoints import NewEndpoint
from docserver.documents import completed_uploads, equal_jobs, zip_archive
from docserver.errors import (
    DatabaseUnavailable,
    NotFound,
    QuotaExceeded,
    Unauthorized,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)
from docserver.jobs import commits, notify, restarts
from docserver.model import Job, NewDocument, new_id
from docserver.reading_options import Options
from docserver.resources import Resources
from docserver.sniff import SUPPORTED, sniff
from docserver.storage import ArrivesDamaged, Received
from docserver.tenants import quotas
from docserver.webhooks import endpoints
from docserver.webhooks.endpoints import Callback

log = logging.getLogger("docserver.api")

MAX_FILENAME = 255
"""Most characters of a file name that are kept. File systems allow no more, and the database column holds no more."""

EARLIER_JOBS = 20
"""Most earlier jobs with the same bytes that are compared with an upload. If an equal job is missed, the document is
only read once more."""


RACES = 5
"""Most tries to commit an upload. One fails if an equal upload was committed a moment earlier, or if there is an
earlier job that is not as good as a new one; the next try replaces that job as the latest."""


async def receive(resources: Resources, chunks: AsyncIterator[bytes]) -> Received:
    """Receive an upload; raises TooLarge, StorageFull. The caller must discard it if `accept` does not take it over."""
    return await resources.storage.receive(chunks, max_bytes=resources.settings.max_upload_bytes)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload, without its bytes."""

    filename: str
    options: Options
    caller: Caller
    request_id: str
    expires_in_s: int | None = None
    """How long the document is kept; None means for ever."""
    callback: Callback | None = None
    """Who is told when the job has ended."""
    password: str | None = field(default=None, repr=False)
    """That of an encrypted PDF. Whether it is right is known when the PDF is opened, so no earlier job is as good."""
    traceparent: str | None = None
    """Names the span that the work on the job becomes a part of."""
    job_id: UUID | None = None
    """The id of the job, if it is given: then two equal requests make one document."""
    is_sent_by_link: bool = False
    """True if the file was sent to the bucket by a link. The id of the job, which is that of the link, is used once."""


async def accept(resources: Resources, received: Received, upload: Upload) -> tuple[Job, bool]:
    """Make a document and its job, or find the job of an earlier equal upload. Returns the job, and True if it is an
    earlier one.

    Raises Unprocessable, UnsupportedMedia, QuotaExceeded, StorageFull, StorageUnavailable, DatabaseUnavailable;
    Unauthorized if the tenant was deleted a moment ago; and NotFound if an upload by a link was completed before.
    """
    new = NewDocument(
        id=received.document_id or new_id(),
        tenant=upload.caller.tenant,
        filename=clean_filename(upload.filename),
        content_type=content_type_of(received),
        size=received.size,
        sha256=received.sha256,
    )
    equal = None
    for _ in range(RACES):
        if _is_compared(resources, upload):
            earlier, received = await _earlier(resources, received, upload)
            if earlier and await equal_jobs.add_callback(resources, earlier, upload.callback):
                await _discard_copy(resources, new, equal)
                _note_known(earlier, upload)
                return earlier, earlier.id != upload.job_id
        with tracing.span("store document"):
            received = await resources.storage.keep(received, new.id)
        try:
            with tracing.span("commit document and job"):
                job = await _commit(resources, new, upload, job_id=upload.job_id or new_id(), replaces=equal)
        except _EqualUpload as race:
            equal = race.job_id
            continue
        await notify.offer(resources, job)
        _note_accepted(new, job)
        return job, False
    await _discard_copy(resources, new, equal)
    raise Unavailable("The same file is uploaded too often at the same time; try again soon.")


def _is_compared(resources: Resources, upload: Upload) -> bool:
    """True if the upload may lead to the job of an earlier equal one."""
    return resources.settings.deduplicate and upload.password is None


class _EqualUpload(Exception):
    """Another job is the latest with the same bytes, client and options; nothing was committed."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__()
        self.job_id = job_id


async def _discard_copy(resources: Resources, new: NewDocument, equal: UUID | None) -> None:
    """Remove what was stored for a new document, if an equal upload has made one meanwhile."""
    if equal is not None:
        # If the file stays, maintenance finds that no document knows it.
        with suppress(OSError):
            await resources.storage.delete(new.id)


def _note_known(job: Job, upload: Upload) -> None:
    if job.traceparent != upload.traceparent:
        tracing.link(job.traceparent)
    log.info("document known", extra={"document_id": str(job.document_id), "job_id": str(job.id)})


def _note_accepted(new: NewDocument, job: Job) -> None:
    log.info(
        "document accepted",
        extra={
            "document_id": str(new.id),
            "job_id": str(job.id),
            "content_type": new.content_type,
            "bytes": new.size,
        },
    )


async def _earlier(resources: Resources, received: Received, upload: Upload) -> tuple[Job | None, Received]:
    """The latest job with the same bytes, client and options, if its result is as good as that of a new job; else None.
    Also returns the upload, whose file has moved if it has become the original of a document.
    """
    async with resources.db.session() as cur:
        candidates = await jobs.of_content(cur, client=upload.caller.client, sha256=received.sha256, limit=EARLIER_JOBS)
    equal = (job for job in candidates if job.options == upload.options and equal_jobs.is_as_good(resources, job))
    job = next(equal, None)
    if job is None or not await _share(resources, job.document_id, upload):
        return None, received
    # A row alone does not prove that the document can be read.
    try:
        async with resources.storage.intact(job.document_id, size=received.size, sha256=received.sha256) as path:
            is_stored = path is not None
    except ArrivesDamaged:
        is_stored = False
    if is_stored and job.failure is None:
        return job, received
    if not is_stored:
        received = await resources.storage.keep(received, job.document_id)
        log.warning("original replaced by an equal upload", extra={"document_id": str(job.document_id)})
    # A worker may have met the missing or damaged file. If the document was deleted meanwhile, this returns None, and
    # the file becomes the original of a new document.
    restarted = await _start_over(resources, job, upload)
    if restarted and restarted.version != job.version:
        await notify.offer(resources, restarted)
    return restarted, received


async def _start_over(resources: Resources, job: Job, upload: Upload) -> Job | None:
    return await restarts.start_over(
        resources.db,
        job,
        request_id=upload.request_id,
        traceparent=upload.traceparent,
        quotas=quotas.defaults(resources.settings),
    )


@transactional
async def _share(resources: Resources, document_id: UUID, upload: Upload) -> bool:
    """Let a document belong to a further upload too; False if it was deleted or has too many names."""
    async with resources.db.transaction() as cur:
        if not await documents.add_filename(cur, document_id, clean_filename(upload.filename)):
            return False
        # Both uploads share the document, so it is kept until the later of both would expire.
        return await documents.prolong(cur, document_id, expires_in_s=upload.expires_in_s)


def _is_displayable(char: str) -> bool:
    """True if a file name may contain the character. Control characters (Unicode categories C…) and line or paragraph
    breaks (Zl, Zp) are not allowed.
    """
    category = unicodedata.category(char)
    return category[0] != "C" and category not in ("Zl", "Zp")


def clean_filename(name: str) -> str:
    """A client's file name for display: its last part, composed (macOS sends `o` and a diaeresis for `ö`), without
    control characters, at most MAX_FILENAME long.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = unicodedata.normalize("NFC", "".join(char for char in last if _is_displayable(char))).strip()
    return shown[:MAX_FILENAME] if shown.strip(".") else "unnamed"


def content_type_of(received: Received) -> str:
    """The media type that the content shows; raises Unprocessable and UnsupportedMedia."""
    if received.size == 0:
        raise Unprocessable("The file is empty.", errors=[{"detail": "The file has no bytes.", "pointer": "/file"}])
    content_type = sniff(received.head)
    if content_type is None:
        kinds = ", ".join(SUPPORTED.values())
        hint = _named_only(received) or zip_archive.destination(received.head)
        raise UnsupportedMedia(f"The file's content is none of {kinds}.{hint}")
    return content_type


def _named_only(received: Received) -> str:
    """A sentence more if the content is no more than a file's name, as `curl -F file=scan.png` sends it."""
    is_name = received.size <= MAX_FILENAME and re.fullmatch(rb"[^\0-\x1f]+\.[A-Za-z0-9]{2,4}", received.head)
    return " It is the name of a file: with curl, file=@NAME sends the file itself." if is_name else ""


async def _commit(
    resources: Resources, new: NewDocument, upload: Upload, *, job_id: UUID, replaces: UUID | None
) -> Job:
    callback = None
    if upload.callback:
        callback = endpoints.callback_endpoint(resources, upload.callback, tenant=new.tenant, job_id=job_id)
    try:
        return await _insert(resources, new, upload, job_id=job_id, callback=callback, replaces=replaces)
    except CommitUnknown:
        job = await commits.settled(resources.db, job_id)
        if job is None:
            # The file of an upload that may have been committed is never deleted; this one ends in the quarantine.
            raise
        return job
    except (DatabaseUnavailable, NotFound, QuotaExceeded, Unauthorized, IntegrityError) as error:
        # No COMMIT was sent, so the document's row cannot appear later, and nobody needs the file. If it stays,
        # maintenance finds that no document knows it.
        with suppress(OSError):
            await resources.storage.delete(new.id)
        # An equal request may have committed this job a moment ago.
        job = await _committed(resources, job_id, new.tenant) if isinstance(error, IntegrityError) else None
        if job is None:
            raise
        return job


async def _committed(resources: Resources, job_id: UUID, tenant: str) -> Job | None:
    async with resources.db.session() as cur:
        return await jobs.of_tenant(cur, job_id, tenant=tenant)


@transactional
async def _insert(
    resources: Resources,
    new: NewDocument,
    upload: Upload,
    *,
    job_id: UUID,
    callback: NewEndpoint | None,
    replaces: UUID | None,
) -> Job:
    async with resources.db.transaction() as cur:
        await documents.insert(cur, new, job_id=job_id, client=upload.caller.client, expires_in_s=upload.expires_in_s)
        job = await jobs.insert(
            cur,
            job_id=job_id,
            document_id=new.id,
            tenant=new.tenant,
            client=upload.caller.client,
            options=upload.options,
            request_id=upload.request_id,
            traceparent=upload.traceparent,
            password=resources.encryption.encrypt(upload.password) if upload.password else None,
        )
        if _is_compared(resources, upload):
            content = _content(new, upload)
            latest = await equal_uploads.register(cur, content=content, job_id=job_id, replaces=replaces)
            if latest != job_id:
                raise _EqualUpload(latest)
        if upload.is_sent_by_link and not await completed_uploads.record(
            cur, resources.settings, tenant=new.tenant, upload_id=job_id, job_id=job_id
        ):
            raise completed_uploads.gone()
        if callback:
            await webhook_endpoints.insert(cur, callback)
        await quotas.count_upload(cur, new.tenant, size=new.size, defaults=quotas.defaults(resources.settings))
        return job


def _content(new: NewDocument, upload: Upload) -> bytes:
    """The same for all uploads that may become one document."""
    options = orjson.dumps(upload.options.as_json(), option=orjson.OPT_SORT_KEYS)
    return sha256(b"\0".join((upload.caller.client.encode(), new.sha256, options))).digest()
