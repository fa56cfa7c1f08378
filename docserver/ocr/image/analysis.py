"""Child side: what a page looks like before it is read: how its lines lie, how thick its letters are. Reads no text."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps, ImageStat

from docserver.ocr.image.noise import Numbers, density, threshold
from docserver.ocr.image.ruling import Mask, rules

Shades = NDArray[np.uint8]
Places = NDArray[np.int64]
Points = tuple[Places, Places]
Contrasts = NDArray[np.int16]

SMALL_PX = 300
"""Pixels: a snippet of a page."""

SIDE_PX = 1000
"""Pages are looked at with about so many pixels a side: enough to tell lines apart, a hundredth of a second to do."""

CONTRAST = 15
"""Grey levels by which ink differs from the paper around it, after shrinking."""

IN_THE_LIGHT = 0.6
"""Of the shade of the paper: what is around the lines of a form, be they ever so dense, is lighter."""

DARK = 170
"""Grey level; light letters stand only on pictures that are mostly darker, as white ones on red or blue do."""

PAPER_PX = 256
"""Light changes slowly over a page, so that a small picture shows it."""

AROUND_PX = 4
"""Of that picture: letters are narrower than twice this, and the paper beside them shows."""

OUTER = 0.05
"""Share of the paper at either end that may be a border or a stain."""

FEW = 0.5
"""Per cent of the pixels at either end whose colour counts for nothing."""

POINTS = 20_000
"""Points of ink that tell the direction of lines; more change nothing."""

WIDEST_SKEW = 10.0
"""Degrees. Pages that lie more askew than this are rare, and turning pictures and tables by more would be a guess."""

SPECKS_BAND_PX = 200
"""Specks are all over a page, so a part of it shows them."""

SAMPLE = 4000
"""Pixels of ink by which rows differ from the next, after shrinking: three full lines come to so many, or ten short."""

GAP = 0.05
"""Of the ink in the fullest row: between lines there is less, but for specks and what hangs far below a line."""

COARSE_STEP, FINE_STEP = 0.5, 0.1

ANGLES = np.arange(-WIDEST_SKEW, WIDEST_SKEW + COARSE_STEP / 2, COARSE_STEP)
"""Degrees: the directions that lines may have."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a page looks like."""

    skew: float
    """Degrees by which lines fall to the right; turning the picture counterclockwise by them sets it straight."""
    clarity: float
    """How much better the best direction fits than any: above 3 there are lines of text or rules, near 1 none."""
    upright: float
    """How much better lines lie along the picture than across it; well below 1 the page lies on its side.

    1 where rules tell otherwise than letters, and for a picture with a side below SMALL_PX, which holds too few.
    """
    stroke_px: float
    """Median thickness of what is drawn, in pixels of the picture; a seventh of the height of small letters."""
    specks: float
    """Specks of a pixel or two in ten thousand pixels of bare paper: below 6 but where a sensor, a line or dust has
    made salt and pepper."""
    dark: bool
    """Whether the letters are light on dark paper."""
    light: float
    """The shade of the darker parts of the paper against the lighter ones: 1 is even light."""
    hidden: float
    """The share of the paper that is on the dark side of a threshold for the whole picture."""
    rules: float
    """How many ruled lines there are: their area, in pixels that are shrunk as SIDE_PX says, over the longer side."""
    colour: int
    """How far colours differ from each other, 0 to 255: tinted paper and a sensor's noise stay below 30."""


def look(image: Image.Image) -> Look | None:
    """Look at a picture of mode 1, L or RGB; None if it is blank."""
    grey = image if image.mode == "L" else image.convert("L")
    small = grey.reduce(max(1, round(max(grey.size) / SIDE_PX)))
    darker = _darker_than_around(small)
    dark = _light_on_dark(small, darker)
    if dark:
        grey, small, darker = ImageOps.invert(grey), ImageOps.invert(small), -darker
    ink = darker > CONTRAST
    if not ink.any():
        return None
    points = _points(ink)
    along = _sharpness(*points, ANGLES)
    coarse = float(ANGLES[along.argmax()])
    shades = paper(small)
    near = coarse + np.arange(-COARSE_STEP, COARSE_STEP + FINE_STEP / 2, FINE_STEP)
    lines = _lines(small, darker)
    upright = _upright(points, along, ink, lines) if min(image.size) >= SMALL_PX else 1.0
    return Look(
        skew=round(float(near[_sharpness(*points, near).argmax()]), 1),
        clarity=float(along.max() / max(np.median(along), 1e-9)),
        upright=upright,
        stroke_px=_stroke(grey.transpose(Image.Transpose.ROTATE_90) if upright < 1 else grey),
        specks=_specks(grey),
        dark=dark,
        light=_evenness(shades),
        hidden=float((np.asarray(shades) <= threshold(grey)).mean()),
        rules=float(lines.sum() / max(small.size)),
        colour=_colour(image),
    )


def sample(image: Image.Image) -> tuple[int, int]:
    """The fewest rows in which some whole lines of dark letters are: the first, and the one behind the last."""
    shrunk = max(1, round(max(image.size) / SIDE_PX))
    ink = (_darker_than_around(image.convert("L").reduce(shrunk)) > CONTRAST).sum(axis=1)
    # From line to line ink comes and goes; in pictures it stays.
    changes = np.abs(np.diff(ink, prepend=0)).cumsum()
    behind = np.searchsorted(changes, changes + SAMPLE)
    if behind[0] == len(ink):
        return 0, image.height
    rows = np.where(behind < len(ink), behind - np.arange(len(ink)), len(ink))
    top, bottom = int(rows.argmin()), int(behind[rows.argmin()])
    gaps = np.flatnonzero(ink <= GAP * ink[top:bottom].max())
    first, last = gaps[gaps < top].max(initial=0), gaps[gaps > bottom].min(initial=len(ink))
    return int(first) * shrunk, min((int(last) + 1) * shrunk, image.height)


def _points(ink: Mask) -> Points:
    """The rows and columns of some points of ink."""
    rows, columns = np.nonzero(ink)
    if rows.size > POINTS:
        # Evenly spaced points would fall in step with the lines.
        chosen = np.random.default_rng(0).choice(rows.size, POINTS, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    return rows, columns


def _upright(points: Points, along: Numbers, ink: Mask, lines: Mask) -> float:
    """How much better lines lie along than across; rules tell it too, but of a form with columns not the truth.

    `points` are some of the ink, and `along` how sharp they are in each direction.
    """
    of_all = _to_across(points, along)
    if not lines.any():
        return of_all
    letters = _points(ink & ~lines)
    of_letters = _to_across(letters, _sharpness(*letters, ANGLES)) if letters[0].size else 1.0
    if (of_all < 1) != (of_letters < 1):
        return 1.0
    return max(of_all, of_letters) if of_all < 1 else min(of_all, of_letters)


def _to_across(points: Points, along: Numbers) -> float:
    rows, columns = points
    return float(along.max() / max(_sharpness(columns, -rows, ANGLES).max(), 1e-9))


def _light_on_dark(grey: Image.Image, darker: Contrasts) -> bool:
    """Whether letters are light on dark paper; on a photo of a page with a dark table around they are not."""
    # Letters are fewer pixels than the paper around them, and differ more from the mean of both than the paper does.
    return bool(ImageStat.Stat(grey).median[0] < DARK and (darker.astype(np.float64) ** 3).sum() < 0)


def paper(grey: Image.Image) -> Image.Image:
    """A small picture of the paper alone, as dark as the light that fell on it."""
    small = grey.reduce(max(1, round(max(grey.size) / PAPER_PX)))
    lightest = _lightest(np.asarray(small))
    return Image.fromarray(lightest).reduce(2).filter(ImageFilter.MedianFilter(3)).filter(ImageFilter.BoxBlur(4))


def _lightest(shades: Shades) -> Shades:
    """Around each place the lightest shade."""
    for axis in (0, 1):
        around = [(AROUND_PX, AROUND_PX) if axis == each else (0, 0) for each in (0, 1)]
        shades = sliding_window_view(np.pad(shades, around, mode="edge"), 2 * AROUND_PX + 1, axis).max(axis=-1)
    return shades


def _evenness(shades: Image.Image) -> float:
    share = np.cumsum(shades.histogram()) / (shades.width * shades.height)
    dark, light = np.searchsorted(share, [OUTER, 1 - OUTER])
    return float(dark / max(light, 1))


def _colour(image: Image.Image) -> int:
    if image.mode != "RGB":
        return 0
    pixels = np.asarray(image.reduce(max(1, round(max(image.size) / SIDE_PX))), dtype=np.int16)
    tints = (pixels[..., 0] - pixels[..., 1], pixels[..., 2] - pixels[..., 1])
    return max(int(np.ptp(np.percentile(tint, [FEW, 100 - FEW]))) for tint in tints)


def ruled_lines(grey: Image.Image) -> Mask:
    """Where there are thin dark lines on light paper; the dark gaps between light letters in a dark box are none."""
    return _lines(grey, _darker_than_around(grey))


def _lines(grey: Image.Image, darker: Contrasts) -> Mask:
    lines = rules(darker > CONTRAST)
    if lines.any():
        shades = np.asarray(paper(grey).resize(grey.size, Image.Resampling.BICUBIC))
        lines &= darker + np.asarray(grey) > IN_THE_LIGHT * shades
    return lines


def _darker_than_around(grey: Image.Image) -> Contrasts:
    """By how much a picture is darker than what is around: shadows and dark borders are only at their edges."""
    around = grey.filter(ImageFilter.BoxBlur(max(4, max(grey.size) // 40)))
    darker: Contrasts = np.asarray(around, dtype=np.int16) - np.asarray(grey, dtype=np.int16)
    return darker


def _sharpness(rows: Places, columns: Places, angles: Numbers) -> Numbers:
    """For each direction how sharply ink and gaps alternate across it: highest along the lines of a text."""
    radians = np.radians(angles)[:, np.newaxis]
    across = (rows * np.cos(radians) - columns * np.sin(radians)).astype(np.int32)
    across -= across.min()
    width = int(across.max()) + 1
    across += np.arange(len(angles), dtype=np.int32)[:, np.newaxis] * width
    profiles = np.bincount(across.ravel(), minlength=len(angles) * width).reshape(len(angles), width)
    return np.asarray(np.square(np.diff(profiles)).sum(axis=1) / rows.size, dtype=np.float64)


def _specks(grey: Image.Image) -> float:
    """Counted in a band across the middle."""
    rows = min(grey.height, SPECKS_BAND_PX)
    return 1e4 * density(grey, top=(grey.height - rows) // 2, rows=rows)


def _stroke(grey: Image.Image) -> float:
    """The median length of runs of ink along the lines, which are the rows, in the middle of the picture."""
    width, height = grey.size
    band = np.asarray(grey.crop((0, height // 4, width, height - height // 4)))[:: max(1, height // 400)]
    dark = band < (int(band.max()) + int(band.min())) // 2
    edges = np.diff(np.pad(dark, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.nonzero(edges == 1)[1], np.nonzero(edges == -1)[1]
    runs = ends - starts
    runs = runs[runs < width // 10]
    return float(np.median(runs)) if runs.size else 0.0
