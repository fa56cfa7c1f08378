"""`python -m bench.growth`: how the service grows, in half an hour; its tables and picture in docs/scaling.md."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence

import uvloop

from bench.growth import pages, picture, report, words, workers
from bench.growth.backlog import Kind
from bench.growth.pages import Cost
from bench.growth.recognition import READINGS
from bench.growth.servers import running
from bench.growth.simulation import Outcome, Server, simulate
from bench.growth.words import Stored
from bench.growth.workers import Throughput
from bench.report import write
from bench.server import TOP

SIZES = (1_000, 10_000, 100_000, 1_000_000)

WORKERS = (1, 2, 4, 8)

SLOTS = (10, 100, 300, 1000, 2000, 3000, 10_000)

SCAN_S, DIGITAL_S = 0.86, 0.011
"""How long a page takes in the simulation: the CPU time of a scan, and of a digital page, in docs/speed.md."""

DATABASE_CORES, REDIS_CORES = 8, 1
"""A database of the usual size; Redis runs its commands on one core."""


async def measure(*, quick: bool) -> tuple[dict[Kind, list[Cost]], list[Throughput], dict[str, Stored]]:
    """All measurements, one after the other."""
    async with running() as measured:
        costs = {kind: await pages.measure(measured, kind, SIZES[:2] if quick else SIZES) for kind in pages.KINDS}
        throughputs = [await workers.measure(measured, workers=each) for each in (WORKERS[:2] if quick else WORKERS)]
        stored = {
            "with its words": await words.measure(measured, READINGS),
            "without": await words.measure(measured, words.WITHOUT_WORDS),
        }
    return costs, throughputs, stored


def simulated(costs: Mapping[Kind, Sequence[Cost]]) -> dict[str, list[Outcome]]:
    """The simulations: scans with the dearest of the measured pages, digital pages with the dearest quick one."""
    every_cost = [cost for of_kind in costs.values() for cost in of_kind]
    return {
        "scans": [_simulated(slots, page_s=SCAN_S, costs=every_cost) for slots in SLOTS],
        "digital pages": [_simulated(slots, page_s=DIGITAL_S, costs=costs[pages.QUICK]) for slots in SLOTS],
    }


def _simulated(slots: int, *, page_s: float, costs: Sequence[Cost]) -> Outcome:
    dearest = max((cost.page for cost in costs), key=lambda page: page.database_cpu_ms)
    servers = [
        Server("database", DATABASE_CORES, dearest.database_cpu_ms / 1000),
        Server("Redis", REDIS_CORES, dearest.redis_cpu_ms / 1000),
    ]
    return simulate(slots, page_s=page_s, servers=servers)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="small backlogs, two workers; does not write docs/")
    given = arguments.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        costs, throughputs, stored = runner.run(measure(quick=given.quick))
    outcomes = simulated(costs)
    text = report.report(costs, throughputs, stored, outcomes)
    print(text)
    if not given.quick:
        picture.draw(costs, outcomes, TOP / "docs" / "scaling.svg")
        write(TOP / "docs" / "scaling.md", text)


if __name__ == "__main__":
    main()
