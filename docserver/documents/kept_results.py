"""Large results that are kept in the storage: found there before they are made, and put there when they were made."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from uuid import UUID

from docserver import __version__
from docserver.database.tables import documents
from docserver.formats.result_file import ResultFile, SharedFile
from docserver.model import Job, StoredResult
from docserver.resources import Resources

PDF_EDITION = " ".join(("2", *map(version, ("pikepdf", "pillow", "pypdfium2"))))
"""Part of the ETag of searchable PDFs. It must change whenever the same words give other bytes. So it contains the
versions of what writes, compresses and draws their pages, and a number that we raise when we change how PDFs are
written."""

EDITION = f"{__version__} {PDF_EDITION}"
"""Part of the keys: in another version, the same words may become other bytes in any format."""

PIECE_BYTES = 1 << 20
"""Bytes of a result that are read and stored in one step."""


def key_of(job: Job, form: str, pages: str) -> str:
    """Names a result of a job's present version. `pages` is "" for all."""
    # After the restore of an older database, a job may come to the same version again, with other words.
    parts = (EDITION, job.id, job.version, job.finished_at, form, pages)
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


async def find(resources: Resources, job: Job, key: str) -> StoredResult | None:
    """A kept result; None if there is none."""
    return await resources.storage.results.find(job.document_id, key)


async def fetch(resources: Resources, stored: StoredResult) -> ResultFile | None:
    """A kept result as its readers get it; None if it has to be made."""
    if resources.settings.storage_redirects:
        return ResultFile(stored.etag, stored)
    file = await resources.storage.results.open(stored)
    return ResultFile(stored.etag, SharedFile(file)) if file else None


async def keep(resources: Resources, job: Job, key: str, made: ResultFile) -> ResultFile:
    """Keep a result if it is large. Returns it as its readers get it: where they are redirected, from the storage."""
    file = made.body
    if not isinstance(file, SharedFile):
        return made
    try:
        digest = await asyncio.to_thread(_digest, file)
        stored = StoredResult(job.document_id, key, made.etag, digest, file.size)
        is_stored = await resources.storage.results.put(stored, _pieces(file))
    except BaseException:
        made.close()
        raise
    if not (is_stored and resources.settings.storage_redirects):
        return made
    made.close()
    return ResultFile(made.etag, stored)


async def clean(resources: Resources) -> None:
    """Remove the kept results of documents that do not exist, and the oldest if there are too many; raises OSError."""
    await resources.storage.results.clean(partial(_existing, resources))


def _digest(file: SharedFile) -> str:
    digest = sha256()
    for offset in range(0, file.size, PIECE_BYTES):
        digest.update(file.read(PIECE_BYTES, offset))
    return digest.hexdigest()


async def _pieces(file: SharedFile) -> AsyncIterator[bytes]:
    for offset in range(0, file.size, PIECE_BYTES):
        yield await asyncio.to_thread(file.read, PIECE_BYTES, offset)


async def _existing(resources: Resources, document_ids: Sequence[UUID]) -> set[UUID]:
    async with resources.maintenance_db.session() as cur:
        return await documents.existing(cur, document_ids) if document_ids else set()
