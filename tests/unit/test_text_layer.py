"""Which text layers are trusted, what is read of them, and where its words stand."""

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest
import reportlab
from PIL import Image, ImageChops, ImageDraw, ImageFont
from pypdf import PdfWriter
from pypdf.generic import RectangleObject
from pypdfium2 import PdfDocument
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import lines_of, words_of
from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf import page_objects
from docserver.ocr.pdf.words import text_words
from tests.support.samples.pdf_layers import (
    LEFT,
    PROSE,
    WIDTH,
    both,
    cmap,
    hidden,
    image,
    lines,
    outlines,
    pdf,
    rewritten,
    scan,
    with_mapping,
)
from tests.support.samples.pictures import picture
from tests.support.text_layers import DPI, beside_patches, layer, refusal, whole_layer


def drawn(data: bytes) -> Image.Image:
    with PdfDocument(data) as document:
        document.init_forms()
        picture: Image.Image = document[0].render(scale=DPI / 72, grayscale=True).to_pil()
        return picture.copy()


def has_ink(part: Image.Image) -> bool:
    return any(part.histogram()[:128])


def test_a_born_digital_page_gives_its_lines_with_full_confidence() -> None:
    page_text = layer(pdf(lines(PROSE)))

    assert page_text.text == "\n".join(PROSE)
    words = list(words_of(page_text.blocks))
    assert [word.text for word in words] == " ".join(PROSE).split()
    assert {word.confidence for word in words} == {100.0}


def turned(data: bytes, degrees: int) -> bytes:
    return rewritten(data, lambda writer: writer.pages[0].rotate(degrees))


def cropped(data: bytes) -> bytes:
    def crop(writer: PdfWriter) -> None:
        writer.pages[0].cropbox = RectangleObject((50, 400, 500, 800))

    return rewritten(data, crop)


@pytest.mark.parametrize(
    "data",
    [
        pdf(lines(PROSE)),
        *(turned(pdf(lines(PROSE)), degrees) for degrees in (90, 180, 270)),
        cropped(pdf(lines(PROSE))),
        turned(cropped(pdf(lines(PROSE))), 90),
    ],
    ids=["upright", "90", "180", "270", "cropped", "cropped and 90"],
)
def test_every_word_stands_where_the_picture_shows_it(data: bytes) -> None:
    page_text = layer(data)
    picture = drawn(data)

    assert page_text.text == "\n".join(PROSE)
    for line in lines_of(page_text.blocks):
        for word in line.words:
            assert has_ink(picture.crop(word.box)), word
            # Its ink fills the box: a pixel or two remain for what PDFium rounds.
            ink = ImageChops.invert(picture.crop(word.box)).point(lambda level: 255 * (level > 64)).getbbox()
            assert ink
            assert ink[2] - ink[0] >= word.box[2] - word.box[0] - 4, word
            ImageDraw.Draw(picture).rectangle((word.box[0] - 1, word.box[1] - 1, word.box[2], word.box[3]), fill=255)
    assert picture.getextrema() == (255, 255), "no ink is outside of the words"


def test_text_across_the_page_is_read_in_its_own_direction() -> None:
    def landscape(canvas: Canvas) -> None:
        canvas.rotate(90)
        canvas.translate(0, -WIDTH)
        lines(PROSE, top=500)(canvas)

    data = pdf(landscape)
    page_text = layer(data)

    assert page_text.text == "\n".join(PROSE)
    first = next(lines_of(page_text.blocks)).words[0]
    assert first.box[3] - first.box[1] > first.box[2] - first.box[0]
    assert has_ink(drawn(data).crop(first.box))


def test_a_hyphen_at_the_end_of_a_line_stays() -> None:
    page_text = layer(
        pdf(lines(["This line ends in the middle of a hyphen-", "ated word, and the text is to tell so."]))
    )

    assert page_text.text == "This line ends in the middle of a hyphen-\nated word, and the text is to tell so."


def test_soft_hyphens_are_read_only_where_they_are_drawn() -> None:
    def word(canvas: Canvas) -> None:
        canvas.setFont("Courier", 11)
        canvas.drawString(72, 600, "Donau dampf~schiff")

    # In this font, both the space and the tilde stand for a soft hyphen.
    data = with_mapping(pdf(both(lines(PROSE), word)), cmap({32: 0xAD, 126: 0xAD}), base_font="Courier")

    assert layer(data).text.split()[-1] == "Donaudampf-schiff"


def test_a_space_that_lies_under_a_ligature_parts_no_word() -> None:
    def words(canvas: Canvas) -> None:
        canvas.setFont("Courier", 10)
        canvas.drawString(72, 600, "We ~")
        canvas.drawString(72 + 3 * 6, 600, " nd the cli~ by the sea")

    # The tilde stands for a ligature. Each letter and each space is 6 points wide.
    data = with_mapping(pdf(both(lines(PROSE), words)), cmap({126: 0xFB01}), base_font="Courier")

    assert layer(data).text.splitlines()[-1] == "We find the clifi by the sea"


def test_a_space_under_the_next_letter_of_a_text_parts_no_word() -> None:
    def words(canvas: Canvas) -> None:
        text = canvas.beginText(72, 600)
        text.setFont("Courier", 10)
        # Each letter and each space is 6 points wide. The numbers move what follows to the left by thousandths of 10.
        text.textOut("")
        text._code.append("[(Tw ) 600 (o justified ) 450 (lines \\( ) 600 (p2\\))] TJ")
        canvas.drawText(text)

    assert layer(pdf(both(lines(PROSE), words))).text.splitlines()[-1] == "Two justified lines (p2)"


def test_a_space_under_a_closing_sign_parts_no_word() -> None:
    def words(canvas: Canvas) -> None:
        canvas.setFont("Courier", 10)
        canvas.drawString(72, 600, "see page 22 ")
        canvas.drawString(72 + 11 * 6, 600, ".")
        canvas.drawString(72, 588, "so he said : yes")

    text = layer(pdf(both(lines(PROSE), words))).text

    assert text.splitlines()[-2:] == ["see page 22.", "so he said : yes"]


def test_pages_of_one_document_are_judged_one_by_one() -> None:
    data = pdf(lines(PROSE), scan(PROSE), lines(()), lines(LEFT))

    assert layer(data, 1).text == "\n".join(PROSE)
    assert refusal(data, 2) == "a picture without text"
    assert (layer(data, 3).text, layer(data, 3).confidence) == ("", 100.0)
    assert layer(data, 4).text == "\n".join(LEFT)


def test_text_hidden_under_a_scan_is_rejected() -> None:
    assert refusal(pdf(both(scan(PROSE), hidden(PROSE)))) == "a picture without text"


def test_a_layer_with_the_stamp_of_a_scan_lacks_most() -> None:
    assert whole_layer(pdf(both(scan(PROSE), lines(["Exhibit 12, page 3"], top=30)))).lacks_most


def test_text_is_kept_beside_a_picture_of_strokes() -> None:
    draw = ImageDraw.Draw(strokes := Image.new("L", (600, 600), 255))
    for x in range(-600, 600, 24):
        draw.line((x, 0, x + 600, 600), fill=0, width=4)
        draw.line((x, 600, x + 600, 0), fill=0, width=4)

    kept = whole_layer(pdf(both(lines(PROSE), image(strokes, x=72, y=300, width=220, height=220))))

    assert len(kept.words) == len(" ".join(PROSE).split())
    assert not kept.lacks_most


def test_text_that_a_scan_is_painted_over_is_rejected() -> None:
    assert refusal(pdf(both(lines(PROSE), scan(PROSE, y=600)))) == "no text"


def test_a_paragraph_as_an_image_has_to_be_read_beside_the_text() -> None:
    data = pdf(both(lines(PROSE), scan(PROSE[:3], x=72, y=400, width=400)))

    assert beside_patches(data) == "\n".join(PROSE)


def test_a_page_whose_text_is_drawn_as_outlines_is_rejected() -> None:
    assert refusal(pdf(outlines(PROSE, x=72, y=500, width=430))) == "no text"


def test_outlines_have_to_be_read_beside_the_text() -> None:
    data = pdf(both(lines(PROSE), outlines(PROSE, x=72, y=300, width=430)))

    assert beside_patches(data) == "\n".join(PROSE)


def test_a_scanned_line_that_runs_upwards_has_to_be_read_beside_the_text() -> None:
    stamp = picture("RECEIVED 14 MARCH").rotate(90, expand=True)
    data = pdf(both(lines(PROSE), image(stamp, x=480, y=300, width=16, height=16 * stamp.height / stamp.width)))

    assert beside_patches(data) == "\n".join(PROSE)


BOLD = Path(reportlab.__file__).parent / "fonts" / "VeraBd.ttf"


def test_a_word_in_large_letters_has_to_be_read_also_in_a_frame() -> None:
    draw = ImageDraw.Draw(stamp := Image.new("L", (700, 140), 255))
    draw.text((19, 18), "PAID 14 MAY", fill=0, font=ImageFont.truetype(BOLD, 80))
    draw.rectangle((3, 3, 690, 130), outline=0, width=8)
    data = pdf(both(lines(PROSE), image(stamp, x=350, y=300, width=150, height=35)))

    assert beside_patches(data) == "\n".join(PROSE)


def test_strokes_of_large_letters_are_no_frame() -> None:
    font = ImageFont.truetype(BOLD, 100)
    width = int(font.getlength("REEL")) + 20
    ImageDraw.Draw(heading := Image.new("L", (width, 120), 255)).text((10, 0), "REEL", fill=0, font=font)
    data = pdf(both(lines(PROSE), image(heading, x=200, y=302, width=36 * width / 120, height=36)))

    assert beside_patches(data) == "\n".join(PROSE)


@pytest.mark.parametrize("divisions", [0, 1, 4])
def test_a_frame_without_words_is_not_taken_for_text(divisions: int) -> None:
    def frame(canvas: Canvas) -> None:
        for number in range(divisions + 2):
            x = 350 + 150 * number / (divisions + 1)
            canvas.line(x, 480, x, 515)
        canvas.rect(350, 480, 150, 35)

    assert layer(pdf(both(lines(PROSE), frame))).text == "\n".join(PROSE)


def test_logos_rules_charts_and_photographs_are_not_taken_for_text() -> None:
    noise = random.Random(1)
    photograph = Image.frombytes("L", (120, 90), noise.randbytes(120 * 90)).resize((480, 360), Image.Resampling.BICUBIC)

    def chart(canvas: Canvas) -> None:
        for number in range(8):
            canvas.line(72, 300 + 20 * number, 300, 300 + 20 * number)
            canvas.rect(90 + 25 * number, 300, 15, 10 + 15 * number, fill=1)
        canvas.circle(420, 380, 60)

    data = pdf(both(lines(PROSE), chart, image(photograph, x=72, y=450, width=240, height=180)))

    assert layer(data).text == "\n".join(PROSE)


@pytest.mark.parametrize("text", ["e", "0", "word"])
def test_a_page_crammed_with_one_word_is_judged_in_a_moment(text: str) -> None:
    def crammed(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 1)
        for row in range(120):
            for column in range(80):
                canvas.drawString(20 + 7 * column, 20 + 6.5 * row, text)

    began = time.process_time()
    with suppress(TextLayerRejected):
        layer(pdf(crammed))

    assert time.process_time() - began < 20


def test_mirrored_text_is_rejected() -> None:
    def mirrored(canvas: Canvas) -> None:
        canvas.transform(-1, 0, 0, 1, 595, 0)
        lines(PROSE)(canvas)

    assert refusal(pdf(mirrored)) == "mirrored text"


def test_a_page_with_a_few_mirrored_words_needs_review() -> None:
    def mirrored(canvas: Canvas) -> None:
        canvas.scale(-1, 1)
        canvas.drawString(-300, 500, "Exit")

    assert layer(pdf(both(lines(PROSE), mirrored))).needs_review


def test_a_page_with_too_many_characters_or_objects_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_words, "MAX_CHARACTERS", 300)
    assert refusal(pdf(lines(PROSE))) == "too many characters"

    monkeypatch.setattr(page_objects, "MAX_OBJECTS", 3)
    assert refusal(pdf(lines(PROSE))) == "too many objects"


def test_a_page_with_too_many_pictures_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    def picture(canvas: Canvas) -> None:
        lines(PROSE)(canvas)
        canvas.drawInlineImage(Image.new("L", (10, 10)), 72, 400)

    assert layer(pdf(picture)).text == "\n".join(PROSE)
    monkeypatch.setattr(page_objects, "MAX_IMAGES", 0)

    assert refusal(pdf(picture)) == "too many pictures"


def test_text_that_pdfium_cannot_load_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypdfium2.raw.FPDFText_LoadPage", lambda _: None)

    assert refusal(pdf(lines(PROSE))) == "the text cannot be parsed"


@pytest.mark.parametrize(("x", "y"), [(-300, 400), (700, 400), (200, -300), (200, 1000)])
def test_a_picture_beside_the_page_is_ignored(x: float, y: float) -> None:
    beside = image(Image.new("L", (20, 20), 90), x=x, y=y, width=90, height=90)

    assert layer(pdf(both(lines(PROSE), beside))).text.splitlines() == list(PROSE)
