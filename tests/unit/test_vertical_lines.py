"""Ideographs in vertical lines, which follow each other from the right."""

import io
from collections.abc import Iterable

import pikepdf
import pytest

from docserver.layout import words_of
from tests.support.samples.pdf_fonts import add_numbered_font
from tests.support.samples.pdf_layers import PROSE, lines, pdf
from tests.support.text_layers import DPI, layer

LETTERS = "12今日は天気がとても良いので公園まで散歩に行きました男女"
SIZE, TOP = 14, 640

Place = tuple[str, float, float]
"""What one text object draws, and where it begins."""


def written(places: Iterable[Place], *, encoding: str, rotate: int = 0) -> bytes:
    """PROSE, and texts of these letters in a font whose ideographs look like other letters, and whose digits do not."""
    codes = {letter: number for number, letter in enumerate(LETTERS, start=20)}
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(lines(PROSE)))) as made:
        texts = {code: letter for letter, code in codes.items()}
        add_numbered_font(made, "V", texts, width=1000, encoding=encoding)
        shown = "\n".join(
            f"BT /V {SIZE} Tf {x} {y} Td <{''.join(f'{codes[letter]:04X}' for letter in text)}> Tj ET"
            for text, x, y in places
        )
        made.pages[0].contents_add(made.make_stream(shown.encode()))
        made.pages[0].obj.Rotate = rotate
        made.save(file)
    return file.getvalue()


def column(texts: Iterable[str], *, x: float, pitch: float) -> list[Place]:
    return [(text, x, TOP - number * pitch) for number, text in enumerate(texts)]


def rest(data: bytes) -> str:
    text = layer(data).text
    assert text.startswith("\n".join(PROSE))
    return text.removeprefix("\n".join(PROSE)).strip()


@pytest.mark.parametrize("rotate", [0, 90])
def test_lines_in_a_font_for_vertical_lines_are_read_from_the_right(rotate: int) -> None:
    text = "今日は天気が", "公園まで散歩", "に行きました"
    places = [(line, 400 - 24 * number, TOP) for number, line in enumerate(text)]

    assert rest(written(places, encoding="/Identity-V", rotate=rotate)) == "\n".join(text)


def test_letters_drawn_below_each_other_are_lines() -> None:
    first, second = column("今日は天気が", x=400, pitch=SIZE), column("公園まで散歩", x=380, pitch=1.3 * SIZE)

    assert rest(written([*first, *second], encoding="/Identity-H")) == "今日は天気が\n公園まで散歩"


def test_digits_side_by_side_are_a_part_of_a_vertical_line() -> None:
    assert rest(written(column(["は", "良", "12", "日"], x=400, pitch=SIZE), encoding="/Identity-H")) == "は良12日"


def test_a_vertical_line_is_where_the_page_shows_it() -> None:
    data = written(column("今日は天気が", x=400, pitch=SIZE), encoding="/Identity-H")

    *_, word = words_of(layer(data).blocks)

    x0, y0, x1, y1 = (side * 72 / DPI for side in word.box)
    assert (400 <= x0 < x1 <= 400 + SIZE) and (842 - TOP - SIZE <= y0 < y1 <= 842 - TOP + 5.5 * SIZE)
    assert y1 - y0 > 5 * SIZE


@pytest.mark.parametrize("texts", [("男", "女", "男"), ("今日", "散歩", "公園")])
def test_cells_of_a_table_below_each_other_stay_apart(texts: tuple[str, ...]) -> None:
    pitch = 1.5 * SIZE if len(texts[0]) == 1 else SIZE

    assert rest(written(column(texts, x=400, pitch=pitch), encoding="/Identity-H")).split() == list(texts)


@pytest.mark.parametrize("distance", [0.96, 1, 1.02])
def test_vertical_lines_that_touch_are_read_one_after_the_other(distance: float) -> None:
    text = "今日は天気が", "公園まで散歩", "に行きました"
    places = [
        place
        for number, line in enumerate(text)
        for place in column(line, x=400 - number * distance * SIZE, pitch=distance * SIZE)
    ]

    assert rest(written(places, encoding="/Identity-H")) == "\n".join(text)


@pytest.mark.parametrize("end", ["た", "した"])
def test_the_last_line_may_have_few_letters(end: str) -> None:
    first, last = column("今日は天気が", x=400, pitch=SIZE), column(end, x=400 - 1.2 * SIZE, pitch=SIZE)

    assert rest(written([*first, *last], encoding="/Identity-H")) == f"今日は天気が\n{end}"


def test_letters_in_squares_that_are_drawn_row_by_row_are_read_across() -> None:
    text = "今日は天気が", "公園まで散歩", "に行きました"
    places = [(letter, 300 + x * SIZE, TOP - y * SIZE) for y, line in enumerate(text) for x, letter in enumerate(line)]

    assert rest(written(places, encoding="/Identity-H")).split() == list(text)
