"""What two engines have read on a page becomes one text: each word once, in the order of Tesseract's lines."""

from collections.abc import Sequence

import pytest

from docserver.layout import Block, Box, EngineName, Line, Paragraph, Word, around, lines_of, words_of
from docserver.ocr.recognition.combination import MAX_READ_ALONE, Combined, combined, with_lines, with_words

Given = tuple[str, int, float]
"""A word, where it begins, and its confidence. Letters are 10 pixels wide."""


def word(given: Given, top: int, engine: EngineName = EngineName.TESSERACT) -> Word:
    text, left, confidence = given
    return Word(text, (left, top, left + 10 * len(text), top + 20), confidence, engine)


def text(*lines: tuple[int, Sequence[Given]]) -> tuple[Block, ...]:
    """A block of Tesseract's lines: where each begins, and its words."""
    if not lines:
        return ()
    made = []
    for top, given in lines:
        words = tuple(word(each, top) for each in given)
        made.append(Line(around(each.box for each in words), words))
    box = around(line.box for line in made)
    return (Block(box, (Paragraph(box, tuple(made)),)),)


def both(
    blocks: tuple[Block, ...],
    *found: tuple[Box, Sequence[Given]],
    at: dict[int, Sequence[Given]] | None = None,
    all_lines: bool = False,
) -> tuple[Combined, list[int]]:
    """The combined text, and the lines that the second engine was asked to read. `at` has what it reads where it has
    found no line: the top of the place → the words.
    """
    asked = []

    def read(index: int) -> list[Word]:
        asked.append(index)
        box, given = found[index]
        return [word(each, box[1] + 10, EngineName.PPOCR) for each in given]

    def read_at(box: Box) -> list[Word]:
        return [word(each, box[1], EngineName.PPOCR) for each in (at or {}).get(box[1], [])]

    boxes = [box for box, _ in found]
    return combined(blocks, boxes, read=read, read_at=read_at, all_lines=all_lines), asked


def texts(blocks: Sequence[Block]) -> list[str]:
    """The lines of a text."""
    return [" ".join(each.text for each in line.words) for line in lines_of(blocks)]


def joined(
    blocks: tuple[Block, ...], *found: tuple[Box, Sequence[Given]], all_lines: bool = False
) -> tuple[list[str], list[int]]:
    """The lines of the text, and the lines that the second engine was asked to read."""
    result, asked = both(blocks, *found, all_lines=all_lines)
    return texts(result.blocks), asked


def test_a_line_that_tesseract_is_sure_of_is_not_read_again() -> None:
    blocks = text((100, [("Total", 0, 95), ("sum", 60, 93)]))

    assert joined(blocks, ((0, 90, 95, 130), [("Totol", 0, 99)])) == (["Total sum"], [])


def test_a_line_with_an_unsure_word_is_replaced() -> None:
    blocks = text((100, [("Tota1", 0, 60), ("sum", 60, 93)]), (140, [("next", 0, 95)]))
    found: tuple[tuple[Box, list[Given]], ...]
    found = (((0, 90, 95, 130), [("Total", 0, 99), ("sum", 60, 99)]), ((0, 130, 45, 170), []))

    assert joined(blocks, *found) == (["Total sum", "next"], [0])


def test_a_line_of_which_tesseract_has_missed_a_part_is_replaced() -> None:
    blocks = text((100, [("sum", 60, 95)]))

    assert joined(blocks, ((0, 90, 95, 130), [("Total", 0, 99), ("sum", 60, 99)]))[0] == ["Total sum"]


def test_what_the_second_engine_cannot_read_stays() -> None:
    assert joined(text((100, [("Tota1", 0, 40)])), ((0, 90, 55, 130), [])) == (["Tota1"], [0])


def test_a_line_that_only_the_second_engine_finds_is_added_in_its_place() -> None:
    blocks = text((100, [("first", 0, 95)]), (180, [("third", 0, 95)]))

    assert joined(blocks, ((0, 130, 65, 170), [("second", 0, 99)]))[0] == ["first", "second", "third"]


def test_a_price_that_only_the_second_engine_finds_follows_its_name() -> None:
    blocks = text((100, [("bread", 0, 95)]), (140, [("butter", 0, 95), ("2.50", 300, 95)]))

    assert joined(blocks, ((295, 90, 345, 130), [("3.40", 300, 99)]))[0] == ["bread 3.40", "butter 2.50"]


def test_the_first_words_of_a_page_may_be_those_of_the_second_engine() -> None:
    found = (((0, 140, 45, 180), [("last", 0, 99)]), ((0, 90, 55, 130), [("first", 0, 99)]))

    assert joined((), *found)[0] == ["first", "last"]


def test_words_that_only_tesseract_sees_stay_if_they_are_likelier_than_not() -> None:
    blocks = text((100, [("page", 0, 70)]), (300, [("~;", 0, 20)]))

    assert joined(blocks)[0] == ["page"]


def test_a_line_across_two_columns_is_divided_between_them() -> None:
    left, right = text((100, [("left", 0, 50)])), text((100, [("right", 300, 50)]))

    assert joined((*left, *right), ((0, 90, 355, 130), [("Left", 0, 99), ("Right", 300, 99)]))[0] == ["Left", "Right"]


def test_with_all_lines_nothing_of_tesseract_is_left() -> None:
    blocks = text((100, [("Total", 0, 95)]), (200, [("stamp", 0, 95)]))

    assert joined(blocks, ((0, 90, 55, 130), [("TOTAL", 0, 99)]), all_lines=True) == (["TOTAL"], [0])


FIRST: tuple[Box, Sequence[Given]] = ((0, 90, 55, 130), [("first", 0, 99)])
"""A line that the second engine finds, and that tells the height of lines."""


def test_an_unsure_word_where_it_finds_no_line_is_read_by_it_too() -> None:
    blocks = text((100, [("first", 0, 95)]), (300, [("2O.5", 0, 20)]))

    result, _ = both(blocks, FIRST, at={300: [("20.5", 0, 90)]})

    assert (texts(result.blocks), result.left_out) == (["first", "20.5"], False)
    assert [each.confidence for each in words_of(result.blocks)] == [95, 20]


def test_what_looks_like_a_word_and_is_read_by_neither_is_left_out_with_notice() -> None:
    blocks = text((100, [("first", 0, 95)]), (300, [("lost", 0, 20)]))

    result, _ = both(blocks, FIRST)

    assert (texts(result.blocks), result.left_out) == (["first"], True)


@pytest.mark.parametrize(
    "dirt",
    [
        Word("ee", (0, 300, 300, 302), 20),
        Word("l", (0, 300, 2, 600), 20),
        Word("S", (0, 300, 400, 320), 20),
        Word("~;", (0, 300, 20, 320), 20),
    ],
)
def test_rules_and_specks_that_are_read_as_words_are_left_out_without_notice(dirt: Word) -> None:
    (block,) = text((100, [("first", 0, 95)]))
    line = Line(dirt.box, (dirt,))
    blocks = (block, Block(line.box, (Paragraph(line.box, (line,)),)))

    result, _ = both(blocks, FIRST, at={300: [("no", 0, 99)]})

    assert (texts(result.blocks), result.left_out) == (["first"], False)


def test_a_sure_word_stays_where_the_second_engine_leaves_a_gap_in_its_line() -> None:
    blocks = text((100, [("Tota1", 0, 60), ("18.72", 300, 95)]))

    assert joined(blocks, ((0, 90, 355, 130), [("Total", 0, 99)]))[0] == ["Total 18.72"]


def test_a_word_across_two_lines_that_it_reads_is_not_given_twice() -> None:
    blocks = text((100, [("Totalsum00", 0, 66), ("end", 300, 95)]))
    found = (((0, 90, 25, 130), [("To", 0, 99)]), ((80, 90, 105, 130), [("00", 80, 99)]))

    assert joined(blocks, *found)[0] == ["To 00 end"]


def test_what_is_read_already_is_not_read_again_beside_its_line() -> None:
    blocks = text((100, [("74.20", 200, 95)]), (110, [("-CS-t-SH-CS-t-SH-CS-t-SH", 0, 10)]))

    result, _ = both(blocks, ((195, 90, 255, 130), []), at={110: [("74.20", 200, 99)]})

    assert texts(result.blocks) == ["74.20"]
    assert not result.left_out


def test_with_all_lines_sure_words_that_it_cannot_read_are_left_out_with_notice() -> None:
    blocks = text((100, [("first", 0, 95)]), (300, [("stamp", 0, 95)]))

    seen, _ = both(blocks, FIRST, at={300: [("STAMP", 0, 99)]}, all_lines=True)
    missed, _ = both(blocks, FIRST, ((0, 290, 55, 330), []), all_lines=True)

    assert (texts(seen.blocks), seen.left_out) == (["first", "STAMP"], False)
    assert (texts(missed.blocks), missed.left_out) == (["first"], True)


def test_cells_of_a_row_keep_their_order() -> None:
    blocks = text((100, [("name", 0, 95), ("1", 200, 30), ("9.90", 300, 95)]))
    found = (((195, 90, 215, 130), [("7", 200, 99)]), ((295, 90, 345, 130), [("9.90", 300, 99)]))

    assert joined(blocks, ((0, 90, 45, 130), [("name", 0, 99)]), *found)[0] == ["name 7 9.90"]


def test_a_line_that_is_a_little_askew_stays_one_line() -> None:
    words = [word((str(number), 60 * number, 95), 300 - 2 * number) for number in range(10, 30)]
    line = Line(around(each.box for each in words), tuple(words))

    blocks = with_words([Block(line.box, (Paragraph(line.box, (line,)),))], {id(words[3]): [words[3]]})

    assert texts(blocks) == [" ".join(each.text for each in words)]


def test_a_word_whose_place_has_dirt_beside_it_is_not_given_twice() -> None:
    blocks = text((100, [("-CS-t-SH-CS-t-SH-CS-t-SH", 0, 10)]))
    found: tuple[Box, Sequence[Given]] = ((175, 90, 235, 130), [("7.2", 180, 99)])

    result, _ = both(blocks, found, at={100: [("x" * 24, 0, 99)]})

    assert texts(result.blocks) == ["7.2"]


def test_of_many_unsure_words_not_all_are_read_and_the_page_says_so() -> None:
    blocks = text(*((100 * row, [("2O.5", 0, 20)]) for row in range(2 * MAX_READ_ALONE)))
    places: dict[int, Sequence[Given]] = {100 * row: [("20.5", 0, 90)] for row in range(2 * MAX_READ_ALONE)}

    result, _ = both(blocks, at=places)

    assert (texts(result.blocks), result.left_out) == (["20.5"] * MAX_READ_ALONE, True)


@pytest.mark.parametrize("all_lines", [False, True])
def test_a_page_without_words_stays_without(all_lines: bool) -> None:
    assert both((), all_lines=all_lines) == (Combined((), left_out=False), [])


def test_cells_that_tesseract_has_read_as_one_word_downwards_are_read_one_by_one_into_their_rows() -> None:
    rows = text(*((top, [("Bolt", 100, 95.0), ("4.50", 300, 95.0)]) for top in (100, 140, 180)))
    column = Word("HDUHN", (40, 95, 60, 205), 20.0)
    line = Line(column.box, (column,))
    blocks = (Block(column.box, (Paragraph(column.box, (line,)),)), *rows)

    result, _ = both(
        blocks,
        ((95, 90, 345, 130), [("Bolt", 100, 98.0), ("4.50", 300, 98.0)]),
        ((35, 90, 65, 130), [("1", 40, 97.0)]),
        ((95, 130, 345, 170), []),
        ((35, 130, 65, 170), [("2", 40, 97.0)]),
        ((95, 172, 345, 208), []),
        at={172: [("3", 40, 97.0)]},
    )

    assert texts(result.blocks) == ["1 Bolt 4.50", "2 Bolt 4.50", "3 Bolt 4.50"]
    assert not result.left_out


def test_where_nothing_is_read_of_a_word_downwards_something_is_left_out() -> None:
    rows = text(*((top, [("Bolt", 100, 95.0)]) for top in (100, 140, 180)))
    column = Word("HDUHN", (40, 95, 60, 205), 20.0)
    blocks = (*rows, Block(column.box, (Paragraph(column.box, (Line(column.box, (column,)),)),)))

    result, _ = both(blocks, ((95, 90, 145, 130), []))

    assert texts(result.blocks) == ["Bolt", "Bolt", "Bolt"]
    assert result.left_out


def test_a_word_that_was_missed_joins_the_nearest_row_at_its_height() -> None:
    rows = text((100, [("2", 100, 95.0)]), (104, [("Bolt", 200, 95.0), ("4.50", 500, 95.0)]))

    assert texts(with_lines(rows, [[word(("+3", 400, 97.0), 104)]])) == ["2", "Bolt +3 4.50"]


@pytest.mark.parametrize(("number", "left", "joins"), [("17", 60, True), ("17", -200, False), ("Note", 40, False)])
def test_a_short_number_joins_the_row_behind_it(number: str, left: int, joins: bool) -> None:
    rows = text((100, [("Bolt", 100, 95.0)]), (140, [("Nut", 100, 95.0)]))

    read = texts(with_lines(rows, [[word((number, left, 97.0), 140)]]))

    assert ("17 Nut" in read) == joins
