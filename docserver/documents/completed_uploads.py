"""Which uploads by links were completed, and as which jobs. A record outlives the document, so that a link that may
still be used makes no second one. It is kept as an Idempotency-Key is: completing an upload is carried out once.
"""

from hashlib import sha256
from uuid import UUID

from docserver.database.connection import Cursor
from docserver.database.tables import idempotency_keys
from docserver.errors import NotFound
from docserver.settings import Settings

KEPT_S = 2 * 86_400
"""Records are kept for this time after a link is invalid and what was sent to it removed. Longer than maintenance may
be away, and time enough for a client that has lost the answer.
"""


async def record(cur: Cursor, settings: Settings, *, tenant: str, upload_id: UUID, job_id: UUID) -> bool:
    """Record that an upload was completed as this job; False if it was completed before."""
    # A file may be sent until the link is invalid, and is then kept as long again.
    kept_s = KEPT_S + 2 * int(settings.upload_timeout_s)
    key_id = _key_id(tenant, upload_id)
    return await idempotency_keys.insert(
        cur, key_id=key_id, tenant=tenant, holder=upload_id, job_id=job_id, lease_s=0, kept_s=kept_s
    )


async def find(cur: Cursor, tenant: str, upload_id: UUID) -> UUID | None:
    """The id of the job that an upload was completed as, even if the job was deleted; None if it was not completed."""
    row = await idempotency_keys.find(cur, _key_id(tenant, upload_id))
    return row.job_id if row else None


def gone() -> NotFound:
    """The error for an upload that cannot be completed, now or ever."""
    return NotFound("There is no such upload: it has expired, or its document was deleted.")


def _key_id(tenant: str, upload_id: UUID) -> bytes:
    # No key of a client has the same hash: those have one separator.
    return sha256(f"completed upload\0{tenant}\0{upload_id}".encode()).digest()
