"""Tells who sends a request by its API key. Keys that were checked are remembered for a second."""

import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from docserver.caller import Caller
from docserver.database.tables import api_keys
from docserver.database.tables.api_keys import ValidKey
from docserver.errors import DatabaseUnavailable, Unauthorized
from docserver.exclusive import SingleFlight
from docserver.resources import Resources
from docserver.tenants import key_text
from docserver.tenants.key_text import HashedKey
from docserver.tenants.weights import client_of_tenant

FRESH_S = 1.0
"""A valid key is not looked up again for this time. So a revoked key is refused after it at the latest."""

STALE_S = 60.0
"""While the database does not answer, a key counts as valid for this time after it was last looked up. So cached jobs
can still be read when the database restarts."""

MAX_REMEMBERED = 10_000
"""Most keys that are remembered, to limit the memory. The one that was looked up first is dropped."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that was found valid."""

    caller: Caller
    looked_up: float
    valid_until: float


class Authentication:
    """Finds the caller that a key belongs to."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lookups: SingleFlight[bytes, Caller | None] = SingleFlight()

    async def caller(self, text: str) -> Caller:
        """The caller that has this key. Raises Unauthorized, and DatabaseUnavailable if the key cannot be looked up."""
        # Before the pattern and the checksum, which most requests do not need: only valid keys are known.
        known = self._known.get(sha256(text.encode(errors="replace")).digest())
        now = time.monotonic()
        if known and now < min(known.looked_up + FRESH_S, known.valid_until):
            return known.caller
        key = key_text.hashed(text)
        if key is None:
            raise _refusal()
        try:
            caller = await self._lookups.do(key.sha256, lambda: self._look_up(key))
        except DatabaseUnavailable:
            if known and now < min(known.looked_up + STALE_S, known.valid_until):
                return known.caller
            raise
        if caller is None:
            raise _refusal()
        return caller

    async def _look_up(self, key: HashedKey) -> Caller | None:
        started = time.monotonic()
        async with self._resources.reads.session() as cur:
            row = await api_keys.valid(cur, key.prefix)
        self._known.pop(key.sha256, None)
        if row is None or not hmac.compare_digest(row.sha256, key.sha256):
            return None
        valid_for_s = float("inf") if row.expires_in_s is None else row.expires_in_s
        caller = _caller(row)
        self._known[key.sha256] = _Known(caller, looked_up=started, valid_until=started + valid_for_s)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return caller


def _refusal() -> Unauthorized:
    return Unauthorized("The API key is not valid: it is misspelt, unknown, expired or revoked.", invalid=True)


def _caller(key: ValidKey) -> Caller:
    return Caller(key.tenant, client=client_of_tenant(key.tenant), limited_as=f"key:{key.id}", scopes=key.scopes)
