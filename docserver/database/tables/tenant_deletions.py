"""The SQL of `tenant_deletions`: the receipts of deleted tenants, which say what was removed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from docserver.database.connection import Cursor, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the deletion of a tenant has removed so far."""

    tenant: str
    actor: str
    started_at: datetime
    finished_at: datetime | None
    """None while something is left."""
    documents: int
    jobs: int
    pages: int
    bytes: int
    """The sum of the sizes of the original files."""
    api_keys: int
    webhooks: int
    """Endpoints, with the callbacks of uploads."""
    deliveries: int


async def begin(cur: Cursor, tenant: str, *, actor: str, api_keys: int) -> None:
    """Start the receipt of a tenant, whose keys are removed already."""
    await cur.execute(
        """
        INSERT INTO tenant_deletions (tenant, actor, started_at, api_keys) VALUES (%s, %s, UTC_TIMESTAMP(6), %s)
        """,
        (tenant, actor, api_keys),
    )


async def count_document(cur: Cursor, tenant: str, document_id: UUID) -> None:
    """Count a document that is about to be removed, with its size, and its jobs with their pages that were read, their
    callbacks and their deliveries.
    """
    await cur.execute(
        """
        UPDATE tenant_deletions t
        JOIN (
            SELECT d.size, COUNT(*) AS jobs, SUM(j.pages_done) AS pages,
                   SUM((SELECT COUNT(*) FROM webhook_endpoints e WHERE e.job_id = j.id)) AS callbacks,
                   SUM((SELECT COUNT(*) FROM deliveries v WHERE v.job_id = j.id)) AS deliveries
            FROM documents d JOIN jobs j ON j.document_id = d.id WHERE d.id = %s GROUP BY d.size
        ) d
        SET t.documents = t.documents + 1, t.jobs = t.jobs + d.jobs, t.pages = t.pages + d.pages,
            t.bytes = t.bytes + d.size, t.webhooks = t.webhooks + d.callbacks,
            t.deliveries = t.deliveries + d.deliveries
        WHERE t.tenant = %s
        """,
        (document_id.bytes, tenant),
    )


async def finish(cur: Cursor, tenant: str) -> bool:
    """Record that nothing is left of a tenant but its webhooks, and count these; False if that was recorded already.
    The transaction removes them.
    """
    return (
        await cur.execute(
            """
            UPDATE tenant_deletions SET finished_at = UTC_TIMESTAMP(6),
                webhooks = webhooks + (SELECT COUNT(*) FROM webhook_endpoints e WHERE e.tenant = %(tenant)s),
                deliveries = deliveries + (
                    SELECT COUNT(*) FROM webhook_endpoints e JOIN deliveries d ON d.endpoint_id = e.id
                    WHERE e.tenant = %(tenant)s
                )
            WHERE tenant = %(tenant)s AND finished_at IS NULL
            """,
            {"tenant": tenant},
        )
        > 0
    )


async def find(cur: Cursor, tenant: str) -> Receipt | None:
    """The receipt of a tenant; None if the tenant was not deleted."""
    await cur.execute("SELECT * FROM tenant_deletions WHERE tenant = %s", (tenant,))
    row = cur.row()
    return _receipt(row) if row else None


async def unfinished(cur: Cursor, *, limit: int) -> list[str]:
    """Deleted tenants of whom something may be left, the earliest deleted first."""
    await cur.execute(
        "SELECT tenant FROM tenant_deletions WHERE finished_at IS NULL ORDER BY started_at LIMIT %s", (limit,)
    )
    return [row["tenant"] for row in cur.rows()]


def _receipt(row: Row) -> Receipt:
    return Receipt(**row)
