"""Rows as tests need them, and steps that are made of several statements."""

from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from docserver.caller import DEFAULT_TENANT, Caller, Scope
from docserver.database.connection import Cursor, Database
from docserver.database.tables import claims, documents, jobs, pages, unfinished_jobs
from docserver.database.tables.claims import ClaimedPage
from docserver.elements import Elements, pack_elements
from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import pack_blocks
from docserver.model import NewDocument, Reading, Source, Status, new_id
from docserver.reading_options import Options
from docserver.resources import Resources

ENGINE = {"name": "tesseract", "version": "5", "models": {"eng": None}}
READING = Reading(
    width=100,
    height=200,
    dpi=300,
    rotation=90,
    source=Source.OCR,
    confidence=93.5,
    text="Größe 😀",
    layout=pack_blocks(()),
    languages="eng+deu",
    packed_elements=pack_elements(Elements(barcodes=())),
)
TIMEOUT = Failure(DocumentErrorCode.PAGE_TIMEOUT, "It took too long.", 1)
LEASE_S = 30.0
CLIENT = "10.0.0.1"
CALLER = Caller(DEFAULT_TENANT, client=CLIENT, limited_as=CLIENT, scopes=frozenset(Scope))
CONTENT = b"bytes"
CONTENT_SHA256 = sha256(CONTENT).digest()


async def make_job(
    db: Database,
    *,
    total: int | None = None,
    filename: str = "a.png",
    content_type: str = "image/png",
    client: str = CLIENT,
    **options: Any,
) -> tuple[UUID, UUID]:
    """A document with its job, opened with `total` pages if that is given; returns the ids of both."""
    document_id, job_id = new_id(), new_id()
    new = NewDocument(
        id=document_id,
        filename=filename,
        content_type=content_type,
        size=len(CONTENT),
        sha256=CONTENT_SHA256,
        tenant=DEFAULT_TENANT,
    )
    async with db.transaction() as cur:
        await documents.insert(cur, new, job_id=job_id, client=client)
        await jobs.insert(
            cur,
            job_id=job_id,
            document_id=document_id,
            client=client,
            options=Options(**{"languages": "eng", **options}),
            request_id="request",
            tenant=DEFAULT_TENANT,
        )
    if total is not None:
        claim_id = uuid4()
        async with db.transaction() as cur:
            assert await take_opening(cur, job_id, claim_id)
            assert await jobs.opened(cur, job_id=job_id, claim_id=claim_id, pages_total=total)
            await pages.insert(cur, job_id=job_id, numbers=range(1, total + 1))
    return document_id, job_id


def put_original(resources: Resources, document_id: UUID) -> None:
    """Store a file for a document that `make_job` has made."""
    place = resources.settings.data_dir / "originals" / str(document_id)[-2:] / str(document_id)
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)


async def change(db: Database, sql: str, *arguments: Any) -> None:
    """A state that the service itself would reach only after a while."""
    async with db.session() as cur:
        assert await cur.execute(sql, arguments) > 0


async def value(db: Database, sql: str, *arguments: Any) -> Any:
    """The one value that a query gives."""
    async with db.session() as cur:
        await cur.execute(sql, arguments)
        row = cur.row()
    assert row
    (found,) = row.values()
    return found


async def claim_job(db: Database, job_id: UUID, claim_id: UUID | None = None) -> bool:
    async with db.session() as cur:
        return await take_opening(cur, job_id, claim_id or uuid4())


async def take_opening(cur: Cursor, job_id: UUID, claim_id: UUID) -> bool:
    """Claim a job as it is now to open its document."""
    (version,) = (await jobs.versions(cur, [job_id])).values()
    started_at = await claims.take_opening(
        cur, job_id=job_id, version=version, claim_id=claim_id, lease_s=LEASE_S, engine=ENGINE
    )
    return started_at is not None


async def opening_failures(cur: Cursor, job_id: UUID) -> tuple[int, int]:
    """How often opening a claimed job's document has failed, and how often its opener has fallen silent."""
    work = await claims.work(cur, job_id)
    return work.tries, work.lost_leases


async def claim_pages(db: Database, job_id: UUID, *, limit: int = 2) -> tuple[UUID, list[int]]:
    """Claim pages; returns the claim and the numbers of its pages."""
    claim_id = uuid4()
    async with db.transaction() as cur:
        await jobs.lock(cur, job_id)
        numbers = [page.number for page in await claims.waiting_pages(cur, job_id=job_id, limit=limit)]
        if numbers:
            await claims.take_pages(cur, job_id=job_id, claim_id=claim_id, numbers=numbers, lease_s=LEASE_S)
            assert [page.number for page in await pages_of(cur, claim_id)] == numbers
    return claim_id, numbers


async def pages_of(cur: Cursor, claim_id: UUID) -> list[ClaimedPage]:
    """The pages that a claim holds, lowest first."""
    await cur.execute(
        "SELECT number, tries, lost_leases FROM pages WHERE claim = %s AND status = 'pending' ORDER BY number",
        (claim_id.bytes,),
    )
    return [ClaimedPage(**row) for row in cur.rows()]


async def finish_job(
    db: Database, job_id: UUID, status: Status = Status.COMPLETED, failure: Failure | None = None
) -> None:
    async with db.transaction() as cur:
        assert await jobs.lock(cur, job_id)
        await jobs.finish(cur, job_id=job_id, status=status, failure=failure)


async def found(db: Database, job_id: UUID) -> Any:
    async with db.session() as cur:
        job = await jobs.find(cur, job_id)
    assert job
    return job


async def lost_leases(db: Database, job_id: UUID) -> list[int]:
    async with db.session() as cur:
        await cur.execute("SELECT lost_leases FROM pages WHERE job_id = %s ORDER BY number", (job_id.bytes,))
        return [row["lost_leases"] for row in cur.rows()]


def told(history: Any) -> list[tuple[Any, ...]]:
    return [tuple(entry[key] for key in ("attempt", "step", "page", "outcome", "code")) for entry in history]


async def runnable(db: Database, *, client: str = CLIENT, limit: int = 100) -> list[UUID]:
    async with db.session() as cur:
        return await unfinished_jobs.runnable(cur, client=client, limit=limit)


async def rows_read(cur: Cursor) -> int:
    """Rows that this connection has had the database read."""
    await cur.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(row["Value"]) for row in cur.rows())
