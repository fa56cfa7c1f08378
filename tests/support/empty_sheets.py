"""Sheets on which nothing is written, and readers that read the same on each of them."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from docserver.layout import Block, Line, Paragraph, Word
from docserver.ocr.image.decode import Picture
from docserver.ocr.recognition.attempt import Attempt
from docserver.ocr.recognition.reader import PageReader
from docserver.ocr.recognition.tesseract import NOTHING, Layout, Recognised

WIDTH, HEIGHT = 600, 800


def sheet(paper: int = 250) -> Image.Image:
    return Image.new("L", (WIDTH, HEIGHT), paper)


def in_shadow(image: Image.Image) -> Image.Image:
    """The sheet as a photo that darkens to the right."""
    light = np.linspace(1, 0.5, image.width)
    return Image.fromarray((np.asarray(image) * light).astype(np.uint8))


def noisy(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, deviation, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def ruled(*, step: int, shade: int, squared: bool, paper: int = 250) -> Image.Image:
    image = sheet(paper)
    draw = ImageDraw.Draw(image)
    for y in range(2 * step, HEIGHT, step):
        draw.line((0, y, WIDTH, y), fill=shade)
    for x in range(step, WIDTH if squared else 0, step):
        draw.line((x, 0, x, HEIGHT), fill=shade)
    return image


def askew(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=250)


def read(*words: tuple[str, float]) -> Recognised:
    box = (10, 10, 90, 20)
    line = Line(box, tuple(Word(text, box, confidence) for text, confidence in words))
    confidence = sum(confidence for _, confidence in words) / max(len(words), 1)
    return Recognised(" ".join(text for text, _ in words), (Block(box, (Paragraph(box, (line,)),)),), confidence)


@dataclass
class FakeTesseract:
    """Reads the same in every picture."""

    answer: Recognised
    pictures: list[tuple[int, int]] = field(default_factory=list)

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages, layout
        self.pictures.append(picture.size)
        return self.answer


def attempt_on(image: Image.Image, tesseract: FakeTesseract) -> Attempt:
    return PageReader(Picture(image, None), tesseract, turning=True).read("eng")


def lines_of_bars(shade: int) -> Image.Image:
    image = sheet()
    for top in range(100, 700, 40):
        for left in range(60, 440, 20):
            ImageDraw.Draw(image).rectangle((left, top, left + 9, top + 14), fill=shade)
    return image


@dataclass
class MirrorReader:
    """Reads the mirror image of `lines_of_bars`, whose left margin is the wider one, better than the page.
    Reads a number where there are a few dark letters and no bars.
    """

    plain: Recognised
    mirrored: Recognised
    pictures: list[tuple[int, int]] = field(default_factory=list)

    def recognise(self, picture: Image.Image, *, dpi: int | None, languages: str, layout: Layout) -> Recognised:
        del dpi, languages, layout
        self.pictures.append(picture.size)
        levels = np.asarray(picture.convert("L"))
        if (levels < 100).any() and (levels < 250).mean() < 0.05:
            return read(("4711", 95.0))
        columns = np.flatnonzero((levels < 250).any(axis=0))
        if not columns.size:
            return NOTHING
        return self.mirrored if columns[0] > picture.width - columns[-1] else self.plain


def thin_rules() -> Image.Image:
    """A small form with a few thin lines and a short stroke, which would be enlarged to be read."""
    image = ruled(step=80, shade=60, squared=True)
    for top in range(100, 700, 80):
        ImageDraw.Draw(image).line((100, top, 112, top + 24), fill=30, width=2)
    return image
