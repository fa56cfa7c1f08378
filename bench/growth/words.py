"""What stored pages take: bytes in tables and indexes, in a dump, and the work to write, restore and remove them."""

import asyncio
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from bench.growth.backlog import Backlog, Kind
from bench.growth.recognition import READINGS
from bench.growth.servers import Measured
from docserver.database.connection import Database
from docserver.database.tables import documents, jobs, pages
from docserver.layout import pack_blocks
from docserver.model import Reading, Status

DOCUMENTS = 100
PAGES = 100
"""Documents, and pages of each: some tens of megabytes, more than fits into the smallest extents of a table."""

WITHOUT_WORDS: Sequence[Reading] = tuple(replace(each, text="", layout=pack_blocks(())) for each in READINGS)


@dataclass(frozen=True, slots=True)
class Stored:
    """Of one page."""

    table_bytes: float
    """On disk, with its indexes, and its share of documents, jobs and their indexes."""
    dump_bytes: float
    dump_cpu_ms: float
    """Of the database and of the program that dumps."""
    restore_cpu_ms: float
    remove_cpu_ms: float
    remove_log_bytes: float
    """What the database writes into its log to remove the page with its document."""


async def measure(measured: Measured, readings: Sequence[Reading]) -> Stored:
    """What pages with these readings take."""
    resources, count = measured.resources, DOCUMENTS * PAGES
    db, address = resources.maintenance_db, resources.maintenance_db.address
    backlog = Backlog(db, resources.queue, Kind("stored", pages=PAGES, tenants=1))
    await backlog.clear()
    empty = await _table_bytes(db)
    await backlog.fill(count)
    job_ids = await _settle(db, readings)
    await measured.settled()
    table_bytes = await _table_bytes(db) - empty

    before_ms = measured.database_cpu_ms()
    dump, dump_ms = await _run(["mariadb-dump", "--single-transaction", f"--socket={address.unix_socket}", "docserver"])
    dump_ms += measured.database_cpu_ms() - before_ms

    before = await measured.counters()
    for job_id in job_ids:
        async with db.session() as cur:
            # The backlog's documents have the ids of their jobs.
            await documents.delete(cur, job_id)
    await measured.settled()
    removed = (await measured.counters()).since(before).per(count)

    before_ms = measured.database_cpu_ms()
    _, restore_ms = await _run(["mariadb", f"--socket={address.unix_socket}", "docserver"], standard_input=dump)
    restore_ms += measured.database_cpu_ms() - before_ms
    return Stored(
        table_bytes=table_bytes / count,
        dump_bytes=len(dump) / count,
        dump_cpu_ms=dump_ms / count,
        restore_cpu_ms=restore_ms / count,
        remove_cpu_ms=removed.database_cpu_ms,
        remove_log_bytes=removed.log_kb * 1000,
    )


async def _settle(db: Database, readings: Sequence[Reading]) -> list[UUID]:
    """Save all pages, as slots do; returns the ids of their jobs."""
    claim_id = uuid4()
    async with db.session() as cur:
        await cur.execute("UPDATE pages SET claim = %s", (claim_id.bytes,))
        await cur.execute("SELECT id FROM jobs")
        job_ids = [UUID(bytes=row["id"]) for row in cur.rows()]
    for job_id in job_ids:
        async with db.transaction() as cur:
            for number in range(1, PAGES + 1):
                reading = readings[number % len(readings)]
                await pages.finish(cur, job_id=job_id, number=number, claim_id=claim_id, reading=reading)
            await jobs.finish(cur, job_id=job_id, status=Status.COMPLETED, done=PAGES)
    return job_ids


async def _table_bytes(db: Database) -> int:
    async with db.session() as cur:
        await cur.execute("ANALYZE TABLE documents, jobs, pages")
        await cur.execute(
            "SELECT SUM(data_length + index_length) AS bytes FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name IN ('documents', 'jobs', 'pages')"
        )
        return int(cur.only_row()["bytes"])


async def _run(command: Sequence[str], *, standard_input: bytes = b"") -> tuple[bytes, float]:
    """Run a program of the database; returns its output and its CPU time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = await asyncio.to_thread(subprocess.run, command, input=standard_input, check=True, stdout=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ran.stdout, 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
