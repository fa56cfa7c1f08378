"""Scanned pages to measure with: A4 at 300 dpi, about 350 words, skewed, blurred and noisy; the same for one seed."""

import argparse
import difflib
import io
import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

DPI = 300
A4_PX = (2480, 3508)
MARGIN_PX = 260
LETTERS_PX = 46
"""11 points at 300 dpi."""

WORDS_PER_PAGE = 350
LINE_CHARACTERS = 84
LINE_PX = 72

COMMON_WORDS = """
the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one
you were all her she there would their we him been has when who will no more if out so what up said about than into
them can only other time new some could these two may first then do any like my now over such our man even most made
after also did many before must through years where much your way well down should because long each just state those
people too how little good world make very year still see own work men day get here between both being under three
never know same last another while us off might great go come since against right came take used himself few house
use place during high without again home around small however found thought went say part once general upon
school every united does got number until always away something fact water though less public put think almost hand
enough far took head yet government system set better told nothing night end why called find going look asked later
point knew next program city business give group toward young days let room president side social given present
several order national possible rather second face per among form often important things looked early white case
large big need four within felt along children saw best church ever least power development light thing seemed family
interest want members mind country area others done turned although open service certain kind problem began different
door thus help sense means whole matter letter harbour market garden winter bridge journey captain evening village
"""
VOCABULARY = COMMON_WORDS.split()

FORMATS = ("png", "jpeg", "tiff")


@dataclass(frozen=True, slots=True)
class Page:
    """A scanned page and the text that stands on it."""

    image: Image.Image
    text: str


def prose(chance: random.Random, *, words: int) -> list[str]:
    """Paragraphs of so many words together: sentences with capitals, commas and full stops, without a meaning."""
    paragraphs: list[list[str]] = [[]]
    left = words
    while left > 0:
        sentence = chance.choices(VOCABULARY, k=min(left, chance.randint(6, 18)))
        left -= len(sentence)
        sentence[0] = sentence[0].capitalize()
        if len(sentence) > 10:
            sentence[5] += ","
        sentence[-1] += "."
        if len(paragraphs[-1]) > 60:
            paragraphs.append([])
        paragraphs[-1] += sentence
    return [" ".join(paragraph) for paragraph in paragraphs]


def page(seed: int, *, colour: bool = False) -> Page:
    """One page as a scanner sees it."""
    chance = random.Random(seed)
    paragraphs = prose(chance, words=WORDS_PER_PAGE)
    clean = _typeset(paragraphs)
    skewed = clean.rotate(chance.uniform(-0.7, 0.7), Image.Resampling.BICUBIC, fillcolor=255)
    image = _scanned(skewed.filter(ImageFilter.GaussianBlur(chance.uniform(0.5, 1.1))), chance, colour=colour)
    return Page(image, "\n".join(paragraphs))


def _typeset(paragraphs: Sequence[str]) -> Image.Image:
    font = ImageFont.load_default(size=LETTERS_PX)
    image = Image.new("L", A4_PX, 255)
    draw = ImageDraw.Draw(image)
    top = MARGIN_PX
    for paragraph in paragraphs:
        for line in textwrap.wrap(paragraph, LINE_CHARACTERS):
            draw.text((MARGIN_PX, top), line, fill=20, font=font)
            top += LINE_PX
        top += LINE_PX // 2
    return image


def _scanned(ink: Image.Image, chance: random.Random, *, colour: bool) -> Image.Image:
    """Put the page on paper that is not quite white, darker towards one edge, with the noise of the sensor."""
    shade = Image.linear_gradient("L").resize(ink.size).point([225 + value // 12 for value in range(256)])
    grey = ImageChops.multiply(ink, shade)
    if not colour:
        return _noisy(grey, chance)
    paper = ((255, 250, 232), (250, 252, 255), (255, 244, 238))[chance.randrange(3)]
    bands = [_noisy(grey.point([value * tint // 255 for value in range(256)]), chance) for tint in paper]
    return Image.merge("RGB", bands)


def _noisy(band: Image.Image, chance: random.Random) -> Image.Image:
    # Pillow's own noise takes no seed. The mean of two even distributions is close enough to a bell.
    first, second = (Image.frombytes("L", band.size, chance.randbytes(band.width * band.height)) for _ in range(2))
    noise = ImageChops.add(first, second, scale=2).point([(value - 128) // 8 + 128 for value in range(256)])
    return ImageChops.add(band, noise, offset=-128)


def encoded(image: Image.Image, kind: str) -> bytes:
    """Write the page as one of FORMATS, as scanners write them: the TIFF in LZW, the JPEG in quality 85."""
    options: dict[str, dict[str, int | str]] = {
        "png": {"compress_level": 3},
        "jpeg": {"quality": 85},
        "tiff": {"compression": "tiff_lzw"},
    }
    file = io.BytesIO()
    image.save(file, kind.upper(), dpi=(DPI, DPI), **options[kind])
    return file.getvalue()


def scanned_pdf(images: Sequence[Image.Image]) -> bytes:
    """Make a PDF of one JPEG per page and no text."""
    file = io.BytesIO()
    first, *rest = images
    first.save(file, "PDF", resolution=DPI, quality=85, save_all=True, append_images=rest)
    return file.getvalue()


def accuracy(truth: str, read: str) -> float:
    """Tell the share of words in common and in order, 0 to 1: 2 * matches / (words of both)."""
    return difflib.SequenceMatcher(None, truth.split(), read.split(), autojunk=False).ratio()


def main() -> None:
    """Write pages into a directory, each with its text beside it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--pages", type=int, default=4)
    arguments.add_argument("--format", choices=FORMATS, default="png")
    arguments.add_argument("--colour", action="store_true")
    given = arguments.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    for seed in range(given.pages):
        made = page(seed, colour=given.colour)
        (given.directory / f"{seed:03}.{given.format}").write_bytes(encoded(made.image, given.format))
        (given.directory / f"{seed:03}.txt").write_text(made.text)


if __name__ == "__main__":
    main()
