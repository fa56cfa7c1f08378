"""Whatever a file is made of, its slot comes to an end with it in time, and reads the next one."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from docserver.errors import RESOURCE_FAULTS, DocumentErrorCode, Failure
from docserver.model import Reading, Source
from docserver.ocr.limits import LIBRARY
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Mode, Options
from docserver.setting_types import SandboxMode
from docserver.settings import Settings
from docserver.sniff import HEAD_BYTES, sniff
from tests.support import hostile, samples
from tests.support.engines import BINDINGS, engine_of
from tests.support.hostile import EXHAUSTING, PDFS, PICTURES, POLYGLOTS, POSING
from tests.support.hostile import pdf as hostile_pdf
from tests.support.slots import count_pages, set_page_timeout
from tests.support.waiting import HANG_S

SHORT_S = 0.5
"""For the files that would take any time, and take all of it."""

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_THE_FILE = {
    DocumentErrorCode.CORRUPT,
    DocumentErrorCode.EMPTY,
    DocumentErrorCode.ENCRYPTED,
    DocumentErrorCode.TOO_MANY_PAGES,
    DocumentErrorCode.TOO_MANY_PIXELS,
    DocumentErrorCode.UNSUPPORTED,
}
"""What a file can be told to be by looking at it: final, never tried again."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slot]:
    scratch = tmp_path_factory.mktemp("scratch")
    settings = dataclasses.replace(Settings(), max_page_mp=20.0, max_pages=1_000, page_timeout_s=HANG_S)
    slot = Slot(number=0, settings=settings, engine=await engine_of(), scratch=scratch)
    yield slot
    await slot.close()
    assert list(scratch.iterdir()) == []


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("healthy") / "page"
    source.write_bytes(samples.png("Still here"))
    return source


REFUSED = Failure(DocumentErrorCode.UNSUPPORTED, "Refused at its upload.")


async def end_of(slot: Slot, source: Path) -> Reading | Failure:
    """What a file's first page comes to."""
    with source.open("rb") as file:
        content_type = sniff(file.read(HEAD_BYTES))
    if content_type is None:
        return REFUSED
    opened = await slot.open(source, content_type)
    if isinstance(opened, Failure):
        return opened
    own = await slot.read(source, content_type, page=1, options=Options("eng"))
    if isinstance(own, Failure) or own.source is Source.OCR:
        return own
    # A page with a text of its own is drawn only if that is asked for.
    return await slot.read(source, content_type, page=1, options=Options("eng", mode=Mode.FORCE))


async def assert_unharmed(slot: Slot, healthy: Path) -> None:
    assert list(slot._source.iterdir()) == []
    assert list(slot._scratch.iterdir()) == []
    set_page_timeout(slot)
    reading = await slot.read(healthy, "image/png", page=1, options=Options("eng"))
    assert isinstance(reading, Reading), reading
    assert reading.text == "Still here"


def assert_told(found: Reading | Failure, source: Path) -> None:
    if isinstance(found, Failure):
        assert found.message.endswith(".")
        assert str(source.parent) not in found.message


@pytest.mark.parametrize("name", sorted({*PICTURES, *PDFS} - EXHAUSTING))
async def test_a_hostile_file_is_read_or_told_what_is_wrong_with_it(
    name: str, slot: Slot, healthy: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes({**PICTURES, **PDFS}[name]())

    result = await end_of(slot, tmp_path / "file")

    assert_told(result, tmp_path / "file")
    assert isinstance(result, Reading) or result.code in OF_THE_FILE, result
    await assert_unharmed(slot, healthy)


@pytest.mark.parametrize("name", sorted(EXHAUSTING))
async def test_a_file_that_exhausts_its_process_ends_in_time(
    name: str, slot: Slot, healthy: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes({**PICTURES, **PDFS}[name]())
    set_page_timeout(slot, SHORT_S)

    result = await end_of(slot, tmp_path / "file")

    assert_told(result, tmp_path / "file")
    # A faster machine gets through some of them.
    assert isinstance(result, Reading) or result.code in RESOURCE_FAULTS, result
    await assert_unharmed(slot, healthy)


@pytest.mark.parametrize("name", POLYGLOTS)
async def test_a_file_of_two_kinds_is_read_as_what_it_begins_with(
    name: str, slot: Slot, healthy: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(POLYGLOTS[name]())

    result = await end_of(slot, tmp_path / "file")

    assert isinstance(result, Reading), result
    assert samples.words(result.text) == samples.words(samples.TEXT)
    await assert_unharmed(slot, healthy)


@pytest.mark.parametrize("name", POSING)
@pytest.mark.parametrize("content_type", ["image/png", "image/tiff", "application/pdf"])
async def test_a_text_that_poses_as_a_document_is_no_more_than_broken(
    name: str, content_type: str, slot: Slot, healthy: Path, tmp_path: Path
) -> None:
    """`sniff` refuses them; should one get past it, the decoders refuse them as well."""
    assert sniff(POSING[name][:HEAD_BYTES]) is None
    (tmp_path / "file.png").write_bytes(POSING[name])

    result = await count_pages(slot, tmp_path / "file.png", content_type)

    # PDFium looks for a header further on, and two of these do hold a lawful PDF.
    assert result == 1 if "pdf_inside" in name and content_type.endswith("pdf") else isinstance(result, Failure)
    if isinstance(result, Failure):
        assert result.code is DocumentErrorCode.CORRUPT
    await assert_unharmed(slot, healthy)


@pytest.mark.parametrize("kind", samples.KINDS)
async def test_a_file_cut_off_at_any_place_is_read_or_told_what_is_wrong_with_it(
    kind: str, slot: Slot, healthy: Path, tmp_path: Path
) -> None:
    for number, data in enumerate(hostile.cut(samples.KINDS[kind].data())):
        (tmp_path / "file").write_bytes(data)
        result = await end_of(slot, tmp_path / "file")
        assert isinstance(result, Reading) or result.code in OF_THE_FILE, (number, result)
    await assert_unharmed(slot, healthy)


@pytest.mark.parametrize("kind", samples.KINDS)
async def test_a_damaged_file_ends_in_time(kind: str, slot: Slot, healthy: Path, tmp_path: Path) -> None:
    for data in hostile.damaged(samples.KINDS[kind].data(), seed=kind, times=8):
        (tmp_path / "file").write_bytes(data)
        result = await end_of(slot, tmp_path / "file")
        assert isinstance(result, Reading) or result.code in OF_THE_FILE | RESOURCE_FAULTS, result
    await assert_unharmed(slot, healthy)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture that every reader could read."""
    (tmp_path / "secret.jpg").write_bytes(samples.jpeg("Nobody may read this"))
    return tmp_path / "secret.jpg"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_slot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slot]:
    """A slot without a sandbox, which would hide that somebody tries. Its parameter is the way to call Tesseract."""
    settings = dataclasses.replace(Settings(), sandbox=SandboxMode.OFF, page_timeout_s=HANG_S)
    scratch = tmp_path_factory.mktemp("scratch")
    slot = Slot(number=0, settings=settings, engine=await engine_of(request.param), scratch=scratch)
    yield slot
    await slot.close()


# Tesseract gets the picture of a page, however it is called.
@pytest.mark.parametrize("open_slot", [LIBRARY], indirect=True)
@pytest.mark.parametrize("way", sorted(hostile_pdf.outside("")))
async def test_no_file_is_read_by_way_of_a_pdf_that_names_it(
    way: str, open_slot: Slot, secret: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(hostile_pdf.outside(str(secret))[way])
    before = secret.stat().st_atime_ns

    result = await end_of(open_slot, tmp_path / "file")

    assert isinstance(result, Failure) or "Nobody" not in result.text, result
    assert secret.stat().st_atime_ns == before


@pytest.mark.parametrize("open_slot", BINDINGS, indirect=True)
@pytest.mark.parametrize("content_type", ["image/png", "image/tiff", "image/bmp", "application/pdf"])
@pytest.mark.parametrize(
    "text",
    [
        "{secret}\n",
        "@{secret}",
        "II*\0{secret}\n",
        "<image href='file://{secret}'/>",
        "P6\n{secret}",
        "file://{secret}",
    ],
)
async def test_no_file_is_read_by_way_of_a_text_that_names_it(
    text: str, content_type: str, open_slot: Slot, secret: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(text.format(secret=secret))
    before = secret.stat().st_atime_ns

    result = await open_slot.open(tmp_path / "file", content_type)

    assert isinstance(result, Failure)
    assert secret.stat().st_atime_ns == before
