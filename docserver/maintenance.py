"""Makes sure that nothing is lost or left behind: leases, announcements, deletions, retention, files.

One process does this for all; if it dies, another one takes over.
"""

import asyncio
import logging
import time
from contextlib import suppress
from uuid import UUID, uuid4

from docserver.database.tables import claims, deletions, documents, jobs, leader
from docserver.documents import deletion
from docserver.errors import DatabaseUnavailable, RedisUnavailable
from docserver.jobs import notify, transitions
from docserver.resources import Resources

log = logging.getLogger("docserver.maintenance")

TASK = "maintenance"

ROUNDS_PER_LEASE = 3
"""A round may fail or take long; after so many missed rounds another process takes over."""

RESIGN_S = 1.0
"""Longest wait for the database when a process stops: the lease would run out by itself soon."""

ANNOUNCED_AT_ONCE = 1000
"""Announcements compared with jobs in one round: bounds the time that the Lua script blocks Redis."""

EXPIRED_AT_ONCE = 200
"""Jobs freed, documents removed and deletions cleared in one round; the rest follows in the next round."""

DELETED_KEPT_S = 30 * 86_400.0
"""For this time a deleted document is answered with 410; after it with 404, as if it had never existed."""

FILES_EVERY_S = 300.0
FILES_GRACE_S = 3600.0
"""A file without a row may belong to a commit that is under way; no commit takes an hour."""

FILES_AT_ONCE = 500


class Maintenance:
    """Runs a round every few seconds. Rounds may be repeated and may run in several processes at once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._id = uuid4()
        self._files_at = 0.0
        self._orphans: set[UUID] = set()
        # After a start, and after a time without the database, workers get time to extend their leases before those
        # that have run out count as lost.
        self._leases_from = time.monotonic()

    async def run(self) -> None:
        """Run rounds while this process is the leader, until cancelled."""
        try:
            while True:
                try:
                    await self._resources.cache.flush()
                    if await self._is_leader():
                        await self.round()
                except DatabaseUnavailable:
                    self._leases_from = time.monotonic() + self._resources.settings.lease_s
                    log.warning("maintenance waits for the database")
                except Exception:
                    log.exception("maintenance met an unexpected fault")
                await asyncio.sleep(self._resources.settings.maintenance_s)
        finally:
            await self._resign()

    async def round(self) -> None:
        """End expired leases, repeat announcements, remove expired documents, clear deletions, and check files.

        What fails because Redis or the storage is away is done in a later round.
        """
        if time.monotonic() >= self._leases_from:
            await self._expire_leases()
        with suppress(RedisUnavailable):
            await self._announce()
        await self._expire_documents()
        with suppress(RedisUnavailable):
            await self._clear_deletions()
        if time.monotonic() - self._files_at > FILES_EVERY_S:
            self._files_at = time.monotonic()
            await self._collect_files()

    async def _is_leader(self) -> bool:
        lease_s = ROUNDS_PER_LEASE * self._resources.settings.maintenance_s
        async with self._resources.db.session() as cur:
            return await leader.acquire(cur, TASK, holder=self._id, lease_s=lease_s)

    async def _resign(self) -> None:
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(RESIGN_S), self._resources.db.session() as cur:
                await leader.resign(cur, TASK, holder=self._id)

    async def _expire_leases(self) -> None:
        async with self._resources.db.session() as cur:
            expired = await claims.jobs_with_expired_leases(cur, limit=EXPIRED_AT_ONCE)
        for job_id in expired:
            job = await transitions.reap(self._resources.db, job_id)
            if job:
                log.warning("leases ran out", extra={"job_id": str(job_id)})
                await notify.publish(self._resources, job)

    async def _announce(self) -> None:
        """Repeat lost announcements, and remove those of jobs that are gone or final; so the list stays bounded."""
        queue = self._resources.queue
        announced = await queue.announced(limit=ANNOUNCED_AT_ONCE)
        async with self._resources.db.session() as cur:
            waiting = await jobs.runnable(cur, limit=ANNOUNCED_AT_ONCE)
            unfinished = await jobs.unfinished(cur, announced) if announced else set()
        if stale := [job_id for job_id in announced if job_id not in unfinished]:
            await queue.remove(stale)
        if waiting and (repeated := await queue.announce(*waiting)):
            log.info("announcements repeated", extra={"jobs": repeated})

    async def _expire_documents(self) -> None:
        async with self._resources.db.session() as cur:
            expired = await documents.expired(cur, limit=EXPIRED_AT_ONCE)
        for document_id in expired:
            await deletion.expire(self._resources, document_id)

    async def _clear_deletions(self) -> None:
        async with self._resources.db.session() as cur:
            uncleared = await deletions.uncleared(cur, limit=EXPIRED_AT_ONCE)
            await deletions.forget(cur, older_than_s=DELETED_KEPT_S, limit=ANNOUNCED_AT_ONCE)
        for document_id, job_ids in uncleared:
            await deletion.clear(self._resources, document_id, job_ids)

    async def _collect_files(self) -> None:
        """Remove files that are old, have no row, and had none at this process's last check either.

        The second check makes this safe even if a clock is wrong and a file of a commit under way seems old.
        """
        storage = self._resources.storage
        old = await storage.older_than(FILES_GRACE_S)
        orphans: set[UUID] = set()
        for start in range(0, len(old), FILES_AT_ONCE):
            batch = old[start : start + FILES_AT_ONCE]
            async with self._resources.db.session() as cur:
                orphans |= set(batch) - await documents.existing(cur, batch)
        for document_id in orphans & self._orphans:
            await storage.delete(document_id)
            log.warning("file without a document removed", extra={"document_id": str(document_id)})
        self._orphans = orphans
        abandoned = await storage.discard_abandoned(FILES_GRACE_S)
        if abandoned:
            log.warning("abandoned uploads removed", extra={"files": abandoned})
