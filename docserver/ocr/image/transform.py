"""Child side: pages turned, straightened and scaled for reading, with the way back to the page's own coordinates."""

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

from docserver.layout import Block, Box, Line, Paragraph, Word
from docserver.ocr.image import noise
from docserver.ocr.image.analysis import paper, ruled_lines
from docserver.ocr.image.noise import threshold

Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f: a point (x, y) goes to (a x + b y + c, d x + e y + f)."""

WHITE, DARKEST = 245, 24
"""The shade that paper is brought to, and the one below which there is no paper but a border."""

RULES_PX = 2000
"""Ruled lines are looked for with about so many pixels a side, which shows hairlines and takes a tenth of a second."""

PALE = 128
"""Of 255: where more of the ruled lines is on the light side of the page's threshold."""

SAME: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

_QUARTERS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page made easier to read."""

    image: Image.Image
    dpi: int | None
    size: tuple[int, int]
    """Width and height of the page as it came."""
    back: Matrix = SAME
    """From places in `image` to places on the page as it came."""
    rotation: int = 0
    """Quarter turns clockwise that were made, in degrees."""


def turned(page: Prepared, degrees: int) -> Prepared:
    """The page turned clockwise by 0, 90, 180 or 270 degrees."""
    if not degrees:
        return page
    width, height = page.image.size
    step: Matrix = {
        90: (0.0, 1.0, 0.0, -1.0, 0.0, float(height)),
        180: (-1.0, 0.0, float(width), 0.0, -1.0, float(height)),
        270: (0.0, -1.0, float(width), 1.0, 0.0, 0.0),
    }[degrees]
    return replace(
        page,
        image=page.image.transpose(_QUARTERS[degrees]),
        back=_after(page.back, step),
        rotation=(page.rotation + degrees) % 360,
    )


def straightened(page: Prepared, skew: float) -> Prepared:
    """The page turned counterclockwise by `skew` degrees, on paper of its own shade."""
    before = page.image if page.image.mode != "1" else page.image.convert("L")
    after = before.rotate(skew, Image.Resampling.BICUBIC, expand=True, fillcolor=_paper(before))
    cos, sin = math.cos(math.radians(skew)), math.sin(math.radians(skew))
    # About the middle: a point of the turned picture lay at the place turned back clockwise.
    (new_x, new_y), (old_x, old_y) = ((size[0] / 2, size[1] / 2) for size in (after.size, before.size))
    step = (cos, -sin, old_x - cos * new_x + sin * new_y, sin, cos, old_y - sin * new_x - cos * new_y)
    return replace(page, image=after, back=_after(page.back, step))


def scaled(page: Prepared, factor: float) -> Prepared:
    """The page made larger or smaller."""
    width, height = page.image.size
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    # Of larger pictures that are made smaller, letters are read as well after the fastest that is smooth.
    resampling = Image.Resampling.LANCZOS if factor > 1 else Image.Resampling.HAMMING
    return replace(_resized(page, size, resampling), dpi=page.dpi and round(page.dpi * factor))


def stretched(page: Prepared, pixel_height: float) -> Prepared:
    """The page with square pixels; they come so much higher than wide. Anything smoother than boxes is read worse."""
    if pixel_height == 1:
        return page
    width, height = page.image.size
    size = (width, max(1, round(height * pixel_height)))
    return replace(_resized(page, size, Image.Resampling.BOX), dpi=page.dpi and round(page.dpi * pixel_height))


def framed(page: Prepared, margin_px: int) -> Prepared:
    """The page with a margin of its own paper around it."""
    before = page.image if page.image.mode != "1" else page.image.convert("L")
    after = ImageOps.expand(before, margin_px, fill=_paper(before))
    step = (1.0, 0.0, -float(margin_px), 0.0, 1.0, -float(margin_px))
    return replace(page, image=after, back=_after(page.back, step))


def cut(page: Prepared, *, top: int, bottom: int) -> Prepared:
    """Some rows of the page."""
    after = page.image.crop((0, top, page.image.width, bottom))
    return replace(page, image=after, back=_after(page.back, (1.0, 0.0, 0.0, 0.0, 1.0, float(top))))


def in_grey(page: Prepared) -> Prepared:
    """The page without its colours."""
    return replace(page, image=page.image.convert("L"))


def evenly_lit(page: Prepared) -> Prepared:
    """The page in grey, as if the same light had fallen on all of it: each place against the paper around it."""
    grey = page.image.convert("L")
    shades = np.asarray(paper(grey).resize(grey.size, Image.Resampling.BICUBIC), dtype=np.float32)
    even = np.asarray(grey, dtype=np.float32) * (WHITE / np.maximum(shades, DARKEST))
    return replace(page, image=Image.fromarray(np.minimum(even, 255).astype(np.uint8)))


def inverted(page: Prepared) -> Prepared:
    """The page in grey, with dark for light: a threshold for each colour would find paper as dark as its letters."""
    return replace(page, image=ImageOps.invert(page.image.convert("L")))


def despeckled(page: Prepared) -> Prepared:
    """The page, dark on light, in grey and without specks of a pixel or two."""
    return replace(page, image=noise.despeckled(page.image.convert("L")))


def ungrained(page: Prepared) -> Prepared:
    """The page, if it is grey and dark on light, with paper that no threshold parts from itself."""
    return replace(page, image=noise.ungrained(page.image)) if page.image.mode == "L" else page


def unruled(page: Prepared) -> Prepared:
    """The page, dark on light, in grey and without its ruled lines."""
    bare = page.image.convert("L")
    step, most = max(1, round(max(bare.size) / RULES_PX)), threshold(bare)
    lines = ruled_lines(bare.reduce(step))
    if not lines.any():
        return replace(page, image=bare)
    # One pixel more on each side, for the soft edges of the lines.
    mask = Image.fromarray(lines).convert("L").filter(ImageFilter.MaxFilter(3)).resize(bare.size)
    pale = bare.point([255 * (level > most) for level in range(256)])
    if np.asarray(pale.reduce(step).filter(ImageFilter.MinFilter(3)))[lines].mean() > PALE:
        # What is darker than the lines of writing paper are letters on them; of dark lines none can be told apart.
        mask = ImageChops.darker(mask, pale)
    bare.paste(paper(bare).resize(bare.size, Image.Resampling.BICUBIC), mask=mask)
    return replace(page, image=bare)


def on_page(blocks: tuple[Block, ...], page: Prepared) -> tuple[Block, ...]:
    """Blocks that were found in the prepared picture, with their boxes on the page as it came."""
    if page.back == SAME:
        return blocks

    def back(box: Box) -> Box:
        return _box(box, page.back, page.size)

    def line_back(line: Line) -> Line:
        return Line(back(line.box), tuple(Word(word.text, back(word.box), word.confidence) for word in line.words))

    return tuple(
        Block(
            back(block.box),
            tuple(Paragraph(back(part.box), tuple(map(line_back, part.lines))) for part in block.paragraphs),
        )
        for block in blocks
    )


def _box(box: Box, matrix: Matrix, size: tuple[int, int]) -> Box:
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    across = [min(max(a * x + b * y + c, 0), size[0]) for x, y in corners]
    down = [min(max(d * x + e * y + f, 0), size[1]) for x, y in corners]
    return round(min(across)), round(min(down)), round(max(across)), round(max(down))


def _resized(page: Prepared, size: tuple[int, int], resampling: Image.Resampling) -> Prepared:
    before = page.image if page.image.mode != "1" else page.image.convert("L")
    after = before.resize(size, resampling, reducing_gap=2.0)
    step = (before.width / size[0], 0.0, 0.0, 0.0, before.height / size[1], 0.0)
    return replace(page, image=after, back=_after(page.back, step))


def _after(outer: Matrix, inner: Matrix) -> Matrix:
    """First `inner`, then `outer`."""
    a, b, c, d, e, f = outer
    g, h, i, j, k, m = inner
    return (a * g + b * j, a * h + b * k, a * i + b * m + c, d * g + e * j, d * h + e * k, d * i + e * m + f)


def _paper(image: Image.Image) -> int | tuple[int, ...]:
    """The colour of the paper, so that what comes in at the corners has no edges: the median of each band."""
    levels = tuple(ImageStat.Stat(image.resize((64, 64))).median)
    return levels[0] if len(levels) == 1 else levels
