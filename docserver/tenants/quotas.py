"""Counts what tenants use, and refuses what is over a quota. Requests at the same time are counted in `connections`.

All counting is part of the transaction that uses something. So counts are exact, whatever process dies. Only tenants
with quotas pay for checks: their transactions check one after another.
"""

from datetime import datetime, timedelta
from typing import Any

from docserver.database.connection import Cursor
from docserver.database.tables import tenant_counts, tenants, unfinished_jobs
from docserver.database.tables.tenants import Quotas, Usage
from docserver.errors import QuotaExceeded, Unauthorized
from docserver.resources import Resources
from docserver.setting_types import MAX_QUOTA
from docserver.settings import Settings
from docserver.timestamps import rfc3339

JOBS_RETRY_S = 10
"""Seconds after which a client that has too many unfinished jobs should try again: some job may have ended by then."""


def defaults(settings: Settings) -> Quotas:
    """The quotas of tenants that have none of their own."""
    return Quotas(
        pages_per_day=settings.quota_pages_per_day,
        max_bytes=settings.quota_max_bytes,
        max_unfinished_jobs=settings.quota_max_unfinished_jobs,
        max_connections=settings.quota_max_connections,
    )


async def count_upload(cur: Cursor, tenant: str, *, size: int, defaults: Quotas) -> None:
    """Count a document of this size and its job, whose rows the transaction has inserted. It should end soon
    after this, because other uploads of the tenant wait for it.

    Raises QuotaExceeded; Unauthorized if the tenant was deleted a moment ago.
    """
    restricted = (defaults.max_bytes, defaults.pages_per_day, defaults.max_unfinished_jobs) != (None, None, None)
    if not restricted and await tenant_counts.add_bytes_without_quota(cur, tenant, size):
        return
    if not await tenants.lock_shared(cur, tenant):
        raise Unauthorized("The tenant was deleted.", invalid=True)
    await tenant_counts.lock(cur, tenant)
    usage = await tenants.usage(cur, tenant)
    quotas = usage.quotas.or_else(defaults)
    _check_bytes(usage, quotas.max_bytes, size=size)
    _check_pages_left(usage, quotas.pages_per_day)
    await _check_unfinished(cur, tenant, quotas.max_unfinished_jobs)
    await tenant_counts.add_bytes(cur, tenant, size)


async def count_job(cur: Cursor, tenant: str, *, defaults: Quotas) -> None:
    """Count a further job of a document, whose row the transaction has inserted. The transaction should end soon after
    this. Raises QuotaExceeded.
    """
    await tenant_counts.lock(cur, tenant)
    usage = await tenants.usage(cur, tenant)
    quotas = usage.quotas.or_else(defaults)
    _check_pages_left(usage, quotas.pages_per_day)
    await _check_unfinished(cur, tenant, quotas.max_unfinished_jobs)


async def check_bytes(cur: Cursor, tenant: str, *, size: int, defaults: Quotas) -> None:
    """Refuse early what has no room, without counting it; raises QuotaExceeded."""
    usage = await tenants.usage(cur, tenant)
    _check_bytes(usage, usage.quotas.or_else(defaults).max_bytes, size=size)


async def count_retry(cur: Cursor, tenant: str, *, pages: int, defaults: Quotas) -> None:
    """Count a job that the transaction has made pending again, and the pages that it will read again, if they are
    known. The transaction should end soon after this. Raises QuotaExceeded.
    """
    await tenant_counts.lock(cur, tenant)
    quotas = (await tenants.usage(cur, tenant)).quotas.or_else(defaults)
    await _check_unfinished(cur, tenant, quotas.max_unfinished_jobs)
    if pages:
        await count_pages(cur, tenant, pages=pages, allowed=quotas.pages_per_day)


async def count_pages(cur: Cursor, tenant: str, *, pages: int, allowed: int | None) -> None:
    """Count pages that are to be read. The transaction should end soon after this.

    Raises QuotaExceeded if fewer than these are left of the `allowed` pages of the day; None is no limit.
    """
    if allowed is None:
        await tenant_counts.add_pages(cur, tenant, pages)
        return
    await tenant_counts.lock(cur, tenant)
    usage = await tenants.usage(cur, tenant)
    if usage.pages_today + pages > allowed:
        left = max(0, allowed - usage.pages_today)
        raise QuotaExceeded(
            f"Pages to be read: {pages}. Left of today's quota (UTC): {left} of {allowed}.",
            retry_after_s=_seconds_to_midnight(usage.now) if pages <= allowed else None,
        )
    # Midnight may have passed since `usage`.
    await tenant_counts.add_pages(cur, tenant, pages, day=usage.now.date())


def _check_bytes(usage: Usage, allowed: int | None, *, size: int) -> None:
    if allowed is not None and usage.bytes_kept + size > allowed:
        raise QuotaExceeded(
            f"Bytes used: {usage.bytes_kept} of {allowed}. The upload has {size}; delete documents first."
        )


def _check_pages_left(usage: Usage, allowed: int | None) -> None:
    if allowed is not None and usage.pages_today >= allowed:
        raise QuotaExceeded(
            f"Today's quota of pages (UTC), {allowed}, is used up.",
            retry_after_s=_seconds_to_midnight(usage.now) if allowed else None,
        )


async def _check_unfinished(cur: Cursor, tenant: str, allowed: int | None) -> None:
    if allowed is not None and await unfinished_jobs.count(cur, tenant, most=allowed + 1) > allowed:
        raise QuotaExceeded(
            f"The quota of unfinished jobs is {allowed}; wait until one has ended.",
            retry_after_s=JOBS_RETRY_S if allowed else None,
        )


async def report(resources: Resources, tenant: str, *, connections: int | None) -> dict[str, Any]:
    """What a tenant has used of its quotas, as clients see it. `connections` is the number of its requests that are
    being answered, None if they are not counted. Raises DatabaseUnavailable.
    """
    async with resources.reads.session() as cur:
        usage = await tenants.usage(cur, tenant)
        unfinished = await unfinished_jobs.count(cur, tenant, most=MAX_QUOTA)
    quotas = usage.quotas.or_else(defaults(resources.settings))
    return {
        "tenant": tenant,
        "pages_per_day": {
            "used": usage.pages_today,
            "limit": quotas.pages_per_day,
            "resets_at": rfc3339(_midnight_after(usage.now)),
        },
        "bytes": {"used": usage.bytes_kept, "limit": quotas.max_bytes},
        "unfinished_jobs": {"used": unfinished, "limit": quotas.max_unfinished_jobs},
        "connections": {"used": connections, "limit": quotas.max_connections},
    }


def _midnight_after(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _seconds_to_midnight(now: datetime) -> int:
    return int((_midnight_after(now) - now).total_seconds()) + 1
