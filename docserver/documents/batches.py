"""Batches: many files of one request, each of which becomes a document of its own or is refused.

A batch is accepted once it was received whole. The database records all its files, each with the id of its future job,
before any file is accepted. So if a process dies, the accepted files can be found, and the same request goes on.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from docserver.database.retries import transactional
from docserver.database.tables import batches, webhook_endpoints
from docserver.database.tables.batches import BatchFile, Refusal
from docserver.documents import intake
from docserver.documents.intake import Upload, clean_filename
from docserver.errors import ServiceError, StorageFull, Unauthorized
from docserver.model import new_id
from docserver.resources import Resources
from docserver.storage import Received
from docserver.webhooks import endpoints

ROWS_AT_ONCE = 500
"""Files that one transaction names: it takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a batch that is not accepted yet."""

    filename: str
    receive: Callable[[], Awaitable[Received]]
    """Gives its bytes to the storage; may raise ServiceError."""


async def accept(resources: Resources, batch_id: UUID, files: Sequence[SentFile], upload: Upload) -> None:
    """Make a document of each file, or record why it is refused. `upload` has what they have in common.

    Raises what is no fault of a file: DatabaseUnavailable, StorageUnavailable, Unauthorized.
    """
    names = {number: clean_filename(file.filename) for number, file in enumerate(files, start=1)}
    await _insert(resources, batch_id, upload)
    await _name_all(resources, batch_id, names)
    async with resources.db.session() as cur:
        planned = await batches.files(cur, batch_id, after=0, limit=len(files))
    for file, plan in zip(files, planned, strict=True):
        if plan.refusal is None and plan.document_id is None and not plan.deduplicated:
            await _accept_file(resources, batch_id, file, plan, upload)
    async with resources.db.session() as cur:
        await batches.accepted(cur, batch_id)


async def _accept_file(resources: Resources, batch_id: UUID, file: SentFile, plan: BatchFile, upload: Upload) -> None:
    try:
        received = await file.receive()
        try:
            own = replace(upload, filename=plan.filename, job_id=plan.job_id)
            job, deduplicated = await intake.accept(resources, received, own)
        finally:
            # If it was accepted, its file has been moved and nothing happens here.
            await resources.storage.discard(received)
    except Unauthorized:
        raise
    except ServiceError as error:
        if error.status >= 500 and not isinstance(error, StorageFull):
            raise
        async with resources.db.session() as cur:
            await batches.refuse(cur, batch_id, plan.number, Refusal(error.status, error.code, error.detail))
        return
    if deduplicated:
        async with resources.db.session() as cur:
            await batches.lead_to(cur, batch_id, plan.number, job_id=job.id)


@transactional
async def _insert(resources: Resources, batch_id: UUID, upload: Upload) -> None:
    tenant, endpoint = upload.caller.tenant, None
    if upload.callback:
        endpoint = endpoints.batch_callback_endpoint(resources, upload.callback, tenant=tenant, batch_id=batch_id)
    async with resources.db.transaction() as cur:
        if await batches.insert(cur, batch_id, tenant=tenant) and endpoint:
            await webhook_endpoints.insert(cur, endpoint)


async def _name_all(resources: Resources, batch_id: UUID, names: Mapping[int, str]) -> None:
    numbers = list(names)
    for first in range(0, len(numbers), ROWS_AT_ONCE):
        some = {number: (names[number], new_id()) for number in numbers[first : first + ROWS_AT_ONCE]}
        await _name_some(resources, batch_id, some)


@transactional
async def _name_some(resources: Resources, batch_id: UUID, some: Mapping[int, tuple[str, UUID]]) -> None:
    async with resources.db.transaction() as cur:
        await batches.insert_files(cur, batch_id, some)
