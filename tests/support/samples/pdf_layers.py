"""PDFs whose pages have text of their own, good, bad, hidden or in part; no file and no network."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, StreamObject
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.support.samples.pictures import picture

WIDTH, HEIGHT = 595, 842

PROSE = (
    "The harbour was quiet that morning, and nobody on the quay",
    "had noticed the small grey boat which came in with the tide.",
    "Its captain asked for coffee, for the price of rope, and for",
    "the name of the woman who had kept the lighthouse all winter.",
    "Nobody answered at first. Then an old sailor took him aside",
    "and told him the story that everybody else wished to forget.",
)

LEFT = (
    "Bread has been baked here",
    "since people settled near",
    "the river, and their mills",
    "have turned ever since.",
)
RIGHT = (
    "Salt came by another road,",
    "over the high passes, with",
    "drivers who never told the",
    "price they had paid for it.",
)

Draw = Callable[[Canvas], None]


def pdf(*pages: Draw, size: tuple[float, float] = (WIDTH, HEIGHT)) -> bytes:
    """A PDF of A4 pages, each drawn by a function that gets the canvas."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=size, invariant=True)
    for draw in pages:
        canvas.setFont("Times-Roman", 11)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def lines(texts: Sequence[str], *, x: float = 72, top: float = 770, pitch: float = 14) -> Draw:
    """The texts below each other."""

    def draw(canvas: Canvas) -> None:
        for number, text in enumerate(texts):
            canvas.drawString(x, top - number * pitch, text)

    return draw


def both(*draws: Draw) -> Draw:
    """One thing after the other on the same page."""

    def draw(canvas: Canvas) -> None:
        for draw in draws:
            draw(canvas)

    return draw


def image(shown: Image.Image, *, x: float, y: float, width: float, height: float) -> Draw:
    """A picture with its lower left corner at x, y."""
    return lambda canvas: canvas.drawImage(ImageReader(shown), x, y, width, height)


def scan(texts: Sequence[str], *, x: float = 0, y: float = 0, width: float = WIDTH) -> Draw:
    """A picture of these lines, as wide as given."""
    shown = picture("\n".join(texts))
    return image(shown, x=x, y=y, width=width, height=width * shown.height / shown.width)


def hidden(texts: Sequence[str], *, top: float = 770) -> Draw:
    """What recognition programs lay under a scan: text that is not painted."""

    def draw(canvas: Canvas) -> None:
        text = canvas.beginText(72, top)
        text.setTextRenderMode(3)
        text.textLines(list(texts))
        canvas.drawText(text)

    return draw


def outlines(texts: Sequence[str], *, x: float, y: float, width: float) -> Draw:
    """The texts as shapes: every row of their ink is a thin rectangle."""
    shown = picture("\n".join(texts)).point(lambda level: 255 * (level >= 128))
    scale = width / shown.width

    def draw(canvas: Canvas) -> None:
        path = canvas.beginPath()
        pixels: Any = shown.load()
        for row in range(shown.height):
            begin = None
            for column in range(shown.width):
                dark = pixels[column, row] == 0
                if dark and begin is None:
                    begin = column
                elif not dark and begin is not None:
                    bottom = y + (shown.height - row - 1) * scale
                    path.rect(x + begin * scale, bottom, (column - begin) * scale, scale)
                    begin = None
        canvas.drawPath(path, fill=1, stroke=0)

    return draw


def rewritten(data: bytes, change: Callable[[PdfWriter], object]) -> bytes:
    """A PDF after a change to it."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    change(writer)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def with_mapping(data: bytes, mapping: bytes, *, base_font: str = "") -> bytes:
    """The same letters drawn, but their fonts, or those of this name, say with this CMap what they mean."""

    def change(writer: PdfWriter) -> None:
        for page in writer.pages:
            resources: Any = page["/Resources"]
            fonts = resources["/Font"]
            for font in fonts.values():
                if base_font in font.get_object()["/BaseFont"]:
                    stream = StreamObject()
                    stream.set_data(mapping)
                    font.get_object()[NameObject("/ToUnicode")] = writer._add_object(stream)

    return rewritten(data, change)


def cmap(pairs: Mapping[int, int | str]) -> bytes:
    """A CMap (Adobe's technical note 5411): which code stands for which character or characters."""
    texts = {code: chr(meant) if isinstance(meant, int) else meant for code, meant in pairs.items()}
    listed = "\n".join(f"<{code:02X}> <{text.encode('utf-16-be').hex()}>" for code, text in texts.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Made def /CMapType 2 def\n"
        "1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(pairs)} beginbfchar\n{listed}\nendbfchar\nendcmap end end"
    ).encode()


def shifted(by: int) -> dict[int, int]:
    """Each letter taken for another, so many places further in the alphabet."""
    letters = {first + place: first + (place + by) % 26 for first in (65, 97) for place in range(26)}
    return letters | {ord(sign): ord(sign) for sign in " ,.-"}


def in_subset_font(texts: Sequence[str]) -> Draw:
    """Lines in a font that is embedded in part, its letters numbered as they come."""
    pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Vera", 11)
        lines(texts)(canvas)

    return draw


def in_unmapped_font(texts: Sequence[str], *, x: float, top: float) -> Draw:
    """Lines in a font that is embedded and numbers its letters as they come; `without_mapping` takes their meaning."""
    # Use another file than in_subset_font: two fonts of one file would share how their letters are numbered.
    pdfmetrics.registerFont(TTFont("Numbered", "VeraBd.ttf", asciiReadable=False))

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Numbered", 11)
        lines(texts, x=x, top=top)(canvas)
        canvas.setFont("Times-Roman", 11)

    return draw


def without_mapping(data: bytes) -> bytes:
    """The same letters drawn, but no font says what they mean."""

    def change(writer: PdfWriter) -> None:
        for page in writer.pages:
            resources: Any = page["/Resources"]
            for font in resources["/Font"].values():
                font.get_object().pop("/ToUnicode", None)

    return rewritten(data, change)
