"""Child side: decides whether the text layer of a PDF page can be used instead of OCR, and reads it.

A text layer may be hidden, wrong, or only a part of the text that the page shows. If this is possible, the layer is
rejected and the page needs OCR. That takes longer, but gives the text that people see.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from docserver.layout import Block, Box, Line, Paragraph, Rect, Word, pack_blocks
from docserver.model import Reading, Source
from docserver.ocr.errors import TextLayerRejected, Unreadable
from docserver.ocr.pdf import annotations, pdfium
from docserver.ocr.pdf.coordinates import Point, PointsToPixels, TurnedImage
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.page_objects import PageObjects, collect
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.pdf.plausibility import is_language
from docserver.ocr.pdf.reading_order import OrderedBlock, PlacedWord, order_words
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi
from docserver.ocr.pdf.seen_words import Candidate, seen
from docserver.ocr.pdf.text_words import PdfWord, TextOrientation, TextPage
from docserver.ocr.pdf.visibility import PageVisibility

CONFIDENCE = 100.0
"""The confidence of every word of a text layer, because no word is guessed."""

MAX_CROOKED_SHARE = 0.1
"""Largest share of words that are neither horizontal nor vertical, or are mirrored. A stamp across a page has less."""

LAST_ALPHABETIC = "\u2fff"
"""The last alphabetic character. Later characters are ideographs and syllables, which are written without spaces. If
one is alone, it is probably in a vertical line."""

MAX_LONE_SHARE = 0.3
"""Largest share of words that are a single ideograph. With more, the text is vertical."""

MAX_UNEXPLAINED_SHARE = 0.008
"""Largest share of the page's area that looks like text but is not in the text layer. One and a half lines of text have
more, a logo has less."""


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The text layer of a page. Its boxes are in pixels of the page's image."""

    text: str
    blocks: tuple[Block, ...]


def readings(source: str, *, pages: Sequence[int], dpi: int, max_pixels: int) -> Iterator[Reading]:
    """The text layers of these pages (from 1) of a PDF, up to the first page that needs OCR."""
    try:
        with pdfium.opened(source) as document:
            document.init_forms()
            for page in pages:
                yield _reading(document, page=page, dpi=dpi, max_pixels=max_pixels)
    except (TextLayerRejected, Unreadable, NotForPdfium):
        # Ignore the error here. If the page is broken, drawing it for OCR will report that.
        return


def _reading(document: Any, *, page: int, dpi: int, max_pixels: int) -> Reading:
    if page > len(document):
        raise TextLayerRejected("no such page")
    pdf_page = document[page - 1]
    pdfium.check_images(pdf_page, max_pixels=max_pixels)
    size = pdf_page.get_size()
    used_dpi = affordable_dpi(*size, page=page, dpi=dpi, max_pixels=max_pixels)
    # Round in the same way as pypdfium2 rounds the image's size, so that boxes are in the same pixels as with OCR.
    width, height = (math.ceil(side * used_dpi / POINTS_PER_INCH) for side in size)
    layer = read(document, page=page, width=width, height=height)
    return Reading(
        width=width,
        height=height,
        dpi=used_dpi,
        rotation=0,
        source=Source.TEXT_LAYER,
        confidence=CONFIDENCE if layer.blocks else 0.0,
        text=layer.text,
        layout=pack_blocks(layer.blocks),
    )


def read(document: Any, *, page: int, width: int, height: int) -> TextLayer:
    """The text layer of page `page` (from 1), with boxes in its image of `width` x `height` pixels.

    `document` is a PdfDocument with its forms initialised. Raises TextLayerRejected if the page needs OCR.
    """
    pdf_page = document[page - 1]
    if annotations.flatten(pdf_page):
        pdf_page = document[page - 1]
    objects = collect(pdf_page)
    if not objects.count:
        return TextLayer("", ())
    to_pixels = PointsToPixels.of_page(pdf_page, width=width, height=height)
    text_page = TextPage(pdf_page)
    try:
        words = _trusted_words(pdf_page, text_page=text_page, objects=objects, to_pixels=to_pixels)
    finally:
        text_page.close()
    blocks = tuple(_blocks(words, to_pixels))
    return TextLayer(_text(blocks), blocks)


@dataclass(frozen=True, slots=True)
class _PaintedWord:
    """A word of the text layer, with its place on the page's image in pixels."""

    pdf_word: PdfWord
    rect: Rect
    orientation: TextOrientation
    baseline: Point
    """The point on the baseline where the word begins."""


def _trusted_words(
    page: Any, *, text_page: TextPage, objects: PageObjects, to_pixels: PointsToPixels
) -> list[_PaintedWord]:
    """The visible words of the text layer. Raises TextLayerRejected if the page also shows other text."""
    painted = [
        _PaintedWord(word, rect, text_page.orientation(word), to_pixels.point(*text_page.origin(word)))
        for word in text_page.words()
        if word.address not in objects.invisible_texts and to_pixels.is_on_image(rect := to_pixels.rect(word.rect))
    ]
    if not painted and objects.images:
        raise TextLayerRejected("a picture without text")
    drawing = PageDrawing(page)
    whole = drawing.whole()
    scale = whole.width / to_pixels.width
    candidates = [
        Candidate(
            text=word.pdf_word.text,
            rect=_scaled(word.rect, scale),
            height=word.orientation.height * to_pixels.pixels_per_point * scale,
            address=word.pdf_word.address,
            may_lack_font=text_page.may_lack_font(word.pdf_word),
        )
        for word in painted
    ]
    words = list(itertools.compress(painted, seen(candidates, whole=whole, drawing=drawing, objects=objects)))
    visibility = PageVisibility(whole)
    if not words and not visibility.is_blank:
        raise TextLayerRejected("no text")
    if sum(word.orientation.crooked for word in words) > MAX_CROOKED_SHARE * len(words):
        raise TextLayerRejected("crooked text")
    lone_ideographs = sum(len(word.pdf_word.text) == 1 and word.pdf_word.text > LAST_ALPHABETIC for word in words)
    if lone_ideographs > MAX_LONE_SHARE * len(words):
        raise TextLayerRejected("vertical text")
    word_rects = [_scaled(word.rect, scale) for word in words]
    image_rects = [_scaled(to_pixels.rect(rect), scale) for rect in objects.images]
    if visibility.unexplained_share(word_rects, image_rects) > MAX_UNEXPLAINED_SHARE:
        raise TextLayerRejected("more to read than the layer has")
    if not is_language(word.pdf_word.text for word in words):
        raise TextLayerRejected("no language")
    return words


def _scaled(rect: Rect, scale: float) -> Rect:
    left, top, right, bottom = rect
    return left * scale, top * scale, right * scale, bottom * scale


def _blocks(words: Sequence[_PaintedWord], to_pixels: PointsToPixels) -> Iterator[Block]:
    """Blocks in reading order. If words have several orientations, the most frequent orientation comes first."""
    directions: dict[int, list[_PaintedWord]] = {}
    for word in words:
        directions.setdefault((word.orientation.turns - to_pixels.turns) % 4, []).append(word)
    for turns, turned_words in sorted(directions.items(), key=lambda item: -len(item[1])):
        image = TurnedImage(turns, width=to_pixels.width, height=to_pixels.height)
        for block in order_words([_placed(word, image, to_pixels.pixels_per_point) for word in turned_words]):
            yield _block(block, image)


def _placed(word: _PaintedWord, image: TurnedImage, pixels_per_point: float) -> PlacedWord:
    x0, y0, x1, y1 = image.turn(word.rect)
    _, baseline = image.turn_point(word.baseline)
    return PlacedWord(
        text=word.pdf_word.text,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        baseline=baseline,
        size=max(word.orientation.height * pixels_per_point, 1.0),
        right_to_left=word.pdf_word.right_to_left,
    )


def _block(ordered: OrderedBlock, image: TurnedImage) -> Block:
    paragraphs = []
    for ordered_paragraph in ordered:
        lines = []
        for ordered_line in ordered_paragraph:
            words = tuple(
                Word(word.text, image.turn_back((word.x0, word.y0, word.x1, word.y1)), CONFIDENCE)
                for word in ordered_line
            )
            lines.append(Line(_around(word.box for word in words), words))
        paragraphs.append(Paragraph(_around(line.box for line in lines), tuple(lines)))
    return Block(_around(paragraph.box for paragraph in paragraphs), tuple(paragraphs))


def _around(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _text(blocks: Iterable[Block]) -> str:
    """The text in the same form as from OCR: one line per line, and an empty line between paragraphs."""
    return "\n\n".join(
        "\n".join(" ".join(word.text for word in line.words) for line in paragraph.lines)
        for block in blocks
        for paragraph in block.paragraphs
    )
