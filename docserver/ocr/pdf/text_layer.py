"""Child side: decides whether the text layer of a PDF page can be used instead of OCR, and reads it.

A text layer may be hidden, wrong, or only a part of the text that the page shows. What it lacks has to be read from the
page's picture. If it may be wrong, or lacks most, the layer is rejected, and the whole page has to be read.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PIL import Image

from docserver.layout import EXACT, Rect, around, pack_blocks, text_of
from docserver.model import Reading, Source
from docserver.ocr.errors import TextLayerRejected, Unreadable
from docserver.ocr.pdf import annotations, pdfium
from docserver.ocr.pdf.comb_fields import comb_fields, joined
from docserver.ocr.pdf.coordinates import Point, PointsToPixels, scaled, squares_along_slanted
from docserver.ocr.pdf.doubled_letters import restore_doubled
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.latin_in_hebrew import with_brackets
from docserver.ocr.pdf.letter_pictures import letter_pictures
from docserver.ocr.pdf.letter_shapes import letter_shapes
from docserver.ocr.pdf.letter_spacing import without_letter_spacing
from docserver.ocr.pdf.page_objects import PageObjects, collect, widen_empty
from docserver.ocr.pdf.pdf_words import UNMAPPED, PdfWord, TextOrientation
from docserver.ocr.pdf.pdfium import NotForPdfium
from docserver.ocr.pdf.placement import PagePlacement
from docserver.ocr.pdf.plausibility import is_language
from docserver.ocr.pdf.resolution import POINTS_PER_INCH, affordable_dpi
from docserver.ocr.pdf.seen_ink import Candidate, Seen
from docserver.ocr.pdf.symbols import symbols
from docserver.ocr.pdf.text_patches import TextPatches, has_contrast, is_blank, is_mark
from docserver.ocr.pdf.text_words import TextPage
from docserver.ocr.pdf.turned_words import with_turned_words
from docserver.ocr.pdf.unexplained_ink import joined_places, touch
from docserver.ocr.pdf.vertical_lines import LAST_ALPHABETIC, with_vertical_lines
from docserver.ocr.pdf.visible_words import visible
from docserver.ocr.pdf.word_gaps import parted_at_gaps
from docserver.ocr.pdf.word_pieces import pieces

MAX_MIRRORED_SHARE = 0.1
"""Largest share of words that are mirrored."""

MAX_LONE_SHARE = 0.3
"""Largest share of words that are a single ideograph. With more, the text is vertical."""

MAX_UNMAPPED_SHARE = 0.5
"""Largest share of words with letters that have no Unicode mapping. They are read from the page's picture."""

MAX_LETTER_GAP = 4.0
"""Widest space between letters that may be of one word, in points, where it is not known which letters they are."""

FEW_LETTERS = 40
"""A page with fewer letters is read from its picture if what else looks like text takes up more room than they do."""


@dataclass(slots=True)
class OwnWord:
    """A word of the text layer, with its place on the page's image in pixels. Not frozen, to save time."""

    pdf_word: PdfWord
    rect: Rect
    orientation: TextOrientation
    baseline: Point
    """The point on the baseline where the word begins."""
    whole: PdfWord
    """The word that this is, or of which this is a piece."""

    def direction(self, to_pixels: PointsToPixels) -> float:
        """Degrees counterclockwise from upright, on the page's image."""
        return (90.0 * (self.orientation.turns - to_pixels.turns) + self.orientation.slant) % 360.0

    def places(self, to_pixels: PointsToPixels) -> Iterable[Rect]:
        """Rectangles that cover the word, and little beside it."""
        if not self.orientation.slant:
            return [self.rect]
        size = self.orientation.height * to_pixels.pixels_per_point
        return squares_along_slanted(self.rect, size=size, direction=self.direction(to_pixels))


@dataclass(frozen=True, slots=True)
class TextLayer:
    """The visible words of a page's text layer, and what else looks like text on the page."""

    words: tuple[OwnWord, ...]
    to_pixels: PointsToPixels
    dpi: int
    patches: TextPatches | None
    """The parts of the page's image that have to be read by OCR; None if there are none."""
    partly_seen: tuple[OwnWord, ...] = ()
    """Words of which something is hidden. What is left of them has to be read too."""
    shapes: tuple[Rect, ...] = ()
    """The places of shapes and small pictures that look like letters. They have to be read one by one."""

    @property
    def is_exact(self) -> bool:
        """True if nothing has to be read by OCR."""
        return self.patches is None and not self.shapes

    def placement(self) -> PagePlacement:
        to_pixels = self.to_pixels
        placement = PagePlacement(width=to_pixels.width, height=to_pixels.height)
        for word in self.words:
            placement.add(
                word.pdf_word.text,
                word.rect,
                baseline=word.baseline,
                size=word.orientation.height * to_pixels.pixels_per_point,
                right_to_left=word.pdf_word.right_to_left,
                direction=word.direction(to_pixels),
            )
        return placement

    @property
    def is_upright(self) -> bool:
        """True if most words stand upright on the page's image."""
        upright = sum(word.orientation.turns == self.to_pixels.turns for word in self.words)
        return 2 * upright >= len(self.words)

    def reading(self) -> Reading:
        """The reading of a page that needs no OCR."""
        blocks = tuple(self.placement().blocks())
        return Reading(
            width=self.to_pixels.width,
            height=self.to_pixels.height,
            dpi=self.dpi,
            rotation=0,
            source=Source.TEXT_LAYER,
            confidence=EXACT if blocks else 0.0,
            text=text_of(blocks),
            layout=pack_blocks(blocks),
        )


def readings(source: str, *, pages: Sequence[int], dpi: int, max_pixels: int) -> Iterator[Reading]:
    """The text layers of these pages (from 1) of a PDF, up to the first page that needs OCR."""
    for layer in _layers(source, pages=pages, dpi=dpi, max_pixels=max_pixels):
        if not layer.is_exact:
            return
        yield layer.reading()


def layer_of(source: str, *, page: int, dpi: int, max_pixels: int) -> TextLayer | None:
    """The text layer of a page (from 1) of a PDF; None if the page has to be read by OCR alone."""
    return next(_layers(source, pages=[page], dpi=dpi, max_pixels=max_pixels), None)


def _layers(source: str, *, pages: Sequence[int], dpi: int, max_pixels: int) -> Iterator[TextLayer]:
    try:
        with pdfium.opened(source) as document:
            document.init_forms()
            for page in pages:
                yield read(document, source=source, page=page, dpi=dpi, max_pixels=max_pixels)
    except (TextLayerRejected, Unreadable, NotForPdfium):
        # Ignore the error here. If the page is broken, drawing it for OCR will report that.
        return


def read(document: Any, *, source: str, page: int, dpi: int, max_pixels: int) -> TextLayer:
    """The text layer of page `page` (from 1), with places on its image at `dpi` or less for a large page.

    `document` is the PdfDocument of the file `source`, with its forms initialised. Raises Unreadable, and
    TextLayerRejected if the page needs OCR alone.
    """
    if page > len(document):
        raise TextLayerRejected("no such page")
    pdf_page = pdfium.load(document, page)
    pdfium.check_images(pdf_page, max_pixels=max_pixels)
    size = pdf_page.get_size()
    used_dpi = affordable_dpi(*size, page=page, dpi=dpi, max_pixels=max_pixels)
    # Round in the same way as pypdfium2 rounds the image's size, so that boxes are in the same pixels as with OCR.
    width, height = (math.ceil(side * used_dpi / POINTS_PER_INCH) for side in size)
    undrawn = annotations.prepare(pdf_page, source=source, number=page)
    combs = comb_fields(document, pdf_page)
    if annotations.flatten(pdf_page):
        pdf_page = document[page - 1]
    to_pixels = PointsToPixels.of_page(pdf_page, width=width, height=height)
    objects = collect(pdf_page)
    if not objects.count and not annotations.count(pdf_page):
        return TextLayer((), to_pixels, used_dpi, None)
    with _text_of(pdf_page, objects) as (text_page, parts):
        turned = with_turned_words(parted_at_gaps(parts, text_page), text_page, painted=objects.texts)
        lines = with_vertical_lines(joined(turned, combs), text_page)
        pdf_words = without_letter_spacing(lines, text_page)
        words = _painted_words(pdf_words, text_page=text_page, objects=objects, to_pixels=to_pixels)
    if not words and objects.images:
        raise TextLayerRejected("a picture without text")
    drawing = PageDrawing(pdf_page)
    whole = drawing.whole()
    candidates = _candidates(words, to_pixels=to_pixels, scale=whole.width / width)
    seen, unexplained = visible(candidates, whole=whole, drawing=drawing, objects=objects)
    shown, partly = _shown_and_partly_seen(words, seen)
    exact, patches = _exact_and_unread(
        list(_joined_pieces(shown)),
        unseen=[*(word.rect for word in partly), *map(to_pixels.rect, undrawn)],
        unexplained=[scaled(place, width / whole.width) for place in unexplained],
        whole=whole,
        objects=objects,
        to_pixels=to_pixels,
    )
    shapes = letter_shapes(objects.paths, words=[word.rect for word in words], to_pixels=to_pixels)
    seen_shapes = [rect for rect in shapes if has_contrast(whole, rect, width)]
    pictures = letter_pictures(objects.images, drawn=whole, words=[word.rect for word in exact], to_pixels=to_pixels)
    return TextLayer(exact, to_pixels, used_dpi, patches, tuple(partly), (*seen_shapes, *pictures))


@contextmanager
def _text_of(page: Any, objects: PageObjects) -> Iterator[tuple[TextPage, list[PdfWord]]]:
    """The page's text and its words, also those that PDFium leaves out at first because it has no glyphs for them, or
    takes them for others that are drawn twice.
    """
    with closing(TextPage(page)) as text_page:
        words = with_brackets(text_page.words())
        in_words = {word.address for word in words}
        restored = restore_doubled(objects.texts, read=in_words, text=text_page.handle)
        if widen_empty(handle for address, handle in objects.texts.items() if address not in in_words) or restored:
            with closing(TextPage(page)) as wider:
                more = with_brackets(wider.words())
                if restored or not all(word.has_glyphs for word in more):
                    yield wider, more
                    return
        yield text_page, words


def _painted_words(
    words: Iterable[PdfWord], *, text_page: TextPage, objects: PageObjects, to_pixels: PointsToPixels
) -> list[OwnWord]:
    """The pieces of the words on the page that are not drawn in an invisible mode."""
    return [
        OwnWord(piece, rect, text_page.orientation(piece), to_pixels.point(*text_page.origin(piece)), word)
        for word in words
        for piece in pieces(word, text_page)
        if piece.address not in objects.invisible_texts and to_pixels.is_on_image(rect := to_pixels.rect(piece.rect))
    ]


def _joined_pieces(words: Iterable[OwnWord]) -> Iterator[OwnWord]:
    """The words, with those joined that are pieces of one."""
    for _, alike in itertools.groupby(words, key=lambda word: id(word.whole)):
        whole, *others = alike
        for piece in others:
            pdf_word = whole.pdf_word.followed_by(piece.pdf_word)
            whole = replace(whole, pdf_word=pdf_word, rect=around((whole.rect, piece.rect)))
        yield whole


def _candidates(words: Sequence[OwnWord], *, to_pixels: PointsToPixels, scale: float) -> list[Candidate]:
    """The words with their places on a drawing of this scale."""
    return [
        Candidate(
            text=word.pdf_word.text,
            rect=scaled(word.rect, scale),
            height=word.orientation.height * to_pixels.pixels_per_point * scale,
            address=word.pdf_word.address,
            has_glyphs=word.pdf_word.has_glyphs,
        )
        for word in words
    ]


def _shown_and_partly_seen(words: Iterable[OwnWord], seen: Iterable[Seen]) -> tuple[list[OwnWord], list[OwnWord]]:
    """The words that one sees, also those with unmapped letters, and the others of which one sees only a part."""
    shown, partly = [], []
    for word, part in zip(words, seen, strict=True):
        if part is Seen.PART and UNMAPPED not in word.pdf_word.text:
            partly.append(word)
        elif part is not Seen.NOTHING:
            shown.append(word)
    return shown, partly


def _exact_and_unread(
    words: Sequence[OwnWord],
    *,
    unseen: Sequence[Rect],
    unexplained: Sequence[Rect],
    whole: Image.Image,
    objects: PageObjects,
    to_pixels: PointsToPixels,
) -> tuple[tuple[OwnWord, ...], TextPatches | None]:
    """Those of the words that are exact, and what has to be read, also in the places of text that is not drawn here.

    Raises TextLayerRejected if the page needs OCR alone.
    """
    if not words and not is_blank(whole):
        raise TextLayerRejected("no text")
    gap = MAX_LETTER_GAP * to_pixels.pixels_per_point
    incomplete = [word for place in unexplained for word in words if touch(word.rect, place, within=gap)]
    exact = tuple(word for word in words if UNMAPPED not in word.pdf_word.text and word not in incomplete)
    unmapped = [word for word in words if UNMAPPED in word.pdf_word.text]
    # Words that PDFium does not draw cannot be read from a picture.
    drawn = [word for word in words if word.pdf_word.has_glyphs]
    _require_usable(drawn)
    image_rects = [to_pixels.rect(image.bounds) for image in objects.images]
    patches_beside = partial(
        TextPatches.of,
        whole,
        width=to_pixels.width,
        images=image_rects,
        unread=[
            *(word.rect for word in unmapped if not is_mark(whole, word.rect, to_pixels.width)),
            *unseen,
            *joined_places([*unexplained, *(word.rect for word in incomplete)], within=gap),
        ],
    )
    places = [place for word in exact for place in word.places(to_pixels)]
    patches = patches_beside(words=places)
    if patches.area and (signs := symbols(objects.paths)):
        patches = patches_beside(words=[*places, *map(to_pixels.rect, signs)])
    text_area = sum((word.rect[2] - word.rect[0]) * (word.rect[3] - word.rect[1]) for word in exact)
    letters = sum(len(word.pdf_word.text) for word in exact)
    is_readable = len(drawn) == len(words)
    if (
        is_readable
        and patches.area > text_area
        and (letters < FEW_LETTERS or patches.within(image_rects).area > text_area)
    ):
        raise TextLayerRejected("more to read than the layer has")
    return exact, patches if patches.area else None


def _require_usable(words: Sequence[OwnWord]) -> None:
    """Raise TextLayerRejected if the words may be wrong or out of order."""
    exact = [word for word in words if UNMAPPED not in word.pdf_word.text]
    if len(words) - len(exact) > MAX_UNMAPPED_SHARE * len(words):
        raise TextLayerRejected("letters without a meaning")
    if sum(word.orientation.mirrored for word in words) > MAX_MIRRORED_SHARE * len(words):
        raise TextLayerRejected("mirrored text")
    lone_ideographs = sum(len(word.pdf_word.text) == 1 and word.pdf_word.text > LAST_ALPHABETIC for word in exact)
    if lone_ideographs > MAX_LONE_SHARE * len(words):
        raise TextLayerRejected("vertical text")
    if not is_language(word.pdf_word.text for word in exact):
        raise TextLayerRejected("no language")
