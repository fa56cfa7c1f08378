"""`python -m bench.tables`: how well made tables are found, as born-digital PDFs and as scans; and where none are."""

import argparse

from bench.server import docserver
from bench.tables.made import KINDS
from bench.tables.others import OTHERS
from bench.tables.reading import FORMS, measure
from bench.tables.score import Score

SEEDS, QUICK_SEEDS = range(20), range(3)
"""Pages of each kind."""


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.tables", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a few pages of each kind")
    seeds = QUICK_SEEDS if arguments.parse_args().quick else SEEDS
    with docserver(RATE_LIMIT="off", DEDUPLICATE="off") as server:
        scores = measure(server, seeds=seeds)
    print(table(scores, pages=len(seeds)))


def table(scores: dict[tuple[str, str], Score], *, pages: int) -> str:
    """The F1 of the cells of each kind of table; and on how many pages without a table one was found."""
    rows = {
        **{f"{kind}: F1 of cells": [f"{scores[kind, form].f1:.3f}" for form in FORMS] for kind in KINDS},
        **{f"{kind}: pages with a table": [str(scores[kind, form].with_tables) for form in FORMS] for kind in OTHERS},
    }
    lines = [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join([f"| {pages} pages each | {' | '.join(FORMS)} |", "|---|---:|---:|", *lines])


if __name__ == "__main__":
    main()
