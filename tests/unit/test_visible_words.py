"""Which words of a text layer one sees: what is drawn decides, however the PDF hides words or draws over them."""

import io
from collections.abc import Callable

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image, ImageDraw
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from docserver.ocr.errors import TextLayerRejected
from docserver.ocr.pdf.verification import overlaps
from tests.support.samples.pdf_layers import PROSE, Draw, both, cmap, lines, pdf
from tests.support.text_layers import layer, whole_layer


def text_of(data: bytes) -> str:
    return whole_layer(data).reading().text


def beside_prose(draw: Draw) -> str:
    """The text of a page with PROSE and this, without PROSE."""
    text = text_of(pdf(both(lines(PROSE), draw)))
    assert text.startswith("\n".join(PROSE))
    return text.removeprefix("\n".join(PROSE)).strip()


def state(change: Callable[[Canvas], object], *draws: Draw) -> Draw:
    """What is drawn after a change to the graphics state, which ends with it."""

    def draw(canvas: Canvas) -> None:
        canvas.saveState()
        change(canvas)
        both(*draws)(canvas)
        canvas.restoreState()

    return draw


def clipped(x: float, y: float, width: float, height: float) -> Callable[[Canvas], None]:
    def clip(canvas: Canvas) -> None:
        path = canvas.beginPath()
        path.rect(x, y, width, height)
        canvas.clipPath(path, stroke=0)

    return clip


def bar(x: float, y: float, width: float, height: float, *, grey: float | None = 0) -> Draw:
    """A bar in this grey, or in the colour of before."""

    def draw(canvas: Canvas) -> None:
        if grey is not None:
            canvas.setFillGray(grey)
        canvas.rect(x, y, width, height, stroke=0, fill=1)
        if grey is not None:
            canvas.setFillGray(0)

    return draw


def in_form(*draws: Draw) -> Draw:
    def draw(canvas: Canvas) -> None:
        canvas.beginForm("inner")
        canvas.setFont("Helvetica", 12)
        both(*draws)(canvas)
        canvas.endForm()
        canvas.doForm("inner")

    return draw


def picture(alpha: int, *, x: float, y: float, width: float, height: float) -> Draw:
    """A picture with a soft mask: an opaque scrawl on a ground of this opacity."""
    shown = Image.new("RGBA", (200, 80), (200, 200, 200, alpha))
    ImageDraw.Draw(shown).line([(5, 70), (60, 10), (90, 60), (190, 20)], fill=(0, 0, 120, 255), width=3)
    return lambda canvas: canvas.drawImage(ImageReader(shown), x, y, width, height, mask="auto")


SEEN, HIDDEN = "Paid in full", "Never said this"


def hiding(text: str) -> dict[str, Draw]:
    """Ways to hide the text."""
    hidden = lines([text], top=600)
    return {
        "opacity 0": state(lambda canvas: canvas.setFillAlpha(0), hidden),
        "a form of opacity 0": state(lambda canvas: canvas.setFillAlpha(0), in_form(hidden)),
        "outside of a clip path": state(clipped(300, 300, 10, 10), hidden),
        "a form outside of a clip path": state(clipped(300, 300, 10, 10), in_form(hidden)),
        "a bar": both(hidden, bar(70, 597, 90, 11)),
        "a bar that lets the edges show": both(hidden, bar(70, 599.6, 90, 8)),
        "painted over in white": both(hidden, bar(60, 590, 200, 30, grey=1)),
        "an opaque picture": both(hidden, picture(255, x=60, y=590, width=200, height=30)),
        "in the colour of the paper": state(lambda canvas: canvas.setFillGray(1), hidden),
        "black on black": both(bar(60, 590, 200, 30), hidden),
        "clipped letters": state(lambda canvas: canvas._code.append("7 Tr"), hidden),
    }


@pytest.mark.parametrize("text", [HIDDEN, "Für Müller £5"], ids=["ASCII", "other letters"])
@pytest.mark.parametrize("way", hiding(""))
def test_words_that_one_does_not_see_are_left_out(way: str, text: str) -> None:
    assert beside_prose(both(hiding(text)[way], lines([SEEN], top=560))) == SEEN


SHOWING: dict[str, Draw] = {
    "under a transparent picture": both(lines([SEEN], top=600), picture(0, x=60, y=590, width=200, height=30)),
    "under a pale shadow": both(lines([SEEN], top=600), picture(60, x=60, y=590, width=200, height=30)),
    "beside a clipped picture": both(
        lines([SEEN], top=600), state(clipped(60, 300, 100, 200), picture(255, x=60, y=300, width=400, height=400))
    ),
    "over a picture": both(picture(255, x=60, y=590, width=200, height=30), lines([SEEN], top=600)),
    "white on black": both(bar(60, 590, 200, 30), state(lambda canvas: canvas.setFillGray(1), lines([SEEN], top=600))),
    "in a form": in_form(lines([SEEN], top=600)),
    "white on pale grey": both(
        bar(60, 590, 200, 30, grey=0.93), state(lambda canvas: canvas.setFillGray(1), lines([SEEN], top=600))
    ),
    "half transparent": state(lambda canvas: canvas.setFillAlpha(0.4), lines([SEEN], top=600)),
    "as outlines": state(lambda canvas: canvas._code.append("1 Tr"), lines([SEEN], top=600)),
    "in a clip path": state(clipped(0, 590, 500, 40), lines([SEEN], top=600)),
    "in a clip path about as large": state(clipped(71, 598, 60, 11), lines([SEEN], top=600)),
    "under a line": both(lines([SEEN], top=600), bar(70, 602, 90, 1)),
    "red on green of the same grey": state(
        lambda canvas: canvas.setFillColorRGB(0, 0.51, 0),
        bar(60, 590, 200, 30, grey=None),
        state(lambda canvas: canvas.setFillColorRGB(1, 0, 0), lines([SEEN], top=600)),
    ),
}


@pytest.mark.parametrize("draw", SHOWING.values(), ids=SHOWING)
def test_words_that_one_sees_are_read(draw: Draw) -> None:
    assert beside_prose(state(lambda canvas: canvas.translate(0, -1), draw)) == SEEN


@pytest.mark.parametrize("size", [5, 8])
def test_thin_dashes_are_read_wherever_they_lie_between_the_rows_of_pixels(size: int) -> None:
    dashes = lines(["10 \u2013 12"] * 10, top=600, pitch=10.1)
    in_size = state(lambda canvas: canvas.setFont("Times-Roman", size), dashes)
    assert beside_prose(in_size).split() == ["10", "\u2013", "12"] * 10


AMOUNT = "1,250.00"

CUTTING: dict[str, Draw] = {
    "a white box over its end": both(lines([AMOUNT], top=600), bar(96, 590, 100, 30, grey=1)),
    "a bar over its end": both(lines([AMOUNT], top=600), bar(96, 590, 100, 30)),
    "a bar over its middle": both(lines([AMOUNT], top=600), bar(84, 597, 10, 11)),
    "a picture over one digit": both(lines([AMOUNT], top=600), picture(255, x=70, y=590, width=7.4, height=30)),
    "a box over its lower half": both(lines([AMOUNT], top=600), bar(60, 590, 200, 14, grey=1)),
    "a clip path": state(clipped(60, 590, 36, 30), lines([AMOUNT], top=600)),
    "a clip path over its upper half": state(clipped(60, 590, 200, 14), lines([AMOUNT], top=600)),
    "the edge of the page": lines([AMOUNT], x=575, top=600),
    "a box over a word that runs upwards": state(
        lambda canvas: (canvas.translate(300, 300), canvas.rotate(90)),
        lines([AMOUNT], x=0, top=0),
        bar(24, -10, 100, 30, grey=1),
    ),
}


@pytest.mark.parametrize("draw", CUTTING.values(), ids=CUTTING)
def test_what_is_left_of_a_word_that_is_partly_hidden_has_to_be_read(draw: Draw) -> None:
    read = whole_layer(pdf(both(lines(PROSE), draw)))

    assert read.reading().text == "\n".join(PROSE)
    assert [word.pdf_word.text for word in read.partly_seen] == [AMOUNT]
    assert read.patches is not None
    assert read.partly_seen[0].rect in read.patches.unread


def raw(
    content: str, *, resources: Callable[[Pdf], Dictionary], layers: Callable[[Pdf], None] = lambda _: None
) -> bytes:
    """A page with PROSE in F1, and this content. `layers` may change the document's catalogue."""
    prose = "".join(f"BT /F1 11 Tf 72 {770 - 14 * row} Td ({line}) Tj ET\n" for row, line in enumerate(PROSE))
    file = io.BytesIO()
    with pikepdf.new() as made:
        layers(made)
        found = resources(made)
        found.Font = Dictionary(
            {"/F1": Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica), **found.get("/Font", {})}
        )
        made.add_blank_page(page_size=(595, 842))
        page = made.pages[0]
        page.Resources = found
        page.Contents = made.make_stream((prose + content).encode())
        made.save(file)
    return file.getvalue()


def form(made: Pdf, content: str, **more: object) -> pikepdf.Stream:
    return made.make_stream(
        content.encode(),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array([0, 0, 595, 842]),
        Resources=Dictionary(
            Font=Dictionary(F1=Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
        ),
        **more,
    )


def rest(data: bytes) -> str:
    text = text_of(data)
    assert text.startswith("\n".join(PROSE))
    return text.removeprefix("\n".join(PROSE)).strip()


def shown(text: str, *, x: float = 72, y: float = 600) -> str:
    return f"BT /F1 12 Tf {x} {y} Td ({text}) Tj ET\n"


@pytest.mark.parametrize("nested", [False, True])
def test_words_in_a_layer_that_is_off_are_left_out_also_where_they_cross_others(nested: bool) -> None:
    def resources(made: Pdf) -> Dictionary:
        inner = form(made, f"/OC /MC0 BDC {shown('Nicht werfen. Trocken lagern.', y=602)} EMC")
        inner.Resources.Properties = Dictionary(MC0=made.Root.OCProperties.OCGs[0])
        return Dictionary(Properties=Dictionary(MC0=made.Root.OCProperties.OCGs[0]), XObject=Dictionary(Fm0=inner))

    def layers(made: Pdf) -> None:
        group = made.make_indirect(Dictionary(Type=Name.OCG, Name="German"))
        made.Root.OCProperties = Dictionary(OCGs=Array([group]), D=Dictionary(OFF=Array([group]), Order=Array([group])))

    hidden = "/Fm0 Do" if nested else f"/OC /MC0 BDC {shown('Nicht werfen. Trocken lagern.', y=602)} EMC"

    assert rest(raw(shown("Handle with care. Keep dry.") + hidden, resources=resources, layers=layers)) == (
        "Handle with care. Keep dry."
    )


@pytest.mark.parametrize(("level", "text"), [(0, SEEN), (1, f"{HIDDEN} {SEEN}")])
def test_a_soft_mask_decides_which_words_are_visible(level: int, text: str) -> None:
    def resources(made: Pdf) -> Dictionary:
        group = Dictionary(S=Name.Transparency, CS=Name.DeviceGray, I=True)
        masking = form(made, f"{level} g 0 0 595 842 re f", Group=group)
        mask = Dictionary(Type=Name.Mask, S=Name.Luminosity, G=masking)
        return Dictionary(ExtGState=Dictionary(GS0=Dictionary(SMask=mask)))

    content = f"q /GS0 gs {shown(HIDDEN)} Q {shown(SEEN, x=180)}"

    assert rest(raw(content, resources=resources)) == text


def test_words_in_a_font_of_drawings_are_read_unless_they_are_covered() -> None:
    def resources(made: Pdf) -> Dictionary:
        letters = {
            f"/{letter}": made.make_stream(b"600 0 d0 50 0 400 600 re 150 150 200 300 re f*") for letter in "abcd"
        }
        encoding = Dictionary(Type=Name.Encoding, Differences=Array([97, *map(Name, letters)]))
        drawn = Dictionary(
            Type=Name.Font,
            Subtype=Name.Type3,
            FontBBox=Array([0, 0, 600, 700]),
            FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]),
            CharProcs=Dictionary(letters),
            Encoding=encoding,
            FirstChar=97,
            LastChar=100,
            Widths=Array([600] * 4),
            Resources=Dictionary(),
            ToUnicode=made.make_stream(cmap({ord(letter): ord(letter) for letter in "abcd"})),
        )
        return Dictionary(Font=Dictionary({"/T3": drawn}))

    content = "BT /T3 12 Tf 72 600 Td (cab) Tj 0 -40 Td (bad) Tj ET 60 550 100 30 re f"

    assert rest(raw(content, resources=resources)) == "cab"


def test_of_a_value_and_its_correction_only_the_correction_is_read() -> None:
    def corrected(canvas: Canvas) -> None:
        canvas.drawString(72, 600, "Amount due: 1,250.00 EUR by 30 June")
        bar(133, 596, 150, 14, grey=1)(canvas)
        canvas.drawString(134, 600, "9,975.00 EUR by 31 July")

    assert beside_prose(corrected) == "Amount due: 9,975.00 EUR by 31 July"


def test_of_texts_over_each_other_only_those_that_one_sees_are_read() -> None:
    def several(canvas: Canvas) -> None:
        canvas.drawString(72, 600, "Visible words of this line")
        for number in range(6):
            canvas.saveState()
            canvas.setFillAlpha(0)
            canvas.drawString(70 + number, 598 + number, f"Unseen sentence number {number} above it")
            canvas.restoreState()

    assert beside_prose(several) == "Visible words of this line"


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_equal_words_near_each_other_are_all_read(degrees: int, scale: float) -> None:
    def table(canvas: Canvas) -> None:
        canvas.translate(300, 420)
        canvas.rotate(degrees)
        canvas.scale(scale, scale)
        for row in range(4):
            canvas.drawString(-60, 24 - 11 * row, "Total 1 1 1 l l")
            canvas.drawString(10, 24 - 11 * row, "100.0")

    words = text_of(pdf(table)).split()

    assert sorted(words) == sorted(["Total", "1", "1", "1", "l", "l", "100.0"] * 4)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("offset", [0.3, 1.2])
def test_a_word_and_its_shadow_are_one_word(degrees: int, offset: float) -> None:
    def shadowed(canvas: Canvas) -> None:
        canvas.translate(300, 420)
        canvas.rotate(degrees)
        canvas.setFillGray(0.7)
        canvas.drawString(offset, -offset, "Ill will 1")
        canvas.setFillGray(0)
        canvas.drawString(0, 0, "Ill will 1")

    assert text_of(pdf(shadowed)) == "Ill will 1"


def test_a_stamp_that_is_drawn_many_times_over_itself_is_read_once() -> None:
    def stamp(canvas: Canvas) -> None:
        canvas.setFont("Times-Roman", 6)
        for _ in range(40):
            canvas.drawString(72, 600, "Seen by the mayor of our town")

    assert beside_prose(stamp) == "Seen by the mayor of our town"


def test_a_page_with_too_many_words_in_one_place_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlaps, "MAX_IN_SQUARE", 3)

    with pytest.raises(TextLayerRejected, match="too many words in one place"):
        text_of(pdf(lines(["a b c d e f g h"])))


def test_an_underlined_link_with_underscores_is_exact() -> None:
    def link(canvas: Canvas) -> None:
        canvas.drawString(72, 600, "anna_maria_berg@mail.org")
        canvas.rect(72, 597.5, canvas.stringWidth("anna_maria_berg@mail.org"), 1.6, fill=1, stroke=0)

    assert layer(pdf(both(lines(PROSE), link))).text.endswith("anna_maria_berg@mail.org")
