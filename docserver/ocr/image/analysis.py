"""Child side: measurements of a page before it is read: how its lines lie, how thick its letters are. Reads no text."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageStat

from docserver.ocr.image.noise import speck_density
from docserver.ocr.image.ruling import ruled_lines_in
from docserver.ocr.image.shades import INK_CONTRAST, Contrasts, Mask, Numbers, contrast, paper, threshold
from docserver.ocr.image.shape import is_snippet

Places = NDArray[np.int64]
Points = tuple[Places, Places]

ANALYSED_SIDE_PX = 1000
"""Most is measured at about this size: enough to tell lines apart, and it takes a hundredth of a second."""

LIGHT_LETTERS_BELOW = 170
"""Median grey level. Light letters stand only on pictures that are mostly darker, such as red or blue ones."""

PAPER_OUTLIERS = 0.05
"""Share of the paper at either end of its grey levels that may be a border or a stain."""

COLOUR_OUTLIERS_PERCENT = 0.5
"""Per cent of the pixels at either end of the tints that are ignored."""

MAX_POINTS = 20_000
"""Points of ink from which the direction of lines is told; more change nothing."""

MAX_SKEW_DEG = 10.0
"""Few pages are more askew than this, and on pictures and tables a larger angle would be a guess."""

COARSE_STEP_DEG, FINE_STEP_DEG = 0.5, 0.1

ANGLES = np.arange(-MAX_SKEW_DEG, MAX_SKEW_DEG + COARSE_STEP_DEG / 2, COARSE_STEP_DEG)
"""Degrees: the directions that are tried for the lines."""

SPECKS_BAND_PX = 200
"""Rows in which specks are counted: they are all over a page, so a part of it shows them."""

SIDEWAYS_BELOW, UPRIGHT_FROM = 0.4, 2.5
"""Values of `upright`: below the first the page lies on its side, from the second on it does not. Between them, the
rules and columns of a form may stand out more than its lines."""

UNEVEN_LIGHT_BELOW = 0.7
"""Value of `light`: below this no single threshold suits the whole page, and the page is taken for a photo."""

FORM_ABOVE = 8.0
"""Value of `rules`: a page with more rules is a form or a table."""


@dataclass(frozen=True, slots=True)
class PageAnalysis:
    """What was measured on a page that is not blank."""

    skew: float
    """Degrees by which lines fall to the right: turning the picture counterclockwise by them makes the lines level."""
    clarity: float
    """How much sharper lines are in the direction of the skew than in the median direction: above 3 there are lines of
    text or rules, near 1 there are none."""
    upright: float
    """How much sharper lines are along the picture than across it: far below 1 the page lies on its side.

    1 where rules and letters disagree, and for a snippet, which holds too few letters.
    """
    stroke_px: float
    """Median thickness of what is drawn, in pixels of the picture: a seventh of the height of small letters."""
    specks: float
    """Specks of a pixel or two per ten thousand pixels of bare paper: below 6 unless a sensor, a fax line or dust has
    made salt and pepper."""
    light_on_dark: bool
    """True if the letters are light on dark paper."""
    light: float
    """Grey level of the darker parts of the paper by that of the lighter ones: 1 is even light."""
    hidden: float
    """Share of the paper that is on the dark side of a threshold for the whole picture."""
    rules: float
    """How many ruled lines there are: their area over the longer side, in pixels of the analysed size."""
    colour: int
    """How far colours differ from each other, 0 to 255: tinted paper and a sensor's noise stay below 30."""

    @property
    def is_sideways(self) -> bool:
        return self.upright < SIDEWAYS_BELOW

    @property
    def is_upright(self) -> bool:
        """True if the lines lie along the picture; they may still be upside down."""
        return self.upright >= UPRIGHT_FROM

    @property
    def is_unevenly_lit(self) -> bool:
        return self.light < UNEVEN_LIGHT_BELOW

    @property
    def is_form(self) -> bool:
        return self.rules > FORM_ABOVE


def analyse(image: Image.Image) -> PageAnalysis | None:
    """Measure a picture of mode 1, L or RGB; None if it is blank."""
    grey = image if image.mode == "L" else image.convert("L")
    small = grey.reduce(reduction(image))
    contrasts = contrast(small)
    light_on_dark = _is_light_on_dark(small, contrasts)
    if light_on_dark:
        grey, small, contrasts = ImageOps.invert(grey), ImageOps.invert(small), -contrasts
    ink = contrasts > INK_CONTRAST
    if not ink.any():
        return None
    points = _points(ink)
    sharpness = _sharpness(*points, ANGLES)
    coarse = float(ANGLES[sharpness.argmax()])
    fine = coarse + np.arange(-COARSE_STEP_DEG, COARSE_STEP_DEG + FINE_STEP_DEG / 2, FINE_STEP_DEG)
    lines = ruled_lines_in(small, contrasts)
    upright = 1.0 if is_snippet(image.size) else _upright(points, sharpness, ink=ink, lines=lines)
    shades = paper(small)
    return PageAnalysis(
        skew=round(float(fine[_sharpness(*points, fine).argmax()]), 1),
        clarity=float(sharpness.max() / max(np.median(sharpness), 1e-9)),
        upright=upright,
        stroke_px=_stroke_px(grey.transpose(Image.Transpose.ROTATE_90) if upright < 1 else grey),
        specks=_specks(grey),
        light_on_dark=light_on_dark,
        light=_evenness(shades),
        hidden=float((np.asarray(shades) <= threshold(grey)).mean()),
        rules=float(lines.sum() / max(small.size)),
        colour=_colour_range(image),
    )


def reduction(image: Image.Image) -> int:
    """The factor by which a picture is made smaller before it is measured."""
    return max(1, round(max(image.size) / ANALYSED_SIDE_PX))


def _points(ink: Mask) -> Points:
    """The rows and columns of some points of ink."""
    rows, columns = np.nonzero(ink)
    if rows.size > MAX_POINTS:
        # Random ones, because evenly spaced points would fall in step with the lines.
        chosen = np.random.default_rng(0).choice(rows.size, MAX_POINTS, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    return rows, columns


def _sharpness(rows: Places, columns: Places, angles: Numbers) -> Numbers:
    """For each direction how sharply ink and gaps alternate across it: highest along the lines of a text."""
    radians = np.radians(angles)[:, np.newaxis]
    across = (rows * np.cos(radians) - columns * np.sin(radians)).astype(np.int32)
    across -= across.min()
    width = int(across.max()) + 1
    across += np.arange(len(angles), dtype=np.int32)[:, np.newaxis] * width
    profiles = np.bincount(across.ravel(), minlength=len(angles) * width).reshape(len(angles), width)
    return np.asarray(np.square(np.diff(profiles)).sum(axis=1) / rows.size, dtype=np.float64)


def _upright(points: Points, sharpness: Numbers, *, ink: Mask, lines: Mask) -> float:
    """How much sharper lines are along the picture than across it.

    `points` are some of the ink, and `sharpness` is theirs in each direction. Ruled lines help to tell, but those of a
    form with columns mislead, so the letters alone must agree.
    """
    of_all = _along_by_across(points, sharpness)
    if not lines.any():
        return of_all
    letters = _points(ink & ~lines)
    of_letters = _along_by_across(letters, _sharpness(*letters, ANGLES)) if letters[0].size else 1.0
    if (of_all < 1) != (of_letters < 1):
        return 1.0
    return max(of_all, of_letters) if of_all < 1 else min(of_all, of_letters)


def _along_by_across(points: Points, sharpness: Numbers) -> float:
    rows, columns = points
    return float(sharpness.max() / max(_sharpness(columns, -rows, ANGLES).max(), 1e-9))


def _is_light_on_dark(grey: Image.Image, contrasts: Contrasts) -> bool:
    """True if letters are light on dark paper; false for a photo of a page with a dark table around it."""
    # Letters are fewer pixels than the paper around them, and differ more from the mean of both than the paper does.
    return bool(ImageStat.Stat(grey).median[0] < LIGHT_LETTERS_BELOW and (contrasts.astype(np.float64) ** 3).sum() < 0)


def _evenness(shades: Image.Image) -> float:
    share = np.cumsum(shades.histogram()) / (shades.width * shades.height)
    dark, light = np.searchsorted(share, [PAPER_OUTLIERS, 1 - PAPER_OUTLIERS])
    return float(dark / max(light, 1))


def _colour_range(image: Image.Image) -> int:
    if image.mode != "RGB":
        return 0
    pixels = np.asarray(image.reduce(reduction(image)), dtype=np.int16)
    tints = (pixels[..., 0] - pixels[..., 1], pixels[..., 2] - pixels[..., 1])
    outliers = [COLOUR_OUTLIERS_PERCENT, 100 - COLOUR_OUTLIERS_PERCENT]
    return max(int(np.ptp(np.percentile(tint, outliers))) for tint in tints)


def _specks(grey: Image.Image) -> float:
    """Counted in a band across the middle."""
    rows = min(grey.height, SPECKS_BAND_PX)
    return 1e4 * speck_density(grey, top=(grey.height - rows) // 2, rows=rows)


def _stroke_px(grey: Image.Image) -> float:
    """The median length of dark runs along the rows, in the middle of the picture."""
    width, height = grey.size
    band = np.asarray(grey.crop((0, height // 4, width, height - height // 4)))[:: max(1, height // 400)]
    dark = band < (int(band.max()) + int(band.min())) // 2
    edges = np.diff(np.pad(dark, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.nonzero(edges == 1)[1], np.nonzero(edges == -1)[1]
    runs = ends - starts
    runs = runs[runs < width // 10]
    return float(np.median(runs)) if runs.size else 0.0
