"""Searchable PDFs, looked at with poppler: the words lie where they were read, and the pages look as before."""

import io
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from fontTools.ttLib import TTFont

from docserver.errors import DocumentErrorCode
from docserver.layout import EXACT, Block, Box, Line, Paragraph, Word, pack_blocks
from docserver.model import Page, Source
from docserver.ocr.archival.inheritance import inherited
from docserver.ocr.errors import Unreadable
from docserver.ocr.searchable import from_pdf
from docserver.ocr.searchable import glyphless_font as font_module
from docserver.ocr.searchable.glyphless_font import MAX_RISE, MAX_SINK, FontVariant, font_file
from docserver.ocr.searchable.text_operators import visual_order
from tests.support import glyphless_font
from tests.support.pages import ARABIC, HEBREW, HEIGHT, WIDTH, failed, page, paragraph, read
from tests.support.poppler import PT_PER_PX, assert_words_lie_where_they_were_read, run, seen
from tests.support.samples import pdf_encrypted, pdf_owner_locked, pdf_pages, pdf_scanned, pdf_text, pdf_texts
from tests.support.samples.sheet import sheet

MAX_PIXELS = 10_000_000

TEXTS = [
    "The quick brown fox\njumps over the lazy dog",
    "a line - I know. x\nof a key, once",
    f"{HEBREW}\n{HEBREW}",
    f"{ARABIC}\n{ARABIC}",
    "日本語 文書 です",
    "한국어 문서",
    "Привет мир, Ελλάδα",
    "🙂 \U0001d518\U0001d52b\U0001d526 e\u0301te\u0301 ß",
]


def made(data: bytes, pages: Sequence[Page], tmp_path: Path) -> Path:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(data)
    from_pdf.write(str(source), pages=pages, target=target, max_pixels=MAX_PIXELS)
    with pikepdf.open(target) as pdf:
        assert pdf.check_pdf_syntax() == []
    return target


def drawn(path: Path, number: int = 1) -> bytes:
    return subprocess.run(
        ["pdftoppm", "-r", "50", "-cropbox", "-f", str(number), "-l", str(number), path],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout


def turned(given: Page, change: Callable[[Box], Box], *, rotation: int, size: tuple[int, int]) -> Page:
    """The page as it is found when it lies otherwise: every box changed."""
    assert given.reading

    def line_turned(line: Line) -> Line:
        return Line(change(line.box), tuple(Word(w.text, change(w.box), w.confidence) for w in line.words))

    blocks = [
        Block(
            change(block.box),
            tuple(Paragraph(change(p.box), tuple(map(line_turned, p.lines))) for p in block.paragraphs),
        )
        for block in given.reading.blocks
    ]
    reading = replace(given.reading, rotation=rotation, width=size[0], height=size[1], layout=pack_blocks(blocks))
    return replace(given, reading=reading)


TURNS: dict[int, tuple[Callable[[Box], Box], tuple[int, int]]] = {
    90: (lambda box: (box[1], WIDTH - box[2], box[3], WIDTH - box[0]), (HEIGHT, WIDTH)),
    180: (lambda box: (WIDTH - box[2], HEIGHT - box[3], WIDTH - box[0], HEIGHT - box[1]), (WIDTH, HEIGHT)),
    270: (lambda box: (HEIGHT - box[3], box[0], HEIGHT - box[1], box[2]), (HEIGHT, WIDTH)),
}
"""How an upright page's boxes lie on one that must be turned clockwise by so much to be upright."""


@pytest.mark.parametrize("text", TEXTS)
def test_words_of_any_script_lie_where_they_were_read_and_come_back_as_they_are(text: str, tmp_path: Path) -> None:
    given = read([paragraph(text, rtl=text.startswith(("ש", "م")))])

    target = made(sheet(), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)
    said = re.sub("[\u202a-\u202e]", "", run("pdftotext", target, "-"))
    assert said.split() == text.split()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_words_lie_right_on_pages_that_are_shown_turned(rotate: int, tmp_path: Path) -> None:
    media = (0, 0, 595, 892.5) if rotate in (0, 180) else (0, 0, 892.5, 595)
    given = page(TEXTS[0], TEXTS[1])

    target = made(sheet(rotate=rotate, media=media), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)
    assert drawn(target) == drawn(tmp_path / "source.pdf")


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("rotate", [0, 90])
def test_words_lie_right_on_pages_whose_text_does_not_stand_upright(rotation: int, rotate: int, tmp_path: Path) -> None:
    change, size = TURNS[rotation]
    given = turned(page(TEXTS[0], TEXTS[1]), change, rotation=rotation, size=size)
    shown = (size[0] * PT_PER_PX, size[1] * PT_PER_PX)
    media = (0, 0, *shown) if not rotate else (0, 0, *reversed(shown))

    target = made(sheet(rotate=rotate, media=media), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)
    assert run("pdftotext", "-raw", target, "-").split() == f"{TEXTS[0]} {TEXTS[1]}".split()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_words_lie_right_on_cropped_pages(rotate: int, tmp_path: Path) -> None:
    size = (595.0, 892.5) if rotate in (0, 180) else (892.5, 595.0)
    crop = (-20.0, 30.0, size[0] - 20, size[1] + 30)
    given = page(TEXTS[0])

    target = made(sheet(rotate=rotate, media=(-100, -50, 1200, 1300), crop=crop), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)
    assert drawn(target) == drawn(tmp_path / "source.pdf")


@pytest.mark.parametrize("crop", [(0, 0, 0, 0), (5000, 5000, 6000, 6000), (1, 2), ("a", "b", "c", "d")])
def test_invalid_crop_boxes_are_ignored(crop: Any, tmp_path: Path) -> None:
    crop = [pikepdf.Name(f"/{side}") if isinstance(side, str) else side for side in crop]
    given = page(TEXTS[0])

    target = made(sheet(crop=crop), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)


def test_the_operators_images_and_metadata_of_a_pdf_stay_byte_for_byte(tmp_path: Path) -> None:
    data = pdf_scanned(["one", "two"])
    with pikepdf.open(io.BytesIO(data)) as pdf:
        before = [(p.Contents.read_raw_bytes(), p.Resources.XObject.image.read_raw_bytes()) for p in pdf.pages]
        facts = dict(pdf.docinfo)

    target = made(data, [page("one"), page("two", number=2)], tmp_path)

    with pikepdf.open(target) as pdf:
        after = [(p.Contents[1].read_raw_bytes(), p.Resources.XObject.image.read_raw_bytes()) for p in pdf.pages]
        assert dict(pdf.docinfo) == facts
    assert after == before
    assert [drawn(target, n) for n in (1, 2)] == [drawn(tmp_path / "source.pdf", n) for n in (1, 2)]


def test_a_page_with_a_text_of_its_own_gets_no_second_one(tmp_path: Path) -> None:
    given = page("The quick brown fox")
    assert given.reading
    own = replace(given, reading=replace(given.reading, source=Source.TEXT_LAYER))

    target = made(pdf_text(), [own], tmp_path)

    assert run("pdftotext", target, "-") == run("pdftotext", tmp_path / "source.pdf", "-")
    with pikepdf.open(target) as pdf:
        assert set(pdf.pages[0].Resources.Font.keys()) == {"/F1"}


def test_a_mixed_page_gets_the_words_that_its_own_text_lacks(tmp_path: Path) -> None:
    given = page("Already there\nand read")
    assert given.reading
    (block,) = given.reading.blocks
    first, second = block.paragraphs[0].lines
    exact = Line(first.box, tuple(replace(word, confidence=EXACT) for word in first.words))
    both = Block(block.box, (Paragraph(block.box, (exact, second)),))
    mixed = replace(given.reading, source=Source.MIXED, layout=pack_blocks([both]))

    target = made(sheet(), [replace(given, reading=mixed)], tmp_path)

    assert run("pdftotext", target, "-").split() == ["and", "read"]


def test_fonts_are_added_to_one_page_only_where_pages_share_their_fonts(tmp_path: Path) -> None:
    target = made(pdf_pages(2), [page("one"), failed(2)], tmp_path)

    with pikepdf.open(target) as pdf:
        assert len(pdf.pages[0].Resources.Font) > 1
        assert set(pdf.pages[1].Resources.Font.keys()) == {"/F1"}
    assert run("pdftotext", "-f", "2", target, "-") == run("pdftotext", "-f", "2", tmp_path / "source.pdf", "-")


def test_a_pdf_of_some_pages_holds_nothing_of_the_others(tmp_path: Path) -> None:
    data = pdf_texts(["first secret", "second", "third"])

    target = made(data, [page("two", number=2), page("three", number=3)], tmp_path)

    with pikepdf.open(target) as pdf:
        assert len(pdf.pages) == 2
        streams = [stream.read_bytes() for stream in pdf.objects if isinstance(stream, pikepdf.Stream)]
    assert not [stream for stream in streams if b"secret" in stream]
    assert "second" in run("pdftotext", target, "-")


def test_extracted_pages_keep_the_attributes_they_inherit(tmp_path: Path) -> None:
    with pikepdf.open(io.BytesIO(sheet())) as pdf:
        pdf.pages.append(pdf.pages[0])
        for inner in pdf.pages:
            del inner.obj["/MediaBox"], inner.obj["/Rotate"]
        pdf.Root.Pages.MediaBox = pikepdf.Array([0, 0, 892.5, 595])
        pdf.Root.Pages.Rotate = 90
        file = io.BytesIO()
        pdf.save(file)
    given = page(TEXTS[0], number=2)

    target = made(file.getvalue(), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)


def test_the_same_words_make_the_same_bytes(tmp_path: Path) -> None:
    first = made(pdf_scanned(["one"]), [page("one")], tmp_path).read_bytes()

    assert made(pdf_scanned(["one"]), [page("one")], tmp_path).read_bytes() == first


def test_a_pdf_that_only_its_owner_may_change_opens_without_a_password(tmp_path: Path) -> None:
    given = page("one")

    target = made(pdf_owner_locked(), [given], tmp_path)

    assert "one" in run("pdftotext", target, "-").split()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pdf_encrypted, DocumentErrorCode.ENCRYPTED),
        (lambda: b"%PDF-1.7\nnothing", DocumentErrorCode.CORRUPT),
        (lambda: pdf_texts([]), DocumentErrorCode.CORRUPT),
    ],
)
def test_a_pdf_that_cannot_be_extended_says_why(
    data: Callable[[], bytes], code: DocumentErrorCode, tmp_path: Path
) -> None:
    with pytest.raises(Unreadable) as refused:
        made(data(), [page("one")], tmp_path)

    assert refused.value.failure.code is code


def test_the_font_file_is_what_its_script_makes_and_has_a_glyph_for_each_variant() -> None:
    glyphs = TTFont(io.BytesIO(font_file())).getGlyphOrder()

    assert font_file() == glyphless_font.build()
    assert len(glyphs) == 1 + MAX_RISE * (MAX_SINK + 1)
    assert FontVariant(rise=1, sink=0).glyph == 1
    assert FontVariant(rise=MAX_RISE, sink=MAX_SINK).glyph == len(glyphs) - 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abc", "abc"),
        ("שלום", "םולש"),
        ("(טוב)", ")בוט("),
        ("ב-2019", "2019-ב"),
        ("ש12.5ם", "ם12.5ש"),
        ("2019", "2019"),
    ],
)
def test_right_to_left_text_is_put_into_the_order_in_which_it_is_displayed(text: str, shown: str) -> None:
    assert visual_order(text) == shown


def test_a_part_of_a_document_keeps_the_title_and_a_page_without_words_its_content(tmp_path: Path) -> None:
    source = tmp_path / "titled.pdf"
    with pikepdf.open(io.BytesIO(pdf_pages(2))) as pdf:
        pdf.docinfo["/Title"] = "A title"
        pdf.save(source)
    given = read([], number=2)

    target = made(source.read_bytes(), [given], tmp_path)

    with pikepdf.open(target) as pdf:
        assert pdf.docinfo["/Title"] == "A title"
        assert "/Contents" in pdf.pages[0]
    assert drawn(target) == drawn(source, 2)


def test_words_take_little_space(tmp_path: Path) -> None:
    given = page(*(f"{TEXTS[0]}\n{TEXTS[1]}" for _ in range(12)))

    target = made(sheet(), [given], tmp_path)

    words = len(run("pdftotext", target, "-").split())
    assert target.stat().st_size < 3_000 + 30 * words


def test_a_rotation_that_is_no_number_is_none(tmp_path: Path) -> None:
    given = page(TEXTS[0])
    with pikepdf.open(io.BytesIO(sheet())) as pdf:
        pdf.pages[0].obj.Rotate = pikepdf.Name.Sideways
        pdf.save(tmp_path / "sideways.pdf")

    target = made((tmp_path / "sideways.pdf").read_bytes(), [given], tmp_path)

    assert_words_lie_where_they_were_read(seen(target), given)


def test_a_page_tree_that_is_a_circle_has_an_end() -> None:
    pdf = pikepdf.new()
    node = pdf.make_indirect(pikepdf.Dictionary())
    node.Parent = node

    assert inherited(node, pikepdf.Name.Rotate) is None


def test_characters_beyond_what_a_font_has_are_unknown_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_module, "MAX_CODE", 4)
    font = font_module.GlyphlessFont(pikepdf.new())

    first, second, third, fourth, fifth = (font.encode(character) for character in "abcde")

    assert len({first, second, third}) == 3
    assert fourth == fifth == font.encode(font_module.UNKNOWN)
