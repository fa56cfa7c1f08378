"""A worker on a pipeline that a test has changed, and the text that it reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from docserver.jobs.pipeline import Pipeline
from docserver.jobs.worker import Worker
from docserver.resources import Resources
from tests.support.client import Client
from tests.support.samples import words


@asynccontextmanager
async def at_work(resources: Resources, tmp_path: Path, *, db: Any = None, **settings: Any) -> AsyncIterator[Pipeline]:
    """One slot at work, on a database that may misbehave."""
    changed = replace(resources, settings=replace(resources.settings, **settings), db=db or resources.db)
    made = Pipeline(changed, scratch=tmp_path / "scratch")
    worker = Worker(made, resources.queue, slots=1)
    worker.start()
    yield made
    await worker.stop(grace_s=10)


async def text_of(client: Client, job_id: str) -> list[list[str]]:
    async with client.get(f"/v1/jobs/{job_id}/result") as response:
        assert response.status == 200
        return [words(page) for page in (await response.text()).split("\f")]
