"""Cells of tables without rules in rows, and text in columns left alone."""

from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Line, Paragraph, Word, text_of
from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tables import by_rows, cuts_numbers
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised

PITCH, HEIGHT, LETTER = 40, 30, 15
GOODS = ("Vin rouge", "Pain de seigle", "Beurre", "Huile d'olive", "Sel")
PRICES = ("12,50 F", "3,05", "40", "1 240 F", "0,80")


def column(texts: Sequence[str], *, left: int, top: int = 100, lower_px: int = 0) -> Block:
    """A block of lines in one column, each a little lower than its place in the row."""
    lines = []
    for number, text in enumerate(texts):
        x, y, words = left, top + PITCH * number + lower_px, []
        for word in text.split():
            words.append(Word(word, (x, y, x + LETTER * len(word), y + HEIGHT), 90.0))
            x += LETTER * (len(word) + 1)
        lines.append(Line((left, y, x - LETTER, y + HEIGHT), tuple(words)))
    box = (left, lines[0].box[1], max(line.box[2] for line in lines), lines[-1].box[3])
    return Block(box, (Paragraph(box, tuple(lines)),))


def page(*blocks: Block) -> Recognised:
    return Recognised("as Tesseract gave it", blocks, 90.0)


def test_names_and_prices_that_were_read_as_columns_are_joined_to_rows() -> None:
    heading, end = column(["Prix courant"], left=100, top=20), column(["Payable au comptant"], left=100, top=400)

    rows = by_rows(page(heading, column(GOODS, left=100), end, column(PRICES, left=700, lower_px=6)))

    assert rows.text == "\n\n".join(
        ["Prix courant", "\n".join(map(" ".join, zip(GOODS, PRICES, strict=True))), "Payable au comptant"]
    )
    assert [block.box for block in rows.blocks] == [heading.box, (100, 100, 805, 296), end.box]
    assert rows.confidence == 90.0


def test_a_row_without_a_price_stays_between_its_neighbours() -> None:
    prices = [
        column([price], left=700, top=100 + PITCH * row) for price, row in zip(PRICES, (0, 1, 3, 4), strict=False)
    ]

    text = by_rows(page(column(GOODS, left=100), *prices)).text

    assert text.splitlines() == [
        "Vin rouge 12,50 F",
        "Pain de seigle 3,05",
        "Beurre",
        "Huile d'olive 40",
        "Sel 1 240 F",
    ]


def test_columns_of_prose_stay_columns_though_numbers_stand_beside_them() -> None:
    prose = [
        "so that nobody is left alone",
        "on the way to the old market",
        "where they sell bread and fish",
        "and the",
    ]
    columns = page(column(prose, left=100), column(prose, left=700), column(["1", "2", "3", "4"], left=1300))

    assert by_rows(columns) == columns


def test_columns_of_names_without_numbers_stay_columns() -> None:
    names = page(column(GOODS, left=100), column(GOODS, left=700), column(["7", "8"], left=1300))

    assert by_rows(names) == names


TIMES = ("Paris 16.40 6.05", "Melun 14.27 9.54", "Sens 23.44 20.54", "Joigny 4.14 18.58", "Laroche 8.33 20.27")
CUT_TIMES = ("Paris 16. 40 .05", "Melun 14. 27 .54", "Sens 23. 44 20. 54", "Joigny .14 18. 58", "Laroche .33 20. 27")


@pytest.mark.parametrize(
    ("lines", "are_cut"),
    [
        pytest.param(CUT_TIMES, True, id="numbers in two columns each"),
        pytest.param(TIMES, False, id="whole numbers"),
        pytest.param(("1. Bread", "2. Salt", "3. Oil", "4. Wine", "5. Soap", "6. Rice", "7. Tea"), False, id="a list"),
        pytest.param(
            ("In 1831. It", "in 1842, he", "to 1850. A", "at 7: so", "of 1861. On", "by 8, no"), False, id="ends"
        ),
    ],
)
def test_numbers_are_cut_if_their_digits_stand_apart(lines: Sequence[str], *, are_cut: bool) -> None:
    assert cuts_numbers(page(column(lines, left=100))) is are_cut


def test_a_table_beside_prose_is_not_read_across() -> None:
    prose = column(["the goods that came with the", "boats of the morning were"] * 3, left=900)

    assert not cuts_numbers(page(column(CUT_TIMES, left=100), prose))


@pytest.mark.parametrize("as_block", [TIMES, CUT_TIMES, TIMES[:2]])
def test_a_table_whose_numbers_are_cut_is_read_as_one_block_if_they_are_whole_then(as_block: Sequence[str]) -> None:
    of_layout = {Layout.PAGE: column(CUT_TIMES, left=100), Layout.BLOCK: column(as_block, left=100)}

    class ByLayout:
        def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
            del picture, dpi, languages
            block = of_layout.get(layout)
            return Recognised(text_of([block]), (block,), 90.0) if block else NOTHING

    sheet = Image.new("L", (1000, 1200), 250)
    for top in range(100, 300, PITCH):
        for left in range(100, 700, 2 * LETTER):
            ImageDraw.Draw(sheet).rectangle((left, top, left + LETTER, top + HEIGHT), fill=20)

    attempt = PageReader(Picture(sheet, None, 1.0), ByLayout(), turning=False).read("eng")

    assert attempt.recognised.text == "\n".join(TIMES if as_block is TIMES else CUT_TIMES)
