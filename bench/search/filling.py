"""Fills the tables with pages that were read. Some of them are put into the index as the service does, to measure that;
the others are written as merged segments, of the sizes that merging would leave.
"""

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import orjson

from bench.growth.servers import Measured
from bench.search.words import Numbers, Words, lines
from docserver.caller import DEFAULT_TENANT
from docserver.database.connection import Cursor, Database
from docserver.database.tables import search_index, search_segments
from docserver.database.tables.search_index import Indexed
from docserver.database.tables.search_segments import Row
from docserver.documents import search_merging
from docserver.documents.search_indexing import PAGES_AT_ONCE, Indexer
from docserver.model import new_id
from docserver.search import segments
from docserver.search.chunks import TAB
from docserver.search.folding import key

PAGES = 100
"""Of each document."""

INDEXED = PAGES_AT_ONCE * search_merging.TOGETHER**2
"""Pages that are indexed as the service does, and merged twice."""

SIZES = range(7)

DOCUMENT = """
    INSERT INTO documents (id, job_id, filename, content_type, size, sha256, client, created_at)
    VALUES (%s, %s, 'a.pdf', 'application/pdf', 1, REPEAT('a', 32), 'c', UTC_TIMESTAMP(6))
"""

JOB = """
    INSERT INTO jobs (id, document_id, client, status, version, options, request_id, run_after, created_at, pages_total,
                      pages_done, content_type, listed_at, search_due)
    VALUES (%s, %s, 'c', 'completed', 2, '{}', 'r', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), %s, %s, 'application/pdf',
            UTC_TIMESTAMP(6), %s)
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
    """CPU time of the process and the database, to index a page, and to merge it twice."""


async def index(measured: Measured, words: Words) -> Indexing:
    """Add pages, and put them into the index as the service does."""
    db = measured.resources.index_db
    async with db.session() as cur:
        await cur.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        numbers, written = words.pages(INDEXED)
        for some in np.split(numbers, range(PAGES, INDEXED, PAGES)):
            await _add_document(cur, some, written, is_due=True)
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
    return Indexing((indexed - began) / INDEXED, (merged - indexed) / INDEXED)


def _cpu_ms(measured: Measured) -> float:
    return time.process_time() * 1000 + measured.database_cpu_ms()


async def fill(measured: Measured, words: Words, *, before: int, size: int) -> int:
    """Add merged segments until there are about `size` pages; `before` are there. Returns how many there are then."""
    while (largest := _largest(size - before)) >= PAGES_AT_ONCE:
        await _add_segment(measured.resources.index_db, words, before + 1, largest)
        before += largest
    return before


def _largest(pages: int) -> int:
    """The largest size of a segment with up to so many pages."""
    size = PAGES_AT_ONCE
    while size * search_merging.TOGETHER <= pages:
        size *= search_merging.TOGETHER
    return size if size <= pages else 0


async def _add_segment(db: Database, words: Words, first: int, pages: int) -> None:
    numbers, written = words.pages(pages)
    number = first
    # The server closes connections that are idle while the words are made.
    async with db.session() as cur:
        for some in np.split(numbers, range(PAGES, pages, PAGES)):
            job_id = await _add_document(cur, some, written, is_due=False)
            indexed = [Indexed(number + at, job_id, at + 1, 1) for at in range(len(some))]
            await search_index.insert_pages(cur, DEFAULT_TENANT, indexed)
            await search_index.record_jobs(cur, [(job_id, 1, len(some))], generation=1)
            number += len(some)
    has_keys = pages >= segments.KEYS_FROM
    chunks = list(segments.of_words([dict(_lists(numbers, written, first))], dead=(), with_keys=has_keys))
    insert = partial(search_segments.insert, tenant=DEFAULT_TENANT, generation=1, state="live", has_keys=has_keys)
    async with db.session() as cur:
        segment = await insert(cur, first=first, last=number - 1, pages=pages)
        await search_segments.insert_rows(cur, [Row(segment, *chunk) for chunk in chunks])


def _lists(numbers: Numbers, written: list[str], first: int) -> Iterator[tuple[str, bytes]]:
    """The name of each word with the packed list of its pages; see `docserver.search.numbers`."""
    pages = np.arange(first, first + len(numbers), dtype=np.int64)
    pairs, counts = np.unique((numbers.astype(np.int64) << 32 | pages[:, None]).ravel(), return_counts=True)
    entries = ((pairs & 0xFFFFFFFF) << 1 | (counts >= segments.OFTEN)).astype("<u4")
    words = pairs >> 32
    starts = np.flatnonzero(np.r_[True, words[1:] != words[:-1]])
    ends = np.r_[starts[1:], len(words)]
    data = entries.tobytes()
    for word, start, end in zip(words[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield f"{key(written[word])}{TAB}{written[word]}", data[4 * start : 4 * end]


async def _add_document(cur: Cursor, numbers: Numbers, written: list[str], *, is_due: bool) -> bytes:
    """Add a document with these pages; returns the id of its job."""
    document = new_id().bytes
    await cur.execute(DOCUMENT, (document, document))
    await cur.execute(JOB, (document, document, len(numbers), len(numbers), is_due or None))
    rows = []
    for number, row in enumerate(numbers, 1):
        page = [written[word] for word in row.tolist()]
        rows.append((document, number, "\n".join(map(" ".join, lines(page))), _layout(page)))
    await cur.insert_all(PAGE, rows)
    return document


def _layout(page: list[str]) -> bytes:
    """As `docserver.layout.pack_blocks`, in a small part of the time: the boxes of all pages are the same, and no word
    has a sign that JSON escapes.
    """
    return zlib.compress((_layout_of(len(page)) % tuple(page)).encode(), 1)


@cache
def _layout_of(words: int) -> str:
    """The layout of a page with so many words, each of which is %s."""
    whole = (0, 0, 1000, 1400)
    of_page = [
        (
            (0, 20 * y, 1000, 20 * y + 18),
            [(word, (90 * x, 20 * y, 90 * x + 80, 20 * y + 18), 90.0) for x, word in enumerate(line)],
        )
        for y, line in enumerate(lines(["%s"] * words))
    ]
    return orjson.dumps([(whole, [(whole, of_page)])]).decode()


async def table_bytes(cur: Cursor) -> int:
    """What the words take in live segments."""
    await cur.execute(
        """
        SELECT SUM(LENGTH(c.data) + LENGTH(c.first) + 40) AS bytes
        FROM search_chunks c JOIN search_segments s ON s.id = c.segment WHERE s.state = 'live'
        """
    )
    return int(cur.only_row()["bytes"])
