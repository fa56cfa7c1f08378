"""`python -m bench`: all measurements on the same pages and cores, and their tables and picture in docs/."""

import argparse
import sys
from collections.abc import Sequence
from statistics import median

from bench import cached_reads, latency, picture, report
from bench.compare import Table, compare
from bench.peers import WORKERS, Peer
from bench.peers.ocrmypdf import OcrMyPdf
from bench.peers.plain import Plain
from bench.peers.scripts import Script
from bench.peers.service import Service
from bench.server import TOP, docserver
from bench.silence.figures import table as table_of_silence
from bench.silence.reading import QUICK_SEEDS, SEEDS, measure
from bench.workloads import WORKLOADS

DOCS = TOP / "docs"

NAIVE_PAGES = 20
"""Pages of each document for the naive script, which reads one after the other and holds all of them in memory."""

LATENCIES, QUICK_LATENCIES = 40, 10

MAX_EXTRA_ERRORS = 0.002
"""Share of characters that docserver may read worse than the plain program: differences of this size are chance."""


def main() -> None:
    given = _arguments()
    chosen = [WORKLOADS[name] for name in given.workload or WORKLOADS]
    # The peers have one engine too.
    with docserver(RATE_LIMIT="off", DEDUPLICATE="off", SECOND_ENGINE="off", SLOTS=WORKERS) as server:
        service, plain = Service(server), Plain(others=[server.pid])
        peers = _peers(service, only_docserver=given.only_docserver)
        table = compare(chosen, plain, peers, quick=given.quick, show=lambda line: print(line, flush=True))
        silence, silent_misses = measure(server, seeds=QUICK_SEEDS if given.quick else SEEDS)
        line_latency = latency.measure(server, count=QUICK_LATENCIES if given.quick else LATENCIES)
    reads = cached_reads.measure(rounds=1 if given.quick else 5, seconds=1.0 if given.quick else 4.0)
    names = [service.name, plain.name, *(peer.name for peer in peers[1:])]
    missing = {peer.name: what for peer in peers if (what := peer.missing())}
    text = "\n\n".join(
        [
            report.report(table, peers=names, missing=missing),
            table_of_silence(silence),
            report.single_lines(line_latency, service.long_documents, reads=reads),
            report.workloads(list(table)),
        ]
    )
    print(f"\n{text}")
    if not given.quick and not given.workload and not given.only_docserver:
        picture.draw(table, DOCS / "speed.svg", peers=[peer.name for peer in peers])
        report.write(DOCS / "speed.md", text)
    faults = [*_worse(table, service.name, plain.name), *silent_misses]
    sys.exit("\n".join(faults) or None)


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="few pages, one round; does not write docs/")
    arguments.add_argument("--workload", choices=WORKLOADS, action="append", help="only this one; does not write docs/")
    arguments.add_argument(
        "--only-docserver", action="store_true", help="only docserver and plain tesseract; does not write docs/"
    )
    return arguments.parse_args()


def _peers(service: Service, *, only_docserver: bool) -> Sequence[Peer]:
    if only_docserver:
        return [service]
    return [
        service,
        Script("pytesseract + pdf2image", "bench.peers.naive", needs="pytesseract", most_pages=NAIVE_PAGES),
        OcrMyPdf(others=[service.server.pid]),
        Script("kreuzberg", "bench.peers.kreuzberg", needs="kreuzberg"),
    ]


def _worse(table: Table, ours: str, theirs: str) -> list[str]:
    """The workloads that docserver reads worse than the plain program: speed is no gain if the text is wrong."""
    rates = {name: [median(row[peer].error_rate) for peer in (ours, theirs)] for name, row in table.items()}
    return [
        f"docserver reads {name} worse than the plain program: {own:.2%} against {plain:.2%} wrong"
        for name, (own, plain) in rates.items()
        if own > plain + MAX_EXTRA_ERRORS
    ]


if __name__ == "__main__":
    main()
