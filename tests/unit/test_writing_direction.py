"""The order of words in lines with right-to-left script."""

import pytest

from docserver.ocr.pdf.layout.line_segments import PlacedWord
from docserver.ocr.pdf.layout.writing_direction import in_logical_order
from docserver.typography import runs_right_to_left


def line(shown: str) -> list[PlacedWord]:
    """The words that one sees from left to right, each with its letters in logical order."""
    return [
        PlacedWord(
            text=word,
            x0=60 * place,
            x1=60 * place + 50,
            baseline=8,
            size=10,
            right_to_left=runs_right_to_left(word),
            box=(0, 0, 1, 1),
        )
        for place, word in enumerate(shown.split())
    ]


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("שירות מציעה Acme Ltd החברה", "החברה Acme Ltd מציעה שירות"),
        ("1952 בשנת יצא The Old Man and the Sea הספר", "הספר The Old Man and the Sea יצא בשנת 1952"),
        ("עוד כאן 15 12 יש", "יש 12 15 כאן עוד"),
        ("2023 سنة في ريال 1,250 السعر", "السعر 1,250 ريال في سنة 2023"),
        ("He said עולם 12 שלום and left in 1990", "He said שלום 12 עולם and left in 1990"),
    ],
)
@pytest.mark.parametrize("drawn_from_right", [False, True])
def test_words_are_in_logical_order_however_they_are_drawn(*, shown: str, read: str, drawn_from_right: bool) -> None:
    words = line(shown)[::-1] if drawn_from_right else line(shown)

    ordered = in_logical_order(words, right_to_left=False)

    assert " ".join(word.text for word in ordered) == read


@pytest.mark.parametrize(("right_to_left", "read"), [(False, "Acme החברה"), (True, "החברה Acme")])
def test_the_page_decides_where_a_line_has_one_script_at_each_end(*, right_to_left: bool, read: str) -> None:
    ordered = in_logical_order(line("Acme החברה"), right_to_left=right_to_left)

    assert " ".join(word.text for word in ordered) == read
