"""Child side: finds shapes and pictures on a PDF page that are seen in colours only: their grey is that around them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pypdfium2.raw as pdfium
from PIL import Image

from docserver.layout import Rect
from docserver.ocr.pdf.coordinates import PointsToPixels, scaled, touched_pixels
from docserver.ocr.pdf.drawing import PageDrawing
from docserver.ocr.pdf.drawn_pictures import inside
from docserver.ocr.pdf.glyphs.letter_shapes import MAX_PATHS, MAX_PLACES, MIN_SEGMENTS, is_outline
from docserver.ocr.pdf.page_objects import PageObjects, PlacedObject
from docserver.ocr.pdf.words.text_cells import EDGE_CONTRAST

MIN_HEIGHT, MAX_HEIGHT = 3.0, 64.0
"""Height of the lowest and of the highest letters, in points."""

MIN_CONTRAST = 64
"""Smallest contrast in red, green or blue of what is seen for certain. Pale colours on white have less."""


def seen_in_colours_only(
    objects: PageObjects, *, whole: Image.Image, drawing: PageDrawing, to_pixels: PointsToPixels
) -> list[Rect]:
    """The places of what looks like outlines of letters, and of pictures, in which nothing is seen in `whole`, the page
    in grey, but something is seen in colours. In pixels of the page's image, MAX_PLACES at most.
    """
    scale = whole.width / to_pixels.width
    flat = []
    for path, segments, rect in _long_paths(objects.paths, to_pixels):
        box = touched_pixels(scaled(rect, scale), *whole.size)
        # Looking at each segment takes longer than looking at the pixels.
        if _contrast(whole.crop(box)) < EDGE_CONTRAST and is_outline(path, segments):
            flat.append((rect, box))
    for rect in _pictures(objects.images, to_pixels):
        box = inside(whole, scaled(rect, scale))
        if _contrast(whole.crop(box)) < EDGE_CONTRAST:
            flat.append((rect, box))
    if not flat:
        return []
    colours = drawing.in_colours.whole()
    return [rect for rect, box in flat[:MAX_PLACES] if max(map(_contrast, colours.crop(box).split())) >= MIN_CONTRAST]


def _long_paths(paths: Sequence[PlacedObject], to_pixels: PointsToPixels) -> Iterator[tuple[PlacedObject, int, Rect]]:
    """The paths that may be letters or a line of them, with the number of their segments and their places."""
    for path in paths if len(paths) <= MAX_PATHS else ():
        segments = pdfium.FPDFPath_CountSegments(path.handle)
        if segments >= MIN_SEGMENTS and _may_be_line(bounds := path.bounds):
            rect = to_pixels.rect(bounds)
            if to_pixels.is_on_image(rect):
                yield path, segments, rect


def _may_be_line(rect: Rect) -> bool:
    """True if letters of some size, or a line of them, may fill this rectangle in points."""
    left, bottom, right, top = rect
    low, high = sorted((right - left, top - bottom))
    return low <= MAX_HEIGHT and high >= MIN_HEIGHT


def _pictures(images: Sequence[PlacedObject], to_pixels: PointsToPixels) -> Iterator[Rect]:
    return (rect for image in images if to_pixels.is_on_image(rect := to_pixels.rect(image.bounds)))


def _contrast(picture: Image.Image) -> int:
    """The difference of the lightest and the darkest level; 0 if there are no pixels."""
    levels = np.asarray(picture)
    return int(np.ptp(levels)) if levels.size else 0
