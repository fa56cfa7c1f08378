"""Who sends a request: the caller, its tenant, and what it may do. How it is found out is in `tenants`."""

from dataclasses import dataclass
from enum import StrEnum

DEFAULT_TENANT = "default"
"""The tenant of everything while no keys are used, and of what was there before keys were."""


class Scope(StrEnum):
    """What a caller may do."""

    READ = "read"
    """Read what its tenant has."""
    WRITE = "write"
    """Upload, cancel, retry and delete, within its tenant."""
    ADMIN = "admin"
    """Manage the tenants and keys of the whole service."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request."""

    tenant: str
    """The caller sees what this tenant has, and nothing else."""
    client: str
    """Whose turn it is: slots serve clients in turn, and only uploads of one client are compared for equal bytes. It is
    the tenant if keys are used, else the address."""
    limited_as: str
    """The name of its token buckets: that of the key, or the address."""
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """Who it is in the audit log: `key:` and the id of its key, or the address."""
        return self.limited_as
