"""Every kind of document to its text, and broken ones to their failure, with the real Tesseract and poppler."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pi_heif
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter

from docserver.errors import DocumentErrorCode, Failure
from docserver.layout import lines_of
from docserver.model import Reading
from docserver.ocr.engine import EngineMissing, check_programs, describe
from docserver.ocr.limits import LIBRARY, PROGRAM
from docserver.ocr.requests import Opened
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Options
from docserver.settings import Settings
from docserver.sniff import HEAD_BYTES, sniff
from tests.support.engines import BINDINGS, engine_of
from tests.support.slots import count_pages


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[LIBRARY])
async def slot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slot]:
    scratch = tmp_path_factory.mktemp("scratch")
    settings = dataclasses.replace(Settings(), max_pages=5, max_page_mp=20.0)
    slot = Slot(number=0, settings=settings, engine=await engine_of(request.param), scratch=scratch)
    yield slot
    await slot.close()
    assert list(scratch.iterdir()) == []


in_one_loop = pytest.mark.asyncio(loop_scope="module")

in_both_ways = pytest.mark.parametrize("slot", BINDINGS, indirect=True)
"""For tests of what Tesseract is told and what it answers. Documents are opened and pictures prepared before that."""


def page(text: str, mode: str = "L") -> Image.Image:
    image = Image.new("L", (700, 200), 255)
    ImageDraw.Draw(image).text((40, 60), text, fill=0, font=ImageFont.load_default(size=40))
    return image.convert(mode)


def content_type(source: Path) -> str:
    with source.open("rb") as file:
        media_type = sniff(file.read(HEAD_BYTES))
    assert media_type
    return media_type


async def read(slot: Slot, source: Path, number: int = 1) -> Reading:
    opened = await slot.open(source, content_type(source))
    assert isinstance(opened, Opened), opened
    reading = await slot.read(source, content_type(source), page=number, options=Options("eng"))
    assert isinstance(reading, Reading), reading
    return reading


@in_one_loop
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "L"),
        ("a.png", "1"),
        ("a.jpg", "RGB"),
        ("a.jpg", "CMYK"),
        ("a.tif", "1"),
        ("a.webp", "RGB"),
        ("a.bmp", "RGB"),
        ("a.gif", "P"),
        ("a.jp2", "L"),
        ("a.avif", "RGB"),
        ("a.pdf", "L"),
    ],
)
async def test_every_kind_of_document_is_read(name: str, mode: str, slot: Slot, tmp_path: Path) -> None:
    page("Quarterly report 2026", mode).save(tmp_path / name)

    reading = await read(slot, tmp_path / name)

    assert reading.text == "Quarterly report 2026"
    assert reading.source == "ocr"
    assert reading.confidence > 80


@in_one_loop
@in_both_ways
@pytest.mark.parametrize("text", ["-12.5", "A4", "3", "B"])
async def test_a_snippet_of_one_short_word_is_read_as_it_lies(text: str, slot: Slot, tmp_path: Path) -> None:
    image = Image.new("L", (22 + 16 * len(text), 45), 255)
    ImageDraw.Draw(image).text((10, 8), text, fill=0, font=ImageFont.load_default(size=28))
    image.save(tmp_path / "snippet.png")

    reading = await read(slot, tmp_path / "snippet.png")

    assert (reading.text, reading.rotation) == (text, 0)


@in_one_loop
async def test_a_single_digit_on_a_sheet_with_punched_holes_is_read(slot: Slot, tmp_path: Path) -> None:
    image = Image.new("L", (1240, 1754), 255)
    for top in (700, 1020):
        ImageDraw.Draw(image).ellipse((50, top, 85, top + 35), fill=40)
    ImageDraw.Draw(image).text((615, 1650), "3", fill=0, font=ImageFont.load_default(size=25))
    image.save(tmp_path / "sheet.png")

    reading = await read(slot, tmp_path / "sheet.png")

    assert (reading.text, reading.rotation, reading.needs_review) == ("3", 0, False)


@in_one_loop
@in_both_ways
async def test_words_lie_where_they_are_printed(slot: Slot, tmp_path: Path) -> None:
    page("Left right").save(tmp_path / "a.png", dpi=(200, 200))

    reading = await read(slot, tmp_path / "a.png")

    ((left, right),) = (line.words for line in lines_of(reading.blocks))
    assert (left.text, right.text) == ("Left", "right")
    assert (reading.width, reading.height, reading.dpi) == (700, 200, 200)
    assert 30 < left.box[0] < left.box[2] < right.box[0] < right.box[2] < 400
    assert 50 < left.box[1] < left.box[3] < 130


@in_one_loop
@in_both_ways
async def test_paragraphs_are_parted_by_an_empty_line(slot: Slot, tmp_path: Path) -> None:
    sheet = Image.new("L", (700, 600), 255)
    sheet.paste(page("First line"), (0, 0))
    sheet.paste(page("Second line"), (0, 350))
    sheet.save(tmp_path / "a.png")

    assert (await read(slot, tmp_path / "a.png")).text == "First line\n\nSecond line"


@in_one_loop
async def test_a_photo_held_sideways_is_read_upright(slot: Slot, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    page("Held sideways").transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.jpg", exif=exif)

    reading = await read(slot, tmp_path / "a.jpg")

    assert reading.text == "Held sideways"
    assert reading.rotation == 0
    assert (reading.width, reading.height) == (700, 200)


@in_one_loop
@in_both_ways
async def test_each_page_of_a_tiff_and_of_a_pdf_has_its_own_text(slot: Slot, tmp_path: Path) -> None:
    for name in ("a.tif", "a.pdf"):
        page("Page one").save(tmp_path / name, save_all=True, append_images=[page("Page two")])

        assert await count_pages(slot, tmp_path / name, content_type(tmp_path / name)) == 2
        assert (await read(slot, tmp_path / name, 1)).text == "Page one"
        assert (await read(slot, tmp_path / name, 2)).text == "Page two"


@in_one_loop
@in_both_ways
async def test_an_empty_page_is_read_as_nothing(slot: Slot, tmp_path: Path) -> None:
    Image.new("L", (400, 400), 255).save(tmp_path / "a.png")
    Image.new("1", (1, 1), 1).save(tmp_path / "dot.png")
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.write(tmp_path / "a.pdf")

    for name in ("a.png", "dot.png", "a.pdf"):
        reading = await read(slot, tmp_path / name)
        assert (reading.text, reading.blocks, reading.confidence) == ("", (), 100.0)


def encrypted(source: Path, *, user: str, owner: str) -> None:
    plain = source.with_name("plain.pdf")
    page("For your eyes").save(plain)
    writer = PdfWriter(clone_from=PdfReader(plain))
    writer.encrypt(user, owner, algorithm="AES-256")
    writer.write(source)


@in_one_loop
async def test_a_pdf_that_needs_a_password_is_encrypted(slot: Slot, tmp_path: Path) -> None:
    encrypted(tmp_path / "a.pdf", user="secret", owner="owner")

    opened = await slot.open(tmp_path / "a.pdf", "application/pdf")

    assert isinstance(opened, Failure)
    assert opened.code is DocumentErrorCode.ENCRYPTED


@in_one_loop
async def test_a_pdf_that_only_forbids_copying_is_read(slot: Slot, tmp_path: Path) -> None:
    encrypted(tmp_path / "a.pdf", user="", owner="owner")

    assert (await read(slot, tmp_path / "a.pdf")).text == "For your eyes"


@in_one_loop
async def test_a_pdf_page_stands_as_its_viewer_shows_it(slot: Slot, tmp_path: Path) -> None:
    page("Turned page").transpose(Image.Transpose.ROTATE_90).save(tmp_path / "plain.pdf")
    writer = PdfWriter(clone_from=PdfReader(tmp_path / "plain.pdf"))
    writer.pages[0].rotate(90)
    writer.write(tmp_path / "a.pdf")

    assert (await read(slot, tmp_path / "a.pdf")).text == "Turned page"


@in_one_loop
async def test_a_huge_sheet_is_drawn_more_coarsely(slot: Slot, tmp_path: Path) -> None:
    sheet = Image.new("L", (2400, 1800), 255)
    sheet.paste(page("A large sheet"), (300, 300))
    sheet.save(tmp_path / "a.pdf")

    reading = await read(slot, tmp_path / "a.pdf")

    assert reading.text == "A large sheet"
    assert reading.dpi is not None and reading.dpi < 300
    assert reading.width * reading.height < 20_000_000


async def failure(slot: Slot, source: Path, media_type: str) -> Failure:
    result: Opened | Reading | Failure = await slot.open(source, media_type)
    if isinstance(result, Opened):
        result = await slot.read(source, media_type, page=1, options=Options("eng"))
    assert isinstance(result, Failure), result
    assert str(source.parent) not in result.message
    return result


@in_one_loop
async def test_a_sheet_that_cannot_be_drawn_finely_enough_has_too_many_pixels(slot: Slot, tmp_path: Path) -> None:
    writer = PdfWriter()
    writer.add_blank_page(14400, 14400)
    writer.write(tmp_path / "a.pdf")

    result = await failure(slot, tmp_path / "a.pdf", "application/pdf")

    assert (result.code, result.page) == (DocumentErrorCode.TOO_MANY_PIXELS, 1)


@in_one_loop
async def test_more_pages_than_allowed_are_refused(slot: Slot, tmp_path: Path) -> None:
    writer = PdfWriter()
    for _ in range(6):
        writer.add_blank_page(72, 72)
    writer.write(tmp_path / "a.pdf")

    assert (await failure(slot, tmp_path / "a.pdf", "application/pdf")).code is DocumentErrorCode.TOO_MANY_PAGES


@in_one_loop
async def test_a_pdf_without_pages_is_empty(slot: Slot, tmp_path: Path) -> None:
    encrypted(tmp_path / "secret.pdf", user="secret", owner="owner")
    PdfWriter().write(tmp_path / "a.pdf")

    # PDFium would give the last error for it.
    await failure(slot, tmp_path / "secret.pdf", "application/pdf")
    assert (await failure(slot, tmp_path / "a.pdf", "application/pdf")).code is DocumentErrorCode.EMPTY


@in_one_loop
async def test_a_page_that_does_not_exist_is_out_of_range(slot: Slot, tmp_path: Path) -> None:
    page("Only one").save(tmp_path / "a.pdf")

    result = await slot.read(tmp_path / "a.pdf", "application/pdf", page=2, options=Options("eng"))

    assert isinstance(result, Failure)
    assert (result.code, result.page) == (DocumentErrorCode.PAGE_OUT_OF_RANGE, 2)


@in_one_loop
@pytest.mark.parametrize("media_type", ["application/pdf", "image/png", "image/tiff", "image/heic", "image/jp2"])
async def test_rubbish_is_corrupt(media_type: str, slot: Slot, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"%PDF-1.4 II*\0 rubbish" * 20)

    assert (await failure(slot, tmp_path / "a", media_type)).code is DocumentErrorCode.CORRUPT


@in_one_loop
@in_both_ways
async def test_a_list_of_other_files_is_never_followed(slot: Slot, tmp_path: Path) -> None:
    page("Secret").save(tmp_path / "secret.png")
    (tmp_path / "a.png").write_text(f"{tmp_path / 'secret.png'}\n")

    assert (await failure(slot, tmp_path / "a.png", "image/png")).code is DocumentErrorCode.CORRUPT


@in_one_loop
async def test_a_file_that_is_gone_is_no_fault_of_the_document(slot: Slot, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await failure(slot, tmp_path / "a.png", "image/png")


@in_one_loop
@in_both_ways
async def test_a_language_that_is_not_installed_is_unsupported(slot: Slot, tmp_path: Path) -> None:
    page("Text").save(tmp_path / "a.png")

    result = await slot.read(tmp_path / "a.png", "image/png", page=1, options=Options("xxx"))

    assert isinstance(result, Failure)
    assert result.code is DocumentErrorCode.UNSUPPORTED


@pytest.mark.parametrize("binding", BINDINGS)
async def test_the_engine_tells_its_version_and_its_models(binding: str) -> None:
    engine = await describe(binding)

    assert (engine.name, engine.binding) == ("tesseract", binding)
    assert engine.version[0].isdigit()
    assert "osd" not in engine.models
    assert engine.models["eng"].startswith("sha256:")
    assert len(engine.models["eng"]) == len("sha256:") + 64


async def test_the_library_is_taken_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await describe("auto")).binding == LIBRARY
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert (await describe("auto")).binding == PROGRAM
    with pytest.raises(EngineMissing, match="tesserocr not found; install: pip install"):
        await describe(LIBRARY)


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EngineMissing, match=r"tesseract .*poppler-utils tesseract-ocr"):
        check_programs()


def test_heif_pictures_have_a_decoder() -> None:
    assert pi_heif.libheif_info()["libheif"]
