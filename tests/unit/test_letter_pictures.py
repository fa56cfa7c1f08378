"""Pictures as small as letters and short words beside a page's own text: which of them have to be read."""

import pytest
from PIL import Image, ImageDraw, ImageOps
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, image, lines, pdf
from tests.support.samples.pictures import LETTERS_PX, picture
from tests.support.text_layers import whole_layer

SCALE = 12 / LETTERS_PX


def small(shown: Image.Image, *, x: float = 300, y: float = 400) -> Draw:
    return image(shown, x=x, y=y, width=shown.width * SCALE, height=shown.height * SCALE)


def cut(text: str) -> Image.Image:
    """A picture of the text with hardly any margin."""
    shown = picture(text)
    left, top, right, bottom = ImageOps.invert(shown).getbbox() or (0, 0, 0, 0)
    return shown.crop((left - 4, top - 4, right + 4, bottom + 4))


WORDS: dict[str, Draw] = {
    **{text: small(cut(text)) for text in ("48", "3", "1", "l", "No", "B", "EUR")},
    "pale": small(cut("48").point([225 + level * 30 // 255 for level in range(256)])),
    "light on dark": small(ImageOps.invert(cut("48"))),
    "letter by letter": both(small(cut("4")), small(cut("8"), x=308)),
    "over another number": both(lambda canvas: canvas.drawString(302, 402, "17"), small(cut("48"))),
}


@pytest.mark.parametrize("draw", WORDS.values(), ids=WORDS)
def test_small_pictures_of_letters_have_to_be_read(draw: Draw) -> None:
    layer = whole_layer(pdf(both(lines(PROSE), draw)))

    (place,) = layer.shapes
    assert 0 < place[3] - place[1] < 40
    assert not layer.is_exact


def disc() -> Image.Image:
    shown = Image.new("L", (40, 40), 255)
    ImageDraw.Draw(shown).ellipse((8, 8, 32, 32), fill=0)
    return shown


def button(canvas: Canvas) -> None:
    small(Image.new("L", (160, 64), 200))(canvas)
    canvas.drawString(308, 404, "Next")


NO_WORDS: dict[str, Draw] = {
    "a fill": small(Image.new("L", (60, 40), 120)),
    "a rule": small(ImageOps.expand(Image.new("L", (200, 4), 0), 20, fill=255)),
    "a box": small(ImageOps.expand(Image.new("L", (150, 40), 90), (0, 20), fill=255)),
    "a bullet": small(disc()),
    "equal marks": both(*(small(cut("x"), y=100 + 50 * number) for number in range(4))),
    "a button": button,
    "under a box": both(small(cut("48")), lambda canvas: canvas.rect(290, 390, 60, 40, fill=1)),
}


@pytest.mark.parametrize("draw", NO_WORDS.values(), ids=NO_WORDS)
def test_other_small_pictures_need_not_be_read(draw: Draw) -> None:
    assert whole_layer(pdf(both(lines(PROSE), draw))).shapes == ()
