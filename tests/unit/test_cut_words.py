"""Addresses and amounts that Tesseract has cut are joined; two words or numbers are not."""

import pytest

from docserver.layout import Block, EngineName, Line, Paragraph, Word, around, words_of
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.cut_words import with_cut_words_joined
from docserver.ocr.recognition.tesseract import Recognised

HEIGHT = 100


def joined(*parts: str | int, engine: EngineName = EngineName.TESSERACT) -> list[str]:
    """The words of a line after they were joined. Numbers between words are gaps in hundredths of their height."""
    words, left, confidence = [], 0, 60.0
    for part in parts:
        if isinstance(part, int):
            left += part
            continue
        words.append(Word(part, (left, 0, left + 50 * len(part), HEIGHT), confidence, engine))
        left, confidence = words[-1].box[2], confidence + 10
    line = Line(around(word.box for word in words), tuple(words))
    attempt = Attempt(Recognised.of((Block(line.box, (Paragraph(line.box, (line,)),)),)), 0, "eng")
    return [word.text for word in words_of(with_cut_words_joined(attempt).recognised.blocks)]


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (("8,334.", 35, "05"), "8,334.05"),
        (("21", 30, ",277.77"), "21,277.77"),
        (("$1'234'567,", 35, "10-"), "$1'234'567,10-"),
        (("12", 30, ".50"), "12.50"),
        (("a.smith", 28, "@mill-tools.co.uk"), "a.smith@mill-tools.co.uk"),
        (("anna", -10, ".smith@example.org,"), "anna.smith@example.org,"),
        (("anna.", 9, "smith", 10, "16", 12, "@example.org"), "anna.smith16@example.org"),
    ],
)
def test_what_was_cut_is_one_word(parts: tuple[str | int, ...], whole: str) -> None:
    assert joined("from", 60, *parts, 60, "on") == ["from", whole, "on"]


@pytest.mark.parametrize(
    ("before", "gap", "behind"),
    [
        ("8,334.", 50, "05"),
        ("20.", 35, "33"),
        ("2019.", 35, "12"),
        ("8,334.", 35, "055"),
        ("21", 35, "277.77"),
        ("8,334", 35, "05"),
        ("to", 25, "anna@example.org"),
        ("to", 60, "@example.org"),
        ("(to)", 5, "anna@example.org"),
        ("at", 5, "@"),
        ("8,334.", -1000, "05"),
    ],
)
def test_two_words_stay_two(before: str, gap: int, behind: str) -> None:
    assert joined(before, gap, behind) == [before, behind]


def test_words_of_the_second_engine_are_not_joined() -> None:
    assert joined("8,334.", 35, "05", engine=EngineName.PPOCR) == ["8,334.", "05"]


def test_where_points_have_much_room_shorter_amounts_are_joined_too() -> None:
    amounts = ("1,250.", "15"), ("8,334.", "05"), ("6,", "266.", "32"), ("20.", "33")
    table = [part for amount in amounts for digits in amount for part in (digits, 50 if digits != amount[-1] else 200)]

    assert joined(*table, "2,784.", 50, "71-") == ["1,250.15", "8,334.05", "6,266.32", "20.33", "2,784.71-"]
    assert joined(*table) == [part for part in table if isinstance(part, str)]
