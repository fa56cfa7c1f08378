"""Tricks with words that one sees and that are drawn in unusual ways: twice, through masks, in patterns, as shapes."""

from functools import cache
from typing import Any

import pikepdf
from fontTools.pens.reportLabPen import ReportLabPen
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bench import texts
from bench.silence.sheet import EMBEDDED, LEFT, UNMAPPED, WIDTH, Sheet, file_of


def repeats(sheet: Sheet) -> None:
    """The same word again beside itself, in another size, and over itself a line below."""
    amount = texts.amount(sheet.chance)
    end = sheet.line(amount)
    sheet.put(amount, end + 0.35 * sheet.size, sheet.y, same_line=True)
    y = sheet.down(2.2 * sheet.size)
    end = sheet.put("Total", LEFT, y, size=1.6 * sheet.size)
    sheet.put("Total", end + 0.5 * sheet.size, y, size=sheet.size, same_line=True)
    sheet.line(amount)
    sheet.put(amount, LEFT, sheet.down(0.95 * sheet.size))


def narrow_digits(sheet: Sheet) -> None:
    """Single digits in a narrow font."""
    scale = sheet.chance.uniform(45, 70)
    for _ in range(3):
        y = sheet.down(1.4 * sheet.size)
        digits = [str(sheet.chance.choice((1, 1, 1, 7, 0))) for _ in range(8)]
        x, gap = LEFT, sheet.chance.uniform(0.4, 1.0) * sheet.size
        for number, digit in enumerate(digits):
            with sheet.moved(x, y):
                sheet.canvas.scale(scale / 100, 1)
                sheet.put(digit, 0, 0, font="Helvetica", same_line=number > 0)
            x += sheet.width(digit, font="Helvetica") * scale / 100 + gap


def fake_bold(sheet: Sheet) -> None:
    text = texts.line(sheet.chance)
    offset = sheet.chance.uniform(0.1, 0.6)
    y = sheet.down(1.6 * sheet.size)
    sheet.put(text, LEFT, y)
    sheet.draw(text, LEFT + offset, y)
    with sheet.moved(LEFT + 400, y - 150, turn=90):
        sheet.put("Copy 11", 0, 0)
        sheet.draw("Copy 11", 0, offset)


def shadow(sheet: Sheet) -> None:
    text = texts.title(sheet.chance)
    y = sheet.down(3 * sheet.size)
    offset = sheet.chance.uniform(0.5, 2.0)
    with sheet.state(fill=(0.7, 0.7, 0.7)):
        sheet.draw(text, LEFT + offset, y - offset, size=1.8 * sheet.size)
    sheet.put(text, LEFT, y, size=1.8 * sheet.size)


def watermark(sheet: Sheet) -> None:
    """Large pale words behind the text, along the lines."""
    with sheet.state(fill=(0.85, 0.85, 0.85)):
        sheet.put(sheet.chance.choice(("COPY", "DRAFT", "SAMPLE")), 120, sheet.y - 40, font="Helvetica", size=70)
    sheet.prose(5)


def _mask(size: tuple[int, int], level: int) -> Image.Image:
    image = Image.new("RGBA", size, (200, 30, 30, level))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 3, size[1]), fill=(30, 30, 200, level // 2))
    return image


def under_glass(sheet: Sheet) -> None:
    """A picture with a soft mask lies over words."""
    level = sheet.chance.choice((0, 20, 60, 90))
    top = sheet.y
    sheet.prose(3)
    image = _mask((90, 40), level)
    sheet.picture(image, LEFT - 5, sheet.y, width=sheet.chance.uniform(150, 400), height=top - sheet.y)


def under_tint(sheet: Sheet) -> None:
    """A coloured rectangle of little opacity lies over words."""
    top = sheet.y
    sheet.prose(3)
    with sheet.state(fill=(1, 0.9, 0), alpha=sheet.chance.uniform(0.1, 0.5)):
        sheet.canvas.rect(LEFT, sheet.y, 200, top - sheet.y, stroke=0, fill=1)


def multiplied(sheet: Sheet) -> None:
    """A marker's colour is multiplied with words."""
    top = sheet.y
    sheet.prose(2)
    with sheet.state(operators="/Marked gs", fill=(1, 1, 0.2)):
        sheet.canvas.rect(LEFT, sheet.y, 300, top - sheet.y, stroke=0, fill=1)
    sheet.resource("ExtGState", "Marked", lambda _: Dictionary(BM=Name.Multiply))


def soft_mask_group(sheet: Sheet) -> None:
    """Words drawn through a soft mask of the graphics state: one half is seen, the other is not."""
    y = sheet.down(2 * sheet.size)

    def state(pdf: pikepdf.Pdf) -> Dictionary:
        group = pdf.make_stream(f"1 g 0 0 250 {y + 400:.0f} re f".encode())
        group.Type, group.Subtype, group.BBox = Name.XObject, Name.Form, Array([0, 0, 2000, 2000])
        group.Group = Dictionary(S=Name.Transparency, CS=Name.DeviceGray)
        return Dictionary(SMask=Dictionary(S=Name.Luminosity, G=group))

    with sheet.state(operators="/Masked gs"):
        sheet.put("Amount", LEFT, y)
        sheet.draw("withdrawn", 300, y)
    sheet.resource("ExtGState", "Masked", state)
    sheet.put(texts.amount(sheet.chance), 420, y)


def cropped_picture(sheet: Sheet) -> None:
    """A large picture of which a clip shows a small part; the rest of it would lie under words."""
    y = sheet.down(90)
    noise = Image.effect_noise((200, 200), 90).filter(ImageFilter.GaussianBlur(3)).convert("RGB")
    with sheet.clip(LEFT, y, 80, 80):
        sheet.picture(noise, LEFT - 100, y - 150, width=400, height=400)
    for number, text in enumerate(sheet.wrapped(5, width=250)):
        sheet.put(text, LEFT + 100, y + 70 - 14 * number)
    sheet.put(f"Photo: {sheet.chance.choice(texts.NAMES)}", LEFT, y - 1.2 * sheet.size)
    sheet.down(2 * sheet.size)


def over_photograph(sheet: Sheet) -> None:
    """Visible words on a photograph."""
    y = sheet.down(110)
    dark = sheet.chance.random() < 0.5
    noise = Image.effect_noise((200, 60), 60).filter(ImageFilter.GaussianBlur(4))
    noise = noise.point(lambda level: level // 3 if dark else 170 + level // 3).convert("RGB")
    sheet.picture(noise, LEFT, y, width=WIDTH - 2 * LEFT, height=100)
    with sheet.state(fill=(1, 1, 1) if dark else (0, 0, 0)):
        sheet.put(texts.title(sheet.chance), LEFT + 30, y + 60, size=20)
        sheet.put(texts.line(sheet.chance), LEFT + 30, y + 30)


def coloured(sheet: Sheet) -> None:
    """Coloured words on grounds of other colours, light on dark among them."""
    pairs = (
        ((1, 1, 1), (0.1, 0.1, 0.3)),
        ((0.8, 0, 0), (1, 1, 0.8)),
        ((1, 1, 0), (0.5, 0, 0.5)),
        ((0, 0.3, 0), (0.6, 0.9, 0.6)),
    )
    for ink, ground in sheet.chance.sample(pairs, 3):
        y = sheet.down(2 * sheet.size)
        sheet.box(LEFT - 4, y - 0.5 * sheet.size, 440, 1.6 * sheet.size, fill=ground)
        with sheet.state(fill=ink):
            sheet.put(texts.line(sheet.chance), LEFT, y)


def equal_grey(sheet: Sheet) -> None:
    """Words whose colour is as light as that of their ground."""
    for ink, ground in (((1, 0, 0), (0, 0.51, 0)), ((0, 0.4, 1), (0.75, 0.2, 0))):
        y = sheet.down(2 * sheet.size)
        sheet.box(LEFT - 4, y - 0.5 * sheet.size, 440, 1.6 * sheet.size, fill=ground)
        with sheet.state(fill=ink):
            sheet.put(texts.line(sheet.chance), LEFT, y)


def pattern(sheet: Sheet) -> None:
    """Words in the cell of a tiling pattern, which is drawn once."""
    word, y = texts.amount(sheet.chance), sheet.down(3 * sheet.size)
    x = LEFT + sheet.chance.uniform(0, 200)

    def cell(pdf: pikepdf.Pdf) -> pikepdf.Stream:
        stream = pdf.make_stream(f"BT /F 14 Tf 4 8 Td ({word}) Tj ET".encode())
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        stream.Resources = Dictionary(Font=Dictionary(F=font))
        stream.PatternType, stream.PaintType, stream.TilingType = 1, 1, 1
        stream.BBox, stream.XStep, stream.YStep = Array([0, 0, 100, 30]), 100, 30
        stream.Matrix = Array([1, 0, 0, 1, *corner])
        return stream

    corner = sheet.canvas.absolutePosition(x, y)
    with sheet.state(operators="/Pattern cs /Cell scn"):
        sheet.canvas.addLiteral(f"{x} {y} 100 30 re f")
    sheet.resource("Pattern", "Cell", cell)
    sheet.see(word, x + 4, y + 8, font="Helvetica", size=14)
    sheet.down(sheet.size)


def nested_forms(sheet: Sheet) -> None:
    """Words in forms within forms, one of them used twice."""
    inner, outer = texts.line(sheet.chance), texts.amount(sheet.chance)
    sheet.canvas.beginForm("inner")
    sheet.draw(inner, 0, 10)
    sheet.canvas.endForm()
    sheet.canvas.beginForm("outer")
    sheet.canvas.doForm("inner")
    sheet.draw(outer, 0, 10 + 1.5 * sheet.size)
    sheet.canvas.endForm()
    for _ in range(2):
        with sheet.moved(LEFT, sheet.down(5 * sheet.size), scale=sheet.chance.choice((1, 0.8, 1.3))):
            sheet.canvas.doForm("outer")
            sheet.see(inner, 0, 10)
            sheet.see(outer, 0, 10 + 1.5 * sheet.size)


def type3(sheet: Sheet) -> None:
    """Digits of a Type 3 font, with a mapping: shapes of rectangles as on a calculator."""
    sides = {
        "a": "10 90 30 8",
        "b": "36 50 8 44",
        "c": "36 6 8 44",
        "d": "10 2 30 8",
        "e": "6 6 8 44",
        "f": "6 50 8 44",
        "g": "10 46 30 8",
    }
    lit = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgecd", "abc", "abcdefg", "abfgcd")

    def font(pdf: pikepdf.Pdf) -> Dictionary:
        shapes = Dictionary()
        for digit, on in enumerate(lit):
            path = " ".join(f"{sides[side]} re" for side in on)
            shapes[f"/d{digit}"] = pdf.make_stream(f"55 0 0 0 50 100 d1 {path} f".encode())
        listed = "\n".join(f"<{48 + digit:02X}> <{48 + digit:04X}>" for digit in range(10))
        mapping = (
            f"begincmap 1 begincodespacerange <00> <FF> endcodespacerange 10 beginbfchar\n{listed}\nendbfchar endcmap"
        )
        return Dictionary(
            Type=Name.Font, Subtype=Name.Type3, FontBBox=Array([0, 0, 55, 100]),
            FontMatrix=Array([0.01, 0, 0, 0.01, 0, 0]), CharProcs=shapes,
            Encoding=Dictionary(Differences=Array([48, *(Name(f"/d{digit}") for digit in range(10))])),
            FirstChar=48, LastChar=57, Widths=Array([55] * 10), ToUnicode=pdf.make_stream(mapping.encode()),
        )  # fmt: skip

    end = sheet.line("Meter reading")
    number = str(sheet.chance.randint(10000, 999999))
    x, y = end + sheet.size, sheet.y
    with sheet.state():
        sheet.canvas.addLiteral(f"BT /Digits {sheet.size} Tf {x} {y} Td ({number}) Tj ET")
    sheet.resource("Font", "Digits", font)
    sheet.see_word(number, x, y, width=0.55 * sheet.size * len(number), size=sheet.size)


def unmapped(sheet: Sheet) -> None:
    """Words, amounts and single digits in a font that does not say what its letters mean."""
    for _ in range(3):
        sheet.line(sheet.chance.choice(texts.GOODS))
        text = sheet.chance.choice((texts.amount(sheet.chance), str(sheet.chance.randint(1, 9)), "Special offer"))
        sheet.put(text, 400, sheet.y, font=UNMAPPED, same_line=True)
    sheet.unmap()


def outlined(sheet: Sheet, *, short: bool = False) -> None:
    """Words drawn as paths."""
    y = sheet.down(2 * sheet.size)
    text = sheet.chance.choice(("48", "No", "EUR", "7.50")) if short else texts.line(sheet.chance)
    outline(sheet, text, LEFT, y, size=sheet.size)
    sheet.down(0.5 * sheet.size)


def outlined_short(sheet: Sheet) -> None:
    outlined(sheet, short=True)


def map_labels(sheet: Sheet) -> None:
    """A small map whose labels are paths, among good text."""
    bottom = sheet.down(160)
    with sheet.state(operators="0.6 G 1 w"):
        for _ in range(6):
            points = [(sheet.chance.uniform(LEFT, 500), bottom + sheet.chance.uniform(0, 150)) for _ in range(3)]
            path = sheet.canvas.beginPath()
            path.moveTo(*points[0])
            for point in points[1:]:
                path.lineTo(*point)
            sheet.canvas.drawPath(path)
    for number in range(4):
        outline(
            sheet,
            sheet.chance.choice(texts.NAMES) + " Street",
            LEFT + 200 * (number % 2),
            bottom + 20 + 70 * (number // 2),
            size=10,
        )
    sheet.down(sheet.size)


def outline(sheet: Sheet, text: str, x: float, y: float, *, size: float) -> None:
    """Draw a line as paths."""
    glyphs, names, units = _shapes()
    sheet.see(text, x, y, font=EMBEDDED[0], size=size)
    with sheet.moved(x, y, scale=size / units):
        path, at = sheet.canvas.beginPath(), 0
        for letter in text:
            glyph = glyphs[names[ord(letter)]]
            pen = _MovedPen(glyphs, path, at)
            glyph.draw(pen)
            at += glyph.width
        sheet.canvas.drawPath(path, stroke=0, fill=1)


@cache
def _shapes() -> tuple[Any, dict[int, str], int]:
    """Of the first embedded font: its glyphs, their names, and the units of its letters' size."""
    font = TTFont(file_of(EMBEDDED[0]))
    return font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm


class _MovedPen(ReportLabPen):  # type: ignore[misc]
    """Draws a glyph into a canvas's path, this far to the right."""

    def __init__(self, glyphs: object, path: object, right: float) -> None:
        super().__init__(glyphs, path)
        self._right = right

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return point[0] + self._right, point[1]

    def _moveTo(self, p: tuple[float, float]) -> None:  # noqa: N802
        self.path.moveTo(*self._at(p))

    def _lineTo(self, p: tuple[float, float]) -> None:  # noqa: N802
        self.path.lineTo(*self._at(p))

    def _curveToOne(self, p1: tuple[float, float], p2: tuple[float, float], p3: tuple[float, float]) -> None:  # noqa: N802
        self.path.curveTo(*self._at(p1), *self._at(p2), *self._at(p3))

    def _closePath(self) -> None:  # noqa: N802
        self.path.close()


def picture_of(text: str, *, size: int = 40) -> Image.Image:
    """A picture of one line."""
    font = ImageFont.truetype(str(file_of(EMBEDDED[0])), size)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("RGB", (round(right - left) + 40, round(bottom - top) + 40), "white")
    ImageDraw.Draw(image).text((20 - left, 20 - top), text, fill=(20, 20, 120), font=font)
    return image


def scanned_stamp(sheet: Sheet) -> None:
    """A scanned stamp."""
    text = f"RECEIVED {texts.date(sheet.chance)}"
    shown = picture_of(text)
    y, scale = sheet.down(50), 0.28
    x = LEFT + sheet.chance.uniform(0, 200)
    sheet.picture(shown, x, y, width=shown.width * scale, height=shown.height * scale)
    size = 40 * scale
    sheet.see(text, x + 20 * scale, y + 20 * scale, font=EMBEDDED[0], size=size)
    sheet.down(10)


def inline_picture(sheet: Sheet) -> None:
    """A picture with text in the page's own operators."""
    text = f"No. {texts.code(sheet.chance)}"
    shown = picture_of(text, size=30).convert("L")
    y, scale = sheet.down(40), 0.4
    data = shown.tobytes().hex()
    with sheet.moved(LEFT, y):
        sheet.canvas.addLiteral(
            f"q {shown.width * scale} 0 0 {shown.height * scale} 0 0 cm "
            f"BI /W {shown.width} /H {shown.height} /BPC 8 /CS /G /F /AHx ID {data}> EI Q"
        )
        sheet.see(text, 20 * scale, 20 * scale, font=EMBEDDED[0], size=30 * scale)
    sheet.down(10)


def text_as_clip(sheet: Sheet) -> None:
    """Words that are the clip of a picture: one sees the picture in the shape of the letters."""
    text, y = texts.title(sheet.chance).upper(), sheet.down(40)
    image = Image.linear_gradient("L").point(lambda level: level // 2).convert("RGB")
    sheet.canvas.saveState()
    shown = sheet.canvas.beginText(LEFT, y)
    shown.setFont("Helvetica-Bold", 24)
    shown.setTextRenderMode(7)
    shown.textOut(text)
    sheet.canvas.drawText(shown)
    sheet.picture(image, LEFT - 10, y - 10, width=500, height=50)
    sheet.canvas.restoreState()
    sheet.canvas.addLiteral("0 Tr")
    sheet.see(text, LEFT, y, font="Helvetica-Bold", size=24)


def stroked(sheet: Sheet) -> None:
    """Words of which only the contours are drawn."""
    y = sheet.down(30)
    with sheet.state(operators="1 Tr 0.4 w"):
        sheet.put(texts.title(sheet.chance), LEFT, y, font="Helvetica-Bold", size=20)
    sheet.canvas.addLiteral("0 Tr")


TRICKS = (
    repeats,
    narrow_digits,
    fake_bold,
    shadow,
    watermark,
    under_glass,
    under_tint,
    multiplied,
    soft_mask_group,
    cropped_picture,
    over_photograph,
    coloured,
    equal_grey,
    pattern,
    nested_forms,
    type3,
    unmapped,
    outlined,
    outlined_short,
    map_labels,
    scanned_stamp,
    inline_picture,
    text_as_clip,
    stroked,
)
