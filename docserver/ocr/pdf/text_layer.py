"""Child side: a PDF page's own text in place of recognition, where it is to be trusted; the judgement and its reasons.

What a page says of itself may be hidden, wrong, or only a part of what is seen. In doubt the picture is read: that
takes longer, and is never wrong in kind.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypdfium2.raw import FLAT_NORMALDISPLAY, FPDFPage_Flatten

from docserver.layout import Block, Box, Line, Paragraph, Rect, Word, pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.errors import NoLayer, Unreadable
from docserver.ocr.pdf import pdfium
from docserver.ocr.pdf.coordinates import Point, PointsToPixels, TurnedImage
from docserver.ocr.pdf.page_objects import Scene, shows_annotations, survey
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.pdf.plausibility import is_language
from docserver.ocr.pdf.reading_order import LaidBlock, Placed, arrange
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi
from docserver.ocr.pdf.text_words import Glyphs, Stance, TextPage
from docserver.ocr.pdf.visibility import Sight

CERTAIN = 100.0
"""The confidence of every word: nothing about it was guessed."""

MOST_CROOKED = 0.1
"""Share of the words; a stamp across a page is one of them."""

LAST_ALPHABET = "\u2fff"
"""Beyond are ideographs and syllables, which are written without spaces: alone they stand in a vertical line."""

MOST_LONE = 0.3
"""Share of the words."""

MOST_UNEXPLAINED = 0.008
"""Share of the page that may look like text without being in the layer: less than a line and a half, or a logo."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a page says of itself."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A word of the layer that is seen."""

    glyphs: Glyphs
    rect: Rect
    """In pixels."""
    stance: Stance
    baseline: Point
    """Where on its baseline it begins."""


def readings(source: str, *, pages: Sequence[int], dpi: int, max_pixels: int) -> Iterator[Reading]:
    """What these pages (from 1) of a PDF say of themselves, up to the first whose picture must be read."""
    try:
        with pdfium.opened(source) as document:
            document.init_forms()
            for page in pages:
                yield _reading(document, page=page, dpi=dpi, max_pixels=max_pixels)
    except (NoLayer, Unreadable, NotForPdfium):
        # Who draws the page tells what is wrong with it.
        return


def _reading(document: Any, *, page: int, dpi: int, max_pixels: int) -> Reading:
    if page > len(document):
        raise NoLayer("no such page")
    shown = document[page - 1]
    pdfium.check_pictures(shown, max_pixels=max_pixels)
    size = shown.get_size()
    used_dpi = affordable_dpi(*size, page=page, dpi=dpi, max_pixels=max_pixels)
    # As PDFium's binding reckons the size of a picture, so that the boxes are the same as recognition's.
    width, height = (math.ceil(side * used_dpi / POINTS_PER_INCH) for side in size)
    layer = read(document, page=page, width=width, height=height)
    return Reading(
        width=width,
        height=height,
        dpi=used_dpi,
        rotation=0,
        source=Source.TEXT_LAYER,
        confidence=CERTAIN if layer.blocks else 0.0,
        text=layer.text,
        layout=pack_blocks(layer.blocks),
    )


def read(document: Any, *, page: int, width: int, height: int) -> Layer:
    """The text of page `page` (from 1), with boxes in its picture of `width` x `height` pixels.

    `document` is a PdfDocument with its forms initialised. Raises NoLayer if the picture must be read.
    """
    opened = document[page - 1]
    if shows_annotations(opened):
        # Their text becomes a part of the page; that shows only when it is opened again.
        FPDFPage_Flatten(opened, FLAT_NORMALDISPLAY)
        opened = document[page - 1]
    scene = survey(opened)
    if not scene.objects:
        return Layer("", ())
    pixels = PointsToPixels.of_page(opened, width=width, height=height)
    text = TextPage(opened)
    try:
        found = _seen(opened, text, scene, pixels)
    finally:
        text.close()
    if not is_language(word.glyphs.text for word in found):
        raise NoLayer("no language")
    blocks = tuple(_blocks(found, pixels))
    return Layer(_text(blocks), blocks)


def _seen(page: Any, text: TextPage, scene: Scene, pixels: PointsToPixels) -> list[_Found]:
    """The words that are seen on a page, if they are all that is. Raises NoLayer."""
    pictures = [(order, pixels.rect(rect)) for order, rect in scene.pictures]
    painted = []
    drawn = _Drawn()
    for glyphs in text.words():
        rect = pixels.rect(glyphs.rect)
        order = scene.texts.get(glyphs.address, scene.objects)
        if glyphs.address in scene.unpainted or not pixels.is_on_image(rect) or _covered(rect, order, pictures):
            continue
        if not drawn.again(glyphs.text, rect):
            painted.append((glyphs, rect))
    if not painted and pictures:
        raise NoLayer("a picture without text")
    sight = Sight(page)
    zoom = sight.width / pixels.width
    found = [
        _Found(glyphs, rect, text.stance(glyphs), pixels.point(*text.origin(glyphs)))
        for glyphs, rect in painted
        # Dots that lead to a page number are too small to stand out.
        if sight.sees(_scaled(rect, by=zoom)) or not any(map(str.isalnum, glyphs.text)) or text.may_be_undrawn(glyphs)
    ]
    if not found and not sight.blank:
        raise NoLayer("no text")
    if sum(word.stance.crooked for word in found) > MOST_CROOKED * len(found):
        raise NoLayer("crooked text")
    if sum(len(word.glyphs.text) == 1 and word.glyphs.text > LAST_ALPHABET for word in found) > MOST_LONE * len(found):
        raise NoLayer("vertical text")
    words = [_scaled(word.rect, by=zoom) for word in found]
    if sight.unexplained(words, [_scaled(rect, by=zoom) for _, rect in pictures]) > MOST_UNEXPLAINED:
        raise NoLayer("more to read than the layer has")
    return found


def _covered(rect: Rect, order: int, pictures: Sequence[tuple[int, Rect]]) -> bool:
    """Whether a picture is painted over the middle of a word."""
    x, y = (rect[0] + rect[2]) / 2, (rect[1] + rect[3]) / 2
    return any(
        later > order and left <= x <= right and top <= y <= bottom for later, (left, top, right, bottom) in pictures
    )


class _Drawn:
    """The words so far, to tell those that are drawn over themselves, a little beside, as a shadow or to be bold."""

    def __init__(self) -> None:
        self._places: set[tuple[str, int, int]] = set()

    def again(self, text: str, rect: Rect) -> bool:
        """Whether the same word was drawn within half its height."""
        left, top, right, bottom = rect
        reach = max(bottom - top, right - left, 1.0) / 2 if len(text) == 1 else max(bottom - top, 1.0) / 2
        x, y = int((left + right) / 2 / reach), int((top + bottom) / 2 / reach)
        if any((text, x + beside, y + below) in self._places for beside in (-1, 0, 1) for below in (-1, 0, 1)):
            return True
        self._places.add((text, x, y))
        return False


def _scaled(rect: Rect, *, by: float) -> Rect:
    left, top, right, bottom = rect
    return left * by, top * by, right * by, bottom * by


def _blocks(found: Sequence[_Found], pixels: PointsToPixels) -> Iterable[Block]:
    """Upright text first, then what is turned, each in its reading order."""
    turned: dict[int, list[_Found]] = {}
    for word in found:
        turned.setdefault((word.stance.turns - pixels.turns) % 4, []).append(word)
    # The way that most words stand is the page's own.
    for turns, words in sorted(turned.items(), key=lambda item: -len(item[1])):
        image = TurnedImage(turns, width=pixels.width, height=pixels.height)
        for block in arrange([_placed(word, pixels, image) for word in words]):
            yield _block(block, image)


def _placed(word: _Found, pixels: PointsToPixels, image: TurnedImage) -> Placed:
    x0, y0, x1, y1 = image.turn(word.rect)
    _, baseline = image.turn_point(word.baseline)
    return Placed(
        text=word.glyphs.text,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        baseline=baseline,
        size=max(word.stance.size * pixels.pixels_per_point, 1.0),
        backwards=word.glyphs.backwards,
    )


def _block(laid: LaidBlock, image: TurnedImage) -> Block:
    paragraphs = []
    for laid_paragraph in laid:
        lines = []
        for laid_line in laid_paragraph:
            words = tuple(
                Word(word.text, image.turn_back((word.x0, word.y0, word.x1, word.y1)), CERTAIN) for word in laid_line
            )
            lines.append(Line(_around(word.box for word in words), words))
        paragraphs.append(Paragraph(_around(line.box for line in lines), tuple(lines)))
    return Block(_around(paragraph.box for paragraph in paragraphs), tuple(paragraphs))


def _around(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _text(blocks: Iterable[Block]) -> str:
    """As recognition gives it: a line each, and an empty one between paragraphs."""
    return "\n\n".join(
        "\n".join(" ".join(word.text for word in line.words) for line in paragraph.lines)
        for block in blocks
        for paragraph in block.paragraphs
    )
