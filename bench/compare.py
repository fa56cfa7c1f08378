"""Runs all peers on the same documents, one after the other, round by round."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.accuracy import error_rate
from bench.peers import Outcome, Peer
from bench.server import BenchError
from bench.workloads import Upload, Workload

SEEDS_PER_ROUND = 1000
"""Every round has new documents, so that no peer can answer from an earlier round."""


@dataclass(slots=True)
class Figures:
    """The figures of one peer for one workload, one for each round."""

    per_second: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    """Per page."""
    peak_mb: list[float] = field(default_factory=list)
    error_rate: list[float] = field(default_factory=list)
    against: list[float] = field(default_factory=list)
    """Pages per second as a multiple of the reference's in the same round."""

    def __str__(self) -> str:
        against = f" ({median(self.against):.2f})" if self.against else ""
        return (
            f"{median(self.per_second):7.2f} pages/s{against}, {median(self.cpu_s):7.4f} s CPU a page, "
            f"{max(self.peak_mb):5.0f} MB, {median(self.error_rate):.2%} wrong"
        )


Table = dict[str, dict[str, Figures]]
"""Workload → peer → figures; a peer that is not installed is absent."""


def compare(
    workloads: Sequence[Workload], reference: Peer, peers: Sequence[Peer], *, quick: bool, show: Callable[[str], None]
) -> Table:
    """The reference and the first peer read in every round, the other peers only in the first round."""
    table: Table = {}
    for workload in workloads:
        row = table[workload.name] = {}
        size, rounds = (workload.quick_size, 1) if quick else (workload.size, workload.rounds)
        for number in range(rounds):
            uploads = workload.make(number * SEEDS_PER_ROUND, size)
            reference_speed = _read(row, reference, uploads)
            for peer in peers if number == 0 else peers[:1]:
                if peer.missing() is None:
                    speed = _read(row, peer, uploads)
                    row[peer.name].against.append(speed / reference_speed)
        for name, figures in row.items():
            show(f"{workload.name:14} {name:20} {figures}")
    return table


def _read(row: dict[str, Figures], peer: Peer, uploads: Sequence[Upload]) -> float:
    """Let one peer read the documents once; its pages per second."""
    with tempfile.TemporaryDirectory(prefix="docserver-bench-") as name:
        directory = Path(name)
        for upload in uploads:
            (directory / upload.filename).write_bytes(upload.data)
        try:
            outcome = peer.read(uploads, directory)
        except OSError as error:
            raise BenchError(f"{peer.name}: {error}") from error
    figures = row.setdefault(peer.name, Figures())
    return _add(figures, outcome, uploads)


def _add(figures: Figures, outcome: Outcome, uploads: Sequence[Upload]) -> float:
    truths = [upload.texts[: outcome.most_pages] for upload in uploads]
    pages = sum(map(len, truths))
    figures.per_second.append(pages / outcome.wall_s)
    figures.cpu_s.append(outcome.cpu_s / pages)
    figures.peak_mb.append(outcome.peak_mb)
    figures.error_rate.append(error_rate(["\n".join(truth) for truth in truths], outcome.texts))
    return figures.per_second[-1]
