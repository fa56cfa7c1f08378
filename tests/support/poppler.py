"""PDFs as poppler shows them: which words stand where."""

import html
import re
import subprocess
from pathlib import Path

import pytest

from docserver.layout import Word, lines_of
from docserver.model import Page
from docserver.ocr.searchable.text_operators import visual_order
from tests.support.pages import WIDTH

TOLERANCE_PT = 0.7
"""Ten-point letters; heights are told in twentieths of their size."""

PT_PER_PX = 595 / WIDTH

Boxes = list[tuple[str, tuple[float, ...]]]


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()


def seen(path: Path) -> Boxes:
    """The words of the first page and their places in points, as poppler finds them."""
    said = run("pdftotext", "-bbox", "-cropbox", "-l", "1", path, "-")
    matches = re.findall(r'<word xMin="(\S+)" yMin="(\S+)" xMax="(\S+)" yMax="(\S+)">(.*?)</word>', said)
    return [(html.unescape(text), tuple(map(float, box))) for *box, text in matches]


def words_of(given: Page) -> list[Word]:
    assert given.reading
    return [word for line in lines_of(given.reading.blocks) for word in line.words]


def assert_words_lie_where_they_were_read(found: Boxes, given: Page, *, scale: float = PT_PER_PX) -> None:
    wanted = sorted((visual_order(word.text), tuple(side * scale for side in word.box)) for word in words_of(given))
    assert [text for text, _ in sorted(found)] == [text for text, _ in wanted]
    for (text, box), (_, place) in zip(sorted(found), wanted, strict=True):
        assert box == pytest.approx(place, abs=TOLERANCE_PT), text
