"""Searchable PDFs of scans that came with an invisible text: it is replaced, and nothing that one sees is changed."""

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from pikepdf import Dictionary, Name

from docserver.model import Source
from docserver.ocr.searchable import from_pdf, hidden_text
from tests.support.pages import paragraph, read

OURS = "recognised"
MAX_PIXELS = 1_000_000


def scan(content: bytes, *, form: bytes | None = None, pages: int = 1) -> bytes:
    """Pages with this content, on which `/F 12 Tf` sets a font, and `/X Do` draws the form."""
    with pikepdf.new() as pdf:
        font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
        resources = Dictionary(Font=Dictionary(F=font))
        if form is not None:
            fields = {"Type": Name.XObject, "Subtype": Name.Form, "BBox": [0, 0, 400, 600], "Resources": resources}
            resources = Dictionary(Font=resources.Font, XObject=Dictionary(X=pdf.make_stream(form, **fields)))
        for _ in range(pages):
            page = Dictionary(Type=Name.Page, MediaBox=[0, 0, 400, 600], Resources=pdf.make_indirect(resources))
            page[Name.Contents] = pdf.make_stream(content)
            pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))
        target = io.BytesIO()
        pdf.save(target)
        return target.getvalue()


def searchable(data: bytes, directory: Path, *, pages: int = 1) -> Path:
    source, target = directory / "source.pdf", directory / "target.pdf"
    source.write_bytes(data)
    from_pdf.write(
        str(source),
        pages=[read([paragraph(OURS)], number=n + 1) for n in range(pages)],
        target=target,
        max_pixels=MAX_PIXELS,
    )
    return target


def text(path: Path, number: int = 0) -> list[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return sorted(pdf[number].get_textpage().get_text_range().split())


def drawn(path: Path) -> bytes:
    return subprocess.run(["pdftoppm", "-r", "50", path], capture_output=True, check=True, timeout=60).stdout


BARS = b"0.2 0.4 0.8 rg 40 50 200 30 re f "
HIDDEN = b"BT /F 12 Tf 3 Tr 50 500 Td (old) Tj 0 -20 Td [(la) -20 (yer)] TJ ET "


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(BARS + HIDDEN, id="after the picture"),
        pytest.param(HIDDEN + b"0 Tr " + BARS, id="before it"),
        pytest.param(
            b"q 3 Tr BT /F 12 Tf 50 500 Td 14 TL (old) Tj (layer) ' 1 2 (more) \" ET Q " + BARS, id="in lines"
        ),
    ],
)
def test_the_invisible_text_that_a_scan_came_with_is_replaced(content: bytes, tmp_path: Path) -> None:
    target = searchable(scan(content), tmp_path)

    assert text(target) == [OURS]
    assert drawn(target) == drawn(tmp_path / "source.pdf")


def test_so_is_that_in_a_form_and_only_on_the_pages_that_were_read(tmp_path: Path) -> None:
    data = scan(BARS + b"q /X Do Q", form=HIDDEN, pages=2)
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(data)
    own = read([paragraph("old layer")], number=2)
    assert own.reading
    own = replace(own, reading=replace(own.reading, source=Source.TEXT_LAYER))

    from_pdf.write(str(source), pages=[read([paragraph(OURS)]), own], target=target, max_pixels=MAX_PIXELS)

    assert (text(target, 0), text(target, 1)) == ([OURS], ["layer", "old"])


def test_text_that_one_sees_stays_in_its_place(tmp_path: Path) -> None:
    content = HIDDEN + b"BT /F 20 Tf 0 Tr 50 300 Td (stamp) Tj 3 Tr (x) Tj 0 Tr 0 -30 Td (seen) Tj ET"

    target = searchable(scan(content), tmp_path)

    assert text(target) == [OURS, "seen", "stamp"]
    assert drawn(target) == drawn(tmp_path / "source.pdf")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"BT /F 12 Tf 50 500 Td 3 Tr (old) Tj 0 Tr (seen) Tj ET", id="what one sees depends on it"),
        pytest.param(HIDDEN + b"3 Tr /F Tr", id="broken"),
        pytest.param(HIDDEN + b"% " + 200 * b"x", id="too long"),
    ],
)
def test_other_invisible_text_stays(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_text, "MAX_BYTES", 200)

    target = searchable(scan(content), tmp_path)

    assert OURS in text(target)
    assert any(word.startswith("old") for word in text(target))
    assert drawn(target) == drawn(tmp_path / "source.pdf")


def test_a_page_with_many_forms_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_text, "MAX_FORMS", 0)

    assert "old" in text(searchable(scan(b"/X Do", form=HIDDEN), tmp_path))


@pytest.mark.parametrize("contents", [5, Name.Odd, []], ids=["a number", "a name", "nothing"])
def test_a_broken_page_gets_its_words(contents: object, tmp_path: Path) -> None:
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(scan(b""))) as pdf:
        pdf.pages[0].obj[Name.Contents] = contents
        pdf.pages[0].obj.Resources[Name.XObject] = Dictionary(A=7, B=Dictionary(), C=[])
        pdf.save(file)

    assert text(searchable(file.getvalue(), tmp_path)) == [OURS]
