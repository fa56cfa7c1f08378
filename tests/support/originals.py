"""Where the storage has the original of a document."""

from pathlib import Path
from uuid import UUID

from docserver.storage import Storage


async def original(storage: Storage, document_id: UUID) -> Path:
    """Its path, which stays in a local storage; raises FileNotFoundError."""
    async with storage.file(document_id) as path:
        return path
