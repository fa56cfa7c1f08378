"""Carries out one of all requests that a client sends with one Idempotency-Key, and gives its answer to the others.

The key is a row of the database, so this holds for several processes and after a restart. A process that dies leaves
its request unanswered: after the lease, another request with the key is carried out. An upload then makes the same job.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID, uuid4

import orjson

from docserver.caller import Caller
from docserver.database.tables import idempotency_keys
from docserver.encryption import Undecryptable
from docserver.errors import Conflict, DatabaseUnavailable, KeyInUse, KeyReused
from docserver.model import new_id
from docserver.resources import Resources

LEASE_S = 30
"""A request whose process has said nothing for this time is not carried out any more."""

log = logging.getLogger("docserver.api")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, as it is kept."""

    status: int
    headers: Mapping[str, str]
    body: str


class Repeated(Exception):
    """An earlier request with the same key and payload was carried out; this is its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class KeyedRequest:
    """A request with a key. It is carried out, or it is a repetition of one that was."""

    def __init__(
        self, resources: Resources, key_id: bytes, *, job_id: UUID, holder: UUID | None, is_first: bool = False
    ) -> None:
        """`is_first` if no other request with the key was carried out."""
        self._is_first = is_first
        self._resources = resources
        self._key_id = key_id
        self._holder = holder
        """None if it is a repetition."""
        self._payload: bytes | None = None
        self.job_id = job_id
        """The id of the job that an upload makes."""

    @property
    def is_bound(self) -> bool:
        """True if it is known what the request asks for."""
        return self._payload is not None

    async def bind(self, payload: bytes) -> None:
        """Tell what the request asks for, before it is carried out; `payload` is a hash of it.

        It may have a password, which nobody shall find out by trying, so the database gets a hash that needs our key.
        Raises Repeated if an equal request was carried out, KeyReused if another one was, KeyInUse if one is now.
        """
        payload = self._payload = self._resources.encryption.digest(payload)
        async with self._resources.db.session() as cur:
            if self._holder and await idempotency_keys.bind(
                cur, key_id=self._key_id, holder=self._holder, payload=payload
            ):
                return
            row = await idempotency_keys.find(cur, self._key_id)
        if row is None or row.payload is None:
            raise _in_use()
        if row.payload != payload:
            raise KeyReused("The Idempotency-Key was sent with another request; send each with a key of its own.")
        if row.answer is None:
            raise _in_use()
        raise Repeated(_decrypted(self._resources, row.answer))

    async def finish(self, answer: Answer) -> None:
        """Keep the answer. If that fails, the next request with the key is carried out."""
        encrypted = self._resources.encryption.encrypt(orjson.dumps(answer).decode())
        if self._holder:
            with suppress(DatabaseUnavailable):
                async with self._resources.db.session() as cur:
                    await idempotency_keys.finish(cur, key_id=self._key_id, holder=self._holder, answer=encrypted)

    async def give_up(self, *, changed_nothing: bool) -> None:
        """Let another request with the key be carried out: of any payload, if none of them has changed anything."""
        if not self._holder:
            return
        with suppress(DatabaseUnavailable):
            async with self._resources.db.session() as cur:
                if changed_nothing and self._is_first:
                    await idempotency_keys.forget(cur, key_id=self._key_id, holder=self._holder)
                else:
                    await idempotency_keys.extend(cur, key_id=self._key_id, holder=self._holder, lease_s=0)

    async def extend_lease(self) -> None:
        """Extend the lease again and again, until cancelled."""
        while self._holder:
            await asyncio.sleep(LEASE_S / 3)
            with suppress(DatabaseUnavailable):
                async with self._resources.db.session() as cur:
                    await idempotency_keys.extend(cur, key_id=self._key_id, holder=self._holder, lease_s=LEASE_S)


@asynccontextmanager
async def begun(resources: Resources, caller: Caller, key: str) -> AsyncIterator[KeyedRequest]:
    """A request of this caller with this key, which holds its lease during the block.

    Raises KeyInUse if another one with the key is carried out, and DatabaseUnavailable.
    """
    request = await _begin(resources, caller, sha256(f"{caller.client}\0{key}".encode()).digest())
    extending = asyncio.create_task(request.extend_lease())
    try:
        yield request
    finally:
        extending.cancel()


async def _begin(resources: Resources, caller: Caller, key_id: bytes) -> KeyedRequest:
    holder, job_id = uuid4(), new_id()
    async with resources.db.session() as cur:
        while not await idempotency_keys.insert(
            cur, key_id=key_id, tenant=caller.tenant, holder=holder, job_id=job_id, lease_s=LEASE_S
        ):
            row = await idempotency_keys.find(cur, key_id)
            if row and row.is_expired:
                await idempotency_keys.forget_expired(cur, key_id)
                continue
            if row and row.answer is not None:
                return KeyedRequest(resources, key_id, job_id=row.job_id, holder=None)
            if not (
                row
                and row.is_free
                and await idempotency_keys.take_over(cur, key_id=key_id, holder=holder, lease_s=LEASE_S)
            ):
                raise _in_use()
            log.info("request with a key is carried out again", extra={"job_id": str(row.job_id)})
            return KeyedRequest(resources, key_id, job_id=row.job_id, holder=holder)
    return KeyedRequest(resources, key_id, job_id=job_id, holder=holder, is_first=True)


def _in_use() -> KeyInUse:
    return KeyInUse("Another request with this Idempotency-Key is still being received or answered; try again soon.")


def _decrypted(resources: Resources, encrypted: bytes) -> Answer:
    try:
        return Answer(**orjson.loads(resources.encryption.decrypt(encrypted)))
    except Undecryptable as error:
        raise Conflict(
            "The answer to this Idempotency-Key cannot be read: the service's secret key changed."
        ) from error
