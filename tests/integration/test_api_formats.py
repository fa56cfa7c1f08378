"""Results in every format, and single pages, over HTTP."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from PIL import Image

from docserver.documents import results
from docserver.jobs.worker import Worker
from docserver.ocr.server.searchable_pdf import PdfMaker
from docserver.resources import Resources
from tests.support.archival import assert_is_archival
from tests.support.client import Client, MakeClient, completed, get, upload
from tests.support.originals import original
from tests.support.poppler import TOLERANCE_PT, run, seen
from tests.support.rows import change
from tests.support.samples import KINDS, PAGES, jpeg_turned, pdf_pages, pdf_scanned, png, words
from tests.support.samples.pdf_layers import LEFT, PROSE, WIDTH, both, lines, pdf, scan
from tests.support.samples.pictures import saved


async def read(client: Client, data: bytes | None = None, filename: str = "note.png", **fields: str) -> str:
    """Upload a document and wait for it; returns where its job is."""
    job = await upload(client, data, filename, **fields)
    await completed(client, job["job_id"])
    return f"/v1/jobs/{job['job_id']}"


async def fetch(client: Client, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    async with client.get(path, headers=headers) as response:
        return response.status, response.headers, await response.read()


async def text_of(pdf: bytes, tmp_path: Path) -> str:
    (tmp_path / "result.pdf").write_bytes(pdf)
    return await asyncio.to_thread(run, "pdftotext", tmp_path / "result.pdf", "-")


async def test_chosen_pages_become_a_pdf_of_just_these(client: Client, worker: Worker, tmp_path: Path) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")

    _, _, body = await fetch(client, f"{path}/result?format=pdf&pages=2-3")

    pages = (await text_of(body, tmp_path)).split("\f")
    assert [words(page) for page in pages[:2]] == [words(PAGES[1]), words(PAGES[2])]


async def test_a_page_with_text_of_its_own_and_a_scanned_paragraph_is_whole_in_every_format(
    client: Client, worker: Worker, tmp_path: Path
) -> None:
    path = await read(client, pdf(both(lines(PROSE), scan(LEFT, x=72, y=500, width=250))), "report.pdf")

    (page,) = orjson.loads((await fetch(client, f"{path}/result?format=json"))[2])["pages"]
    hocr, alto = [(await fetch(client, f"{path}/result?format={form}"))[2].decode() for form in ("hocr", "alto")]
    _, _, searchable = await fetch(client, f"{path}/result?format=pdf")

    assert page["source"] == "mixed"
    assert [block["source"] for block in page["blocks"]] == ["text_layer", "ocr"]
    assert page["text"] == "\n".join(PROSE) + "\n\n" + "\n".join(LEFT)
    assert {word["confidence"] for line in page["blocks"][0]["lines"] for word in line["words"]} == {100.0}
    expected = " ".join([*PROSE, *LEFT]).split()
    assert re.findall(r"x_wconf [^>]*>([^<]*)<", hocr) == expected
    assert re.findall(r'CONTENT="([^"]*)"', alto) == expected
    assert sorted((await text_of(searchable, tmp_path)).split()) == sorted(expected)
    # The words of the picture lie where they were read, also for poppler.
    only_there = set(" ".join(LEFT).split()) - set(" ".join(PROSE).split())
    recognised = [word for line in page["blocks"][1]["lines"] for word in line["words"] if word["text"] in only_there]
    scale = WIDTH / page["width"]
    places = dict(await asyncio.to_thread(seen, tmp_path / "result.pdf"))
    assert len(recognised) == len(only_there)
    for word in recognised:
        assert places[word["text"]] == pytest.approx([side * scale for side in word["box"]], abs=TOLERANCE_PT)


async def test_a_pdf_that_did_not_change_is_neither_made_nor_sent_again(
    client: Client, worker: Worker, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await read(client)
    _, headers, first = await fetch(client, f"{path}/result?format=pdf")
    await resources.redis.command("FLUSHALL")
    _, again, second = await fetch(client, f"{path}/result?format=pdf")
    await resources.redis.command("FLUSHALL")
    monkeypatch.setattr(PdfMaker, "make", None)

    status, _, body = await fetch(client, f"{path}/result?format=pdf", **{"If-None-Match": headers["ETag"]})

    assert (first, headers["ETag"]) == (second, again["ETag"])
    assert not headers["ETag"].startswith("W/")
    assert (status, body) == (304, b"")


async def test_a_pdf_for_archives_has_the_words_and_says_what_it_is(
    client: Client, worker: Worker, tmp_path: Path
) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")

    status, headers, body = await fetch(client, f"{path}/result?format=pdfa")
    _, _, one = await fetch(client, f"{path}/pages/2?format=pdfa")
    _, _, plain = await fetch(client, f"{path}/result?format=pdf")

    assert (status, headers["Content-Type"]) == (200, "application/pdf")
    assert await text_of(body, tmp_path) == await text_of(plain, tmp_path)
    assert words(await text_of(one, tmp_path)) == words(PAGES[1])
    for made in (body, one):
        (tmp_path / "archival.pdf").write_bytes(made)
        await asyncio.to_thread(assert_is_archival, tmp_path / "archival.pdf")


async def test_each_quality_is_a_result_of_its_own(client: Client, worker: Worker, tmp_path: Path) -> None:
    noise = Image.effect_noise((900, 900), 60).convert("RGB")
    path = await read(client, saved(noise, "JPEG", quality=95), "photo.jpg")

    answers = [
        await fetch(client, f"{path}/result?format={form}{quality}")
        for form in ("pdf", "pdfa")
        for quality in ("", "&quality=70", "&quality=20")
        for _ in range(2)
    ]

    bodies, again = [body for *_, body in answers[::2]], [body for *_, body in answers[1::2]]
    assert bodies == again
    assert len({headers["ETag"] for _, headers, _ in answers}) == len(set(bodies)) == 6
    for large, small, smallest in (bodies[:3], bodies[3:]):
        assert len(large) > len(small) > len(smallest)
    status, _, body = await fetch(
        client, f"{path}/result?format=pdf&quality=20", **{"If-None-Match": answers[4][1]["ETag"]}
    )
    assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    "query", ["format=pdf&quality=0", "format=pdfa&quality=101", "format=pdf&quality=high", "format=txt&quality=50"]
)
async def test_a_quality_that_makes_no_sense_is_refused_by_its_name(client: Client, worker: Worker, query: str) -> None:
    path = await read(client)

    for place in ("result", "pages/1"):
        status, _, body = await fetch(client, f"{path}/{place}?{query}")

        assert (status, orjson.loads(body)["errors"][0]["parameter"]) == (422, "quality")


async def test_a_large_pdf_is_streamed_and_made_once_and_kept_in_the_storage_instead_of_redis(
    client: Client, worker: Worker, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "LARGE_RESULT_BYTES", 1000)
    path = await read(client)

    status, headers, body = await fetch(client, f"{path}/result?format=pdf")
    monkeypatch.setattr(PdfMaker, "make", None)
    await resources.result_writer.shared.close()
    async with client.head(f"{path}/result?format=pdf") as head:
        assert head.headers["Content-Length"] == headers["Content-Length"]
    _, again, kept = await fetch(client, f"{path}/result?format=pdf")

    assert (kept, again["ETag"]) == (body, headers["ETag"])
    assert (status, int(headers["Content-Length"])) == (200, len(body))
    assert body.startswith(b"%PDF")
    assert await resources.redis.command("KEYS", "docserver:result:*") == []


async def test_a_pdf_whose_document_takes_too_long_is_a_clean_refusal(
    client: Client, worker: Worker, resources: Resources, tmp_path: Path, make_client: MakeClient
) -> None:
    path = await read(client, pdf_pages(1), "report.pdf")
    hurried = replace(resources.settings, pdf_timeout_s=1e-6)
    maker = PdfMaker(hurried, resources.engine, scratch=tmp_path / "hurried")
    resources_of(client, pdf_maker=maker)

    status, headers, body = await fetch(client, f"{path}/result?format=pdf")

    assert (status, headers["Content-Type"]) == (422, "application/problem+json")
    assert b'"code":"not_renderable"' in body
    assert b'"code":"page_timeout"' in body
    assert (await fetch(client, f"{path}/result?format=txt"))[0] == 200
    assert list((tmp_path / "hurried").iterdir()) == []


def resources_of(client: Client, **changes: object) -> None:
    """Change what the client's application works with."""
    from docserver.web.keys import RESOURCES

    app = client.server.app  # type: ignore[attr-defined]
    app._state[RESOURCES] = replace(app[RESOURCES], **changes)


@pytest.mark.parametrize("reason", ["corrupt", "storage_missing"])
async def test_a_document_of_which_no_pdf_can_be_made_is_a_clean_refusal(
    client: Client, worker: Worker, resources: Resources, reason: str
) -> None:
    path = await read(client, pdf_pages(1), "report.pdf")
    job = await get(client, path)
    broken = b"%PDF-1.7\nno more"
    (await original(resources.storage, UUID(job["document_id"]))).write_bytes(broken)
    if reason == "corrupt":
        digest = sha256(broken).digest()
        await change(resources.db, "UPDATE documents SET size = %s, sha256 = %s", len(broken), digest)

    status, _, body = await fetch(client, f"{path}/result?format=pdf")

    assert status == 422
    assert f'"code":"{reason}"'.encode() in body


async def test_pdfs_that_many_clients_want_at_once_are_all_made(client: Client, worker: Worker) -> None:
    paths = [await read(client, png(f"number {n}")) for n in range(3)]

    answers = await asyncio.gather(*(fetch(client, f"{path}/result?format=pdf") for path in paths))

    assert [status for status, _, _ in answers] == [200] * 3
    assert len({body for _, _, body in answers}) == 3


async def test_who_finds_too_many_before_it_is_told_when_to_come_again(
    client: Client, worker: Worker, resources: Resources, tmp_path: Path
) -> None:
    path = await read(client)
    maker = PdfMaker(replace(resources.settings, pdf_timeout_s=0.1), resources.engine, scratch=tmp_path)
    resources_of(client, pdf_maker=maker)

    async with maker._turns.turn("another client", within_s=1, refusal=""):
        status, headers, body = await fetch(client, f"{path}/result?format=pdf")

    assert status == 503
    assert int(headers["Retry-After"]) > 0
    assert b'"code":"unavailable"' in body


async def test_a_turned_photo_becomes_an_upright_pdf(client: Client, worker: Worker, tmp_path: Path) -> None:
    path = await read(client, jpeg_turned(), "turned.jpg")

    _, _, body = await fetch(client, f"{path}/result?format=pdf")

    assert words(await text_of(body, tmp_path)) == words(KINDS["jpeg_turned"].text)
    assert jpeg_turned() in body


async def test_a_page_is_given_as_it_stands_in_the_result(client: Client, worker: Worker) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")
    whole = await get(client, f"{path}/result", format="json")

    page = await get(client, f"{path}/pages/2")
    _, headers, text = await fetch(client, f"{path}/pages/2", Accept="text/plain")
    status, _, _ = await fetch(client, f"{path}/pages/2", Accept="text/plain", **{"If-None-Match": headers["ETag"]})

    assert page == whole["pages"][1]
    assert words(page["text"]) == words(text.decode()) == words(PAGES[1])
    assert (headers["Vary"], status) == ("Accept, Accept-Encoding", 304)


async def test_a_page_is_given_in_any_format(client: Client, worker: Worker) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")

    for form in ("tsv", "hocr", "alto", "md", "pdf"):
        status, _, body = await fetch(client, f"{path}/pages/3?format={form}")

        assert status == 200, form
        assert b"candles" in body or form == "pdf", form


async def test_a_page_can_be_read_while_others_are_not(client: Client, worker: Worker, resources: Resources) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")
    job_id = UUID(path.rpartition("/")[2]).bytes
    await change(resources.db, "UPDATE pages SET status = 'pending' WHERE number = 3 AND job_id = %s", job_id)
    await change(resources.db, "UPDATE jobs SET status = 'processing' WHERE id = %s", job_id)

    assert (await fetch(client, f"{path}/pages/2"))[0] == 200
    status, headers, body = await fetch(client, f"{path}/pages/3")
    assert (status, b'"code":"not_ready"' in body) == (409, True)
    assert int(headers["Retry-After"]) > 0


async def test_a_page_of_a_job_that_was_not_opened_yet_is_not_ready(client: Client) -> None:
    job = await upload(client)

    status, headers, _ = await fetch(client, f"/v1/jobs/{job['job_id']}/pages/1")

    assert (status, "Retry-After" in headers) == (409, True)


async def test_a_page_that_the_job_does_not_have_is_not_found(client: Client, worker: Worker) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")

    for number in ("0", "4", "x", "-1", "1.0", "99999999999999999999"):
        assert (await fetch(client, f"{path}/pages/{number}"))[0] == 404, number
    assert (await fetch(client, f"/v1/jobs/{UUID(int=0)}/pages/1"))[0] == 404


async def test_a_page_that_could_not_be_read_says_why(client: Client, worker: Worker, resources: Resources) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")
    await change(
        resources.db,
        "UPDATE pages SET status = 'failed', error_code = 'page_timeout', error_message = 'Slow.' WHERE number = 1",
    )

    status, _, body = await fetch(client, f"{path}/pages/1")

    assert status == 409
    assert b'"code":"page_failed"' in body
    assert b'"code":"page_timeout"' in body


async def test_a_page_of_a_job_that_ended_without_it_is_not_waited_for(
    client: Client, worker: Worker, resources: Resources
) -> None:
    path = await read(client, pdf_scanned(PAGES), "scan.pdf")
    job_id = UUID(path.rpartition("/")[2]).bytes
    await change(resources.db, "UPDATE pages SET status = 'pending' WHERE number = 3 AND job_id = %s", job_id)
    await change(resources.db, "UPDATE jobs SET status = 'cancelled' WHERE id = %s", job_id)

    status, headers, body = await fetch(client, f"{path}/pages/3")

    assert (status, "Retry-After" in headers) == (409, False)
    assert b'"code":"job_failed"' in body
