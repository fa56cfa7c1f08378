"""Cells below each other that were read as one line that runs downwards."""

import pytest

from docserver.layout import Word
from docserver.ocr.recognition.misread_columns import misread_columns

NAMES = [Word(name, (200, top, 290, top + 20), 95.0) for name, top in zip("abcdefgh", range(100, 420, 40), strict=True)]
"""The cells of another column."""


def column(*read: tuple[str, int, int], confidence: float = 30.0) -> list[Word]:
    return [Word(text, (100, top, 112, bottom), confidence) for text, top, bottom in read]


def test_unsure_words_that_run_downwards_beside_rows_are_misread() -> None:
    read = column(("HDUHN", 100, 300), ("O", 320, 340))

    assert misread_columns([*NAMES, *read]) == read


@pytest.mark.parametrize(
    "read",
    [
        column(("HDUHN", 100, 300), confidence=80.0),
        column(("1", 100, 120), ("2", 140, 160)),
        column(("Il", 100, 120)),
        column(("HDUHN", 500, 700)),
    ],
    ids=["sure", "single letters", "no higher than others", "beside no rows"],
)
def test_other_words_are_not(read: list[Word]) -> None:
    assert misread_columns([*NAMES, *read]) == []


def test_what_is_far_from_the_column_is_none_of_it() -> None:
    (seed, below) = column(("HDUHN", 100, 180), ("O", 320, 340))

    assert misread_columns([*NAMES, seed, below]) == [seed]


def test_a_page_full_of_lines_that_run_downwards_has_no_cells() -> None:
    beside = [Word("HDUHN", (400 + 20 * place, 100, 412 + 20 * place, 300), 30.0) for place in range(51)]

    assert (
        misread_columns([*NAMES, *[Word("x", (0, top, 9, top + 20), 95.0) for top in range(0, 4000, 40)], *beside])
        == []
    )
