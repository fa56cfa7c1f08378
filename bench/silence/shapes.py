"""Tricks with words that are no text in the file: shapes, pictures, and text that is only a clip."""

from functools import cache
from typing import Any

from fontTools.pens.reportLabPen import ReportLabPen
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from bench import texts
from bench.silence.sheet import EMBEDDED, LEFT, Sheet, file_of


def outlined(sheet: Sheet) -> None:
    """A line drawn as shapes, as large as the rest or larger."""
    size = sheet.chance.choice((1, 1, 1.5, 2.5)) * sheet.size
    text = texts.line(sheet.chance) if size < 15 else texts.title(sheet.chance)
    outline(sheet, text, LEFT, sheet.down(1.6 * size), size=size)
    sheet.down(0.5 * size)


def outlined_heading(sheet: Sheet) -> None:
    """A short heading or an amount in large shapes."""
    size = sheet.chance.uniform(18, 48)
    text = sheet.chance.choice(("Invoice", "SALE", "REPORT", "$ 49", "2025", "Menu"))
    outline(sheet, text, sheet.chance.uniform(LEFT, 250), sheet.down(1.3 * size), size=size)
    sheet.down(0.4 * size)


def outlined_short(sheet: Sheet) -> None:
    """A short word in shapes, among text."""
    end = sheet.line("Number of pages")
    outline(sheet, sheet.chance.choice(("48", "No", "EUR", "7.50", "3", "B")), end + 20, sheet.y, size=sheet.size)


def outlined_aside(sheet: Sheet) -> None:
    """A word of shapes that runs upwards."""
    y = sheet.down(120)
    with sheet.moved(sheet.chance.uniform(100, 400), y, turn=sheet.chance.choice((90, 270))):
        outline(sheet, sheet.chance.choice(("Revenue", "Temperature in C", "1250.00", "Costs")), 0, 0, size=sheet.size)
    sheet.down(100)


def outlined_on_dark(sheet: Sheet) -> None:
    """Light shapes on a dark box."""
    y = sheet.down(3 * sheet.size)
    sheet.box(LEFT - 5, y - 6, 460, 2 * sheet.size, fill=(0.1, 0.2, 0.4))
    with sheet.state(fill=(1, 1, 1)):
        outline(sheet, texts.line(sheet.chance), LEFT, y, size=sheet.size)
    sheet.down(sheet.size)


def scanned_paragraph(sheet: Sheet) -> None:
    """A picture of a paragraph, upright or on its side."""
    lines = sheet.wrapped(4, width=220)
    image = Image.new("L", (1000, 200), 255)
    for number, text in enumerate(lines):
        ImageDraw.Draw(image).text((10, 10 + 45 * number), text, fill=0, font=_font(30))
    turn = sheet.chance.choice((0, 0, 90))
    y = sheet.down(80 if turn == 0 else 300)
    with sheet.moved(LEFT + (200 if turn else 0), y, turn=turn), sheet.flow():
        sheet.picture(image, 0, 0, width=300, height=60)
        for number, text in enumerate(lines):
            sheet.see(text, 3, 60 - 0.3 * (38 + 45 * number), font=EMBEDDED[0], size=9)
    sheet.down(10)


def picture_in_line(sheet: Sheet) -> None:
    """An amount that is a small picture within a line."""
    amount = texts.amount(sheet.chance)
    end = _in_line(sheet, amount, sheet.line("Please pay"))
    sheet.put("at once", end, sheet.y, same_line=True)


def tiny_picture(sheet: Sheet) -> None:
    """A letter or a short word that is a small picture at the end of a line."""
    text = sheet.chance.choice(("48", "No", "EUR", "7.50", "3", "B"))
    _in_line(sheet, text, sheet.line("Number of pages"))


def _in_line(sheet: Sheet, text: str, x: float) -> float:
    """A picture of a text that goes on with a line. Returns where it ends."""
    shown, scale = picture_of(text), 0.025 * sheet.size
    sheet.picture(shown, x, sheet.y - 20 * scale, width=shown.width * scale, height=shown.height * scale)
    sheet.see(text, x + 20 * scale, sheet.y, font=EMBEDDED[0], size=40 * scale, same_line=True)
    return x + shown.width * scale


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
    for letter in text:
        glyph = glyphs[names[ord(letter)]]
        with sheet.moved(x, y, scale=size / units):
            path = sheet.canvas.beginPath()
            glyph.draw(_Pen(glyphs, path))
            sheet.canvas.drawPath(path, stroke=0, fill=1)
        x += glyph.width * size / units


@cache
def _shapes() -> tuple[Any, dict[int, str], int]:
    """Of the first embedded font: its glyphs, their names, and the units of its letters' size."""
    font = TTFont(file_of(EMBEDDED[0]))
    return font.getGlyphSet(), font.getBestCmap(), font["head"].unitsPerEm


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(file_of(EMBEDDED[0])), size)


class _Pen(ReportLabPen):  # type: ignore[misc]
    """Draws a glyph into a canvas's path, whose method for the end of a shape has another name."""

    def _closePath(self) -> None:  # noqa: N802
        self.path.close()


def picture_of(text: str, *, size: int = 40) -> Image.Image:
    """A picture of one line."""
    font = _font(size)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("RGB", (round(right - left) + 40, round(bottom - top) + 40), "white")
    ImageDraw.Draw(image).text((20 - left, 20 - top), text, fill=(20, 20, 120), font=font)
    return image


def scanned_stamp(sheet: Sheet) -> None:
    """A scanned stamp."""
    text = _stamp_text(sheet)
    _stamp(sheet, text, picture_of(text))


def pale_stamp(sheet: Sheet) -> None:
    """A stamp in a grey or yellow that is hardly darker than the paper."""
    text = _stamp_text(sheet)
    ink = sheet.chance.choice(((200, 200, 200), (225, 225, 225), (240, 220, 120)))
    _stamp(sheet, text, ImageOps.colorize(picture_of(text).convert("L"), ink, "white", blackpoint=30))


def blurred_stamp(sheet: Sheet) -> None:
    """A scanned red stamp out of focus."""
    text = _stamp_text(sheet)
    shown = ImageOps.colorize(picture_of(text).convert("L"), (180, 20, 20), "white", blackpoint=30)
    _stamp(sheet, text, shown.filter(ImageFilter.GaussianBlur(sheet.chance.uniform(2, 3.5))))


def _stamp_text(sheet: Sheet) -> str:
    return f"RECEIVED {texts.date(sheet.chance)}"


def _stamp(sheet: Sheet, text: str, shown: Image.Image) -> None:
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


TRICKS = (
    outlined,
    outlined_heading,
    outlined_short,
    outlined_aside,
    outlined_on_dark,
    map_labels,
    scanned_stamp,
    pale_stamp,
    blurred_stamp,
    scanned_paragraph,
    picture_in_line,
    tiny_picture,
    inline_picture,
    text_as_clip,
)
