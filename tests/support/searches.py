"""Pages that a search can find: written as if they had been read, and put into the index."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Database
from docserver.database.tables import search_index
from docserver.documents.search_indexing import Indexer
from docserver.jobs import transitions
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks, text_of
from docserver.model import Reading
from docserver.resources import Resources
from tests.support.client import Client
from tests.support.rows import READING, change, claim_pages, make_job

LETTER, ROW = 10, 30
"""Width of a letter and height of a line, in pixels."""


def reading(text: str) -> Reading:
    """A page with these lines; empty lines separate paragraphs."""
    paragraphs, y = [], 0
    for part in text.split("\n\n"):
        lines = []
        for written in part.split("\n"):
            words, x = [], 0
            for word in written.split():
                words.append(Word(word, (x, y, x + LETTER * len(word), y + ROW), 90.0))
                x += LETTER * (len(word) + 1)
            lines.append(Line((0, y, max(1, x - LETTER), y + ROW), tuple(words)))
            y += ROW
        paragraphs.append(Paragraph((0, 0, 1000, y), tuple(lines)))
    blocks = (Block((0, 0, 1000, y), tuple(paragraphs)),)
    return replace(READING, text=text_of(blocks), layout=pack_blocks(blocks))


async def add_document(
    db: Database, *texts: str, tenant: str = DEFAULT_TENANT, filename: str = "a.png", content_type: str = "image/png"
) -> tuple[UUID, UUID]:
    """A document of which these pages are read; returns its id and that of its job."""
    document_id, job_id = await make_job(db, total=len(texts), filename=filename, content_type=content_type)
    if tenant != DEFAULT_TENANT:
        await change(db, "UPDATE documents SET tenant = %s WHERE id = %s", tenant, document_id.bytes)
        await change(db, "UPDATE jobs SET tenant = %s WHERE id = %s", tenant, job_id.bytes)
    await read_pages(db, job_id, dict(enumerate(texts, 1)))
    return document_id, job_id


async def read_pages(db: Database, job_id: UUID, texts: Mapping[int, str]) -> None:
    """Save these pages, as a worker does."""
    claim_id, numbers = await claim_pages(db, job_id, limit=len(texts))
    assert numbers == list(texts)
    results = {number: reading(text) for number, text in texts.items()}
    assert await transitions.settle_pages(db, job_id=job_id, claim_id=claim_id, results=results)


async def indexer(resources: Resources) -> Indexer:
    """The one that writes the index from now on."""
    made = Indexer(resources)
    async with resources.index_db.session() as cur:
        await search_index.become_holder(cur, made.id)
    return made


async def index(resources: Resources) -> Indexer:
    """Put all pages that were read into the index."""
    made = await indexer(resources)
    while await made.index_some():
        pass
    return made


async def search(client: Client, q: str, **parameters: Any) -> Any:
    """What a search answers."""
    async with client.get("/v1/documents/search", params={"q": q, **parameters}) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def snippets(client: Client, q: str, **parameters: Any) -> list[str]:
    """The snippets of the pages that a search finds, without marks, best first."""
    items = (await search(client, q, **parameters))["items"]
    return [item["snippet"].replace("<mark>", "").replace("</mark>", "") for item in items]
