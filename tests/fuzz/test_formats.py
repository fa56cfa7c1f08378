"""Whatever the words of a page are, every format of its result is well-formed."""

import csv
import io
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt

from docserver.formats import JSON_PAGE, TEXT_FORMATS
from docserver.model import Page, PageStatus, Reading
from tests.fuzz.effort import tries
from tests.fuzz.values import readings
from tests.support.pages import JOB


def written(name: str, pages: Sequence[Reading]) -> bytes:
    numbered = [Page(number, PageStatus.DONE, reading, None) for number, reading in enumerate(pages, 1)]
    return b"".join(TEXT_FORMATS[name].write(JOB, numbered))


@pytest.mark.parametrize("name", ["hocr", "alto"])
@tries(15)
@given(pages=st.lists(readings, max_size=2))
def test_xml_is_well_formed(name: str, pages: list[Reading]) -> None:
    etree.fromstring(written(name, pages), etree.XMLParser(huge_tree=True))


@tries(15)
@given(pages=st.lists(readings, max_size=2))
def test_json_has_every_page(pages: list[Reading]) -> None:
    assert len(orjson.loads(written("json", pages))["pages"]) == len(pages)
    for reading in pages:
        page = b"".join(JSON_PAGE.write(JOB, [Page(1, PageStatus.DONE, reading, None)]))
        assert orjson.loads(page)["number"] == 1


@tries(15)
@given(pages=st.lists(readings, max_size=2))
def test_tsv_has_twelve_columns_in_every_row(pages: list[Reading]) -> None:
    rows = csv.reader(io.StringIO(written("tsv", pages).decode(), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    assert {len(row) for row in rows} == {12}


@tries(15)
@given(pages=st.lists(readings, max_size=2))
def test_text_and_markdown_are_utf_8_and_markdown_runs_no_html(pages: list[Reading]) -> None:
    written("txt", pages).decode()
    tokens = MarkdownIt().parse(written("md", pages).decode())
    assert [token for token in tokens if token.type == "html_block"] == []
