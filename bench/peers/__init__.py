"""The readers that are compared: docserver over HTTP, and what people would use instead; one module each."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.workloads import Upload

WORKERS = 2
"""Slots, processes or jobs that work at the same time: the same number for each peer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The time and memory of one peer for the documents of one round, and the texts that it read."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    texts: list[str]
    """One for each document."""
    most_pages: int = sys.maxsize
    """Only this many pages of each document were read."""


class Peer(Protocol):
    """Something that reads documents."""

    name: str

    def missing(self) -> str | None:
        """The name of something that it needs and that is not installed, or None."""

    def read(self, uploads: Sequence[Upload], directory: Path) -> Outcome:
        """Read the documents, which are in `directory` under their names; may write there too."""
