"""`python -m bench.lists`: what lists cost with up to a million documents; its table and picture in docs/lists.md."""

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from bench.growth.servers import running
from bench.lists import picture, requests
from bench.lists.filling import fill
from bench.lists.requests import LISTS, Cost
from bench.report import write
from bench.server import TOP
from docserver.web.app import make_app

SIZES = (1_000, 10_000, 100_000, 1_000_000)

QUICK_SIZES = SIZES[:2]


async def measure(*, quick: bool) -> dict[int, dict[str, Cost]]:
    """The cost of each list with each number of documents."""
    costs = {}
    async with running() as measured:
        before = 0
        settings = replace(measured.resources.settings, rate_limit=False)
        server = TestServer(make_app(replace(measured.resources, settings=settings)))
        async with server, ClientSession(str(server.make_url("/"))) as session:
            for size in QUICK_SIZES if quick else SIZES:
                await fill(measured, before=before, size=size)
                before = size
                costs[size] = await requests.measure(measured, session)
                print(f"{size} documents measured", flush=True)
    return costs


def table(costs: Mapping[int, Mapping[str, Cost]]) -> str:
    """The CPU time and the time of each list, as a table."""
    lines = [f"| narrowed by | {' | '.join(f'{size:,}' for size in costs)} |", "|---|" + "---:|" * len(costs)]
    for name in LISTS:
        cells = [f"{of_size[name].cpu_ms:.1f} ({of_size[name].wall_ms:.1f})" for of_size in costs.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="up to 10,000 documents; does not write docs/")
    given = arguments.parse_args()
    costs = asyncio.run(measure(quick=given.quick))
    text = table(costs)
    print(text)
    if not given.quick:
        picture.draw(costs, TOP / "docs" / "lists.svg")
        write(TOP / "docs" / "lists.md", text)


if __name__ == "__main__":
    main()
