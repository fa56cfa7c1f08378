"""Who reads the pages: docserver over HTTP, and what people would use instead; one module each."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.workloads import Upload

WORKERS = 2
"""Slots, processes or jobs side by side: of each peer the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one peer took for the documents of one round, and what it read."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    texts: list[str]
    """One for each document."""
    most_pages: int = sys.maxsize
    """No more than so many pages of a document were read."""


class Peer(Protocol):
    """Something that reads documents."""

    name: str

    def missing(self) -> str | None:
        """What is not installed that it needs, or None."""

    def read(self, uploads: Sequence[Upload], directory: Path) -> Outcome:
        """Read the documents, which lie in `directory` under their names; may write there too."""
