"""What a page costs the database and Redis, from its claim to its saved words, beside backlogs of several sizes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from statistics import median

from bench.growth.backlog import Backlog, Kind
from bench.growth.counters import Counters
from bench.growth.recognition import GRACE_S, FakePipeline
from bench.growth.servers import Measured
from docserver.database.tables import backlog as waiting_work
from docserver.jobs.turns import Turns
from docserver.jobs.worker import Worker
from docserver.maintenance import Maintenance

QUICK = Kind("documents of 100 pages of 10 tenants", pages=100, tenants=10)
"""Tenants have turns often enough for a slot to know that their pages are quick, so it claims several at once."""

KINDS = (
    Kind("pictures of one tenant", pages=1, tenants=1),
    Kind("pictures of 1000 tenants", pages=1, tenants=1000),
    Kind("documents of 100 pages of 1000 tenants", pages=100, tenants=1000),
    QUICK,
)

SLOTS = 8

REPEATED = 10
"""How often rounds of maintenance and the like are done, because each costs little."""

PAGES, ROUNDS = 600, 3
"""Pages of a round, and rounds of each size; the backlog is filled up again before each round."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What things cost beside a backlog of this size: medians of the rounds."""

    size: int
    page: Counters
    maintenance: Counters
    """A round of maintenance."""
    poll: Counters
    """A search for work by a slot that Redis tells of none."""
    backlog: Counters
    """A look at the backlog, for the metrics or an autoscaler."""
    redis_bytes: float
    """Memory of Redis for each announced job."""


async def measure(measured: Measured, kind: Kind, sizes: Sequence[int]) -> list[Cost]:
    """The costs beside backlogs of these sizes, which grow."""
    resources = measured.resources
    waiting = Backlog(resources.maintenance_db, resources.queue, kind)
    await resources.redis.command("FLUSHALL")
    await waiting.clear()
    empty = await _redis_bytes(measured)
    costs = []
    for size in sizes:
        await waiting.fill(size)
        redis_bytes = (await _redis_bytes(measured) - empty) / (size / kind.pages)
        maintenance = Maintenance(resources)
        await maintenance.round()
        rounds = []
        for _ in range(ROUNDS):
            await waiting.fill(size)
            await measured.settled()
            rounds.append(await _pages(measured))
        costs.append(
            Cost(
                size=size,
                page=_medians(rounds),
                maintenance=await _each(measured, maintenance.round),
                poll=await _each(measured, partial(_poll, measured, Turns())),
                backlog=await _each(measured, partial(_look, measured)),
                redis_bytes=redis_bytes,
            )
        )
    return costs


async def _pages(measured: Measured) -> Counters:
    """The costs of one page of a round."""
    resources = measured.resources
    pipeline = FakePipeline(resources, page_s=0.0)
    worker = Worker(pipeline, resources.queue, slots=SLOTS)
    before = await measured.counters()
    worker.start()
    await pipeline.read(PAGES)
    await worker.stop(grace_s=GRACE_S)
    return (await measured.counters()).since(before).per(pipeline.pages)


async def _each(measured: Measured, act: Callable[[], Awaitable[object]]) -> Counters:
    """The cost of something that is done again and again."""
    before = await measured.counters()
    for _ in range(REPEATED):
        await act()
    return (await measured.counters()).since(before).per(REPEATED)


async def _poll(measured: Measured, turns: Turns) -> None:
    async with measured.resources.db.session() as cur:
        await turns.runnable(cur, limit=2 * SLOTS)


async def _look(measured: Measured) -> None:
    async with measured.resources.db.session() as cur:
        await waiting_work.measure(cur)


async def _redis_bytes(measured: Measured) -> int:
    memory = await measured.resources.redis.command("INFO", "memory")
    return int(memory.decode().partition("used_memory:")[2].split()[0])


def _medians(rounds: Sequence[Counters]) -> Counters:
    return Counters(*(median(getattr(each, field.name) for each in rounds) for field in fields(Counters)))
