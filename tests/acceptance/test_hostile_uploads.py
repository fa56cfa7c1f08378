"""Hostile files and names over HTTP: each comes to its end, and the service goes on as if nothing had happened."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support import samples
from tests.support.hostile import EXHAUSTING, NAMES, PDFS, PICTURES, POLYGLOTS, POSING, damaged
from tests.support.samples import png
from tests.support.service import Service, form

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_ONCE = 6

LAWFUL: Mapping[str, Any] = {**{name: PICTURES[name] for name in PICTURES}, **PDFS, **POLYGLOTS}


async def final(service: Service, data: bytes, *, gate: asyncio.Semaphore) -> dict[str, Any]:
    async with gate:
        job = await service.upload(data, filename="file")
        return await service.finished(job["job_id"], within_s=240)


async def test_hostile_files_come_to_their_end_and_harm_nothing(impatient: Service) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    # Slots get each of them in tests/integration/test_hostile_files.py.
    names = sorted(LAWFUL.keys() - EXHAUSTING)[::4]

    ends = await asyncio.gather(*(final(impatient, LAWFUL[name](), gate=gate) for name in names))

    for name, job in zip(names, ends, strict=True):
        assert job["status"] in ("completed", "failed"), name
        if job["error"]:
            assert job["error"]["message"].endswith("."), name
            assert "/" not in job["error"]["message"], name
    await impatient.assert_at_work()


async def test_what_exhausts_its_process_costs_only_its_own_job(impatient: Service) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    # What exhausts the time of a page is in tests/faults/test_poison.py.
    exhausting, *healthy = await asyncio.gather(
        final(impatient, LAWFUL["content_unpacks_to_a_gigabyte"](), gate=gate),
        *(final(impatient, png(f"healthy {number}"), gate=gate) for number in range(5)),
    )

    assert [job["status"] for job in healthy] == ["completed"] * 5
    assert exhausting["status"] in ("completed", "failed")
    await impatient.assert_at_work()


async def test_damaged_files_come_to_their_end(impatient: Service) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def end(data: bytes) -> str:
        async with impatient.http.post("/v1/documents/upload-document", data=form(data)) as response:
            body = await response.json()
        if response.status == 415:
            return "refused"
        assert response.status == 202, body
        async with gate:
            return str((await impatient.finished(body["job_id"], within_s=240))["status"])

    files = [data for kind in samples.KINDS for data in damaged(samples.KINDS[kind].data(), seed=f"{kind}2", times=1)]
    ends = await asyncio.gather(*map(end, files))

    assert set(ends) <= {"refused", "failed", "completed"}
    await impatient.assert_at_work()


@pytest.mark.parametrize("name", POSING)
async def test_a_text_that_poses_as_a_document_is_refused_by_its_content(impatient: Service, name: str) -> None:
    data = aiohttp.FormData()
    data.add_field("file", POSING[name], filename="scan.png", content_type="image/png")

    async with impatient.http.post("/v1/documents/upload-document", data=data) as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (415, "unsupported_media_type")
    assert "passwd" not in str(problem)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_name_that_is_a_trick_is_no_more_than_a_name(
    impatient: Service, impatient_dir: Path, name: str
) -> None:
    # By hand, as a client's library would refuse some of them.
    head = f'--limit\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + png() + b"\r\n--limit--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}

    async with impatient.http.post("/v1/documents/upload-document", data=body, headers=headers) as response:
        job = await response.json()

    if response.status != 202:
        # Too long, or no name at all: told before anything is stored.
        assert response.status in (400, 422), job
        return
    assert (await impatient.finished(job["job_id"]))["status"] == "completed"
    async with impatient.http.get(f"/v1/documents/{job['document_id']}") as response:
        shown = (await response.json())["filename"]
    assert not set(shown or "") & set("/\\\0\r\n\u2028\u202e")
    async with impatient.http.get(f"/v1/documents/{job['document_id']}/file") as response:
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert await response.read() == png()
    assert job["document_id"] in {file.stem for file in (impatient_dir / "originals").rglob("*")}
    assert list(impatient_dir.parent.rglob("planted")) == []
    assert {file.name for file in impatient_dir.parent.iterdir()} == {"data"}
