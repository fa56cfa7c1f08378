"""Letters and short words that stand alone on an otherwise empty page: which spots are read, and what is given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from PIL import Image, ImageDraw

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.overview import overview
from docserver.ocr.image.spots import few_spots
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised

LETTER: Box = (300, 400, 314, 422)
HOLE: Box = (20, 300, 60, 340)


def sheet(*spots: Box) -> Image.Image:
    image = Image.new("L", (800, 1000), 255)
    for left, top, right, bottom in spots:
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=0)
    return image


def word(text: str, confidence: float = 96.0, box: Box = (20, 20, 34, 42)) -> Recognised:
    line = Line(box, (Word(text, box, confidence),))
    return Recognised(text, (Block(box, (Paragraph(box, (line,)),)),), confidence)


@dataclass
class BlindToLetters:
    """Reads something on a whole page, and of each spot what it is told to read at each size."""

    of_spots: Sequence[Recognised]
    of_page: Recognised = NOTHING
    then: str = ""
    """What it reads after that; if this is empty, the same again."""
    pages: list[tuple[int, int]] = field(default_factory=list)
    parts: int = 0

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages
        if layout is not Layout.LETTER:
            self.pages.append(picture.size)
            return self.of_page
        self.parts += 1
        if self.then and self.parts > len(self.of_spots):
            return word(self.then)
        return self.of_spots[(self.parts - 1) % len(self.of_spots)]


def attempt(image: Image.Image, tesseract: BlindToLetters) -> Attempt:
    return PageReader(Picture(image, None), tesseract, turning=True).read("eng")


def test_a_letter_that_is_read_alike_at_each_size_is_given_in_its_place() -> None:
    tesseract = BlindToLetters([word("3")])

    read = attempt(sheet(LETTER), tesseract)

    assert (read.recognised.text, read.recognised.confidence, read.left_out) == ("3", 96.0, False)
    (block,) = read.recognised.blocks
    left, top, right, bottom = block.box
    assert LETTER[0] - 30 < left < right < LETTER[2] + 30
    assert LETTER[1] - 30 < top < bottom < LETTER[3] + 30


def test_letters_that_are_far_apart_are_all_given_though_one_was_read_with_the_page() -> None:
    spots = [(300 + 20 * row, 100 * row, 314 + 20 * row, 100 * row + 22) for row in range(1, 7)]
    there = (spots[0][0] - 2, spots[0][1] - 2, spots[0][2] + 2, spots[0][3] + 2)
    tesseract = BlindToLetters([word("8")], of_page=word("8", box=there))

    read = attempt(sheet(*spots), tesseract)

    assert (read.recognised.text.split(), read.left_out) == (["8"] * 6, False)


def test_more_spots_than_are_read_leave_the_page_to_be_reviewed() -> None:
    spots = [(300, 60 * row, 314, 60 * row + 22) for row in range(1, 15)]
    tesseract = BlindToLetters([word("8")])

    read = attempt(sheet(*spots), tesseract)

    assert (tesseract.parts, read.left_out) == (0, True)


def test_the_letters_of_a_word_are_read_together_where_they_are_close() -> None:
    tesseract = BlindToLetters([word("P.3")])

    read = attempt(sheet((300, 400, 314, 422), (326, 400, 340, 422)), tesseract)

    assert (read.recognised.text, tesseract.parts) == ("P.3", 5)


def test_letters_that_cannot_be_read_together_are_read_apart() -> None:
    tesseract = BlindToLetters([word("c d"), word("ed"), word("3")], then="3")

    read = attempt(sheet((300, 400, 314, 422), (326, 400, 340, 422)), tesseract)

    assert read.recognised.text.split() == ["3", "3"]


def test_other_words_in_the_block_of_a_word_that_is_read_again_stay() -> None:
    unsure, sure = (298, 398, 316, 424), (298, 700, 358, 724)
    lines = (Line(unsure, (Word("S", unsure, 30.0),)), Line(sure, (Word("Room", sure, 95.0),)))
    block = Block((298, 398, 358, 724), (Paragraph((298, 398, 358, 724), lines),))
    tesseract = BlindToLetters([word("8")], of_page=Recognised("S\nRoom", (block,), 62.5))

    read = attempt(sheet(LETTER, (300, 702, 356, 722)), tesseract)

    assert sorted(read.recognised.text.split()) == ["8", "Room"]


def test_a_sheet_with_a_single_letter_is_not_read_in_other_directions() -> None:
    tesseract = BlindToLetters([word("3")])

    page = sheet(LETTER)

    attempt(page, tesseract)

    assert all(width < page.height for width, _ in tesseract.pages)


def test_a_page_of_many_words_is_read_in_other_directions_though_it_has_spots() -> None:
    words = tuple(Word(f"word{number}", (20, 20, 34, 42), 33.0) for number in range(9))
    line = Line((20, 20, 34, 42), words)
    upside_down = Recognised("words", (Block(line.box, (Paragraph(line.box, (line,)),)),), 33.0)
    tesseract = BlindToLetters([NOTHING], of_page=upside_down)
    page = sheet(LETTER)

    attempt(page, tesseract)

    assert any(width > page.height for width, _ in tesseract.pages)


def test_a_reading_that_disagrees_makes_a_letter_less_sure() -> None:
    read = attempt(sheet(LETTER), BlindToLetters([*[word("3")] * 4, word("8")]))

    assert (read.recognised.text, read.recognised.confidence) == ("3", 76.8)


@pytest.mark.parametrize(
    ("readings", "is_suspicious"),
    [
        pytest.param([word("a"), word("x"), word("a"), word("Fa"), word("a")], True, id="dirt"),
        pytest.param([word("f", 40.0)], True, id="a hair"),
        pytest.param([word("|")], True, id="a staple, or an l"),
        pytest.param([NOTHING], False, id="a punched hole"),
    ],
)
def test_dirt_is_no_letter(readings: Sequence[Recognised], *, is_suspicious: bool) -> None:
    read = attempt(sheet(LETTER), BlindToLetters(readings))

    assert (read.recognised, read.left_out) == (NOTHING, is_suspicious)


@pytest.mark.parametrize(("spot", "text"), [(HOLE, ""), (LETTER, "0")])
def test_a_ring_as_wide_as_high_is_no_letter_but_a_narrow_one_is(spot: Box, text: str) -> None:
    assert attempt(sheet(spot), BlindToLetters([word("0")])).recognised.text == text


def test_on_a_page_with_a_few_words_only_the_other_spots_are_read() -> None:
    there = (LETTER[0] - 2, LETTER[1] - 2, LETTER[2] + 2, LETTER[3] + 2)
    tesseract = BlindToLetters([word("5")], of_page=word("12", box=there))

    read = attempt(sheet(LETTER, (600, 400, 614, 422)), tesseract)

    assert read.recognised.text == "12\n\n5"
    assert tesseract.parts == 5


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda: sheet((300, 400, 303, 403)), id="a speck"),
        pytest.param(lambda: sheet((100, 100, 700, 104)), id="a line"),
        pytest.param(lambda: sheet((740, 0, 800, 60)), id="a folded corner"),
        pytest.param(lambda: sheet((100, 100, 700, 900)), id="a picture"),
        pytest.param(lambda: sheet(*((300, top, 314, top + 22) for top in range(100, 850, 30))), id="many spots"),
    ],
)
def test_a_page_without_a_few_small_spots_is_searched_for_none(draw: Callable[[], Image.Image]) -> None:
    assert few_spots(overview(draw())) == []


def test_a_spot_includes_the_dashes_beside_it() -> None:
    left_dash, right_dash, speck = (282, 410, 289, 412), (325, 410, 332, 412), (500, 410, 507, 412)
    ((left, top, right, bottom),) = few_spots(overview(sheet(LETTER, left_dash, right_dash, speck)))
    assert left <= 282
    assert 332 <= right < 400
    assert (top, bottom) == (LETTER[1], LETTER[3])
