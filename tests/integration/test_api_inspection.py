"""Inspection over HTTP: what a file is, without keeping anything of it."""

import asyncio
import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from docserver.jobs.worker import Worker
from docserver.ocr.child import inspection
from docserver.ocr.requests import MAX_SIDE, Inspect
from docserver.resources import Resources
from tests.support.client import Client, MakeClient, completed, get, kept_files, upload
from tests.support.hostile.pdf import PDFS
from tests.support.hostile.pictures import tiff_strip
from tests.support.limits import LIMITS
from tests.support.raw_http import wire
from tests.support.samples import (
    KINDS,
    PAGES,
    bmp,
    empty,
    jpeg2000,
    jpeg_turned,
    pdf_encrypted,
    pdf_giant_page,
    pdf_header_only,
    pdf_pages,
    pdf_scanned,
    pdf_text,
    pdf_texts,
    picture,
    png,
    png_bomb,
    svg,
    tiff_pages,
    truncated,
)
from tests.support.samples.pdf_layers import HEIGHT, PROSE, WIDTH, lines, pdf, scan
from tests.support.service import form
from tests.support.waiting import until

INSPECT = "/v1/documents/inspect"


PASSWORD = "Grüße"


def claiming(data: bytes, form: str, *, at: int, sides: tuple[int, int]) -> bytes:
    """A picture whose header has these sides at this place."""
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *sides)
    return bytes(changed)


async def sent(
    client: Client, data: bytes, more_headers: Mapping[str, str] = MappingProxyType({}), **more: Any
) -> tuple[int, Any]:
    """The status and the body of the answer to a file that is the body."""
    headers = {"Content-Type": "application/octet-stream", **more_headers}
    async with client.post(INSPECT, data=io.BytesIO(data), headers=headers, **more) as answer:
        return answer.status, await answer.json()


async def inspected(client: Client, data: bytes) -> Any:
    status, body = await sent(client, data)
    assert status == 200, body
    return body


def sizes(body: Any) -> list[tuple[float, float, str, bool]]:
    return [(page["width"], page["height"], page["unit"], page["own_text"]) for page in body["page_sizes"]]


def codes(body: Any) -> list[tuple[str, int | None]]:
    return [(problem["code"], problem["page"]) for problem in body["problems"]]


def left(resources: Resources) -> list[Path]:
    """Files of this process, beside what holds its directory."""
    return [path for path in resources.on_demand.scratch.rglob("*") if path.is_file() and path.name != "lock"]


async def test_a_pdf_is_told_by_its_pages_their_sizes_and_which_have_text_of_their_own(client: Client) -> None:
    data = pdf(lines(PROSE[:5]), scan(PROSE[:5]), lines(PROSE[:5]))

    body = await inspected(client, data)

    assert (body["content_type"], body["kind"], body["size"]) == ("application/pdf", "PDF", len(data))
    assert (body["pages"], body["problems"]) == (3, [])
    size = (round(WIDTH, 2), round(HEIGHT, 2), "pt")
    assert sizes(body) == [(*size, True), (*size, False), (*size, True)]
    assert [page["number"] for page in body["page_sizes"]] == [1, 2, 3]


async def test_pictures_are_told_by_their_pixels_as_viewers_turn_them(client: Client) -> None:
    width, height = picture().size

    for data, pages in ((png(), 1), (jpeg_turned(), 1), (tiff_pages(PAGES), len(PAGES))):
        body = await inspected(client, data)
        assert (body["pages"], body["problems"]) == (pages, [])
        assert {page["unit"] for page in body["page_sizes"]} == {"px"}
    assert sizes(await inspected(client, png())) == [(width, height, "px", False)]
    assert sizes(await inspected(client, jpeg_turned())) == [(width, height, "px", False)]


async def test_no_pixels_of_a_picture_are_decoded(client: Client) -> None:
    whole, broken_off = await inspected(client, png()), await inspected(client, truncated(png()))

    assert (broken_off["problems"], broken_off["page_sizes"]) == ([], whole["page_sizes"])


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_every_kind_that_is_read_can_be_inspected(client: Client, name: str) -> None:
    sample = KINDS[name]

    body = await inspected(client, sample.data())

    assert body["content_type"] == sample.content_type
    assert body["pages"] == len(body["page_sizes"]) == len(sample.texts)
    assert body["problems"] == []
    assert body["expected_seconds"] > 0


async def test_a_form_and_the_file_itself_get_the_same_answer(client: Client) -> None:
    async with client.post(INSPECT, data=form(png(), "note.png")) as response:
        in_form = await response.json()
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")

    assert in_form == await inspected(client, png())


async def test_text_of_its_own_is_expected_to_be_read_sooner(client: Client) -> None:
    with_text = await inspected(client, pdf_texts(PAGES))
    scanned = await inspected(client, pdf_scanned(PAGES))

    assert with_text["expected_seconds"] < scanned["expected_seconds"]


async def test_nothing_of_the_file_is_kept_and_it_counts_as_nothing(client: Client, resources: Resources) -> None:
    await inspected(client, png())
    await sent(client, svg())

    assert left(resources) == []
    assert kept_files(resources) == []
    assert (await get(client, "/v1/documents/list-document"))["total"] == 0
    usage = await get(client, "/v1/usage")
    assert [usage[quota]["used"] for quota in ("bytes", "pages_per_day", "unfinished_jobs")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (pdf_encrypted, [("encrypted", None)]),
        (pdf_header_only, [("corrupt", None)]),
        (lambda: png()[:20], [("corrupt", None)]),
        (png_bomb, [("too_many_pixels", 1)]),
        (lambda: pdf_giant_page(1_000_000), [("too_many_pixels", 1)]),
    ],
)
async def test_what_keeps_a_file_from_being_read_is_told(
    client: Client, make: Callable[[], bytes], found: list[tuple[str, int | None]]
) -> None:
    body = await inspected(client, make())

    assert codes(body) == found
    assert (body["pages"] is None) == (body["expected_seconds"] is None)
    assert all(problem["message"] for problem in body["problems"])


@pytest.mark.parametrize(
    ("make", "size", "code"),
    [
        (lambda: png_bomb(2**32 - 1, 1), (MAX_SIDE, 1), "too_many_pixels"),
        (lambda: png_bomb(1, 2**31 - 1), (1, MAX_SIDE), "too_many_pixels"),
        (lambda: claiming(bmp(), "<ii", at=18, sides=(2**31 - 1, 64)), (MAX_SIDE, 64), "too_many_pixels"),
        (lambda: claiming(bmp(), "<ii", at=18, sides=(64, -(2**31))), (64, MAX_SIDE), "too_many_pixels"),
        (lambda: tiff_strip(bytes(9), compression=1, side=2**32 - 1), (MAX_SIDE, MAX_SIDE), "too_many_pixels"),
        (
            lambda: claiming(jpeg2000(), ">II", at=jpeg2000().index(b"ihdr") + 4, sides=(2**32 - 1,) * 2),
            (MAX_SIDE, MAX_SIDE),
            "too_many_pixels",
        ),
        (lambda: pdf_giant_page(3_000_000_000), (MAX_SIDE, MAX_SIDE), "too_many_pixels"),
        # PDFium counts in numbers of 32 bits, and has infinity for this.
        (lambda: pdf_giant_page(3 * 10**38, left=-3 * 10**38), (MAX_SIDE, MAX_SIDE), "corrupt"),
    ],
)
async def test_a_side_of_any_length_is_told_and_ends_no_process(
    client: Client, make: Callable[[], bytes], size: tuple[int, int], code: str
) -> None:
    body = await inspected(client, make())

    assert codes(body) == [(code, 1)]
    assert [(page["width"], page["height"]) for page in body["page_sizes"]] == [size]


async def test_a_size_is_that_of_the_result_whatever_the_unit_of_the_page(client: Client, worker: Worker) -> None:
    data = pdf_text().replace(b"/Type /Page ", b"/Type /Page /UserUnit 2 ")
    (told,) = (await inspected(client, data))["page_sizes"]
    job = await upload(client, data, "large.pdf")
    await completed(client, job["job_id"])

    page = await get(client, f"/v1/jobs/{job['job_id']}/pages/1")

    points = [page[side] / page["dpi"] * 72 for side in ("width", "height")]
    assert points == pytest.approx([told["width"], told["height"]], abs=1)


@pytest.mark.parametrize(("make", "pages"), [(lambda: pdf_pages(4), 4), (lambda: tiff_pages(PAGES * 2), None)])
async def test_too_many_pages_are_told(
    resources: Resources, tmp_path: Path, make: Callable[[], bytes], pages: int | None
) -> None:
    (tmp_path / "file").write_bytes(make())
    limits = replace(LIMITS, max_pages=2)
    content_type = "image/tiff" if pages is None else "application/pdf"

    answer = inspection.inspect(Inspect(content_type), str(tmp_path / "file"), limits)

    assert answer.pages == pages
    assert [problem.code for problem in answer.problems] == ["too_many_pages"]
    assert "2" in answer.problems[0].message


async def test_no_more_pages_are_examined_than_time_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(pdf_pages(4))
    monkeypatch.setattr(inspection, "EXAMINED_S", -1.0)

    answer = inspection.inspect(Inspect("application/pdf"), str(tmp_path / "file"), LIMITS)

    assert (answer.pages, len(answer.sizes)) == (4, 1)


async def test_what_is_no_document_is_refused_as_an_upload_is(make_client: MakeClient, resources: Resources) -> None:
    client = await make_client(rate_limit=False, max_upload_mb=0.1)

    refused = [
        await sent(client, svg()),
        await sent(client, empty()),
        await sent(client, png() + bytes(200_000)),
        await sent(client, png(), params={"languages": "eng"}),
    ]
    async with client.post(INSPECT, data=form(png(), "note.png", languages="eng")) as response:
        refused.append((response.status, await response.json()))

    assert [status for status, _ in refused] == [415, 422, 413, 422, 422]
    assert [refused[3][1]["errors"][0]["parameter"], refused[4][1]["errors"][0]["pointer"]] == [
        "languages",
        "/languages",
    ]
    assert left(resources) == []


@pytest.mark.parametrize("name", ["content_of_ten_million_saves", "content_unpacks_to_a_gigabyte"])
async def test_a_hostile_file_ends_its_process_in_time_and_the_next_is_inspected(
    client: Client, resources: Resources, name: str
) -> None:
    resources.on_demand._timeout_s = 2.0

    hostile = await inspected(client, PDFS[name]())
    resources.on_demand._timeout_s = 20.0
    then = await inspected(client, png())

    assert hostile["content_type"] == "application/pdf"
    assert then["problems"] == []
    assert left(resources) == []


async def test_nothing_is_left_of_a_file_whose_client_hangs_up(client: Client, resources: Resources) -> None:
    assert client.port
    async with wire(client.port) as connection:
        await connection.send_head("Content-Type: image/png", "Content-Length: 900000", path=INSPECT)
        await connection.send(png() + bytes(500_000))
        await until(lambda: left(resources) != [])

    await until(lambda: left(resources) == [])


async def test_an_inspection_that_is_sent_again_with_its_key_gets_the_same_answer(client: Client) -> None:
    headers = {"Content-Type": "image/png", "Idempotency-Key": "a-key"}
    answers = []
    for data in (png(), png(), png("another")):
        async with client.post(INSPECT, data=data, headers=headers) as response:
            answers.append((response.status, response.headers.get("Idempotency-Replayed"), await response.json()))

    first, second, third = answers
    assert (first[0], second[0], second[1], second[2]) == (200, 200, "true", first[2])
    assert (third[0], third[2]["code"]) == (422, "key_reused")


async def test_on_a_full_disk_no_file_is_received(
    client: Client, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(resources.results_room), "require", refuse)

    status, problem = await sent(client, png())

    assert (status, problem["code"]) == (507, "storage_full")
    assert left(resources) == []


async def test_two_files_at_the_same_time_are_both_inspected(client: Client) -> None:
    first, second = await asyncio.gather(inspected(client, png()), inspected(client, pdf_pages(2)))

    assert (first["pages"], second["pages"]) == (1, 2)


@pytest.mark.parametrize(
    ("password", "expected"), [(PASSWORD, []), ("another", ["wrong_password"]), ("", ["encrypted"])]
)
@pytest.mark.parametrize("is_form", [True, False])
async def test_an_encrypted_pdf_is_inspected_with_its_password(
    client: Client, password: str, expected: list[str], is_form: bool
) -> None:
    data = pdf_encrypted(password=PASSWORD)
    if is_form:
        fields = {"password": password} if password else {}
        async with client.post(INSPECT, data=form(data, **fields)) as answer:
            status, body = answer.status, await answer.json()
    else:
        given = {"X-Document-Password": password} if password else {}
        status, body = await sent(client, data, more_headers=given)

    assert status == 200, body
    assert [problem["code"] for problem in body["problems"]] == expected
    assert (body["pages"], len(body["page_sizes"])) == ((None, 0) if expected else (1, 1))


async def test_a_password_for_an_inspection_is_not_taken_from_the_query(client: Client) -> None:
    status, problem = await sent(client, pdf_encrypted(password=PASSWORD), params={"password": PASSWORD})

    assert (status, problem["errors"][0]["parameter"]) == (422, "password")
