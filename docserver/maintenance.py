"""Periodic repair and cleaning: expired leases, lost announcements, unfinished deletions, retention, stray files.

One process, the leader, does this for all; if it dies, another one takes over.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID, uuid4

from docserver import metrics
from docserver.database.connection import Cursor
from docserver.database.tables import (
    audit_log,
    claims,
    deletions,
    deliveries,
    documents,
    idempotency_keys,
    leader,
    tenant_counts,
    tenant_deletions,
    unfinished_jobs,
)
from docserver.documents import batch_states, deletion, kept_results, list_columns, name_indexing, tenant_deletion
from docserver.documents.batch_states import Completion
from docserver.documents.originals import OriginalsCheck
from docserver.errors import DatabaseUnavailable, RedisUnavailable, StorageUnavailable
from docserver.identity import still_agree
from docserver.jobs import notify, transitions
from docserver.jobs.turns import clients_in_turn
from docserver.resources import Resources
from docserver.storage import BucketError
from docserver.storage.identity import IdentityError
from docserver.storage.opening import open_identities
from docserver.tenants.weights import weights_of_clients

log = logging.getLogger("docserver.maintenance")

TASK = "maintenance"

ROUNDS_PER_LEASE = 3
"""The leader's lease lasts this many rounds. A round may fail or take long without a change of leader."""

RESIGN_S = 1.0
"""Longest wait for the database when a stopping process gives up its leadership. If this fails, the lease soon ends."""

ANNOUNCED_AT_ONCE = 1000
"""About how many announcements one round compares with jobs, and how many it repeats."""

CLIENTS_AT_ONCE = 100
"""Most clients whose announcements one round repeats; the next rounds do the rest."""

EXPIRED_AT_ONCE = 200
"""Most jobs freed, documents removed and deletions cleared in one round; the next rounds do the rest."""

DELETED_KEPT_S = 30 * 86_400.0
"""For this time, a request for a deleted document gets 410; later it gets 404, as if it had never existed."""

TENANTS_AT_ONCE = 5
"""Most deleted tenants of which a round removes documents; the next rounds do the rest."""

AUDIT_KEPT_S = 400 * 86_400.0
"""Audits look back a year; the month more is for those who come late."""

DELIVERIES_KEPT_S = 30 * 86_400.0
"""Webhooks that were delivered or given up are listed for this time, and can be replayed."""

USE_KEPT_DAYS = 400
"""The pages that tenants have used on each day are kept for this time, for those who look back a year."""

FILES_EVERY_S = 300.0
"""Time between two comparisons of originals and documents, from the start of one to that of the next."""

NAMES_EVERY_S = 60.0
"""Time between two looks at the index of file names. New documents are found without it."""

FILES_SHARE = 0.1
"""Largest share of the time for these comparisons. One takes half a minute of CPU time for a million documents."""

ABANDONED_S = 3600.0
"""An upload that was not written to for this time was abandoned: its client would have been cut off long before."""


class Maintenance:
    """Runs a round every few seconds. Rounds may be repeated and may run in several processes at once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._id = uuid4()
        self._files_from = 0.0
        """When files are to be checked next, by this process's own clock."""
        self._leads = False
        """True if this process was the leader in its last round."""
        self._originals = OriginalsCheck(resources)
        self._completion = Completion(resources)
        self._agreed = True
        self._identities = open_identities(resources.settings)
        self._not_deletable: set[UUID] = set()
        self._queue_cursor = 0
        self._announced_for: str | None = None
        # Leases that ran out count as lost only from this time on. Each round that fails without the database moves it
        # ahead by one lease, so that workers can extend their leases first.
        self._leases_from = time.monotonic()

    async def run(self) -> None:
        """Run rounds while this process is the leader, and what takes long beside them, until cancelled."""
        try:
            await asyncio.gather(
                self._repeat(self._lead),
                self._repeat(self._check_files_as_leader),
                self._repeat(self._fill_list_columns_as_leader),
                self._repeat(self._index_names_as_leader),
                self._repeat(self._complete_batches_as_leader, every_s=batch_states.POLL_S),
            )
        finally:
            await self._resign()

    async def _repeat(self, act: Callable[[], Awaitable[None]], *, every_s: float | None = None) -> None:
        """Do something again and again, whatever fails."""
        while True:
            try:
                await act()
            except BucketError as error:
                log.warning("maintenance waits for the storage", extra={"number": error.errno})
            except DatabaseUnavailable:
                self._leases_from = time.monotonic() + self._resources.settings.lease_s
                log.warning("maintenance waits for the database")
            except Exception:
                log.exception("maintenance met an unexpected fault")
            await asyncio.sleep(every_s or self._resources.settings.maintenance_s)

    async def _lead(self) -> None:
        await self._resources.cache.flush()
        self._leads = await self._is_leader()
        if self._leads:
            await self.round()
            metrics.MAINTENANCE_ROUND.set_to_current_time()

    async def _check_files_as_leader(self) -> None:
        if self._leads:
            await self.check_files()

    async def _fill_list_columns_as_leader(self) -> None:
        if self._leads:
            await list_columns.fill(self._resources)

    async def _index_names_as_leader(self) -> None:
        if self._leads:
            await name_indexing.run(self._resources)
            await asyncio.sleep(NAMES_EVERY_S)

    async def _complete_batches_as_leader(self) -> None:
        if self._leads:
            await self._completion.run()

    async def round(self) -> None:
        """End expired leases, repeat announcements, remove what has expired, and clear deletions.

        Work that fails because Redis or the storage does not answer is done in a later round. Nothing is done while the
        database and the data directory do not belong together: one of them was exchanged, restored or unmounted.
        """
        if not await self._sides_agree():
            return
        if time.monotonic() >= self._leases_from:
            await self._expire_leases()
        with suppress(RedisUnavailable):
            await self._announce()
        await self._expire_documents()
        await self._remove_deleted_tenants()
        with suppress(RedisUnavailable):
            await self._clear_deletions()
        await self._delete_old_deliveries()
        await self._delete_old_idempotency_keys()
        await batch_states.forget_old(self._resources)

    async def check_files(self) -> None:
        """Compare originals with documents, and remove what uploads have left, if it is time for that.

        Rounds do not wait for it: with millions of documents, it takes minutes.
        """
        began = time.monotonic()
        if began < self._files_from or not await self._sides_agree():
            return
        self._files_from = began + FILES_EVERY_S
        await self._resources.storage.deleted.forget_old()
        abandoned = await self._resources.storage.discard_abandoned(ABANDONED_S)
        if abandoned:
            log.warning("abandoned uploads removed", extra={"files": abandoned})
        await self._originals.run()
        await kept_results.clean(self._resources)
        await self._forget_used_pages()
        self._files_from = began + max(FILES_EVERY_S, (time.monotonic() - began) / FILES_SHARE)

    async def _sides_agree(self) -> bool:
        error = None
        try:
            agree = await still_agree(self._resources.maintenance_db, self._identities)
        except StorageUnavailable:
            # A bucket that does not answer says nothing new. Leases and announcements do not wait for it.
            return self._agreed
        except IdentityError as caught:
            agree, error = False, caught
        if self._agreed and not agree:
            log.error(
                "maintenance does nothing: the data directory and the database do not belong together; restore or "
                "mount the right ones and restart docserver",
                extra={"fault": str(error)} if error else {},
            )
        elif agree and not self._agreed:
            log.info("maintenance goes on: the data directory and the database belong together again")
        self._agreed = agree
        return agree

    async def _is_leader(self) -> bool:
        lease_s = ROUNDS_PER_LEASE * self._resources.settings.maintenance_s
        async with self._resources.maintenance_db.session() as cur:
            return await leader.acquire(cur, TASK, holder=self._id, lease_s=lease_s)

    async def _resign(self) -> None:
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(RESIGN_S), self._resources.maintenance_db.session() as cur:
                await leader.resign(cur, TASK, holder=self._id)

    async def _expire_leases(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            expired = await claims.jobs_with_expired_leases(cur, limit=EXPIRED_AT_ONCE)
        for job_id in expired:
            job = await transitions.reap(self._resources.db, job_id)
            if job:
                metrics.LEASES_EXPIRED.inc()
                log.warning("leases ran out", extra={"job_id": str(job_id)})
                await notify.publish(self._resources, job)

    async def _announce(self) -> None:
        """Repeat lost announcements. Remove those of deleted or final jobs, so that the queues do not grow forever."""
        queue = self._resources.queue
        self._queue_cursor, announced = await queue.announced(self._queue_cursor, about=ANNOUNCED_AT_ONCE)
        async with self._resources.maintenance_db.session() as cur:
            waiting = await self._waiting(cur)
            unfinished = await unfinished_jobs.among(cur, announced) if announced else set()
            weights = await weights_of_clients(cur)
        await queue.set_weights(weights)
        if stale := [job_id for job_id in announced if job_id not in unfinished]:
            await queue.remove(stale)
        added = await asyncio.gather(*(queue.announce(client, *job_ids) for client, job_ids in waiting.items()))
        if repeated := sum(added):
            log.info("announcements repeated", extra={"jobs": repeated})

    async def _waiting(self, cur: Cursor) -> dict[str, list[UUID]]:
        """Runnable jobs by client, of all clients in turn: none waits until all jobs of another are announced."""
        in_turn = clients_in_turn(cur, after=self._announced_for, most=CLIENTS_AT_ONCE)
        clients = [client async for client in in_turn]
        limit = max(2, ANNOUNCED_AT_ONCE // max(1, len(clients)))
        waiting = {client: await unfinished_jobs.runnable(cur, client=client, limit=limit) for client in clients}
        self._announced_for = clients[-1] if clients else None
        return {client: job_ids for client, job_ids in waiting.items() if job_ids}

    async def _expire_documents(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            expired = await documents.expired(cur, limit=EXPIRED_AT_ONCE)
        for document_id in expired:
            await deletion.expire(self._resources, document_id)

    async def _remove_deleted_tenants(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            deleted = await tenant_deletions.unfinished(cur, limit=TENANTS_AT_ONCE)
            await audit_log.forget(cur, older_than_s=AUDIT_KEPT_S, limit=ANNOUNCED_AT_ONCE)
        for tenant in deleted:
            await tenant_deletion.advance(self._resources, tenant, limit=EXPIRED_AT_ONCE // len(deleted))

    async def _clear_deletions(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            uncleared = await deletions.uncleared(cur, limit=EXPIRED_AT_ONCE)
            await deletions.forget(cur, older_than_s=DELETED_KEPT_S, limit=ANNOUNCED_AT_ONCE)
        kept = set()
        for deleted in uncleared:
            try:
                await deletion.clear(self._resources, deleted)
            except OSError as error:
                # The system does not let us delete this file. Other deletions do not wait for it.
                kept.add(deleted.document_id)
                if deleted.document_id not in self._not_deletable:
                    facts = {"document_id": str(deleted.document_id), "number": error.errno}
                    log.warning("original of a deleted document cannot be deleted yet", extra=facts)
        self._not_deletable = kept

    async def _delete_old_deliveries(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            await deliveries.delete_finished(cur, older_than_s=DELIVERIES_KEPT_S, limit=ANNOUNCED_AT_ONCE)

    async def _delete_old_idempotency_keys(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            await idempotency_keys.delete_expired(cur, limit=ANNOUNCED_AT_ONCE)

    async def _forget_used_pages(self) -> None:
        async with self._resources.maintenance_db.session() as cur:
            await tenant_counts.forget_pages(cur, older_than_days=USE_KEPT_DAYS, limit=ANNOUNCED_AT_ONCE)
