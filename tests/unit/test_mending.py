"""PDFs that are cut off in the end or begin in lower case are read like whole ones."""

import io
from dataclasses import replace
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from pikepdf import ObjectStreamMode

from docserver.model import Source
from docserver.ocr.child import tasks
from docserver.ocr.pdf import mending
from docserver.ocr.pdf.mending import mended
from docserver.ocr.requests import OpenDocument, Opened
from docserver.reading_options import Options
from tests.support.limits import LIMITS
from tests.support.samples import page_text, pdf_pages

PAGES = 2


def saved(mode: ObjectStreamMode, *, password: str = "") -> bytes:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf_pages(PAGES))) as pdf:
        encryption = pikepdf.Encryption(owner=password, user="") if password else False
        pdf.save(target, object_stream_mode=mode, encryption=encryption)
    return target.getvalue()


CLASSIC, STREAM = saved(ObjectStreamMode.disable), saved(ObjectStreamMode.generate)


def texts(content: bytes, directory: Path) -> list[str] | None:
    """The texts of the pages as PDFium reads them after mending; None if it cannot."""
    source = directory / "source.pdf"
    source.write_bytes(content)
    try:
        with mended(str(source), scratch=directory) as path, pypdfium2.PdfDocument(path) as pdf:
            return [page.get_textpage().get_text_range().strip().replace("\r\n", "\n") for page in pdf]
    except pypdfium2.PdfiumError:
        return None
    finally:
        assert list(directory.iterdir()) == [source]


WHOLE = [page_text(number) for number in range(1, PAGES + 1)]


@pytest.mark.parametrize("lost", [0, 1, 8, 25, 40, 60, 100, 200])
def test_a_pdf_without_a_part_of_its_table_of_objects_has_all_its_pages(lost: int, tmp_path: Path) -> None:
    assert texts(CLASSIC[: len(CLASSIC) - lost], tmp_path) == WHOLE


@pytest.mark.parametrize("lost", [8, 25, 40, 60])
def test_a_pdf_without_a_part_of_its_compressed_table_has_all_its_pages(lost: int, tmp_path: Path) -> None:
    assert texts(STREAM[: len(STREAM) - lost], tmp_path) == WHOLE


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_pdf_that_lacks_objects_is_not_mended(share: float, tmp_path: Path) -> None:
    body = CLASSIC[: CLASSIC.rindex(b"endobj")]

    assert texts(body[: int(share * len(body))], tmp_path) is None
    assert texts(body, tmp_path) is None


def test_an_encrypted_pdf_that_is_cut_off_is_not_mended(tmp_path: Path) -> None:
    locked = saved(ObjectStreamMode.disable, password="secret")

    assert texts(locked[:-40], tmp_path) is None


def test_a_header_in_lower_case_is_mended(tmp_path: Path) -> None:
    assert texts(b"junk\n" + CLASSIC.replace(b"%PDF-", b"%pdf-"), tmp_path) == WHOLE


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.4\n", b"endobj\nxref\n", b"/Catalog endobj xref", b"obj<</Type/Catalog>>endobj xref"]
)
def test_what_is_no_whole_pdf_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    source = tmp_path / "source.pdf"
    source.write_bytes(content)

    with mended(str(source), scratch=tmp_path) as path:
        assert path == str(source)


def test_a_large_file_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "MAX_BYTES", len(CLASSIC) - 61)

    assert texts(CLASSIC[:-60], tmp_path) is None


def test_a_pdf_that_is_cut_off_is_read_and_its_text_is_exact(tmp_path: Path) -> None:
    source = tmp_path / "source.pdf"
    source.write_bytes(CLASSIC[:-60])
    limits = replace(LIMITS, scratch=str(tmp_path))

    opened = tasks.perform(OpenDocument("application/pdf", Options("eng")), str(source), limits)

    assert isinstance(opened, Opened)
    assert opened.pages == PAGES
    assert (opened.readings[0].source, opened.readings[0].text) == (Source.TEXT_LAYER, WHOLE[0])
