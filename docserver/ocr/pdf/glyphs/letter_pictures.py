"""Child side: finds small pictures on a PDF page that may show letters or short words. Does not read them."""

from collections.abc import Iterator, Sequence

import pypdfium2.raw as pdfium
from PIL import Image

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import PointsToPixels, scaled
from docserver.ocr.pdf.drawn_pictures import MIN_CONTRAST, ends, inside, most_frequent
from docserver.ocr.pdf.glyphs.letter_shapes import MAX_PLACES, Shape, belongs_to, is_short_word, parted, together
from docserver.ocr.pdf.page_objects import PlacedObject
from docserver.ocr.pdf.words.text_cells import MIN_LETTER_HEIGHT
from docserver.ocr.pdf.words.text_patches import MAX_BULLET_SLENDERNESS, MIN_BULLET_INK

MAX_SLENDERNESS = 8.0
"""Longest side of what is no rule, as a multiple of its shortest side. An l and short words have six."""

MIN_STRIPE_INK = 0.9
"""Smallest share of a stripe or box from left to right that is ink. Those of letters have gaps."""


def letter_pictures(
    images: Sequence[PlacedObject], *, drawn: Image.Image, words: Sequence[Rect], to_pixels: PointsToPixels
) -> tuple[list[Rect], list[Rect]]:
    """The places of what is seen in pictures as small as letters or short words and is in none of these words, and of
    what is seen in those that are repeated as markers are; in pixels of the page's image, MAX_PLACES of either at most.
    """
    small = [
        Shape.of(bounds, data=pdfium.FPDFImageObj_GetImageDataRaw(image.handle, None, 0))
        for image in images
        if is_short_word(bounds := image.bounds)
    ]
    scale = drawn.width / to_pixels.width
    found = []
    for pictures in parted(small):
        rects = (to_pixels.rect(picture.rect) for picture in pictures)
        free = [scaled(rect, scale) for rect in rects if not any(belongs_to(word, rect) for word in words)]
        inks = together(ink for rect in free for ink in _ink_in(drawn, rect))
        found.append([scaled(ink, 1 / scale) for ink in inks][:MAX_PLACES])
    single, repeated = found
    return single, repeated


def _ink_in(drawn: Image.Image, rect: Rect) -> Iterator[Rect]:
    """The rectangle around what is seen in this one, unless it is a plain shape."""
    left, top, right, bottom = inside(drawn, rect)
    picture = drawn.crop((left, top, right, bottom))
    levels = picture.histogram()
    low, high = ends(levels, 0)
    if high - low < MIN_CONTRAST:
        return
    background = most_frequent(levels)
    limit = (high - low) // 2
    ink = picture.point([255 * (abs(level - background) > limit) for level in range(256)])
    box = ink.getbbox()
    if box and not _is_plain(ink.crop(box)):
        yield left + box[0], top + box[1], left + box[2], top + box[3]


def _is_plain(ink: Image.Image) -> bool:
    """True for dots, rules, boxes and stripes. An l is a box too, but a slender one that stands upright."""
    short, long = sorted(ink.size)
    rows = ink.reduce((ink.width, 1)).tobytes()
    is_striped = all(row >= MIN_STRIPE_INK * 255 or row <= (1 - MIN_STRIPE_INK) * 255 for row in rows)
    is_slender = 2 * ink.width < ink.height
    is_bullet = long < MAX_BULLET_SLENDERNESS * short and ink.histogram()[255] > MIN_BULLET_INK * short * long
    return is_bullet or (is_striped and not is_slender) or long < MIN_LETTER_HEIGHT or long > MAX_SLENDERNESS * short
