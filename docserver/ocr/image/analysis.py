"""Child side: measures a page before OCR: the direction of its lines, the thickness of its letters, and more.

Recognises no text.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageStat

from docserver.ocr.image.noise import speck_density
from docserver.ocr.image.overview import Overview, overview, reduction
from docserver.ocr.image.ruling import ruled_lines_in
from docserver.ocr.image.runs import runs_in_rows
from docserver.ocr.image.shades import (
    INK_CONTRAST,
    Contrasts,
    Mask,
    Numbers,
    has_ink,
    is_on_dark_backing,
    paper,
    shows_more_than_noise,
    threshold,
)
from docserver.ocr.image.shape import is_snippet

Places = NDArray[np.int64]
Points = tuple[Places, Places]

LIGHT_LETTERS_BELOW = 170
"""Median grey level of a picture. A picture whose median is not below this has no light letters on dark paper. It is
this high because red or blue paper has such a grey level."""

PAPER_OUTLIERS = 0.05
"""The darkest and the lightest of the paper are ignored, this share of it at either end: it may be a border or a
stain."""

COLOUR_OUTLIERS_PERCENT = 0.5
"""Percentage of the pixels with the most extreme tints that is ignored at either end."""

MAX_POINTS = 20_000
"""Most points of ink from which the direction of lines is measured. More points do not change the result."""

MAX_SKEW_DEG = 10.0
"""Largest skew that is measured. Few pages have more, and on pictures and tables a larger angle would be a guess."""

COARSE_STEP_DEG, FINE_STEP_DEG = 0.5, 0.1

ANGLES = np.arange(-MAX_SKEW_DEG, MAX_SKEW_DEG + COARSE_STEP_DEG / 2, COARSE_STEP_DEG)
"""The directions, in degrees, that are tried for the lines."""

SPECKS_BAND_PX = 200
"""Number of rows in which specks are counted. Specks are all over a page, so a part of the page is enough."""

SIDEWAYS_BELOW, UPRIGHT_FROM = 0.4, 2.5
"""Limits for `upright`. Below the first, the page is sideways; from the second on, it is not. Between them it is not
clear, because the ruled lines and columns of a form may be sharper than its lines of text."""

UNEVEN_LIGHT_BELOW = 0.7
"""Limit for `light`. Below this, no single threshold suits the whole page, and the page is treated as a photo."""

FAINT_BELOW = 60
"""Contrast of the ink in grey levels. Below this, ink is faint. Print has 100 and more, pencil 60."""

NEAR_BLACK, NEAR_WHITE, MAX_SHADES = 32, 224, 0.002
"""The first and last grey levels that are shades, and their largest share of the pixels of a page without shades. The
edges of letters have ten times as many."""

FORM_ABOVE = 8.0
"""Limit for `rules`. A page with more ruled lines is treated as a form or a table."""


@dataclass(frozen=True, slots=True)
class PageAnalysis:
    """The measurements of a page that is not blank."""

    skew: float
    """Degrees by which lines fall to the right. Turning the picture counterclockwise by this angle levels the lines."""
    clarity: float
    """Sharpness of lines in the direction of the skew, divided by the median sharpness of all directions. Above 3, the
    page has lines of text or ruled lines; near 1, it has none."""
    upright: float
    """Sharpness of horizontal lines divided by that of vertical lines. Far below 1, the page is sideways.

    It is 1 if ruled lines and letters disagree, and for a snippet, which has too few letters.
    """
    stroke_px: float
    """Median thickness of strokes, in pixels of the picture. It is about a seventh of the height of small letters."""
    specks: float
    """Specks of one or two pixels per ten thousand pixels of bare paper. It is below 6, unless a sensor, a fax line or
    dust has caused salt-and-pepper noise."""
    light_on_dark: bool
    """True if the letters are light on dark paper."""
    light: float
    """Grey level of the darker parts of the paper divided by that of the lighter parts. 1 means even light."""
    on_backing: bool
    """True if the page is evenly lit and lies on something dark, which is in the picture too."""
    faint: bool
    """True if the ink is hardly darker than the paper, as letters are that show through from the other side."""
    hidden: float
    """Share of the paper that a threshold for the whole picture would make black."""
    rules: float
    """Amount of ruled lines: their area divided by the longer side, in pixels of the analysed size."""
    colour: int
    """Range of the colours, 0 to 255. Tinted paper and a sensor's noise stay below 30."""
    is_two_toned: bool
    """True if the page is black and white without shades between them, as a fax is."""

    @property
    def is_sideways(self) -> bool:
        return self.upright < SIDEWAYS_BELOW

    @property
    def is_upright(self) -> bool:
        """True if the lines are horizontal. The page may still be upside down."""
        return self.upright >= UPRIGHT_FROM

    @property
    def is_clear(self) -> bool:
        """False if lines are about equally sharp in both directions, as on squared paper."""
        return self.is_sideways or self.is_upright

    @property
    def is_unevenly_lit(self) -> bool:
        return self.light < UNEVEN_LIGHT_BELOW

    @property
    def is_form(self) -> bool:
        return self.rules > FORM_ABOVE


def analyse(image: Image.Image, seen: Overview | None = None) -> PageAnalysis | None:
    """Measure a picture of mode 1, L or RGB, of which there may be an overview; None if it is blank."""
    seen = seen or overview(image)
    grey, small, contrasts = seen.grey, seen.small, seen.contrasts
    light_on_dark = _is_light_on_dark(small, contrasts)
    if light_on_dark:
        grey, small, contrasts = ImageOps.invert(grey), ImageOps.invert(small), -contrasts
    ink = contrasts > INK_CONTRAST
    if not (has_ink(small, contrasts) if light_on_dark else shows_more_than_noise(seen.ink)):
        return None
    points = _points(ink)
    sharpness = _sharpness(*points, ANGLES)
    lines = ruled_lines_in(small, contrasts)
    upright = 1.0 if is_snippet(image.size) else _upright(points, sharpness, ink=ink, lines=lines)
    shades = paper(small)
    return PageAnalysis(
        skew=_skew(points, sharpness),
        clarity=_clarity(sharpness),
        upright=upright,
        stroke_px=_stroke_px(grey.transpose(Image.Transpose.ROTATE_90) if upright < 1 else grey),
        specks=count_specks(grey),
        light_on_dark=light_on_dark,
        light=_evenness(shades),
        on_backing=is_on_dark_backing(shades, ink),
        faint=bool(np.percentile(contrasts[ink], 90) < FAINT_BELOW),
        hidden=float((np.asarray(shades) <= threshold(grey)).mean()),
        rules=float(lines.sum() / max(small.size)),
        colour=_colour_range(image),
        is_two_toned=_is_two_toned(grey),
    )


def skew_and_clarity(seen: Overview) -> tuple[float, float]:
    """The skew and the clarity of the lines in a picture with dark letters. Both are 0 if it has no ink."""
    points = _points(seen.contrasts > INK_CONTRAST)
    if not points[0].size:
        return 0.0, 0.0
    sharpness = _sharpness(*points, ANGLES)
    return _skew(points, sharpness), _clarity(sharpness)


def count_specks(grey: Image.Image) -> float:
    """Specks per ten thousand pixels, counted in a band across the middle of the page."""
    rows = min(grey.height, SPECKS_BAND_PX)
    return 1e4 * speck_density(grey, top=(grey.height - rows) // 2, rows=rows)


def _points(ink: Mask) -> Points:
    """The rows and columns of some points of ink."""
    rows, columns = np.nonzero(ink)
    if rows.size > MAX_POINTS:
        # Choose random points, because evenly spaced ones would interfere with the spacing of the lines.
        chosen = np.random.default_rng(0).choice(rows.size, MAX_POINTS, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    return rows, columns


def _sharpness(rows: Places, columns: Places, angles: Numbers) -> Numbers:
    """For each direction, how sharply rows of ink and gaps alternate. It is highest for the direction of lines."""
    radians = np.radians(angles)[:, np.newaxis]
    across = (rows * np.cos(radians) - columns * np.sin(radians)).astype(np.int32)
    across -= across.min()
    width = int(across.max()) + 1
    across += np.arange(len(angles), dtype=np.int32)[:, np.newaxis] * width
    profiles = np.bincount(across.ravel(), minlength=len(angles) * width).reshape(len(angles), width)
    return np.asarray(np.square(np.diff(profiles)).sum(axis=1) / rows.size, dtype=np.float64)


def _skew(points: Points, sharpness: Numbers) -> float:
    coarse = float(ANGLES[sharpness.argmax()])
    fine = coarse + np.arange(-COARSE_STEP_DEG, COARSE_STEP_DEG + FINE_STEP_DEG / 2, FINE_STEP_DEG)
    return round(float(fine[_sharpness(*points, fine).argmax()]), 1)


def _clarity(sharpness: Numbers) -> float:
    return float(sharpness.max() / max(np.median(sharpness), 1e-9))


def _upright(points: Points, sharpness: Numbers, *, ink: Mask, lines: Mask) -> float:
    """The value of `PageAnalysis.upright`.

    `points` are some points of the ink, and `sharpness` is their sharpness in each direction. Ruled lines improve the
    measurement, but those of a form with columns mislead, so the letters without ruled lines must agree.
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
    """True if letters are light on dark paper. False for a photo of a page on a dark table."""
    # Letters have fewer pixels than the paper around them, so they differ more from the mean of both than the paper
    # does. Cubes keep the sign of a difference and give the large ones more weight.
    if ImageStat.Stat(grey).median[0] >= LIGHT_LETTERS_BELOW:
        return False
    counts = np.bincount(contrasts.ravel() + 255, minlength=511)
    return bool((counts * np.arange(-255.0, 256.0) ** 3).sum() < 0)


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


def _is_two_toned(grey: Image.Image) -> bool:
    counts = grey.histogram()
    return sum(counts[NEAR_BLACK:NEAR_WHITE]) <= MAX_SHADES * sum(counts)


def _stroke_px(grey: Image.Image) -> float:
    """The median length of runs of dark pixels along the rows, in the middle of the picture."""
    width, height = grey.size
    band = np.asarray(grey.crop((0, height // 4, width, height - height // 4)))[:: max(1, height // 400)]
    dark = band < (int(band.max()) + int(band.min())) // 2
    _, starts, ends = runs_in_rows(dark)
    runs = ends - starts
    runs = runs[runs < width // 10]
    return float(np.median(runs)) if runs.size else 0.0
