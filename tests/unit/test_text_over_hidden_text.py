"""Text over hidden text: what one sees is read whole, also where the hidden text has the same letters."""

import io
from collections.abc import Callable

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pdf_layers import PROSE, both, lines, pdf
from tests.support.text_layers import beside_patches, layer

SIZE = 10

Hide = Callable[[Canvas, str], None]


def shown(canvas: Canvas, text: str) -> None:
    canvas.setFont("Helvetica", SIZE)
    canvas.drawString(0, 0, text)


def under_box(canvas: Canvas, text: str) -> None:
    shown(canvas, text)
    canvas.setFillColorRGB(1, 1, 0.5)
    canvas.rect(-1, -3, 100, 13, stroke=0, fill=1)
    canvas.setFillGray(0)


def under_picture(canvas: Canvas, text: str) -> None:
    shown(canvas, text)
    canvas.drawImage(ImageReader(Image.new("L", (4, 4), 255)), -1, -3, 100, 13)


def in_white(canvas: Canvas, text: str) -> None:
    canvas.setFillGray(1)
    shown(canvas, text)
    canvas.setFillGray(0)


def in_layer_off(canvas: Canvas, text: str) -> None:
    canvas._code.append("/OC /Off BDC")
    shown(canvas, text)
    canvas._code.append("EMC")


def outside_clip(canvas: Canvas, text: str) -> None:
    canvas.saveState()
    outline = canvas.beginPath()
    outline.rect(0, 100, 10, 10)
    canvas.clipPath(outline, stroke=0, fill=0)
    shown(canvas, text)
    canvas.restoreState()


def page(*texts: tuple[Hide, str], turn: int = 0, in_form: bool = False) -> bytes:
    """A PDF of a page on which the texts are drawn in one place, each in its way, below PROSE. Its layer Off is off."""

    def draw(canvas: Canvas) -> None:
        canvas.translate(300, 400)
        canvas.rotate(turn)
        if in_form:
            canvas.beginForm("form")
        for hide, text in texts:
            hide(canvas, text)
        if in_form:
            canvas.endForm()
            canvas.doForm("form")

    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(both(lines(PROSE), draw)))) as document:
        off = document.make_indirect(Dictionary(Type=Name.OCG, Name="Off"))
        properties = Dictionary(Off=off)
        document.pages[0].Resources.Properties = properties
        for form in document.pages[0].Resources.get("/XObject", {}).values():
            form.Resources = Dictionary({**form.get("/Resources", {}), "/Properties": properties})
        document.Root.OCProperties = Dictionary(OCGs=Array([off]), D=Dictionary(OFF=Array([off])))
        document.save(target)
    return target.getvalue()


def below_prose(data: bytes) -> str:
    read = layer(data)
    assert read.confidence == 100.0
    return read.text.removeprefix("\n".join(PROSE)).strip()


HIDING = [under_box, under_picture, in_white, in_layer_off, outside_clip]


@pytest.mark.parametrize("hide", HIDING)
@pytest.mark.parametrize(
    ("old", "new"),
    [("174.75", "473.75"), ("109.38", "105.78"), ("12.50", "12.50"), ("Total Betrag bis", "Total amount due by")],
)
def test_a_text_over_a_hidden_one_is_read_whole(hide: Hide, old: str, new: str) -> None:
    assert below_prose(page((hide, old), (shown, new))) == new


@pytest.mark.parametrize("hide", [in_white, in_layer_off, outside_clip])
def test_hidden_text_over_a_text_is_not_read(hide: Hide) -> None:
    assert below_prose(page((shown, "473.75"), (hide, "174.75"))) == "473.75"


@pytest.mark.parametrize("hide", HIDING)
def test_a_text_over_a_hidden_one_is_read_in_a_form_that_is_turned(hide: Hide) -> None:
    assert below_prose(page((hide, "174.75"), (shown, "473.75"), turn=90, in_form=True)) == "473.75"


def test_a_text_that_is_drawn_twice_is_read_once() -> None:
    assert below_prose(page((shown, "473.75"), (shown, "473.75"))) == "473.75"


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize(("old", "new"), [("174.75", "473.75"), ("109.38", "105.78"), ("Miller", "Mullen")])
def test_a_text_over_the_hidden_end_of_a_line_is_read_from_the_picture(old: str, new: str, turn: int) -> None:
    def line(canvas: Canvas, text: str) -> None:
        canvas.setFont("Helvetica", SIZE)
        canvas.drawString(-canvas.stringWidth("Special offer: ", "Helvetica", SIZE), 0, "Special offer: " + text)
        under_box(canvas, "")

    text = beside_patches(page((line, old), (shown, new), turn=turn))

    assert text.removeprefix("\n".join(PROSE)).strip() in ("", "Special", "Special offer:")
