"""Child side: turns, straightens, scales and frames pages, and maps coordinates back to the original page."""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from PIL import Image, ImageOps, ImageStat

# Use pypdfium2's matrix: each OCR process loads pypdfium2 anyway. pikepdf's matrix would also load qpdf (13 MB).
from pypdfium2 import PdfMatrix

from docserver.layout import Block, Box, Rect, with_boxes, words_of
from docserver.ocr.image.curved_lines import CurvedLines
from docserver.ocr.image.decode import Picture
from docserver.ocr.image.overview import Overview, overview

_TRANSPOSE = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
"""Degrees clockwise → Pillow's transposition, whose names are counterclockwise."""

PLACES_ON_CURVE = 5
"""Number of places at which the height of a curved line above or below a word is looked up."""


@dataclass(frozen=True, slots=True)
class Warp:
    """Relation of a page whose lines were made straight to the original page."""

    lines: CurvedLines
    to_original: PdfMatrix
    """Maps points in the picture with curved lines to points on the original page."""

    def straight(self, box: Box) -> Box:
        """The box in the picture with straight lines whose place on the original page is in this box."""
        left, top, right, bottom = _around_corners(_inverse(self.to_original), box)
        across = np.linspace(left, right, PLACES_ON_CURVE)
        first, last = (
            max(_row(self.lines, column, top) for column in across),
            min(_row(self.lines, column, bottom) for column in across),
        )
        # Of a box around a line that rises by more than its height, the ends would be exchanged.
        return round(left), round(min(first, last)), round(right), round(max(first, last))


@dataclass(frozen=True)
class PageImage:
    """A picture of a page, prepared for Tesseract, and its relation to the original page."""

    image: Image.Image
    dpi: int | None
    original_size: tuple[int, int]
    """Width and height of the original page."""
    to_original: PdfMatrix = field(default_factory=PdfMatrix)
    """Maps points in `image` to points on the original page, or if there is a `warp`, to points in the picture whose
    lines were made straight. In both, y grows downwards."""
    warp: Warp | None = None
    rotation: int = 0
    """Degrees clockwise by which the picture was turned, a multiple of 90."""
    seen: InitVar[Overview | None] = None
    """The overview of `image` if it was made before. It is no field: `replace` must not keep it for another image."""

    def __post_init__(self, seen: Overview | None) -> None:
        if seen is not None:
            vars(self)["overview"] = seen

    @classmethod
    def of(cls, picture: Picture) -> "PageImage":
        """The page of a picture that nothing was done to yet."""
        return cls(picture.image, picture.dpi, picture.image.size, seen=picture.overview)

    @cached_property
    def overview(self) -> Overview:
        """The overview of `image`."""
        return overview(self.image)

    @property
    def as_original(self) -> "PageImage":
        """The picture as an original page of its own: what is in a part of it is placed in pixels of `image`."""
        return PageImage(self.image, self.dpi, self.image.size)

    def rect_on_original(self, rect: Rect) -> Rect:
        """The rectangle on the original page around a rectangle of `image`."""
        on_page = _around_corners(self.to_original, rect)
        if self.warp is None:
            return on_page
        left, top, right, bottom = on_page
        across = np.linspace(left, right, PLACES_ON_CURVE)
        heights = [self.warp.lines.height(column, row) for row in (top, bottom) for column in across]
        return _around_corners(self.warp.to_original, (left, min(heights), right, max(heights)))

    def replaced(self, image: Image.Image, to_previous: PdfMatrix) -> "PageImage":
        """The page with another picture. `to_previous` maps points of the new picture to points of the present one."""
        return replace(self, image=image, to_original=to_previous.multiply(self.to_original))


def turned(page: PageImage, degrees: int) -> PageImage:
    """The page turned clockwise by 0, 90, 180 or 270 degrees."""
    if not degrees:
        return page
    width, height = page.image.size
    # Do not use PdfMatrix.rotate: its sines of quarter turns are not exact.
    to_previous = {
        90: PdfMatrix(0, -1, 1, 0, 0, height),
        180: PdfMatrix(-1, 0, 0, -1, width, height),
        270: PdfMatrix(0, 1, -1, 0, width, 0),
    }[degrees]
    after = page.replaced(page.image.transpose(_TRANSPOSE[degrees]), to_previous)
    return replace(after, rotation=(page.rotation + degrees) % 360)


def straightened(page: PageImage, skew: float) -> PageImage:
    """The page turned counterclockwise by `skew` degrees. New corners get the colour of the paper."""
    before = _smooth(page.image)
    after = before.rotate(skew, Image.Resampling.BICUBIC, expand=True, fillcolor=paper_colour(before))
    # Turn back, clockwise around the middle. PdfMatrix calls this `ccw`, because y grows upwards in a PDF.
    to_previous = (
        PdfMatrix()
        .translate(-after.width / 2, -after.height / 2)
        .rotate(skew, ccw=True)
        .translate(before.width / 2, before.height / 2)
    )
    return page.replaced(after, to_previous)


def dewarped(page: PageImage, lines: CurvedLines) -> PageImage:
    """The page with these lines made straight. What is new gets the colour of the paper."""
    before = _smooth(page.image)
    columns = np.array([0, *np.round(lines.columns), before.width])
    rows = np.round(lines.rows - lines.rows[0]).astype(int)
    at_columns = np.vstack([lines.heights[:1], lines.heights, lines.heights[-1:]])
    cells = [
        (
            (int(left), int(top), int(right), int(bottom)),
            (left, at_left[0], left, at_left[1], right, at_right[1], right, at_right[0]),
        )
        for left, right, line, next_line in zip(columns[:-1], columns[1:], at_columns[:-1], at_columns[1:], strict=True)
        for top, bottom, at_left, at_right in zip(rows[:-1], rows[1:], pairwise(line), pairwise(next_line), strict=True)
        if left < right
    ]
    size = (before.width, int(rows[-1]))
    mesh = Image.Transform.MESH
    after = before.transform(size, mesh, cells, Image.Resampling.BICUBIC, fillcolor=paper_colour(before))
    to_warped = PdfMatrix().translate(0, float(lines.rows[0]))
    return replace(page, image=after, to_original=to_warped, warp=Warp(lines, page.to_original))


def scaled(page: PageImage, factor: float) -> PageImage:
    """The page made larger or smaller."""
    width, height = page.image.size
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # To reduce pictures, use the fastest smooth filter: letters stay as legible as with any other.
    resampling = Image.Resampling.LANCZOS if factor > 1 else Image.Resampling.HAMMING
    return replace(_resized(page, size, resampling), dpi=page.dpi and round(page.dpi * factor))


def stretched(page: PageImage, pixel_height: float) -> PageImage:
    """The page with square pixels. Before, its pixels are `pixel_height` times as high as they are wide."""
    if pixel_height == 1:
        return page
    width, height = page.image.size
    size = (width, max(1, round(height * pixel_height)))
    # With any smoother filter, OCR gets worse.
    return replace(_resized(page, size, Image.Resampling.BOX), dpi=page.dpi and round(page.dpi * pixel_height))


def framed(page: PageImage, margin_px: int) -> PageImage:
    """The page with a margin in the colour of its paper."""
    before = _smooth(page.image)
    after = ImageOps.expand(before, margin_px, fill=paper_colour(before))
    return page.replaced(after, PdfMatrix().translate(-margin_px, -margin_px))


def cropped(page: PageImage, box: Box) -> PageImage:
    """The part of the page in a box of its picture."""
    left, top, _, _ = box
    return page.replaced(page.image.crop(box), PdfMatrix().translate(left, top))


def on_original(
    blocks: tuple[Block, ...], page: PageImage, *, known: Mapping[Box, Box] | None = None
) -> tuple[Block, ...]:
    """Map the boxes of blocks that were recognised in the page's picture to the original page. `known` has boxes that
    came from the original page, each with its place there, as `known_places` gives them.
    """
    if page.warp is None and page.to_original == PdfMatrix():
        return blocks

    def box(recognised: Box) -> Box:
        return (known or {}).get(recognised) or box_on_original(recognised, page)

    return tuple(
        Block(box(block.box), tuple(with_boxes(paragraph, box) for paragraph in block.paragraphs)) for block in blocks
    )


def known_places(seen: tuple[Block, ...], original: tuple[Block, ...]) -> dict[Box, Box]:
    """The boxes of words that `from_original` has mapped, each with the one before. To map one back makes it larger."""
    return {word.box: before.box for word, before in zip(words_of(seen), words_of(original), strict=True)}


def from_original(blocks: tuple[Block, ...], page: PageImage) -> tuple[Block, ...]:
    """Map the boxes of blocks on the original page to the page's picture: the inverse of `on_original`."""
    back = PageImage(page.image, page.dpi, page.image.size, _inverse(page.to_original))
    if page.warp is not None:
        straight = page.warp.straight
        blocks = tuple(
            Block(straight(block.box), tuple(with_boxes(paragraph, straight) for paragraph in block.paragraphs))
            for block in blocks
        )
    return on_original(blocks, back)


def box_on_original(box: Box, page: PageImage) -> Box:
    """The box on the original page around a box in the page's picture."""
    left, top, right, bottom = page.rect_on_original(box)
    width, height = page.original_size
    return (
        round(min(max(left, 0), width)),
        round(min(max(top, 0), height)),
        round(min(max(right, 0), width)),
        round(min(max(bottom, 0), height)),
    )


def _row(lines: CurvedLines, column: float, height: float) -> float:
    """The row of the line that runs at a height at a column."""
    place = np.interp(column, lines.columns, np.arange(lines.columns.size))
    first = min(int(place), lines.columns.size - 2)
    at_column = lines.heights[first] + (place - first) * (lines.heights[first + 1] - lines.heights[first])
    return float(np.interp(height, at_column, lines.rows))


def _inverse(matrix: PdfMatrix) -> PdfMatrix:
    a, b, c, d, e, f = matrix.get()
    area = a * d - b * c
    return PdfMatrix(d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area)


def _around_corners(matrix: PdfMatrix, rect: Rect) -> Rect:
    """The rectangle around the mapped corners of another one. `on_rect` of the matrix takes several times as long."""
    a, b, c, d, e, f = matrix.get()
    left, top, right, bottom = rect
    across = a * left + c * top, a * left + c * bottom, a * right + c * top, a * right + c * bottom
    down = b * left + d * top, b * left + d * bottom, b * right + d * top, b * right + d * bottom
    return min(across) + e, min(down) + f, max(across) + e, max(down) + f


def _resized(page: PageImage, size: tuple[int, int], resampling: Image.Resampling) -> PageImage:
    before = _smooth(page.image)
    after = before.resize(size, resampling, reducing_gap=2.0)
    return page.replaced(after, PdfMatrix().scale(before.width / size[0], before.height / size[1]))


def _smooth(image: Image.Image) -> Image.Image:
    """The picture in a mode with shades of grey, because resampling needs them for soft edges."""
    return image if image.mode != "1" else image.convert("L")


def paper_colour(image: Image.Image) -> int | tuple[int, ...]:
    """The median of each band. A margin in this colour has no visible edge."""
    levels = tuple(ImageStat.Stat(image.resize((64, 64))).median)
    return levels[0] if len(levels) == 1 else levels
