"""Backlogs of any size, made by SQL: documents with jobs that wait, of one or many tenants."""

import time
from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

import orjson

from docserver.database.connection import Cursor, Database
from docserver.reading_options import Options
from docserver.redis.queue import Queue
from docserver.tenants.weights import client_of_tenant

AT_ONCE = 10_000
"""Rows that one statement inserts, so that none takes minutes."""

ANNOUNCED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """What a backlog is made of."""

    name: str
    pages: int
    """Pages of each document."""
    tenants: int


class Backlog:
    """A backlog that can be made longer."""

    def __init__(self, db: Database, queue: Queue, kind: Kind) -> None:
        self.kind = kind
        self._db = db
        self._queue = queue
        self._documents = 0

    async def fill(self, pages: int) -> None:
        """Add documents until at least this many pages wait."""
        missing = -(-(pages - await self._waiting()) // self.kind.pages)
        while missing > 0:
            count = max(1, min(missing, AT_ONCE // self.kind.pages))
            await self._add(count)
            missing -= count
        async with self._db.session() as cur:
            await cur.execute("ANALYZE TABLE documents, jobs, pages")

    async def clear(self) -> None:
        """Remove all documents, and make what `fill` needs."""
        async with self._db.session() as cur:
            await cur.execute("SET foreign_key_checks = 0")
            for table in ("job_history", "pages", "jobs", "documents"):
                await cur.execute(f"TRUNCATE TABLE {table}")
            await cur.execute("SET foreign_key_checks = 1")
            await cur.execute("CREATE TABLE IF NOT EXISTS numbers (n INT NOT NULL PRIMARY KEY)")
            await cur.insert_all("INSERT IGNORE INTO numbers (n) VALUES (%s)", [(n,) for n in range(AT_ONCE)])
            await cur.insert_all(
                "INSERT IGNORE INTO tenants (name, created_at) VALUES (%s, UTC_TIMESTAMP(6))",
                [(f"tenant-{number}",) for number in range(self.kind.tenants)],
            )

    async def _waiting(self) -> int:
        async with self._db.session() as cur:
            await cur.execute(
                "SELECT COALESCE(SUM(COALESCE(pages_total - pages_done - pages_failed, 1)), 0) AS pages"
                " FROM jobs WHERE status IN ('pending', 'processing')"
            )
            return int(cur.only_row()["pages"])

    async def _add(self, count: int) -> None:
        """Add documents with their jobs and pages, and announce the jobs. Ids rise with time, as the service's do."""
        several = self.kind.pages > 1
        first_id = UUID(int=time.time_ns() // 1_000_000 << 80 | 0x7 << 76).bytes
        values = {
            "documents": count,
            "first": self._documents,
            "time": first_id[:8],
            "tenants": self.kind.tenants,
            "client": client_of_tenant("tenant-"),
            "type": "application/pdf" if several else "image/png",
            "pages": self.kind.pages,
            "total": self.kind.pages if several else None,
            "options": orjson.dumps(Options("eng").as_json()).decode(),
            "first_id": first_id,
        }
        async with self._db.session() as cur:
            await cur.execute(_DOCUMENTS, values)
            await cur.execute(_JOBS, values)
            if several:
                await cur.execute(_PAGES, values)
            await self._announce(cur, first_id)
        self._documents += count

    async def _announce(self, cur: Cursor, first_id: bytes) -> None:
        await cur.execute("SELECT id, client FROM jobs WHERE id >= %s ORDER BY id", (first_id,))
        of_client: dict[str, list[UUID]] = defaultdict(list)
        for row in cur.rows():
            of_client[row["client"]].append(UUID(bytes=row["id"]))
        for client, job_ids in of_client.items():
            for start in range(0, len(job_ids), ANNOUNCED_AT_ONCE):
                await self._queue.announce(client, *job_ids[start : start + ANNOUNCED_AT_ONCE])


_ID = "CONCAT(%(time)s, UNHEX(LPAD(HEX(%(first)s + n), 16, '0')))"

_DOCUMENTS = f"""
    INSERT INTO documents (id, job_id, tenant, filename, content_type, size, sha256, client, created_at)
    SELECT {_ID}, {_ID}, CONCAT('tenant-', (%(first)s + n) %% %(tenants)s), CONCAT(%(first)s + n, '.pdf'), %(type)s,
           %(pages)s, UNHEX(SHA2(%(first)s + n, 256)), CONCAT(%(client)s, (%(first)s + n) %% %(tenants)s),
           UTC_TIMESTAMP(6)
    FROM numbers WHERE n < %(documents)s
"""

_JOBS = f"""
    INSERT INTO jobs (id, document_id, tenant, client, status, version, options, request_id, pages_total, run_after,
                      created_at)
    SELECT {_ID}, {_ID}, CONCAT('tenant-', (%(first)s + n) %% %(tenants)s),
           CONCAT(%(client)s, (%(first)s + n) %% %(tenants)s), 'pending', 1, %(options)s, 'bench', %(total)s,
           UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
    FROM numbers WHERE n < %(documents)s
"""

_PAGES = """
    INSERT INTO pages (job_id, number, run_after)
    SELECT j.id, n + 1, UTC_TIMESTAMP(6) FROM jobs j JOIN numbers ON n < %(pages)s
    WHERE j.id >= %(first_id)s ORDER BY j.id, n
"""
