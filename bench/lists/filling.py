"""Fills the tables with documents of several tenants by SQL, as uploads over months would have left them."""

from bench.growth.servers import Measured
from docserver.database.connection import Cursor
from docserver.documents import name_indexing

DIGITS = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))

NUMBERS = f"""
    SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n
    FROM ({DIGITS}) a, ({DIGITS}) b, ({DIGITS}) c, ({DIGITS}) e, ({DIGITS}) f, ({DIGITS}) g
"""
"""The numbers up to a million."""

AT_ONCE = 20_000
"""Documents that one statement adds."""

IDENTIFIER = "UNHEX(CONCAT(LPAD(HEX(1760000000000 + n * 10000), 12, '0'), '70008', LPAD(HEX(n), 15, '0')))"

DOCUMENTS = f"""
    INSERT INTO documents (id, job_id, tenant, filename, content_type, size, sha256, client, created_at)
    SELECT {IDENTIFIER}, {IDENTIFIER},
           ELT(1 + (n %% 20 >= 12) + (n %% 20 >= 17) + (n %% 20 >= 19), 'default', 'acme', 'other', 'small'),
           CONCAT(
               ELT(1 + n * 7919 DIV 13 %% 10, 'invoice', 'scan', 'contract', 'letter', 'Rechnung', 'receipt', 'report',
                   'Übersicht', 'statement', 'form'),
               '-', 2015 + n DIV 100000, '-', LOWER(SUBSTR(SHA2(n, 256), 1, 8)), '.pdf'
           ),
           ELT(1 + CRC32(n) %% 6, 'application/pdf', 'application/pdf', 'application/pdf', 'image/png', 'image/jpeg',
               'image/tiff'),
           100000, UNHEX(SHA2(n, 256)), '127.0.0.1', TIMESTAMP '2025-10-09 00:00:00' + INTERVAL n * 10 SECOND
    FROM ({NUMBERS}) numbers WHERE n >= %s AND n < %s
"""

JOBS = """
    INSERT INTO jobs (id, document_id, tenant, client, status, version, options, request_id, run_after, content_type,
                      listed_at, created_at, finished_at, pages_total, pages_done)
    SELECT id, id, tenant, client,
           CASE CRC32(sha256) %% 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'completed' END,
           3, '{"languages": "eng", "mode": "auto", "rotate": "auto"}', 'r', created_at, content_type, created_at,
           created_at, created_at, 1, 1
    FROM documents WHERE created_at >= TIMESTAMP '2025-10-09 00:00:00' + INTERVAL %s * 10 SECOND
      AND created_at < TIMESTAMP '2025-10-09 00:00:00' + INTERVAL %s * 10 SECOND
"""


async def fill(measured: Measured, *, before: int, size: int) -> None:
    """Add documents until there are `size`; `before` are there. The index of names is built too."""
    resources = measured.resources
    async with resources.maintenance_db.session() as cur:
        await cur.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        for first in range(before, size, AT_ONCE):
            end = min(first + AT_ONCE, size)
            await _add(cur, first, end)
    await name_indexing.run(resources, share=1.0)
    async with resources.maintenance_db.session() as cur:
        await cur.execute("ANALYZE TABLE documents, jobs, name_parts")
    await measured.settled()


async def _add(cur: Cursor, first: int, end: int) -> None:
    await cur.execute(DOCUMENTS, (first, end))
    await cur.execute(JOBS, (first, end))
