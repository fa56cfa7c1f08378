"""PDF/A of PDFs: what is seen stays, what is not allowed goes, and pages that cannot stay become pictures."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image, ImageChops

from docserver.errors import DocumentErrorCode
from docserver.model import Page, Source
from docserver.ocr.child import pdf_making
from docserver.ocr.errors import Unreadable
from docserver.ocr.pdf import render
from docserver.ocr.requests import MakeSearchable
from docserver.pdf_options import PdfOptions
from tests.support.archival import assert_is_archival
from tests.support.limits import LIMITS
from tests.support.pages import failed, page, paragraph, read
from tests.support.poppler import assert_words_lie_where_they_were_read, run, seen
from tests.support.samples import pdf_encrypted, pdf_owner_locked
from tests.support.samples.pdf_layers import HEIGHT, PROSE, both, in_subset_font, lines, pdf, scan
from tests.support.samples.sheet import sheet

SAME = 3.0
"""Levels of grey: what two programs draw differently on the edges of letters. A missing line changes more."""


def made(data: bytes, tmp_path: Path, pages: Sequence[Page] = ()) -> Path:
    """The PDF/A of a PDF."""
    source = tmp_path / "source.pdf"
    source.write_bytes(data)
    request = MakeSearchable("application/pdf", pages or [failed(1)], PdfOptions(archival=True))
    pdf_making.write(request, str(source), replace(LIMITS, scratch=str(tmp_path)))
    target = tmp_path / request.result_file
    assert_is_archival(target)
    return target


def changed(data: bytes, change: Callable[[Pdf], object]) -> bytes:
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(data)) as opened:
        change(opened)
        opened.save(file)
    return file.getvalue()


def drawn(path: Path, number: int = 1) -> Image.Image:
    run("pdftoppm", "-r", "50", "-cropbox", "-f", str(number), "-l", str(number), "-png", path, path.with_suffix(""))
    (picture,) = path.parent.glob(f"{path.stem}-*.png")
    with Image.open(picture) as image:
        image.load()
    picture.unlink()
    return image.convert("L")


def difference(first: Image.Image, second: Image.Image) -> float:
    assert first.size == second.size
    histogram = ImageChops.difference(first, second).histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram)


def is_picture(path: Path, number: int = 1) -> bool:
    """True if the page was replaced by a picture of it."""
    with pikepdf.open(path) as opened:
        return "/Page" in opened.pages[number - 1].Resources.get(Name.XObject, Dictionary())


DIGITAL = pdf(in_subset_font(PROSE))
NOT_EMBEDDED = pdf(lines(PROSE))


def test_a_page_with_embedded_fonts_stays_as_it_is(tmp_path: Path) -> None:
    target = made(DIGITAL, tmp_path)

    assert not is_picture(target)
    assert difference(drawn(target), drawn(tmp_path / "source.pdf")) == 0
    assert run("pdftotext", target, "-") == run("pdftotext", tmp_path / "source.pdf", "-")


def test_a_page_whose_fonts_lack_becomes_a_picture_that_looks_the_same_with_its_words_in_their_places(
    tmp_path: Path,
) -> None:
    given = read([paragraph("The harbour was quiet")])

    target = made(NOT_EMBEDDED, tmp_path, [given])

    assert is_picture(target)
    assert difference(drawn(target), drawn(tmp_path / "source.pdf")) < SAME
    assert {text for text, _ in seen(target)} == {"The", "harbour", "was", "quiet"}


def test_words_of_a_text_layer_are_put_under_the_picture_of_their_page(tmp_path: Path) -> None:
    given = read([paragraph("own words")])
    assert given.reading
    own = replace(given, reading=replace(given.reading, source=Source.TEXT_LAYER))

    target = made(NOT_EMBEDDED, tmp_path, [own])

    assert [text for text, _ in seen(target)] == ["own", "words"]


def test_only_the_page_that_cannot_stay_becomes_a_picture(tmp_path: Path) -> None:
    data = pdf(in_subset_font(PROSE), lines(PROSE), scan(PROSE))

    target = made(data, tmp_path, [failed(1), failed(2), failed(3)])

    assert [is_picture(target, number) for number in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_the_picture_of_a_turned_and_cropped_page_looks_like_the_page(rotate: int, tmp_path: Path) -> None:
    data = changed(
        sheet(rotate=rotate, crop=(20, 30, 420, 730)),
        lambda opened: opened.pages[0].contents_add(b"0 1 0 0 k 50 60 20 300 re f"),
    )
    given = page("The quick brown fox")

    target = made(data, tmp_path, [given])

    assert is_picture(target)
    assert difference(drawn(target), drawn(tmp_path / "source.pdf")) < SAME


def test_scripts_actions_attachments_and_signatures_go_and_links_stay(tmp_path: Path) -> None:
    def change(opened: Pdf) -> None:
        script = Dictionary(S=Name.JavaScript, JS=b"app.alert(1)")
        rect = Array([10, 10, 90, 30])
        web = Dictionary(S=Name.URI, URI=b"https://example.org/")
        links = [
            Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=rect, A=action)
            for action in (web, script, Dictionary(S=Name.Launch, F=b"run.exe"))
        ]
        hidden = Dictionary(Type=Name.Annot, Subtype=Name.Text, Rect=rect, F=2)
        opened.pages[0].Annots = opened.make_indirect(Array([*links, hidden]))
        opened.pages[0].AA = Dictionary(O=script)
        opened.Root.OpenAction = script
        opened.Root.Perms = Dictionary()
        opened.attachments["note.txt"] = b"text"
        opened.Root.Names.JavaScript = Dictionary(Names=Array([b"a", script]))
        opened.docinfo["/Title"] = "Harbour & co."
        opened.docinfo["/CreationDate"] = "D:20260102030405+01'00'"

    target = made(changed(DIGITAL, change), tmp_path)

    assert not is_picture(target)
    with pikepdf.open(target) as opened:
        first, second, third = opened.pages[0].Annots
        assert [Name.A in link for link in (first, second, third)] == [True, False, False]
        assert not opened.attachments
        metadata = opened.Root.Metadata.read_bytes()
    assert b"Harbour &amp; co." in metadata
    assert b"2026-01-02T03:04:05+01:00" in metadata


def with_field(opened: Pdf, *, computed: bool = False, **more: Any) -> None:
    """A form with a text field on the first page."""
    field = opened.make_indirect(
        Dictionary(
            Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=b"name", Rect=Array([60, 100, 260, 120]), F=4, **more
        )
    )
    opened.pages[0].Annots = Array([field])
    opened.Root.AcroForm = Dictionary(Fields=Array([field]), NeedAppearances=computed, XFA=b"")


def test_a_form_field_with_a_picture_stays_a_field(tmp_path: Path) -> None:
    def change(opened: Pdf) -> None:
        bar = opened.make_stream(b"1 0 0 rg 0 0 50 20 re f", Subtype=Name.Form, BBox=Array([0, 0, 200, 20]))
        with_field(opened, AP=Dictionary(N=bar), A=Dictionary(S=Name.JavaScript, JS=b""))

    target = made(changed(DIGITAL, change), tmp_path)

    assert not is_picture(target)
    with pikepdf.open(target) as opened:
        assert len(opened.Root.AcroForm.Fields) == 1
    assert difference(drawn(target), drawn(tmp_path / "source.pdf")) == 0


@pytest.mark.parametrize("computed", [True, False])
def test_a_value_that_viewers_draw_by_themselves_becomes_a_part_of_the_picture(
    *, computed: bool, tmp_path: Path
) -> None:
    def change(opened: Pdf) -> None:
        nothing = opened.make_stream(b"", Subtype=Name.Form, BBox=Array([0, 0, 200, 20]))
        more = {"AP": Dictionary(N=nothing)} if computed else {}
        with_field(opened, V=b"Ada Lovelace", DA=b"/Helv 12 Tf 0 g", computed=computed, **more)

    target = made(changed(DIGITAL, change), tmp_path)

    assert is_picture(target)
    with pikepdf.open(target) as opened:
        assert Name.AcroForm not in opened.Root
    x0, y0, x1, y1 = (round(side * 50 / 72) for side in (60, HEIGHT - 120, 260, HEIGHT - 100))
    darkest: Any = drawn(target).crop((x0, y0, x1, y1)).getextrema()
    assert darkest[0] < 128


def test_a_font_whose_widths_are_not_those_of_its_file_cannot_stay(tmp_path: Path) -> None:
    def change(opened: Pdf) -> None:
        for each in opened.objects:
            if isinstance(each, Dictionary) and Name.Widths in each and Name.FontDescriptor in each:
                each.Widths = Array([width + 5 for width in each.Widths])

    assert is_picture(made(changed(DIGITAL, change), tmp_path))


def test_lzw_becomes_flate_and_smoothing_is_switched_off(tmp_path: Path) -> None:
    # Four white pixels, as LZW writes them: clear, 255, 258, 255, end.
    lzw = int("100000000011111111100000010011111111100000001000", 2).to_bytes(6)

    def change(opened: Pdf) -> None:
        image = opened.make_stream(
            lzw,
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=2,
            Height=2,
            BitsPerComponent=8,
            ColorSpace=Name.DeviceGray,
            Filter=Name.LZWDecode,
            Interpolate=True,
        )
        opened.pages[0].Resources.XObject = Dictionary(White=image)
        opened.pages[0].contents_add(b"q 50 0 0 50 300 300 cm /White Do Q")

    target = made(changed(DIGITAL, change), tmp_path)

    assert not is_picture(target)


def test_a_pdf_that_is_locked_against_changes_loses_its_lock(tmp_path: Path) -> None:
    target = made(pdf_owner_locked(), tmp_path)

    assert difference(drawn(target), drawn(tmp_path / "source.pdf")) < SAME


def test_a_pdf_with_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as caught:
        made(pdf_encrypted(), tmp_path)

    assert caught.value.failure.code is DocumentErrorCode.ENCRYPTED


def test_a_page_larger_than_pages_may_be_becomes_one_that_is_not(tmp_path: Path) -> None:
    data = sheet(media=(0, 0, 2, 400))

    target = made(data, tmp_path)

    assert is_picture(target)
    with pikepdf.open(target) as opened:
        assert min(float(side) for side in list(opened.pages[0].MediaBox)[2:]) >= 3


def test_chosen_pages_become_a_pdf_of_just_these(tmp_path: Path) -> None:
    data = pdf(in_subset_font(["one"]), in_subset_font(["two"]), in_subset_font(["three"]))

    target = made(data, tmp_path, [failed(2)])

    assert run("pdftotext", target, "-").split() == ["two"]


def test_words_lie_where_they_were_read_beside_what_stays(tmp_path: Path) -> None:
    given = page("The quick brown fox")

    target = made(sheet(), tmp_path, [given])

    assert not is_picture(target)
    assert_words_lie_where_they_were_read(seen(target), given)


def test_the_same_document_always_gives_the_same_bytes(tmp_path: Path) -> None:
    first = made(pdf(both(in_subset_font(PROSE), scan(PROSE)), lines(PROSE)), tmp_path, [failed(1), failed(2)])
    once = first.read_bytes()

    assert made((tmp_path / "source.pdf").read_bytes(), tmp_path, [failed(1), failed(2)]).read_bytes() == once


def test_a_page_that_poppler_draws_without_end_is_drawn_by_pdfium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "POPPLER_S", 1e-6)

    target = made(NOT_EMBEDDED, tmp_path)

    assert is_picture(target)
    assert difference(drawn(target), drawn(tmp_path / "source.pdf")) < SAME
