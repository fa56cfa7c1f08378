"""The types of webhooks: what may have happened, how a delivery stands, and why an attempt got no answer."""

from enum import StrEnum


class EventType(StrEnum):
    """What a webhook tells."""

    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    PAGE_COMPLETED = "page.completed"
    """A page was read. Only endpoints that ask for it get it."""
    BATCH_COMPLETED = "batch.completed"
    """All jobs of a batch have ended."""
    TEST = "webhook.test"
    """A tenant tests an endpoint; nothing has happened."""


JOB_EVENTS = (EventType.JOB_COMPLETED, EventType.JOB_FAILED, EventType.JOB_CANCELLED)
"""The events of the callback of an upload."""

DEFAULT_EVENTS = (*JOB_EVENTS, EventType.BATCH_COMPLETED)
"""The events of an endpoint that names none."""

CHOOSABLE_EVENTS = (*DEFAULT_EVENTS, EventType.PAGE_COMPLETED)


class DeliveryStatus(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """It is not sent again, unless a client replays it."""


class Fault(StrEnum):
    """Why an attempt got no answer. This set is closed; `docs/webhooks.md` explains each."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, reset, or not HTTP."""
    NAME = "name"
    """The host has no address."""
    TLS = "tls"
    ADDRESS = "address"
    """The host's address, or the port, is one that webhooks must not be sent to."""
    SECRET = "secret"  # noqa: S105 - the name of a fault
    """The secret cannot be decrypted."""
    LOST = "lost"
    """Each process that attempted it disappeared."""


class DisabledReason(StrEnum):
    """Why an endpoint gets no more webhooks."""

    GONE = "gone"
    """It has answered 410."""
    FAILING = "failing"
    """All attempts have failed for days."""
