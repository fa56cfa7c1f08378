"""Clean pages with their text, in several fonts; the same seed gives the same page. Scanners are in `camera`."""

import importlib.util
import random
import textwrap
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bench import texts

A4_INCHES = (8.27, 11.69)
POINTS_PER_INCH = 72
MARGIN_INCHES = 0.9

WORDS = 350
"""Words of a full page."""

FONTS = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "Pillow")
"""A grotesque, a slab serif and a Times-like font, which come with matplotlib, and Pillow's own, a humanist one."""

MONO = "DejaVuSansMono"

RECEIPT_CHARACTERS = 34
INK = 20

AnyFont = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its text."""

    image: Image.Image
    text: str
    dpi: int


@dataclass(slots=True)
class _Sheet:
    """An image to which lines are added from top to bottom."""

    draw: ImageDraw.ImageDraw
    left: int
    top: float
    lines: list[str]

    def put(self, line: str, font: AnyFont, *, advance: float) -> None:
        self.draw.text((self.left, self.top), line, fill=INK, font=font)
        self.lines.append(line)
        self.top += advance


def letter(seed: int, *, dpi: int = 300, words: int = WORDS) -> Page:
    """An A4 page: a heading, a line with a date, paragraphs; 10 to 12 points in one of FONTS."""
    chance = random.Random(seed)
    name, points = chance.choice(FONTS), chance.choice((10, 11, 12))
    size, width = round(points * dpi / POINTS_PER_INCH), round(A4_INCHES[0] * dpi)
    margin = round(MARGIN_INCHES * dpi)
    image = Image.new("L", (width, round(A4_INCHES[1] * dpi)), 255)
    body = font(name, size)
    sheet = _Sheet(ImageDraw.Draw(image), margin, margin, [])
    sheet.put(texts.title(chance), font(name, round(1.6 * size)), advance=3 * size)
    sheet.put(f"{texts.date(chance)}  {texts.code(chance)}", body, advance=3 * size)
    characters = int((width - 2 * margin) / body.getlength("average sample of a text") * 24)
    for paragraph in texts.prose(chance, words=words):
        for line in textwrap.wrap(paragraph, characters):
            sheet.put(line, body, advance=1.45 * size)
        sheet.top += 0.8 * size
    return Page(image, "\n".join(sheet.lines), dpi)


def receipt(seed: int) -> Page:
    """A narrow, long image of few pixels, as of a till receipt seen through a cheap camera."""
    chance = random.Random(seed)
    lines = texts.bill(chance, width=RECEIPT_CHARACTERS)
    size = chance.choice((16, 18, 20))
    face = font(MONO, size)
    width = round(face.getlength("x" * RECEIPT_CHARACTERS)) + 3 * size
    image = Image.new("L", (width, round(1.35 * size * (len(lines) + 3))), 255)
    sheet = _Sheet(ImageDraw.Draw(image), round(1.5 * size), 1.5 * size, [])
    for line in lines:
        sheet.put(line, face, advance=1.35 * size)
    return Page(image, "\n".join(sheet.lines), 200)


def snippet(seed: int) -> Page:
    """An image of one line."""
    chance = random.Random(seed)
    line, face = texts.line(chance), font(chance.choice(FONTS), chance.choice((28, 32, 38)))
    left, top, right, bottom = face.getbbox(line)
    image = Image.new("L", (round(right - left) + 40, round(bottom - top) + 30), 255)
    ImageDraw.Draw(image).text((20 - left, 15 - top), line, fill=INK, font=face)
    return Page(image, line, 300)


def with_image(page: Page, image: Image.Image) -> Page:
    """The same text in another image."""
    return replace(page, image=image)


@cache
def font(name: str, size: int) -> AnyFont:
    """One of FONTS, or MONO."""
    return ImageFont.load_default(size=size) if name == "Pillow" else ImageFont.truetype(font_file(name), size)


def font_file(name: str) -> Path:
    """The file of a font that comes with matplotlib."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("matplotlib, whose fonts the pages need, is missing: pip install 'docserver[bench]'")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
