"""What a drawn page shows beside its words, and words as whole pixels of its image."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import all_whole_pixels, whole_pixels
from docserver.ocr.pdf.words.text_cells import BesideWords, as_array, has_words_only, no_cells, text_cells

WORD = 20.0, 30.0, 80.0, 42.0
"""In pixels of a page's image, which is twice as large as its drawing."""


def drawn(*marks: Rect, ink: int = 0) -> Image.Image:
    """A drawing of a page with dark marks on white."""
    page = Image.new("L", (101, 60), "white")
    for mark in marks:
        ImageDraw.Draw(page).rectangle(mark, fill=ink)
    return page


@pytest.mark.parametrize(
    ("page", "is_alone"),
    [
        pytest.param(drawn((10, 15, 40, 21)), True, id="the word"),
        pytest.param(drawn((9, 14, 41, 22)), True, id="with its blurred edge"),
        pytest.param(drawn((10, 15, 40, 21), (60, 40, 61, 41)), False, id="a point beside it"),
        pytest.param(drawn((10, 15, 40, 21), (7, 13, 41, 23)), True, id="edges of letters in the cells of the word"),
        pytest.param(drawn((10, 15, 46, 21)), True, id="a letter that reaches out of its box, but not of its cells"),
        pytest.param(drawn((10, 15, 47, 21)), False, id="a letter of which an edge is in the next cell"),
        pytest.param(drawn((10, 15, 42, 21), (100, 15, 100, 21)), False, id="something at the side of the page"),
        pytest.param(drawn((60, 40, 90, 50), ink=245), True, id="too pale to have an edge"),
        pytest.param(Image.new("L", (101, 60), 200), False, id="grey paper"),
    ],
)
def test_it_is_told_whether_a_page_has_nothing_but_its_words(page: Image.Image, is_alone: bool) -> None:
    assert has_words_only(page, [WORD], scale=2.0) == is_alone


def test_what_is_beside_words_is_painted_once_for_equal_places() -> None:
    known = BesideWords.of(as_array([WORD]) / 2.0, (60, 101))

    assert BesideWords.of(as_array([WORD]), (60, 101), scale=2.0, known=known) is known


@pytest.mark.parametrize(("moved", "shape"), [(4.0, (60, 101)), (0.0, (60, 102))])
def test_what_is_beside_other_words_is_painted_again(moved: float, shape: tuple[int, int]) -> None:
    known = BesideWords.of(as_array([WORD]) / 2.0, (60, 101))
    beside = BesideWords.of(as_array([WORD]) + moved, shape, scale=2.0, known=known)

    assert beside is not known
    assert not beside.is_beside[20, 20]
    assert beside.is_beside[5, 5]


def test_a_page_without_text_has_as_many_cells_as_any() -> None:
    page = drawn()

    assert no_cells(page).size == text_cells(page).size


def test_many_rectangles_become_the_same_pixels_as_one_by_one() -> None:
    corners = np.random.default_rng(7).uniform(-30, 130, (500, 2))
    rects = [(x, y, x + width, y + height) for (x, y), (width, height) in zip(corners, abs(corners) / 5, strict=True)]

    assert list(all_whole_pixels(rects, 100, 60)) == [whole_pixels(rect, 100, 60) for rect in rects]
