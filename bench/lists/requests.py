"""The lists that are measured, and what each costs over HTTP."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType

from aiohttp import ClientSession

from bench.growth.servers import Measured
from bench.server import BenchError

LIST = "/v1/documents/list-document"

DAYS = "date_from=2025-10-09T00:30:00Z&date_to=2025-12-01"

LISTS: Mapping[str, str] = MappingProxyType(
    {
        "the first page": "",
        "a page by cursor": "cursor=",
        "status": "status=failed",
        "type": "content_type=image/tiff",
        "time": DAYS,
        "name, of one document": "filename=invoice-2015-5FECEB66",
        "name, of a tenth": "filename=INVOICE",
        "name, of all": "filename=pdf",
        "name, of none": "filename=nobody",
        "name, two letters": "filename=oi",
        "status and type": "status=failed&content_type=image/tiff",
        "status and time": f"status=failed&{DAYS}",
        "type and time": f"content_type=image/tiff&{DAYS}",
        "name and type": "filename=invoice&content_type=image/tiff",
        "name and time": f"filename=invoice&{DAYS}",
        "name and status": "filename=invoice&status=failed",
        "name and common status": "filename=invoice&status=completed",
    }
)
"""What narrows each list."""

REQUESTS = 15


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request of a list costs, as a median."""

    wall_ms: float
    cpu_ms: float
    """CPU time of the service and the database."""


async def measure(measured: Measured, session: ClientSession) -> dict[str, Cost]:
    """The cost of each list."""
    cursor = await _middle(session)
    return {
        name: await _cost(measured, session, f"{LIST}?{query}{cursor if query == 'cursor=' else ''}")
        for name, query in LISTS.items()
    }


async def _middle(session: ClientSession) -> str:
    """A cursor in the middle of what can be reached by offset."""
    async with session.get(f"{LIST}?limit=1&offset=300") as response:
        return str((await response.json())["next_cursor"])


async def _cost(measured: Measured, session: ClientSession, path: str) -> Cost:
    await _request(session, path)
    walls = []
    before = time.process_time() * 1000 + measured.database_cpu_ms()
    for _ in range(REQUESTS):
        began = time.perf_counter()
        await _request(session, path)
        walls.append((time.perf_counter() - began) * 1000)
    cpu_ms = time.process_time() * 1000 + measured.database_cpu_ms() - before
    return Cost(median(walls), cpu_ms / REQUESTS)


async def _request(session: ClientSession, path: str) -> None:
    async with session.get(path) as response:
        if response.status != 200:
            raise BenchError(f"{path} answered {response.status}: {await response.text()}")
        await response.read()
