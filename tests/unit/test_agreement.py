"""Of two words that two engines have read in one place, the likelier one is taken, and its confidence follows both."""

import pytest

from docserver.layout import EngineName, Word
from docserver.ocr.recognition.agreement import IF_THEY_DIFFER, chosen

Given = tuple[str, int, float]
"""A word, where it begins, and its confidence. Letters are 10 pixels wide."""


def words(engine: EngineName, *given: Given) -> list[Word]:
    return [Word(text, (left, 0, left + 10 * len(text), 20), sure, engine) for text, left, sure in given]


def taken(tesseract: list[Given], ppocr: list[Given]) -> list[tuple[str, float, EngineName]]:
    """The text, the confidence and the engine of each word that is taken."""
    both = chosen(words(EngineName.TESSERACT, *tesseract), words(EngineName.PPOCR, *ppocr))
    return [(word.text, word.confidence, word.engine) for word in both]


@pytest.mark.parametrize(("ours", "theirs"), [(91, 97), (97, 60)])
def test_a_word_that_both_read_is_as_sure_as_the_surer_engine_says(ours: float, theirs: float) -> None:
    assert taken([("Total", 0, ours)], [("Total", 2, theirs)]) == [("Total", 97, EngineName.TESSERACT)]


def test_accents_are_those_that_tesseract_reads() -> None:
    assert taken([("tête", 0, 40), ("ALAM", 50, 96)], [("tete", 0, 97), ("ÁLAM", 50, 90)]) == [
        ("tête", 40, EngineName.TESSERACT),
        ("ALAM", 96, EngineName.TESSERACT),
    ]


def test_a_word_of_tesseract_is_taken_where_it_is_clearly_surer() -> None:
    assert taken([("16.30", 0, 95)], [("1630", 0, 60)]) == [
        ("16.30", round(IF_THEY_DIFFER * 95, 2), EngineName.TESSERACT)
    ]


@pytest.mark.parametrize(("ours", "theirs"), [(95, 90), (84, 40), (60, 97)])
def test_else_the_word_of_the_second_engine_is_taken(ours: float, theirs: float) -> None:
    assert taken([("1630", 0, ours)], [("16.30", 0, theirs)]) == [
        ("16.30", round(IF_THEY_DIFFER * theirs, 2), EngineName.PPOCR)
    ]


def test_words_that_one_engine_divides_are_in_one_place() -> None:
    assert [text for text, *_ in taken([("AB", 0, 90), ("CD", 22, 90)], [("ABCD", 0, 97)])] == ["ABCD"]
    assert [text for text, *_ in taken([("ABCD", 0, 99)], [("AB", 0, 50), ("CD", 22, 50)])] == ["ABCD"]


def test_a_word_that_one_engine_alone_sees_in_a_line_is_that_of_the_second_one() -> None:
    assert taken([("a", 0, 90)], [("bread", 100, 80)]) == [("bread", 80, EngineName.PPOCR)]
