"""The weights of tenants: how many turns in a row slots give each. In the queues of jobs, a tenant is a client."""

from docserver.database.connection import Cursor
from docserver.database.tables import tenants

_CLIENT_PREFIX = "tenant:"


def client_of_tenant(tenant: str) -> str:
    """The client that a tenant's jobs belong to, where keys are used."""
    return _CLIENT_PREFIX + tenant


async def weights_of_clients(cur: Cursor) -> dict[str, int]:
    """The weights of all clients whose weight is not 1."""
    return {client_of_tenant(tenant): weight for tenant, weight in (await tenants.weights(cur)).items()}


async def weight_of_client(cur: Cursor, client: str) -> int:
    """The weight of a client; 1 unless it is a tenant that has another one."""
    return await tenants.weight(cur, client.removeprefix(_CLIENT_PREFIX)) if client.startswith(_CLIENT_PREFIX) else 1
