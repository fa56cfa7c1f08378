"""Child side: makes a page easier to read. If needed, it is inverted, evenly lit, cleaned, framed and reduced."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from docserver.layout import Box
from docserver.ocr.image.analysis import PageAnalysis, analyse, count_specks
from docserver.ocr.image.decode import MAX_SIDE, Picture
from docserver.ocr.image.letter_heights import letter_heights
from docserver.ocr.image.noise import without_grain, without_specks
from docserver.ocr.image.overview import grey, reduction
from docserver.ocr.image.ruling import ruled_lines, widened, without_ruled_lines
from docserver.ocr.image.shades import INK_CONTRAST, evenly_lit, ink_beside_lines, ink_of, shows_more_than_noise
from docserver.ocr.image.shape import is_narrow, is_snippet
from docserver.ocr.image.spots import may_show_letters
from docserver.ocr.image.transform import PageImage, cropped, framed, scaled, straightened, stretched

MIN_SKEW_OF_RULES_DEG, MIN_SKEW_OF_SQUARES_DEG = 0.5, 1.5
"""Smallest skew that is corrected before ruled lines are removed. The first is for pages with ruled lines: parts
of askew lines would stay. The second is for what looks like squared paper whose lines are too askew to be found."""

MIN_CLARITY_OF_RULES, MIN_CLARITY_OF_SQUARES = 3.0, 15.0
"""Smallest clarity of the skew on these two kinds of pages."""

EVEN_OUT_ABOVE = 0.035
"""Limit for `PageAnalysis.hidden`. Above it, dark paper hides letters even if the page does not count as unevenly
lit."""

KEEP_COLOURS_ABOVE = 64
"""Limit for `PageAnalysis.colour`. Only above it may letters differ from paper in colour and not in shade. Below it,
OCR of the grey picture is equally good and takes a third less time."""

DESPECKLE_ABOVE = 12.0
"""Limit for `PageAnalysis.specks`. Small or faint letters cause up to 6, because their parts look like specks."""

MARGIN_PX = 40
"""Margin that is added around a snippet, because Tesseract misses letters that touch the edge of a picture."""

TARGET_STROKE_PX = 2.7
"""A page with thicker strokes is reduced until its strokes have this thickness, that of 10-point letters at 200 dpi. It
is then read equally well, in a fifth less time."""

MIN_SHRUNK_SIDE_PX = 2100
"""Thick strokes reduce no page to a longer side below this, that of A4 at 180 dpi. High letters may."""

MAX_CAPITALS_PX, MIN_LETTERS_PX = 26, 10
"""A page is reduced until most of its capitals and digits have at most the first height, but not so far that its
smallest letters have less than the second one. Of 1000 numbers in tables, Tesseract reads 2 wrong if their digits are
20 to 30 pixels high, 10 if they have 36 pixels, and 60 if they have 60."""

MIN_SNIPPET_SCALE = 0.25
"""Smallest scale by which a snippet is reduced. If strokes are too thick even then, they are not letters, but the
snippet may have letters beside them."""

SHRINK_UP_TO = 0.8
"""Largest scale by which a page is reduced because of thick strokes. With a scale closer to 1, reducing a page takes as
long as it saves in OCR."""

THIN_STROKE_PX, THIN_STROKE_ON_SNIPPETS_PX = 2.0, 1.0
"""Only pages whose strokes are at most this thick are enlarged: the first value is for pages (10-point letters at 150
dpi), the second for snippets (at 75 dpi). Single words with thicker strokes are read worse if they are enlarged."""

ENLARGE_BELOW_PX, ENLARGE_FORMS_BELOW_PX = 1300, 2000
"""Only pages whose longer side is below this are enlarged: the first value is for pages in general (A4 at 110 dpi), the
second for forms (A4 at 170 dpi). At twice the size, thin letters are read better, but thicker ones are read worse."""

TRIPLE_BELOW_PX = 900
"""If the longer side is below this, that of A4 at 75 dpi, a page is enlarged three times instead of twice, because thin
letters are then read even better."""

SOFT_EDGE_PX, SOFT_SCALE = 0.7, 1.5
"""How much the edges of letters in two tones are softened on a small page, and how many times it is enlarged then.
Jagged edges mislead Tesseract: of 100 words of letters in 10 points, copied at 100 dpi, it misreads 6.5 instead of 8,
and at twice the size as many as without."""

MAX_JAGGED_STROKE_PX = 4.0
"""Thickest strokes of letters whose edges are softened. Those of larger letters are read well as they are."""

MAX_BLURRED_STROKE_PX = 3.0
"""Thickest strokes on a small page that may be blurred. Blur makes thin strokes thicker, so the letters may be smaller
than they seem."""


MAX_MARKS_PX = 3
"""Most pixels of ink beside the ruled lines of a sheet on which nothing is written, in the picture of about 1000 pixels
a side. A lone `i` in 12 points has 8, of which a line may hide a part."""

QUARTERED_FROM_PX = 4500
"""Longer side of a ruled sheet whose quarters are looked at one by one: that of A4 at 385 dpi. On plans, small letters
are lower than the spots that count."""


class Preparation(NamedTuple):
    """What `prepare` has made of a picture."""

    page: PageImage
    """The page prepared for OCR, but not enlarged. If nothing on it may be letters, it is left as it is."""
    analysis: PageAnalysis | None
    """The analysis of the picture before that; None if nothing on the page may be letters."""
    is_bare: bool = False
    """True if there is not even a small mark beside the ruled lines of a page on which nothing may be letters. Beside
    lines, a lone character may leave no more than such a mark."""


def prepare(picture: Picture) -> Preparation:
    """Prepare a page for OCR."""
    page = stretched(PageImage.of(picture), picture.pixel_height)
    analysis = analyse(page.image, page.overview)
    if analysis is not None and _has_askew_rules(page, analysis):
        # In even light, because the new corners get a single colour, beside which a shadow would look like ink.
        page = straightened(_lit(page, analysis), analysis.skew)
        analysis = analyse(page.image, page.overview)
    if analysis is None:
        return Preparation(page, None, is_bare=True)
    lit = _lit(page, analysis)
    rules = _ruled_lines(grey(lit.image)) if analysis.is_form and not is_snippet(page.original_size) else None
    cleaned = _cleaned(lit, analysis, rules)
    if not _may_show_letters(cleaned, rules):
        return Preparation(page, None, is_bare=rules is None or _is_bare(cleaned, rules))
    if is_small_copy(cleaned, analysis):
        cleaned = replace(cleaned, image=grey(cleaned.image).filter(ImageFilter.GaussianBlur(SOFT_EDGE_PX)))
    return Preparation(_reduced(cleaned, analysis), analysis)


def count_changes(page: PageImage, analysis: PageAnalysis) -> int:
    """How many times `prepare` has changed all pixels of a page, such as to make its light even. It takes about two
    such changes to remove ruled lines, or to straighten a page and analyse it again.
    """
    is_straightened = page.to_original.b != 0
    is_uneven = analysis.is_unevenly_lit or analysis.hidden > EVEN_OUT_ABOVE
    is_dirty = analysis.specks > DESPECKLE_ABOVE
    return sum((analysis.light_on_dark, is_uneven, is_dirty, 2 * analysis.is_form, 2 * is_straightened))


def enlargement(page: PageImage, analysis: PageAnalysis) -> float:
    """How many times a prepared page should be enlarged to be read: more than once if it is small and its letters are
    thin.
    """
    if is_small_copy(page, analysis):
        return SOFT_SCALE
    snippet, longer_side = is_snippet(page.original_size), max(page.image.size)
    small = longer_side < (ENLARGE_FORMS_BELOW_PX if analysis.is_form else ENLARGE_BELOW_PX)
    thin = analysis.stroke_px <= (THIN_STROKE_ON_SNIPPETS_PX if snippet else THIN_STROKE_PX)
    if not (small and thin) or _may_be_narrow(page, analysis):
        return 1.0
    return 3.0 if longer_side < TRIPLE_BELOW_PX and not snippet else 2.0


def may_be_blurred(page: PageImage, analysis: PageAnalysis) -> bool:
    """True if the letters of a prepared page may be smaller than their strokes suggest."""
    if is_snippet(page.original_size) or max(page.image.size) >= ENLARGE_BELOW_PX or _may_be_narrow(page, analysis):
        return False
    return not is_small_copy(page, analysis) and THIN_STROKE_PX < analysis.stroke_px <= MAX_BLURRED_STROKE_PX


def is_small_copy(page: PageImage, analysis: PageAnalysis) -> bool:
    """True for a small page in two tones with small letters, which is neither a form nor a narrow receipt."""
    is_page = not (is_snippet(page.original_size) or analysis.is_form or _may_be_narrow(page, analysis))
    is_small = TRIPLE_BELOW_PX <= max(page.image.size) < ENLARGE_BELOW_PX and analysis.stroke_px <= MAX_JAGGED_STROKE_PX
    return analysis.is_two_toned and is_page and is_small


def in_grey(page: PageImage) -> PageImage:
    """The page without its colours."""
    return page if page.image.mode == "L" else replace(page, image=page.overview.grey, seen=page.overview)


def _may_show_letters(page: PageImage, rules: Image.Image | None) -> bool:
    """True if a cleaned page still shows something that may be letters. `rules` are its removed ruled lines."""
    if is_snippet(page.original_size):
        # It may show a single dot.
        return shows_more_than_noise(page.overview.ink)
    if rules is None:
        return may_show_letters(page.overview.ink, joined=True)
    # Some of the edges of ruled lines are still there. Remains of squared paper would be joined all over the page.
    ink = ink_beside_lines(page.overview.small, np.asarray(rules) > 0)
    return ink is not None and may_show_letters(ink, joined=False)


def _is_bare(page: PageImage, rules: Image.Image) -> bool:
    """True if a cleaned page on which nothing may be letters has hardly any ink beside its removed ruled lines."""
    if _marks_px(page, rules) > MAX_MARKS_PX:
        return False
    if max(page.image.size) < QUARTERED_FROM_PX:
        return True
    parts = [cropped(page, quarter) for quarter in _quarters(page.image.size)]
    return not any(
        _may_show_letters(part, rules.crop(mask).resize(part.overview.small.size))
        for part, mask in zip(parts, _quarters(rules.size), strict=True)
    )


def _quarters(size: tuple[int, int]) -> list[Box]:
    """The boxes of the quarters of a picture."""
    width, height = size[0] // 2, size[1] // 2
    return [(left, top, left + width, top + height) for left in (0, width) for top in (0, height)]


def _marks_px(page: PageImage, rules: Image.Image) -> int:
    """Pixels of ink on a cleaned page beside its removed ruled lines."""
    return int(ink_of(page.overview.small, removed=np.asarray(rules) > 0, least=INK_CONTRAST).sum())


def _has_askew_rules(page: PageImage, analysis: PageAnalysis) -> bool:
    """True if a page has, or seems to have, ruled lines that must be level to be found and removed."""
    if is_snippet(page.original_size):
        return False
    if analysis.is_form:
        return abs(analysis.skew) >= MIN_SKEW_OF_RULES_DEG and analysis.clarity >= MIN_CLARITY_OF_RULES
    squared = not analysis.is_clear and analysis.clarity >= MIN_CLARITY_OF_SQUARES
    return squared and abs(analysis.skew) >= MIN_SKEW_OF_SQUARES_DEG


def _lit(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page with dark letters on evenly lit paper, in grey unless letters may differ from paper in colour."""
    if analysis.light_on_dark:
        # Make it grey: Tesseract uses a threshold for each colour, and would treat the paper as dark as the letters.
        page = replace(page, image=ImageOps.invert(page.overview.grey))
    # A backing stays dark: in more light, its noise would look like letters.
    if not analysis.on_backing and (analysis.is_unevenly_lit or analysis.hidden > EVEN_OUT_ABOVE):
        return replace(page, image=evenly_lit(grey(page.image)))
    return page if analysis.colour > KEEP_COLOURS_ABOVE else in_grey(page)


def _cleaned(page: PageImage, analysis: PageAnalysis, rules: Image.Image | None) -> PageImage:
    """The page without things that disturb letters: specks, ruled lines, and the edges of a snippet. `rules` are the
    ruled lines to remove.
    """
    if analysis.specks > DESPECKLE_ABOVE:
        dirty = grey(page.image)
        if rules is not None and not analysis.is_clear and _are_crossings(dirty, rules):
            # Without specks, the lines would not be found.
            return replace(page, image=without_specks(without_ruled_lines(dirty)))
        page = replace(page, image=without_specks(dirty))
    if page.image.mode == "L":
        smooth = without_grain(page.image)
        page = page if smooth is page.image else replace(page, image=smooth)
    if is_snippet(page.original_size) and max(page.image.size) + 2 * MARGIN_PX <= MAX_SIDE:
        return framed(page, MARGIN_PX)
    return page if rules is None else replace(page, image=without_ruled_lines(grey(page.image)))


def _are_crossings(dirty: Image.Image, rules: Image.Image) -> bool:
    """True if the specks of a page are the points where the lines of squared paper cross."""
    beside = dirty.copy()
    beside.paste(255, mask=rules.resize(dirty.size))
    return count_specks(beside) <= DESPECKLE_ABOVE


def _ruled_lines(lit: Image.Image) -> Image.Image:
    """The ruled lines of a page with their soft edges, as a reduced mask."""
    lines = ruled_lines(lit.reduce(reduction(lit)))
    return Image.fromarray(widened(lines, by=2)).convert("L")


def _reduced(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page reduced if its letters are large."""
    snippet = is_snippet(page.original_size)
    min_scale = MIN_SNIPPET_SCALE if snippet else MIN_SHRUNK_SIDE_PX / max(page.image.size)
    scale = max(TARGET_STROKE_PX / max(analysis.stroke_px, 1.0), min_scale)
    scale = scale if scale <= SHRINK_UP_TO else 1.0
    heights = None if snippet else letter_heights(page.overview)
    if heights is not None:
        scale = max(min(scale, MAX_CAPITALS_PX / heights.capitals), MIN_LETTERS_PX / heights.smallest)
    return scaled(page, scale) if scale < 1 else page


def _may_be_narrow(page: PageImage, analysis: PageAnalysis) -> bool:
    """True if the page is narrow, or may be narrow after it is turned."""
    if is_narrow(page.image.size):
        return True
    width, height = page.image.size
    return not is_snippet(page.original_size) and not analysis.is_upright and is_narrow((height, width))
