"""A client of the application that runs inside the test's own process."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestClient

from docserver.resources import Resources
from tests.support.samples import png
from tests.support.service import form

Client = TestClient[Any, Any]
MakeClient = Callable[..., Awaitable[Client]]


async def upload(
    client: Client | ClientSession, data: bytes | None = None, filename: str = "note.png", **fields: str
) -> dict[str, Any]:
    """Upload a document; returns the job."""
    async with client.post("/v1/documents/upload-document", data=form(data or png(), filename, **fields)) as response:
        body: dict[str, Any] = await response.json()
        assert response.status == 202, body
        return body


async def post(client: Client, path: str, **more: Any) -> tuple[int, Any]:
    """The status and the JSON that a path answers with."""
    async with client.post(path, **more) as response:
        return response.status, await response.json()


async def get(client: Client | ClientSession, path: str, **query: Any) -> Any:
    """The JSON at a path that is there."""
    async with client.get(path, params=query) as response:
        body = await response.json()
        assert response.status == 200, body
        return body


def kept_files(resources: Resources, *directories: str) -> list[Path]:
    """The files of finished and of half-received uploads, or those in some of the storage's directories."""
    return [
        path
        for directory in directories or ("originals", "incoming")
        for path in (resources.settings.data_dir / directory).rglob("*")
        if path.is_file()
    ]


async def completed(client: Client | ClientSession, job_id: str) -> dict[str, Any]:
    """The job, once it is completed."""
    job: dict[str, Any] = await get(client, f"/v1/jobs/{job_id}", wait=30)
    assert job["status"] == "completed", job
    return job
