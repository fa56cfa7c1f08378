"""What keeps the promise that nothing is lost or left behind: leases, announcements, deletions, retention, files.

One process does it for all; should it die, another takes it over.
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
"""A round may fail or take long; when so many are missing another process takes over."""

GIVE_BACK_S = 1.0
"""A process that stops has better things to do than to wait for a database that is away."""

ANNOUNCED_AT_ONCE = 1000
"""Announcements compared with the jobs in one round: bounds the script that does it."""

EXPIRED_AT_ONCE = 200
"""Jobs freed, documents removed and deletions cleared in one round; the others follow in the next."""

DELETED_KEPT_S = 30 * 86_400.0
"""Readers of a deleted document learn for so long that it was deleted; then it is as if it had never been."""

FILES_EVERY_S = 300.0
FILES_GRACE_S = 3600.0
"""A file without a row may be one whose commit is under way; after an hour no such commit can be."""

FILES_AT_ONCE = 500


class Maintenance:
    """A round every few seconds; each is harmless to repeat, and to run in several processes at once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._id = uuid4()
        self._files_at = 0.0
        self._orphans: set[UUID] = set()
        # Whoever works renews its leases before this process trusts that those which ran out are abandoned.
        self._leases_from = time.monotonic()

    async def run(self) -> None:
        """Go round whenever no other process does, until cancelled."""
        try:
            while True:
                try:
                    await self._resources.cache.flush()
                    if await self._elected():
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
        """Free what nobody works on any more, announce what waits, remove what is over, and look at files now and then.

        What Redis or the storage refuses now, a later round does.
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

    async def _elected(self) -> bool:
        lease_s = ROUNDS_PER_LEASE * self._resources.settings.maintenance_s
        async with self._resources.db.session() as cur:
            return await leader.acquire(cur, TASK, holder=self._id, lease_s=lease_s)

    async def _resign(self) -> None:
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(GIVE_BACK_S), self._resources.db.session() as cur:
                await leader.resign(cur, TASK, holder=self._id)

    async def _expire_leases(self) -> None:
        async with self._resources.db.session() as cur:
            abandoned = await claims.jobs_with_expired_leases(cur, limit=EXPIRED_AT_ONCE)
        for job_id in abandoned:
            job = await transitions.reap(self._resources.db, job_id)
            if job:
                log.warning("leases ran out", extra={"job_id": str(job_id)})
                await notify.publish(self._resources, job)

    async def _announce(self) -> None:
        """Repeat announcements that were lost, and take those back that lead nowhere: the list stays bounded."""
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
            left = await deletions.uncleared(cur, limit=EXPIRED_AT_ONCE)
            await deletions.forget(cur, older_than_s=DELETED_KEPT_S, limit=ANNOUNCED_AT_ONCE)
        for document_id, job_ids in left:
            await deletion.clear(self._resources, document_id, job_ids)

    async def _collect_files(self) -> None:
        """Remove files that are old, have no row, and had none when this process looked before.

        Looking twice makes it independent of clocks: a file that seems old may be one whose commit is under way.
        """
        storage = self._resources.storage
        kept = await storage.kept_before(FILES_GRACE_S)
        orphans: set[UUID] = set()
        for start in range(0, len(kept), FILES_AT_ONCE):
            batch = kept[start : start + FILES_AT_ONCE]
            async with self._resources.db.session() as cur:
                orphans |= set(batch) - await documents.existing(cur, batch)
        for document_id in orphans & self._orphans:
            await storage.delete(document_id)
            log.warning("file without a document removed", extra={"document_id": str(document_id)})
        self._orphans = orphans
        abandoned = await storage.discard_abandoned(FILES_GRACE_S)
        if abandoned:
            log.warning("abandoned uploads removed", extra={"files": abandoned})
