"""Batches as clients see them."""

from typing import Any

from docserver.database.tables.batches import BatchFile
from docserver.documents.batches import Batch
from docserver.timestamps import rfc3339


def as_json(batch: Batch, *, limit: int | None = None) -> dict[str, Any]:
    """A batch with at most `limit` of the files that it has at hand; all without a limit."""
    shown = batch.part if limit is None else batch.part[:limit]
    return {
        "batch_id": str(batch.id),
        "status": "completed" if batch.is_completed else "processing" if batch.is_accepted else "receiving",
        "created_at": rfc3339(batch.created_at),
        "files": {"total": batch.files, "refused": batch.refused},
        "jobs": {status.value: count for status, count in batch.jobs.items()},
        "pages": {"total": batch.pages_total, "done": batch.pages_done, "failed": batch.pages_failed},
        "items": [_file(file) for file in shown],
        "next_cursor": str(shown[-1].number) if len(batch.part) > len(shown) else None,
        "links": {"self": f"/v1/batches/{batch.id}"},
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
