"""Shapes and small pictures that are read alone: what a frame encloses, and what counts as a letter."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageOps

from docserver.layout import Block, Box, Line, Paragraph, Word, words_of
from docserver.model import Reading, Source
from docserver.ocr.child import tasks
from docserver.ocr.child.lone_letters import read_alone
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.enclosed import enclosed
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.tesseract import Recognised
from docserver.ocr.requests import ReadPage
from docserver.reading_options import Options
from tests.support.limits import LIMITS
from tests.support.samples.pdf_layers import PROSE, both, image, lines, pdf
from tests.support.samples.pictures import picture

MARGIN_PX = 8


def cut(text: str) -> Image.Image:
    shown = picture(text)
    left, top, right, bottom = ImageOps.invert(shown).getbbox() or (0, 0, 0, 0)
    return shown.crop((left - MARGIN_PX, top - MARGIN_PX, right + MARGIN_PX, bottom + MARGIN_PX))


LETTER = cut("5")


def framed(*, disc: bool = False) -> Image.Image:
    """A 5 in a frame, or light on a disc, with a margin."""
    width, height = LETTER.size
    shown = Image.new("L", (width + 40, height + 40), 255)
    if disc:
        ImageDraw.Draw(shown).rectangle((6, 6, width + 33, height + 33), fill=0)
        shown.paste(ImageOps.invert(LETTER), (20, 20))
    else:
        ImageDraw.Draw(shown).rectangle((6, 6, width + 33, height + 33), outline=0, width=3)
        shown.paste(LETTER, (20, 20))
    return shown


@pytest.mark.parametrize("disc", [False, True], ids=["in a frame", "light on dark"])
def test_a_letter_is_taken_out_of_what_encloses_it(*, disc: bool) -> None:
    alone = enclosed(framed(disc=disc))

    ink = ImageOps.invert(LETTER).point(lambda level: 255 * (level > 127)).getbbox()
    assert alone is not None
    assert ink is not None
    assert ImageOps.invert(alone).getbbox() == tuple(side + 20 for side in ink)


@pytest.mark.parametrize("text", ["5", "C", "48", "i"])
def test_letters_enclose_nothing(text: str) -> None:
    assert enclosed(cut(text)) is None


def test_a_blank_picture_encloses_nothing() -> None:
    assert enclosed(Image.new("L", (30, 30), 255)) is None


CORNER = (200, 300)


def attempt(text: str, confidence: float, box: Box) -> Attempt:
    block = Block(box, (Paragraph(box, (Line(box, (Word(text, box, confidence),)),)),))
    return Attempt(Recognised(text, (block,) if text else (), confidence), 0, "eng")


def read(text: str, confidence: float, *, at_try: int = 1) -> tuple[Attempt | None, int]:
    """What a framed letter on a page gives if Tesseract says this at one of the tries, and the number of tries."""
    page = Image.new("L", (600, 800), 255)
    page.paste(framed(), CORNER)
    sizes: list[Box] = []

    def recognise(part: Picture) -> Attempt:
        box = 0, 0, *part.image.size
        sizes.append(box)
        return attempt(text if len(sizes) == at_try else "", confidence, box)

    width, height = framed().size
    place = (CORNER[0] + 6.0, CORNER[1] + 6.0, CORNER[0] + width - 6.0, CORNER[1] + height - 6.0)
    return read_alone(Picture(page, 300), place, origin=(190, 290, 0, 0), recognise=recognise), len(sizes)


@pytest.mark.parametrize("at_try", [1, 2], ids=["with its frame", "without it"])
def test_a_letter_is_read_alone_and_stays_in_its_place(at_try: int) -> None:
    letter, tries = read("5", 95.0, at_try=at_try)

    assert letter is not None
    assert tries == at_try
    (word,) = words_of(letter.recognised.blocks)
    middle = [(word.box[low] + word.box[low + 2]) / 2 for low in (0, 1)]
    expected = [CORNER[low] + framed().size[low] / 2 - (190, 290)[low] for low in (0, 1)]
    assert word.text == "5"
    assert middle == pytest.approx(expected, abs=3)


def test_a_large_letter_is_reduced_on_its_own_paper() -> None:
    page = Image.new("L", (1200, 1200), 255)
    ImageDraw.Draw(page).rectangle((300, 300, 699, 899), fill=0)
    parts: list[Image.Image] = []

    def recognise(part: Picture) -> Attempt:
        parts.append(part.image)
        return attempt("B", 95.0, (0, 0, *part.image.size))

    read_alone(Picture(page, 300), (300.0, 300.0, 699.0, 899.0), origin=(0, 0, 0, 0), recognise=recognise)

    (alone,) = parts
    assert alone.getpixel((0, 0)) == 255
    assert alone.height < 300


@pytest.mark.parametrize(("text", "confidence"), [("5", 85.0), ("v", 96.0), ("O", 96.0), ("(5)", 96.0), ("", 0.0)])
def test_what_may_be_a_symbol_is_no_letter(text: str, confidence: float) -> None:
    letter, _ = read(text, confidence)

    assert letter is None


def page_with_framed_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *read: tuple[str, float]) -> Reading:
    """The reading of a page of text with a framed letter, which Tesseract reads as this, one time after the other."""
    answers = iter(read)

    def recognise(part: Picture, **_: object) -> Attempt:
        return attempt(*next(answers), (0, 0, *part.image.size))

    path = tmp_path / "page.pdf"
    path.write_bytes(pdf(both(lines(PROSE), image(framed(), x=300, y=400, width=30, height=30))))
    monkeypatch.setattr(tasks, "_attempt", recognise)
    return tasks.read_page(ReadPage(content_type="application/pdf", page=1, options=Options("eng")), str(path), LIMITS)


def test_a_framed_letter_on_a_page_of_text_is_read_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = page_with_framed_letter(tmp_path, monkeypatch, ("", 0.0), ("(5)", 60.0), ("5", 95.0))

    assert reading.text.endswith("\n\n5")
    assert (reading.source, reading.needs_review) == (Source.MIXED, True)


@pytest.mark.parametrize(("text", "needs_review"), [("T", True), ("v", False), ("-", False)])
def test_a_page_is_not_sure_if_a_shape_is_a_letter_though_not_for_certain(
    *, text: str, needs_review: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = page_with_framed_letter(tmp_path, monkeypatch, *[(text, 80.0)] * 3)

    assert (reading.source, reading.needs_review) == (Source.TEXT_LAYER, needs_review)
