"""How formats name the engine that read a document."""

from docserver.model import Job


def engine_name(job: Job) -> str:
    """Name and version, as in `tesseract 5.5.0`."""
    return "unknown" if job.engine is None else f"{job.engine['name']} {job.engine['version']}"
