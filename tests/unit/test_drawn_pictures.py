"""Pictures on pages with text of their own: pale and blurred print has to be read, but nothing else."""

import random

import pytest
from PIL import Image, ImageFilter, ImageOps

from tests.support.samples.pdf_layers import PROSE, both, image, lines, pdf
from tests.support.samples.pictures import picture
from tests.support.text_layers import whole_layer


def page(shown: Image.Image, *, width: float = 200) -> bytes:
    """A page of text with this picture."""
    return pdf(both(lines(PROSE), image(shown, x=72, y=100, width=width, height=width * shown.height / shown.width)))


def between(shown: Image.Image, low: int, high: int) -> Image.Image:
    return shown.point([low + (high - low) * level // 255 for level in range(256)])


STAMP = picture("PAID 17 June 2023")
BLURRED = STAMP.filter(ImageFilter.GaussianBlur(5))
PRINT = {
    "pale": between(STAMP, 225, 255),
    "dark on dark": between(STAMP, 0, 30),
    "white on pale": ImageOps.invert(between(STAMP, 0, 30)),
    "blurred": BLURRED,
    "blurred red": ImageOps.colorize(BLURRED, (180, 20, 20), "white"),
    "blurred and slanted": STAMP.rotate(14, expand=True, fillcolor=255).filter(ImageFilter.GaussianBlur(5)),
    "pale and little": ImageOps.expand(between(STAMP, 215, 255), border=(200, 400), fill=255),
}


@pytest.mark.parametrize("shown", PRINT.values(), ids=PRINT)
def test_pale_and_blurred_print_has_to_be_read(shown: Image.Image) -> None:
    width = 200 * shown.width / STAMP.width

    assert whole_layer(page(shown, width=width)).patches is not None


NOISE = Image.frombytes("L", (400, 200), random.Random(1).randbytes(80_000))
NO_PRINT = {
    "blank paper": Image.new("L", (400, 200), 240),
    "dirty paper": between(NOISE, 225, 255),
    "a gradient": Image.linear_gradient("L").resize((400, 200)),
    "a pale gradient": between(Image.linear_gradient("L").resize((400, 200)), 215, 255),
    "a pale photograph": between(NOISE.filter(ImageFilter.GaussianBlur(6)), 100, 250),
    "a pale box": ImageOps.expand(Image.new("L", (380, 180), 255), 10, fill=220),
}


def photograph_with(sign: Image.Image) -> Image.Image:
    """Patches of all shades, each with soft edges, and a sign among them."""
    shown = NOISE.resize((80, 40)).resize((1600, 800)).filter(ImageFilter.GaussianBlur(3))
    shown.paste(sign, (400, 300))
    return shown


def test_a_sign_in_a_photograph_has_to_be_read() -> None:
    sign = between(picture("Bakery 24"), 30, 220)

    assert whole_layer(page(photograph_with(sign), width=300)).patches is not None
    assert whole_layer(page(photograph_with(Image.new("L", sign.size, 220)), width=300)).is_exact


@pytest.mark.parametrize("shown", NO_PRINT.values(), ids=NO_PRINT)
def test_pictures_without_print_need_not_be_read(shown: Image.Image) -> None:
    assert whole_layer(page(shown)).is_exact
