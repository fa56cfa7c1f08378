"""Limits how many requests of a tenant are answered at the same time, over all processes."""

import asyncio
import logging

from docserver.database.tables import tenants
from docserver.errors import DatabaseUnavailable, QuotaExceeded
from docserver.redis.requests import Requests
from docserver.resources import Resources

log = logging.getLogger("docserver.tenants")

REFRESH_S = 1.0
"""Interval at which the quotas are read again, and long requests are refreshed so that they still count. A quota that
was set must hold within two seconds."""

RETRY_S = 1
"""Seconds after which a refused request may be sent again: most requests take less."""


class ConnectionQuotas:
    """The quota of connections of each tenant."""

    def __init__(self, resources: Resources) -> None:
        self._db = resources.reads
        self._default = resources.settings.quota_max_connections
        self._own: dict[str, int] = {}
        self._requests = Requests(resources.redis)

    async def begin(self, tenant: str) -> str:
        """Count a request that is about to be answered. The caller must end it. Raises QuotaExceeded."""
        quota = self._quota(tenant)
        request = await self._requests.begin(tenant, most=quota)
        if request is None:
            raise QuotaExceeded(
                f"The quota of requests at the same time is {quota}.", retry_after_s=RETRY_S if quota else None
            )
        return request

    def end(self, tenant: str, request: str) -> None:
        """Stop counting a request, because its answer has been sent."""
        self._requests.end(tenant, request, is_limited=self._is_limited(tenant))

    async def in_use(self, tenant: str) -> int | None:
        """How many requests of a tenant are being answered; None if there is no limit."""
        return await self._requests.number(tenant) if self._is_limited(tenant) else None

    async def run(self) -> None:
        """Read the quotas again and again, and refresh long requests, until cancelled."""
        try:
            while True:
                try:
                    await self._read_quotas()
                    await self._requests.refresh(self._is_limited)
                except Exception:
                    log.exception("the quotas of connections met an unexpected fault")
                await asyncio.sleep(REFRESH_S)
        finally:
            await self._requests.close()

    def _quota(self, tenant: str) -> int | None:
        """The most requests of a tenant at the same time; None if there is no limit."""
        return self._own.get(tenant, self._default)

    def _is_limited(self, tenant: str) -> bool:
        return self._quota(tenant) is not None

    async def _read_quotas(self) -> None:
        try:
            async with self._db.session() as cur:
                self._own = await tenants.connection_quotas(cur)
        except DatabaseUnavailable:
            # The quotas that were read last stay in force.
            return
