"""`python -m bench.search`: what searches cost and find with up to a million pages; the tables of docs/search.md."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from bench.growth.servers import running
from bench.report import write
from bench.search import recall, searches
from bench.search.filling import INDEXED, Indexing, fill, index, table_bytes
from bench.search.searches import Cost
from bench.search.words import Words
from bench.server import TOP
from docserver.web.app import make_app

SIZES = (10_000, 100_000, 1_000_000)

QUICK_SIZES = SIZES[:1]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured with a number of pages."""

    bytes_of_page: float
    costs: Mapping[str, Cost]


async def measure(sizes: Sequence[int]) -> tuple[Indexing, dict[int, Figures]]:
    """What the index costs, and each search with each number of pages."""
    figures: dict[int, Figures] = {}
    words = Words(seed=2)
    async with running() as measured:
        settings = replace(measured.resources.settings, rate_limit=False)
        server = TestServer(make_app(replace(measured.resources, settings=settings)))
        async with server, ClientSession(str(server.make_url("/"))) as session:
            indexing = await index(measured, words)
            before = INDEXED
            for size in sizes:
                before = await fill(measured, words, before=before, size=size)
                async with measured.resources.lists.session() as cur:
                    of_page = await table_bytes(cur) / before
                figures[size] = Figures(of_page, await searches.measure(measured, session, words))
                print(f"{table(indexing, figures)}\n", flush=True)
    return indexing, figures


def table(indexing: Indexing, figures: Mapping[int, Figures]) -> str:
    """The costs as a table."""
    lines = [f"| | {' | '.join(f'{size:,} pages' for size in figures)} |", "|---|" + "---:|" * len(figures)]
    lines.append(f"| bytes of a page | {' | '.join(f'{of.bytes_of_page:,.0f}' for of in figures.values())} |")
    lines += [
        f"| {name} | {' | '.join(_cell(of.costs[name]) for of in figures.values())} |" for name in searches.names()
    ]
    return (
        f"To index a page takes {indexing.indexing_ms:.1f} ms of CPU time of the service and the database, to merge it "
        f"twice {indexing.merging_ms:.1f} ms. Searches: CPU ms of the service + of the database; ms by the clock, as a "
        "median and the 95th percentile.\n\n" + "\n".join(lines)
    )


def _cell(cost: Cost) -> str:
    return f"{cost.service_ms:.0f} + {cost.database_ms:.0f}; {cost.median_ms:.0f}, {cost.p95_ms:.0f}"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="with 10,000 pages; does not write docs/")
    given = arguments.parse_args()
    text = f"{table(*asyncio.run(measure(QUICK_SIZES if given.quick else SIZES)))}\n\n{recall.table()}"
    print(text)
    if not given.quick:
        write(TOP / "docs" / "search.md", text)


if __name__ == "__main__":
    main()
