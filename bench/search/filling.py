"""Fills the tables with pages that were read, and puts them into the index."""

import time
from dataclasses import dataclass

from bench.growth.servers import Measured
from bench.search.words import Words
from docserver.database.connection import Cursor
from docserver.database.tables import search_index
from docserver.documents import search_merging
from docserver.documents.search_indexing import Indexer
from docserver.layout import Block, Line, Paragraph, Word, pack_blocks, text_of
from docserver.model import new_id

PAGES = 100
"""Of each document."""

SIZES = range(7)

DOCUMENT = """
    INSERT INTO documents (id, job_id, filename, content_type, size, sha256, client, created_at)
    VALUES (%s, %s, 'a.pdf', 'application/pdf', 1, REPEAT('a', 32), 'c', UTC_TIMESTAMP(6))
"""

JOB = """
    INSERT INTO jobs (id, document_id, client, status, version, options, request_id, run_after, created_at, pages_total,
                      pages_done, content_type, listed_at, search_due)
    VALUES (%s, %s, 'c', 'completed', 2, '{}', 'r', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), %s, %s, 'application/pdf',
            UTC_TIMESTAMP(6), 1)
"""

PAGE = """
    INSERT INTO pages (job_id, number, status, run_after, width, height, rotation, source, confidence, needs_review,
                       text, layout, finished_at, settled_version)
    VALUES (%s, %s, 'done', UTC_TIMESTAMP(6), 1000, 1400, 0, 'ocr', 90, 0, %s, %s, UTC_TIMESTAMP(6), 1)
"""


@dataclass(frozen=True, slots=True)
class Indexing:
    """What the index costs for each page."""

    indexing_ms: float
    merging_ms: float
    """CPU time of the process and the database."""
    table_bytes: float


async def fill(measured: Measured, words: Words, *, before: int, size: int) -> Indexing:
    """Add pages until there are `size`; `before` are there."""
    db = measured.resources.index_db
    async with db.session() as cur:
        await cur.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        for _ in range((size - before) // PAGES):
            await _add(cur, words)
    indexer = Indexer(measured.resources)
    async with db.session() as cur:
        await search_index.become_holder(cur, indexer.id)
    began = _cpu_ms(measured)
    while await indexer.index_some():
        pass
    indexed = _cpu_ms(measured)
    while await search_merging.merge(indexer.writing(), SIZES):
        pass
    merged = _cpu_ms(measured)
    while await indexer.walk():
        pass
    async with db.session() as cur:
        return Indexing(
            (indexed - began) / (size - before), (merged - indexed) / (size - before), await _bytes(cur) / size
        )


def _cpu_ms(measured: Measured) -> float:
    return time.process_time() * 1000 + measured.database_cpu_ms()


async def _add(cur: Cursor, words: Words) -> None:
    document = new_id().bytes
    await cur.execute(DOCUMENT, (document, document))
    await cur.execute(JOB, (document, document, PAGES, PAGES))
    rows = []
    for number in range(1, PAGES + 1):
        blocks = _blocks(words.page())
        rows.append((document, number, text_of(blocks), pack_blocks(blocks)))
    await cur.insert_all(PAGE, rows)


def _blocks(lines: list[list[str]]) -> tuple[Block, ...]:
    whole = (0, 0, 1000, 1400)
    of_page = tuple(
        Line(
            (0, 20 * y, 1000, 20 * y + 18),
            tuple(Word(word, (90 * x, 20 * y, 90 * x + 80, 20 * y + 18), 90.0) for x, word in enumerate(line)),
        )
        for y, line in enumerate(lines)
    )
    return (Block(whole, (Paragraph(whole, of_page),)),)


async def _bytes(cur: Cursor) -> int:
    """What the words take in live segments."""
    await cur.execute(
        """
        SELECT SUM(LENGTH(c.data) + LENGTH(c.first) + 40) AS bytes
        FROM search_chunks c JOIN search_segments s ON s.id = c.segment WHERE s.state = 'live'
        """
    )
    return int(cur.only_row()["bytes"])
