"""What poppler's programs say and leave behind tells why a PDF or a page cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from pdf2image.exceptions import PDFPageCountError

from docserver.errors import DocumentErrorCode
from docserver.ocr.errors import Unreadable
from docserver.ocr.pdf import poppler
from tests.support.samples import pdf_pages

SIZE = {"Pages": 1, "Page    1 size": "72 x 72 pts"}


def draw(scratch: Path) -> DocumentErrorCode:
    """The failure of the first page."""
    with pytest.raises(Unreadable) as caught:
        poppler.draw("source.pdf", page=1, dpi=72, max_pixels=1_000_000, scratch=scratch)
    return caught.value.failure.code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Command Line Error: Incorrect password", DocumentErrorCode.ENCRYPTED),
        ("Syntax Error: Couldn't find the 'X' security handler", DocumentErrorCode.ENCRYPTED),
        ("Wrong page range given: the first page (1) can not be after the last page (0).", DocumentErrorCode.EMPTY),
        (
            "Wrong page range given: the first page (9) can not be after the last page (2).",
            DocumentErrorCode.PAGE_OUT_OF_RANGE,
        ),
    ],
)
def test_what_pdfinfo_says_tells_the_failure(
    said: str, code: DocumentErrorCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PDFPageCountError(f"Unable to get page count.\n{said}")

    monkeypatch.setattr(poppler, "pdfinfo_from_path", fail)

    with pytest.raises(Unreadable) as caught:
        poppler.count_pages("source.pdf")

    assert caught.value.failure.code is code


def test_a_pdf_that_pdfinfo_opens_the_second_time_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PDFPageCountError("Unable to get page count.")

    source = tmp_path / "source.pdf"
    source.write_bytes(pdf_pages(1))
    monkeypatch.setattr(poppler, "pdfinfo_from_path", fail)

    with pytest.raises(Unreadable) as caught:
        poppler.count_pages(str(source))

    assert caught.value.failure.code is DocumentErrorCode.ENGINE_CRASHED


def test_a_page_without_a_size_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poppler, "pdfinfo_from_path", lambda *_, **__: {"Pages": 1})

    assert draw(tmp_path) is DocumentErrorCode.CORRUPT


def test_a_program_that_draws_nothing_has_crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poppler, "pdfinfo_from_path", lambda *_, **__: SIZE)
    monkeypatch.setattr(poppler, "convert_from_path", lambda *_, **__: [])

    assert draw(tmp_path) is DocumentErrorCode.ENGINE_CRASHED


@pytest.mark.parametrize("picture", [b"", b"P5\n72 72\n255\n", b"P5\n72 72\n255\n" + bytes(72 * 71)])
def test_a_page_that_was_drawn_in_part_is_no_page(
    picture: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_a_part(*_: object, output_folder: Path, **__: Any) -> list[str]:
        path = output_folder / "page-1.ppm"
        path.write_bytes(picture)
        return [str(path)]

    monkeypatch.setattr(poppler, "pdfinfo_from_path", lambda *_, **__: SIZE)
    monkeypatch.setattr(poppler, "convert_from_path", draw_a_part)

    assert draw(tmp_path) is DocumentErrorCode.ENGINE_CRASHED
