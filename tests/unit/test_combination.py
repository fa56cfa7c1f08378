"""What two engines have read on a page becomes one text: each word once, in the order of Tesseract's lines."""

from collections.abc import Sequence

from docserver.layout import Block, Box, EngineName, Line, Paragraph, Word, around, lines_of
from docserver.ocr.recognition.combination import combined

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


def joined(
    blocks: tuple[Block, ...], *found: tuple[Box, Sequence[Given]], all_lines: bool = False
) -> tuple[list[str], list[int]]:
    """The lines of the text, and the lines that the second engine was asked to read."""
    asked = []

    def read(index: int) -> list[Word]:
        asked.append(index)
        box, given = found[index]
        return [word(each, box[1] + 10, EngineName.PPOCR) for each in given]

    lines = lines_of(combined(blocks, [box for box, _ in found], read=read, all_lines=all_lines))
    return [" ".join(each.text for each in line.words) for line in lines], asked


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
