"""`python -m bench.search`: what searches cost and find with up to a million pages; the tables of docs/search.md."""

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import replace

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from bench.growth.servers import running
from bench.report import write
from bench.search import recall, searches
from bench.search.filling import Indexing, fill
from bench.search.searches import Cost
from bench.search.words import Words
from bench.server import TOP
from docserver.web.app import make_app

SIZES = (1_000, 10_000, 100_000, 1_000_000)

QUICK_SIZES = SIZES[:1]

Figures = tuple[Indexing, Mapping[str, Cost]]


async def measure(sizes: tuple[int, ...]) -> dict[int, Figures]:
    """What the index and each search cost with each number of pages."""
    figures: dict[int, Figures] = {}
    words = Words(seed=2)
    async with running() as measured:
        before = 0
        settings = replace(measured.resources.settings, rate_limit=False)
        server = TestServer(make_app(replace(measured.resources, settings=settings)))
        async with server, ClientSession(str(server.make_url("/"))) as session:
            for size in sizes:
                indexing = await fill(measured, words, before=before, size=size)
                before = size
                figures[size] = indexing, await searches.measure(measured, session, words)
                print(f"{size} pages measured", flush=True)
    return figures


def table(figures: Mapping[int, Figures]) -> str:
    """The costs as tables; CPU times also as times of those with the fewest pages."""
    lines = [f"| | {' | '.join(f'{size:,} pages' for size in figures)} |", "|---|" + "---:|" * len(figures)]
    of_index = [indexing for indexing, _ in figures.values()]
    lines += [
        f"| to index a page, CPU ms | {' | '.join(f'{of.indexing_ms:.1f}' for of in of_index)} |",
        f"| to merge it, CPU ms | {' | '.join(f'{of.merging_ms:.1f}' for of in of_index)} |",
        f"| bytes of a page | {' | '.join(f'{of.table_bytes:,.0f}' for of in of_index)} |",
    ]
    first = next(iter(figures.values()))[1]
    for name, base in first.items():
        cells = [_cell(costs[name], base) for _, costs in figures.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(cost: Cost, base: Cost) -> str:
    times = f"{cost.cpu_ms / base.cpu_ms:.1f} times"
    return f"{cost.cpu_ms:.0f} ({times}); {cost.wall_ms:.0f}, {cost.slowest_ms:.0f}"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="with a thousand pages; does not write docs/")
    given = arguments.parse_args()
    text = f"{table(asyncio.run(measure(QUICK_SIZES if given.quick else SIZES)))}\n\n{recall.table()}"
    print(text)
    if not given.quick:
        write(TOP / "docs" / "search.md", text)


if __name__ == "__main__":
    main()
