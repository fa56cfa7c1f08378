"""Where originals are kept, behind one protocol; each way to keep them is a module of this package."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that has arrived and is not kept yet."""

    path: Path
    size: int
    sha256: bytes
    head: bytes
    """The first bytes, to tell the content by."""


class Storage(Protocol):
    """Keeps each document's original bytes under the document's id."""

    async def prepare(self) -> None:
        """Make the place ready; raises OSError."""

    async def receive(self, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Received:
        """Take an upload in, never whole in memory; leaves nothing if it raises.

        Raises TooLarge, StorageFull and StorageUnavailable, and what the chunks raise.
        """

    async def keep(self, received: Received, document_id: UUID) -> None:
        """Keep an upload for good: after this it survives a crash of the machine."""

    async def discard(self, received: Received) -> None:
        """Drop an upload that is not kept."""

    async def path(self, document_id: UUID) -> Path:
        """A local file with the original; raises FileNotFoundError."""

    async def delete(self, document_id: UUID) -> None:
        """Remove the original if there is one."""

    async def kept_before(self, age_s: float) -> Sequence[UUID]:
        """Ids of originals older than that."""

    async def discard_abandoned(self, age_s: float) -> int:
        """Drop uploads that nobody has touched for so long; returns how many."""

    async def check(self) -> None:
        """Raise OSError unless the place can be written to."""
