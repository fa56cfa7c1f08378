"""Sends due deliveries, as many at a time as `shares` allows.

Each process that may reach receivers runs one. A delivery is sent at least once: if a process dies before it has saved
the outcome, another sends it again, with the same id.
"""

import asyncio
import logging
import random
import time
from contextlib import suppress
from functools import partial
from uuid import UUID, uuid4

from docserver import metrics, tracing
from docserver.database.retries import transactional, until_answered
from docserver.database.tables import deliveries, delivery_log, webhook_endpoints
from docserver.database.tables.deliveries import Claimed
from docserver.encryption import Undecryptable
from docserver.errors import DatabaseUnavailable
from docserver.resources import Resources
from docserver.tracing import Span
from docserver.webhook_types import DeliveryStatus, DisabledReason, Fault
from docserver.webhooks.client import Answer, Client
from docserver.webhooks.endpoints import guard_of
from docserver.webhooks.shares import Receiver, Shares
from docserver.webhooks.signing import signed_headers

log = logging.getLogger("docserver.webhooks")

POLL_S = 1.0
"""Interval at which a process looks for deliveries whose pause is over, and for those of processes that died."""

DELAYS_S = (5, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 36_000)
"""Pauses between the attempts of a delivery. They sum up to a day."""

MAX_ATTEMPTS = len(DELAYS_S) + 1

JITTER = 0.2
"""Pauses are this much shorter or longer, at random, so that deliveries that failed together come back apart."""

DISABLE_AFTER_S = 5 * 86_400.0
"""An endpoint is disabled when every attempt has failed for this time."""

RECEIVERS_AT_ONCE = 1000
"""Most receivers that one search for due deliveries returns. It takes one of each tenant before it takes a second."""

RELEASE_S = 1.0
"""Longest wait for the database when a stopping process gives a delivery back. If this fails, the lease soon ends."""


class Sender:
    """The deliveries that one process sends."""

    def __init__(self, resources: Resources) -> None:
        """Needs a running event loop."""
        settings = resources.settings
        self._resources = resources
        self._shares = Shares(settings.webhook_connections)
        self._lease_s = settings.webhook_timeout_s + settings.lease_s
        self._client = Client(
            guard_of(settings), timeout_s=settings.webhook_timeout_s, connections=max(1, settings.webhook_connections)
        )
        self._due = resources.webhooks_due
        self._sending: dict[asyncio.Task[None], Receiver] = {}
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send, unless the settings say that this process sends nothing."""
        if self._resources.settings.webhook_connections:
            self._running = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self, *, grace_s: float) -> None:
        """Claim nothing new, let the attempts in progress end within the grace time, and give the others back."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.close()

    async def _run(self) -> None:
        while True:
            self._due.clear()
            try:
                if await self._start_due():
                    continue
            except DatabaseUnavailable:
                log.info("webhooks wait for the database")
            except Exception:
                log.exception("webhooks met an unexpected fault")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._due.wait()

    async def _start_due(self) -> bool:
        """Start to send due deliveries, as far as there is room. False if none was started."""
        if not self._shares.free:
            return False
        async with self._resources.db.session() as cur:
            receivers = await deliveries.due(cur, limit=RECEIVERS_AT_ONCE)
        started = 0
        for receiver in receivers:
            if room := self._shares.room(receiver):
                started += await self._start(receiver, most=room)
        return started > 0

    @transactional
    async def _start(self, receiver: Receiver, *, most: int) -> int:
        claim_id = uuid4()
        async with self._resources.db.transaction() as cur:
            claimed = await deliveries.claim(
                cur, tenant=receiver[0], receiver=receiver[1], claim_id=claim_id, limit=most, lease_s=self._lease_s
            )
        for delivery in claimed:
            self._shares.take(receiver)
            task = asyncio.create_task(self._deliver(delivery, claim_id), name="webhook")
            self._sending[task] = receiver
            task.add_done_callback(self._ended)
        return len(claimed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._shares.give_back(self._sending.pop(task))
        # A connection is free for another delivery.
        self._due.set()

    async def _deliver(self, delivery: Claimed, claim_id: UUID) -> None:
        with (
            tracing.continued(delivery.traceparent),
            tracing.span("deliver webhook", _attributes(delivery), kind="client") as span,
        ):
            await self._send(delivery, claim_id, span)

    async def _send(self, delivery: Claimed, claim_id: UUID, span: Span) -> None:
        began = time.monotonic()
        try:
            answer = await self._attempt(delivery)
            _end_span(span, answer)
            duration_s = time.monotonic() - began
            self._shares.record(
                (delivery.tenant, delivery.receiver), answered=answer.fault is None, duration_s=duration_s
            )
            duration_ms = round(duration_s * 1000)
            await until_answered(partial(self._settle, delivery, claim_id, answer, duration_ms=duration_ms))
        except asyncio.CancelledError:
            await self._release(delivery, claim_id)
            raise
        except DatabaseUnavailable:
            log.warning("outcome of a delivery not saved; it is sent again", extra={"delivery_id": str(delivery.id)})
        except Exception:
            log.exception("delivery met an unexpected fault", extra={"delivery_id": str(delivery.id)})

    async def _attempt(self, delivery: Claimed) -> Answer:
        if delivery.attempt > MAX_ATTEMPTS:
            return Answer(fault=Fault.LOST)
        decrypt = self._resources.encryption.decrypt
        try:
            secrets = [decrypt(encrypted) for encrypted in delivery.secrets]
        except Undecryptable:
            return Answer(fault=Fault.SECRET)
        headers = signed_headers(delivery.id, int(time.time()), delivery.body, signing_secrets=secrets)
        if traceparent := tracing.traceparent():
            headers["traceparent"] = traceparent
        return await self._client.post(delivery.url, delivery.body, headers)

    @transactional
    async def _settle(self, delivery: Claimed, claim_id: UUID, answer: Answer, *, duration_ms: int) -> None:
        """Save the outcome of an attempt. Nothing is saved if the claim is lost."""
        disabled = delay_s = None
        async with self._resources.db.transaction() as cur:
            # Those who delete an endpoint lock it before its deliveries, so the endpoint comes first here too.
            if answer.is_success:
                status = DeliveryStatus.DELIVERED
                if delivery.is_failing:
                    await webhook_endpoints.record_success(cur, delivery.endpoint_id)
            else:
                status = DeliveryStatus.FAILED
                delay_s = _delay_s(delivery.attempt, answer)
                disabled = await webhook_endpoints.record_failure(
                    cur, delivery.endpoint_id, gone=answer.is_gone, disable_after_s=DISABLE_AFTER_S
                )
            if delay_s is None or disabled:
                has_claim = await deliveries.finish(cur, delivery.id, claim_id=claim_id, status=status)
            else:
                has_claim = await deliveries.postpone(cur, delivery.id, claim_id=claim_id, delay_s=delay_s)
            if has_claim:
                await delivery_log.add_attempt(
                    cur, delivery.id, duration_ms=duration_ms, http_status=answer.http_status, fault=answer.fault
                )
            if disabled:
                await deliveries.fail_pending(cur, delivery.endpoint_id)
        _report(delivery, answer, duration_ms=duration_ms, delay_s=delay_s, disabled=disabled)

    async def _release(self, delivery: Claimed, claim_id: UUID) -> None:
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(RELEASE_S), self._resources.db.session() as cur:
                await deliveries.release(cur, delivery.id, claim_id=claim_id)


def _attributes(delivery: Claimed) -> tracing.Attributes:
    of_job = {"docserver.job.id": str(delivery.job_id)} if delivery.job_id else {}
    return {
        **of_job,
        "docserver.delivery.id": str(delivery.id),
        "docserver.delivery.event": delivery.event,
        "docserver.delivery.attempt": delivery.attempt,
        "http.request.method": "POST",
    }


def _end_span(span: Span, answer: Answer) -> None:
    if answer.http_status is not None:
        span.set({"http.response.status_code": answer.http_status})
    if not answer.is_success:
        span.fail(answer.fault or str(answer.http_status))


def _delay_s(attempt: int, answer: Answer) -> float | None:
    """The pause before the next attempt; None if there is none."""
    if attempt >= MAX_ATTEMPTS:
        return None
    pause_s = DELAYS_S[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - only spreads load
    return max(pause_s, answer.retry_after_s)


def _report(
    delivery: Claimed, answer: Answer, *, duration_ms: int, delay_s: float | None, disabled: DisabledReason | None
) -> None:
    """Log and count an attempt."""
    facts = {
        "delivery_id": str(delivery.id),
        "endpoint_id": str(delivery.endpoint_id),
        "event": delivery.event,
        "http_status": answer.http_status,
        "fault": answer.fault,
        "attempt": delivery.attempt,
        "duration_ms": duration_ms,
    }
    if delivery.job_id:
        facts["job_id"] = str(delivery.job_id)
    outcome = "delivered" if answer.is_success else "disabled" if disabled else "retried" if delay_s else "failed"
    metrics.WEBHOOK_ATTEMPTS.labels(outcome).inc()
    metrics.WEBHOOK_SECONDS.observe(duration_ms / 1000)
    if answer.is_success:
        log.info("webhook delivered", extra=facts)
    elif disabled:
        log.warning("webhook endpoint disabled", extra={**facts, "reason": disabled})
    elif delay_s is None:
        log.warning("webhook given up", extra=facts)
    else:
        log.warning("webhook will be tried again", extra={**facts, "delay_s": round(delay_s)})
