"""Completed jobs in the database, and their results as a client gets them."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from docserver.caller import DEFAULT_TENANT
from docserver.database.tables import pages
from docserver.documents import results
from docserver.formats import FORMATS, Format
from docserver.formats.result_file import ResultFile
from docserver.redis.cache import CachedJob
from docserver.resources import Resources
from tests.support.rows import CALLER, READING, claim_pages, finish_job, found, make_job

TXT = FORMATS["txt"]


async def make_completed(resources: Resources, *texts: str) -> UUID:
    """A completed job with these pages, of which the cache knows nothing."""
    _, job_id = await make_job(resources.db, total=len(texts))
    claim_id, _ = await claim_pages(resources.db, job_id, limit=len(texts))
    async with resources.db.session() as cur:
        for number, text in enumerate(texts, start=1):
            reading = replace(READING, text=text)
            assert await pages.finish(cur, job_id=job_id, number=number, claim_id=claim_id, reading=reading)
    await finish_job(resources.db, job_id)
    return job_id


async def result(
    resources: Resources, job_id: UUID, *, form: Format, selection: Sequence[range] | None, has: str = ""
) -> ResultFile:
    """The result as a client gets it that has this version."""
    return await results.result(resources, job_id, caller=CALLER, form=form, selection=selection, client_has=has.__eq__)


async def text_of(resources: Resources, job_id: UUID, *selection: range) -> str:
    rendered = await result(resources, job_id, form=TXT, selection=selection or None)
    assert isinstance(rendered.body, bytes)
    return rendered.body.decode()


async def publish(resources: Resources, job_id: UUID) -> None:
    """Show the job's state in the database to its readers, as who changed it does."""
    await resources.cache.put_job(CachedJob.of(await found(resources.db, job_id)), job_id=job_id, tenant=DEFAULT_TENANT)
