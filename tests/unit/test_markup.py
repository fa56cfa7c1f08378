"""TSV, hOCR and ALTO, held against what their own tools and schemas say."""

import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from docserver.formats import TEXT_FORMATS
from docserver.model import Page
from docserver.ocr.recognition import tesseract
from docserver.typography import runs_right_to_left, spaced
from docserver.xml_text import clean
from tests.support.pages import ARABIC, HEBREW, JOB, failed, page, paragraph, read

ALTO_SCHEMA = Path(__file__).parents[1] / "schemas" / "alto.xsd"
NASTY = "a<b & \"c\" 'd' </span> ]]> \x00\x0b\x1b \ufffe \t"


def rendered(name: str, *pages: Page) -> str:
    return b"".join(TEXT_FORMATS[name].write(JOB, pages)).decode()


def hocr(*pages: Page) -> Any:
    return etree.fromstring(rendered("hocr", *pages).encode())


def alto(*pages: Page) -> Any:
    root = etree.fromstring(rendered("alto", *pages).encode())
    etree.XMLSchema(etree.parse(ALTO_SCHEMA)).assertValid(root)
    return root


def of_class(root: Any, name: str) -> list[Any]:
    found: list[Any] = root.xpath(f"//*[@class='{name}']")
    return found


def strings(root: Any) -> list[Any]:
    found: list[Any] = root.xpath("//*[local-name()='String']")
    return found


def odd(text: str) -> Page:
    """A page whose one word is that text, whatever it holds."""
    part = paragraph("word")
    (line,) = part.lines
    word = type(line.words[0])(text, line.words[0].box, 12.34)
    return read([type(part)(part.box, (type(line)(line.box, (word,)),))])


def test_tsv_has_the_rows_that_tesseract_writes() -> None:
    rows = rendered("tsv", page("one two\nthree", "four")).split("\n")

    assert [row.split("\t")[:6] for row in rows[1:-1]] == [
        ["1", "1", "0", "0", "0", "0"],
        ["2", "1", "1", "0", "0", "0"],
        ["3", "1", "1", "1", "0", "0"],
        ["4", "1", "1", "1", "1", "0"],
        ["5", "1", "1", "1", "1", "1"],
        ["5", "1", "1", "1", "1", "2"],
        ["4", "1", "1", "1", "2", "0"],
        ["5", "1", "1", "1", "2", "1"],
        ["2", "1", "2", "0", "0", "0"],
        ["3", "1", "2", "1", "0", "0"],
        ["4", "1", "2", "1", "1", "0"],
        ["5", "1", "2", "1", "1", "1"],
    ]
    assert rows[1].split("\t")[6:] == ["0", "0", "2000", "3000", "-1", ""]


def test_tsv_is_read_back_by_the_reader_of_tesseracts_own() -> None:
    written = page("one two\nthree", "four")

    assert written.reading
    assert tuple(tesseract.parse(rendered("tsv", written))) == written.reading.blocks


def test_tsv_keeps_one_row_a_word_whatever_the_word_holds() -> None:
    rows = list(csv.reader(io.StringIO(rendered("tsv", odd("a\tb\nc\r\x0bd"))), delimiter="\t", quoting=csv.QUOTE_NONE))

    assert [len(row) for row in rows] == [12] * 6
    assert rows[-1][-2:] == ["12.34", "a b c  d"]


def test_hocr_passes_the_check_of_hocr_tools(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(rendered("hocr", page("one two\nthree", "four")))

    checked = subprocess.run(
        [sys.executable, "-W", "ignore", Path(sys.executable).with_name("hocr-check"), tmp_path / "page.html"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    results = [line for line in checked.stderr.splitlines() if "ok " in line]
    assert len(results) > 10
    assert [line for line in results if not line.startswith("ok ")] == []


def test_hocr_is_well_formed_and_says_where_everything_is() -> None:
    root = hocr(page("one two\nthree", number=7))

    (found,) = of_class(root, "ocr_page")
    assert found.get("title") == "bbox 0 0 2000 3000; ppageno 6; scan_res 300 300"
    assert [word.text for word in of_class(root, "ocrx_word")] == ["one", "two", "three"]
    assert of_class(root, "ocrx_word")[0].get("title") == "bbox 100 120 160 140; x_wconf 90"
    for outer, inner in (("page", "carea"), ("carea", "par"), ("par", "line")):
        assert all(element.getparent().get("class") == f"ocr_{outer}" for element in of_class(root, f"ocr_{inner}"))
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids))


def test_hocr_declares_every_kind_of_element_that_it_has() -> None:
    root = hocr(page("one"), page(HEBREW, number=2))
    (declared,) = root.xpath("//*[@name='ocr-capabilities']/@content")

    assert set(root.xpath("//@class")) <= set(declared.split())
    assert {"ocrp_dir", "ocrp_wconf"} <= set(declared.split())


def test_alto_has_every_word_with_its_place_and_confidence_as_a_share() -> None:
    root = alto(page("one two"), failed(2))

    first, second = strings(root)
    assert dict(first.attrib) == {
        "ID": "word_1_1_1_1_1",
        "HPOS": "100",
        "VPOS": "120",
        "WIDTH": "60",
        "HEIGHT": "20",
        "WC": "0.9",
        "CONTENT": "one",
    }
    assert second.get("CONTENT") == "two"
    (space,) = root.xpath("//*[local-name()='SP']")
    assert (int(space.get("HPOS")), int(space.get("WIDTH"))) == (160, int(second.get("HPOS")) - 160)
    assert root.xpath("//*[local-name()='softwareName']")[0].text == "tesseract 5.3.0"
    assert [page.get("PHYSICAL_IMG_NR") for page in root.iter("{*}Page")] == ["1", "2"]


def test_nothing_that_a_document_says_becomes_markup() -> None:
    wanted = clean(NASTY)

    assert "<b & " in wanted
    assert strings(alto(odd(NASTY)))[0].get("CONTENT") == wanted
    (word,) = of_class(hocr(odd(NASTY)), "ocrx_word")
    assert (word.text, len(word)) == (wanted, 0)


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_leaves_xml_well_formed_and_comes_back_clean(text: str) -> None:
    assert strings(alto(odd(text)))[0].get("CONTENT") == clean(text)


@pytest.mark.parametrize("text", [HEBREW, ARABIC, f"{HEBREW} 2019"])
def test_right_to_left_text_says_so_and_keeps_its_words_in_reading_order(text: str) -> None:
    both = read([paragraph("left to right"), paragraph(text, top=300, rtl=True)])
    root = hocr(both)

    assert [element.get("dir") for element in of_class(root, "ocr_par")] == [None, "rtl"]
    assert [word.text for word in of_class(root, "ocrx_word")] == ["left", "to", "right", *text.split()]
    assert [element.get("BASEDIRECTION") for element in alto(both).iter("{*}TextBlock")] == [None, "rtl"]


def test_a_line_that_runs_against_its_paragraph_says_so() -> None:
    root = hocr(page(f"{HEBREW} {HEBREW}\nabc"))

    assert [element.get("dir") for element in of_class(root, "ocr_line")] == [None, "ltr"]


def test_text_that_does_not_lie_upright_says_how_it_lies() -> None:
    upright = page("one")
    assert upright.reading
    turned = replace(upright, reading=replace(upright.reading, rotation=90))

    assert of_class(hocr(turned), "ocr_line")[0].get("title").endswith("; textangle 90")
    assert [page.get("ROTATION") for page in alto(turned).iter("{*}Page")] == ["90"]
    assert "textangle" not in rendered("hocr", upright)


@pytest.mark.parametrize(
    ("text", "right"), [("", False), ("abc", False), ("123", False), (HEBREW, True), ("ש ab", False)]
)
def test_the_direction_of_a_text_is_that_of_most_letters(text: str, right: bool) -> None:
    assert runs_right_to_left(text) is right


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["one", "two"], "one two"),
        (["日本", "語", "。"], "日本語。"),
        (["日本", "PDF", "語"], "日本 PDF 語"),
        (["한국어", "문서"], "한국어 문서"),
        (["", "one", ""], "one"),
        ([], ""),
    ],
)
def test_words_are_set_with_spaces_where_their_script_has_them(words: list[str], line: str) -> None:
    assert spaced(words) == line


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("tsv", "\n1\t2\t0\t0\t0\t0\t0\t0\t0\t0\t-1\t\n"),
        ("hocr", '<div class="ocr_page" id="page_2" title="ppageno 1">\n  </div>'),
        ("alto", '<Page ID="page_2" PHYSICAL_IMG_NR="2"/>'),
    ],
)
def test_a_page_that_could_not_be_read_is_there_and_empty(name: str, trace: str) -> None:
    text = rendered(name, page("one", number=1), failed(2), page("three", number=3))

    assert text.index("one") < text.index("three")
    assert trace in text
