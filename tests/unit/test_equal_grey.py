"""Shapes and pictures with the same grey as what is around them: one sees them, so the page is not exact."""

import pytest
from PIL import ImageOps
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, Draw, both, image, lines, outlines, pdf
from tests.support.samples.pictures import picture
from tests.support.text_layers import whole_layer

RED, GREEN = (1.0, 0.0, 0.0), (0.0, 0.51, 0.0)
"""Red and this green have the same grey."""


def on_ground(ground: tuple[float, float, float], ink: tuple[float, float, float], text: str = "Oak table") -> Draw:
    """Outlines of the text on a box."""

    def draw(canvas: Canvas) -> None:
        canvas.setFillColorRGB(*ground)
        canvas.rect(60, 490, 200, 60, stroke=0, fill=1)
        canvas.setFillColorRGB(*ink)
        outlines([text], x=72, y=500, width=100)(canvas)

    return draw


def test_outlines_of_the_same_grey_as_their_ground_have_to_be_read() -> None:
    assert whole_layer(pdf(both(lines(PROSE), on_ground(GREEN, RED)))).patches is not None


def test_outlines_that_nobody_sees_need_not_be_read() -> None:
    assert whole_layer(pdf(both(lines(PROSE), on_ground(GREEN, GREEN)))).is_exact


@pytest.mark.parametrize(("ink", "is_exact"), [((255, 0, 0), False), ((0, 130, 0), True)])
def test_a_picture_of_one_grey_has_to_be_read_if_it_has_two_colours(
    ink: tuple[int, int, int], *, is_exact: bool
) -> None:
    shown = ImageOps.colorize(picture("Oak table"), ink, (0, 130, 0))

    layer = whole_layer(pdf(both(lines(PROSE), image(shown, x=72, y=400, width=100, height=50))))

    assert layer.is_exact is is_exact
