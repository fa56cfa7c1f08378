"""Signs that are parts of frames are left out, and hyphens and bullets that were read as others are not."""

import pytest
from PIL import Image, ImageDraw, ImageFont

from docserver.layout import Block, Box, Line, Paragraph, Word, around, words_of
from docserver.ocr.image.transform import PageImage
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.lone_signs import MAX_SIGNS, with_signs_as_drawn
from docserver.ocr.recognition.tesseract import Recognised

FONT = ImageFont.load_default(size=32)
SHADES = [(255, 0), (20, 230), (255, 150)]
"""Paper and ink."""


class Page:
    """A page with a word on it, whose signs are drawn one by one."""

    def __init__(self, paper: int = 255, ink: int = 0) -> None:
        self.image, self.ink = Image.new("L", (900, 600), paper), ink
        self.draw = ImageDraw.Draw(self.image)
        self.words = [self.text("Anna", 100)]

    def text(self, text: str, left: int) -> Word:
        self.draw.text((left, 300), text, font=FONT, fill=self.ink)
        x0, y0, x1, y1 = FONT.getbbox(text)
        return Word(text, (int(left + x0), int(300 + y0), int(left + x1), int(300 + y1)), 90.0)

    def read(self, *words: tuple[str, Box]) -> list[str]:
        """What is left of the word and of these ones, which were read with these boxes."""
        read = (*self.words, *(Word(text, box, 80.0) for text, box in words))
        line = Line(around(word.box for word in read), read)
        attempt = Attempt(Recognised.of((Block(line.box, (Paragraph(line.box, (line,)),)),)), 0, "eng")
        found = with_signs_as_drawn(attempt, PageImage(self.image, 300, self.image.size))
        return [word.text for word in words_of(found.recognised.blocks)]


@pytest.mark.parametrize(("paper", "ink"), SHADES)
def test_a_side_of_a_frame_is_no_bar(paper: int, ink: int) -> None:
    page = Page(paper, ink)
    page.draw.rectangle((300, 295, 700, 345), outline=ink, width=2)

    assert page.read(("|", (300, 295, 303, 345)), ("_", (400, 342, 460, 346))) == ["Anna"]


def test_a_sign_beside_a_rule_that_was_removed_before_the_page_was_read_is_none() -> None:
    page = Page()
    page.draw.line((300, 100, 300, 500), fill=0, width=3)

    assert page.read(("=", (303, 305, 312, 330))) == ["Anna"]


@pytest.mark.parametrize("sign", ["|", "/", "=", "&", "+", "-", "_", "[", ":", "~", "*"])
@pytest.mark.parametrize("is_underlined", [False, True])
def test_signs_between_words_stay(sign: str, is_underlined: bool) -> None:
    page = Page()
    drawn = page.text(sign, 300)
    if is_underlined and sign != "_":
        page.draw.line((90, drawn.box[3], 500, drawn.box[3]), fill=0, width=2)

    assert page.read((sign, drawn.box)) == ["Anna", sign]


def test_a_row_of_underlines_stays() -> None:
    page = Page()
    drawn = page.text("_______", 300)

    assert page.read(("____", drawn.box)) == ["Anna", "____"]


@pytest.mark.parametrize(("paper", "ink"), SHADES)
@pytest.mark.parametrize("read", ["=", ">", ":", "3"])
def test_a_short_bar_is_a_hyphen(read: str, paper: int, ink: int) -> None:
    page = Page(paper, ink)
    page.draw.rectangle((300, 315, 311, 318), fill=ink)

    assert page.read((read, (299, 314, 313, 320))) == ["Anna", "-"]


@pytest.mark.parametrize("read", ["=", '="', "m"])
def test_a_filled_square_is_a_bullet(read: str) -> None:
    page = Page()
    page.draw.rectangle((300, 310, 314, 324), fill=0)

    assert page.read((read, (300, 310, 315, 325))) == ["Anna", "■"]


@pytest.mark.parametrize("letter", ["e", "o", "0", "1", "I", "-", "."])
def test_letters_and_true_hyphens_stay(letter: str) -> None:
    page = Page()
    drawn = page.text(letter, 300)

    assert page.read((letter, drawn.box)) == ["Anna", letter]


def test_a_bar_behind_a_slash_is_a_litre() -> None:
    page = Page()

    assert page.read(("mmol/|", page.text("mmol/l", 300).box), ("a|b", page.text("a|b", 500).box)) == [
        "Anna",
        "mmol/l",
        "a|b",
    ]


def test_signs_without_letters_or_too_many_of_them_stay() -> None:
    page = Page()
    page.draw.rectangle((300, 295, 700, 345), outline=0, width=2)
    side = "|", (300, 295, 303, 345)

    assert page.read(*[side] * (MAX_SIGNS + 1)) == ["Anna", *["|"] * (MAX_SIGNS + 1)]
    page.words = []
    assert page.read(side) == ["|"]


def test_a_sign_where_nothing_is_drawn_stays() -> None:
    assert Page().read(("~", (300, 310, 320, 320))) == ["Anna", "~"]
