"""PDFs that need a password, in an OCR process: with it, with another, and without; of all kinds of encryption."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from docserver.errors import DocumentErrorCode, Failure
from docserver.model import Reading, Source
from docserver.ocr.limits import LIBRARY
from docserver.ocr.requests import Opened
from docserver.ocr.server.slot import Slot
from docserver.reading_options import Mode, Options
from docserver.settings import Settings
from tests.support.engines import engine_of
from tests.support.samples import TEXT, words
from tests.support.samples.pdf import page_text, pdf_encrypted, pdf_owner_locked, pdf_pages, pdf_text
from tests.support.samples.pdf_passwords import Revision, locked

PDF = "application/pdf"

OPTIONS = Options("eng")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Slot]:
    scratch = tmp_path_factory.mktemp("scratch")
    settings = replace(Settings(), max_pages=20, max_page_mp=20.0)
    slot = Slot(number=0, settings=settings, engine=await engine_of(LIBRARY), scratch=scratch)
    yield slot
    await slot.close()


async def opened(slot: Slot, source: Path, password: str | None) -> Opened | Failure:
    return await slot.open(source, PDF, reading=OPTIONS, password=password)


def assert_failed(result: object, code: DocumentErrorCode) -> None:
    assert isinstance(result, Failure), result
    assert result.code is code


@pytest.mark.parametrize("revision", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("password", ["correct horse", "grün €"])
async def test_the_password_opens_the_pdf_and_another_does_not(
    slot: Slot, tmp_path: Path, revision: Revision, password: str
) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(locked(pdf_text(), password=password, revision=revision))

    result = await opened(slot, source, password)

    assert isinstance(result, Opened), result
    (reading,) = result.readings
    assert (words(reading.text), reading.source) == (words(TEXT), Source.TEXT_LAYER)
    assert_failed(await opened(slot, source, password + "r"), DocumentErrorCode.WRONG_PASSWORD)
    assert_failed(await opened(slot, source, None), DocumentErrorCode.ENCRYPTED)


@pytest.mark.parametrize("revision", [4, 6])
async def test_the_password_of_the_owner_opens_the_pdf_too(slot: Slot, tmp_path: Path, revision: Revision) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(locked(pdf_text(), password="secret", owner="chéf", revision=revision))

    assert isinstance(await opened(slot, source, "chéf"), Opened)


@pytest.mark.parametrize("typed", ["пароль", "a\N{COMBINING DIAERESIS}\N{FULLWIDTH DIGIT ONE}"])
async def test_a_password_is_normalised_as_the_programs_that_encrypt_do(slot: Slot, tmp_path: Path, typed: str) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(locked(pdf_text(), password={"пароль": "пароль"}.get(typed, "ä1"), revision=6))

    assert isinstance(await opened(slot, source, typed), Opened)


@pytest.mark.parametrize("pdf", [pdf_text(), pdf_owner_locked()])
@pytest.mark.parametrize("password", ["needless", ""])
async def test_a_password_that_is_not_needed_does_no_harm(
    slot: Slot, tmp_path: Path, pdf: bytes, password: str
) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(pdf)

    assert isinstance(await opened(slot, source, password), Opened)


async def test_an_empty_password_is_none(slot: Slot, tmp_path: Path) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(pdf_encrypted())

    assert_failed(await opened(slot, source, ""), DocumentErrorCode.ENCRYPTED)


async def test_pages_are_read_by_ocr_and_from_the_text_layer_and_the_next_document_has_no_password(
    slot: Slot, tmp_path: Path
) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(locked(pdf_pages(3), password="secret", revision=6))

    own = await slot.own_texts(source, PDF, pages=[2, 3], options=OPTIONS, password="secret")
    forced = await slot.read(source, PDF, page=1, options=replace(OPTIONS, mode=Mode.FORCE), password="secret")

    assert not isinstance(own, Failure)
    assert [reading.text.strip() for reading in own] == [page_text(2), page_text(3)]
    assert isinstance(forced, Reading)
    assert words(forced.text) == words(page_text(1))
    wrong = await slot.read(source, PDF, page=1, options=OPTIONS, password="other")
    assert_failed(wrong, DocumentErrorCode.WRONG_PASSWORD)
    assert_failed(await slot.read(source, PDF, page=1, options=OPTIONS), DocumentErrorCode.ENCRYPTED)


@pytest.mark.parametrize("name", ["pdfinfo", "pdftoppm"])
async def test_poppler_reads_what_pdfium_does_not_and_its_command_line_has_no_password(
    slot: Slot, tmp_path: Path, programs: Path, name: str
) -> None:
    source = tmp_path / "a.pdf"
    # This is more in front of a PDF than PDFium skips.
    source.write_bytes(b"\n" * 2000 + locked(pdf_text(), password="secret", revision=6))
    refusing = programs / name
    refusing.write_text(f'#!/bin/sh\ncase "$*" in *secret*) exit 99;; esac\nexec /usr/bin/{name} "$@"\n')
    refusing.chmod(0o755)
    await slot.close()

    result = await opened(slot, source, "secret")

    assert isinstance(result, Opened), result
    assert words(result.readings[0].text) == words(TEXT)
    assert_failed(await opened(slot, source, "other"), DocumentErrorCode.WRONG_PASSWORD)
