"""Every kind of document, over HTTP, to its text and its searchable PDF; and what becomes of unreadable ones."""

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path

import pikepdf
import pytest

from tests.support.poppler import run
from tests.support.samples import BROKEN, KINDS, UNSUPPORTED, words
from tests.support.service import Service, form

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPECTED_CODES: Mapping[str, set[str | None]] = {
    "png_truncated": {"corrupt"},
    "png_bomb": {"too_many_pixels"},
    "tiff_looping_pages": {None, "corrupt"},
    "pdf_truncated": {None, "corrupt"},
    "pdf_without_pages": {"empty", "corrupt"},
    "pdf_header_only": {"corrupt"},
    "pdf_giant_page": {"too_many_pixels"},
    "pdf_encrypted": {"encrypted"},
}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_document_is_told_by_its_content_and_becomes_text_and_a_searchable_pdf(
    service: Service, kind: str, tmp_path: Path
) -> None:
    sample = KINDS[kind]

    job = await service.upload(sample.data(), filename="no-extension")
    final = await service.finished(job["job_id"])

    assert final["status"] == "completed", final["error"]
    assert final["pages"] == {"total": len(sample.texts), "done": len(sample.texts), "failed": 0}
    text = await service.text(job["job_id"])
    assert [words(page) for page in text.split("\f")] == [words(page) for page in sample.texts]
    async with service.http.get(f"/v1/documents/{job['document_id']}") as response:
        assert (await response.json())["content_type"] == sample.content_type
    async with service.http.get(f"/v1/jobs/{job['job_id']}/result", headers={"Accept": "application/pdf"}) as response:
        assert (response.status, response.content_type) == (200, "application/pdf")
        searchable = await response.read()
    with pikepdf.open(io.BytesIO(searchable)) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert len(pdf.pages) == len(sample.texts)
    (tmp_path / "result.pdf").write_bytes(searchable)
    found = await asyncio.to_thread(run, "pdftotext", tmp_path / "result.pdf", "-")
    assert [word for word in words(sample.text) if word not in found] == []


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_document_that_cannot_be_read_fails_with_its_own_code_and_a_sentence(
    service: Service, kind: str
) -> None:
    job = await service.upload(BROKEN[kind].data(), filename=BROKEN[kind].filename)

    final = await service.finished(job["job_id"])

    error = final["error"]
    assert (error["code"] if error else None) in EXPECTED_CODES[kind]
    if error:
        assert final["status"] == "failed"
        assert error["message"].endswith(".")
        assert "/" not in error["message"].replace("PDF/", "")
        assert error["retryable"] is False


@pytest.mark.parametrize("kind", sorted(UNSUPPORTED.keys() - {"empty"}))
async def test_a_file_of_no_supported_kind_is_refused_whatever_its_name_says(service: Service, kind: str) -> None:
    data = form(UNSUPPORTED[kind].data(), filename="looks-like.png")

    async with service.http.post("/v1/documents/upload-document", data=data) as response:
        problem = await response.json()

    assert (response.status, problem["code"]) == (415, "unsupported_media_type")


async def test_an_empty_file_is_refused(service: Service) -> None:
    async with service.http.post("/v1/documents/upload-document", data=form(b"")) as response:
        problem = await response.json()

    assert (response.status, problem["errors"][0]["pointer"]) == (422, "/file")


async def test_the_job_after_a_broken_one_is_unharmed(service: Service) -> None:
    await asyncio.gather(*(service.upload(sample.data(), filename=sample.filename) for sample in BROKEN.values()))

    await service.assert_at_work()
