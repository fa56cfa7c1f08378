"""Formats the measurements for docs/speed.md; measures nothing."""

import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from bench import cached_reads
from bench.cached_reads import Reads
from bench.compare import Figures, Table
from bench.latency import Latency
from bench.peers.service import LongDocument
from bench.workloads import WORKLOADS

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

PACKAGES = ("tesserocr", "pytesseract", "pdf2image", "ocrmypdf", "kreuzberg")


def _speed(figures: Figures) -> str:
    shown = f"{median(figures.per_second):.2f}"
    return f"{shown} ({median(figures.against):.2f})" if figures.against else shown


_COLUMNS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("Pages per second, and how many times those of two plain `tesseract`", _speed),
    ("CPU seconds for each page", lambda figures: f"{median(figures.cpu_s):.3f}"),
    ("Memory of all processes together at its peak, MB", lambda figures: f"{max(figures.peak_mb):.0f}"),
    ("Wrong characters", lambda figures: f"{median(figures.error_rate):.2%}"),
)


def report(table: Table, *, peers: Sequence[str], missing: Mapping[str, str]) -> str:
    """One table for each kind of figure, with a row for each workload and a column for each peer."""
    parts = [_machine()]
    parts += [f"`{name}` was left out: {what} is not installed." for name, what in missing.items()]
    for title, shown in _COLUMNS:
        lines = [f"### {title}", "", f"| workload | {' | '.join(peers)} |", "|---|" + "---:|" * len(peers)]
        for workload, row in table.items():
            cells = [shown(row[name]) if name in row else "not installed" for name in peers]
            lines.append(f"| {workload} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def workloads(names: Sequence[str]) -> str:
    """A list of the workloads with their descriptions."""
    return "\n".join(f"- **{name}**: {WORKLOADS[name].description}." for name in names)


def single_lines(latency: Latency, long_documents: Sequence[LongDocument], *, reads: Sequence[Reads]) -> str:
    """The measurements that are not in the tables."""
    ours_ms, plain_ms = latency.docserver_s * 1000, latency.plain_s * 1000
    lines = [f"- A picture of one line on an idle service, from upload to end, takes {ours_ms:.0f} ms (median)."]
    lines.append(f"- The plain command takes {plain_ms:.0f} ms for it.")
    of_job, of_result = reads
    for name, ratio in of_job.ratios.items():
        lines.append(
            f"- Cached reads per second, as a multiple of {cached_reads.DESCRIPTIONS[name]}: "
            f"{ratio:.2f} for a job, {of_result.ratios[name]:.2f} for its text."
        )
    lines.append(
        f"- While {cached_reads.CONNECTIONS} clients ask without a pause, 99 of 100 cached reads take at most "
        f"{of_job.p99_ms:.0f} ms (a job) or {of_result.p99_ms:.0f} ms (its text)."
    )
    for document in long_documents:
        if document.first_page_s is not None:
            lines.append(
                f"- The first page of the long PDF could be read {document.first_page_s:.1f} s after its upload began."
            )
        if document.eta_s is not None and document.tenth_s is not None:
            left_s = document.ended_s - document.tenth_s
            lines.append(
                f"- When its first tenth was done, `eta_seconds` said {document.eta_s:.0f} s; it took {left_s:.0f} s."
            )
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Replace the measurements in a document."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{path} has no place for the measurements")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    tesseract = subprocess.run(["tesseract", "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    parts = [f"Python {platform.python_version()}", f"Tesseract {tesseract}", *filter(None, map(_version, PACKAGES))]
    return f"Measured on {datetime.now(UTC):%Y-%m-%d} with {cores} cores ({_processor()}); {', '.join(parts)}."


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return None
