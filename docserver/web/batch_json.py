"""Batches as clients see them."""

from typing import Any

from docserver.database.tables.batches import BatchFile
from docserver.documents.batch_states import Batch


def as_json(batch: Batch, *, limit: int | None = None) -> dict[str, Any]:
    """A batch with at most `limit` of the files that it has at hand; all without a limit."""
    shown = batch.part if limit is None else batch.part[:limit]
    return {
        **batch.as_json(),
        "items": [_file(file) for file in shown],
        "next_cursor": str(shown[-1].number) if len(batch.part) > len(shown) else None,
    }


def _file(file: BatchFile) -> dict[str, Any]:
    refusal = file.refusal
    return {
        "number": file.number,
        "filename": file.filename,
        "job_id": str(file.job_id) if file.status else None,
        "document_id": str(file.document_id) if file.document_id else None,
        "status": file.status.value if file.status else None,
        "deduplicated": file.deduplicated,
        "problem": {"status": refusal.status, "code": refusal.code, "detail": refusal.detail} if refusal else None,
    }
