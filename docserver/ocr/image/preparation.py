"""Child side: a page made easier to read: inverted, evenly lit, cleaned, framed and scaled where it needs that."""

from dataclasses import replace

from PIL import ImageOps

from docserver.ocr.image.analysis import PageAnalysis, analyse
from docserver.ocr.image.decode import MAX_SIDE, Picture
from docserver.ocr.image.noise import without_grain, without_specks
from docserver.ocr.image.ruling import without_ruled_lines
from docserver.ocr.image.shades import evenly_lit
from docserver.ocr.image.shape import is_narrow, is_snippet
from docserver.ocr.image.transform import PageImage, framed, scaled, stretched

EVEN_OUT_ABOVE = 0.035
"""Share of the paper on the dark side of the page's threshold. Where there is more, the dark paper hides letters even
on a page whose light is not called uneven."""

KEEP_COLOURS_ABOVE = 64
"""Range of colours, 0 to 255. Only above this may colours tell letters from paper of the same shade; below it, grey is
read as well and a third faster."""

DESPECKLE_ABOVE = 12.0
"""Specks per ten thousand pixels. Around small or faint letters there are up to 6, which are parts of them."""

MARGIN_PX = 40
"""Margin around a snippet: Tesseract misses letters that touch the edge of a picture."""

TARGET_STROKE_PX = 2.7
"""Strokes of 10-point letters at 200 dpi. Thicker ones are made so thin: they are read as well, and a fifth faster."""

MIN_SHRUNK_SIDE_PX = 2100
"""Longer side of A4 at 180 dpi. A page is not made smaller than this, so that its thinner letters stay legible too."""

MIN_SNIPPET_SCALE = 0.25
"""A snippet is not made smaller than this: what is too thick even then is no letter, but may have letters beside it."""

SHRINK_UP_TO = 0.8
"""Scale. Above this, making a page smaller costs as much time as reading the smaller page saves."""

THIN_STROKE_PX, THIN_STROKE_ON_SNIPPETS_PX = 2.0, 1.0
"""Strokes of 10-point letters at 150 dpi, and at 75. Pages with strokes up to this are enlarged; single words with
thicker ones are read worse if they are enlarged."""

ENLARGE_BELOW_PX, ENLARGE_FORMS_BELOW_PX = 1300, 2000
"""Longer side of A4 at 110 dpi, and at 170. Below this, thin letters are read better at twice the size, though thicker
ones on the same page are read worse."""

TRIPLE_BELOW_PX = 900
"""Longer side of A4 at 75 dpi. Below this, thin letters are read better yet at three times the size."""

MAX_BLURRED_STROKE_PX = 3.0
"""Blur thickens strokes: up to this, the letters on a small page may be thin ones that blur makes look larger."""


def prepare(picture: Picture) -> tuple[PageImage, PageAnalysis | None]:
    """The page as it is to be read, and what was measured on the picture before; None if the page is blank."""
    page = stretched(PageImage(picture.image, picture.dpi, picture.image.size), picture.pixel_height)
    analysis = analyse(page.image)
    if analysis is None:
        return page, None
    return _scaled_for_reading(_cleaned(_lit(page, analysis), analysis), analysis), analysis


def may_be_blurred(page: PageImage, analysis: PageAnalysis) -> bool:
    """True if the letters of a prepared page may be smaller than their strokes suggest."""
    if is_snippet(page.original_size) or max(page.image.size) >= ENLARGE_BELOW_PX or _may_be_narrow(page, analysis):
        return False
    return THIN_STROKE_PX < analysis.stroke_px <= MAX_BLURRED_STROKE_PX


def in_grey(page: PageImage) -> PageImage:
    """The page without its colours."""
    return replace(page, image=page.image.convert("L"))


def _lit(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page with dark letters on evenly lit paper, in grey unless its colours may tell letters from paper."""
    if analysis.light_on_dark:
        # In grey: Tesseract's threshold for each colour would take paper for as dark as its letters.
        page = replace(page, image=ImageOps.invert(page.image.convert("L")))
    if analysis.is_unevenly_lit or analysis.hidden > EVEN_OUT_ABOVE:
        return replace(page, image=evenly_lit(page.image.convert("L")))
    return page if analysis.colour > KEEP_COLOURS_ABOVE else in_grey(page)


def _cleaned(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page without what letters could touch: specks, ruled lines, the edge of a snippet."""
    if analysis.specks > DESPECKLE_ABOVE:
        page = replace(page, image=without_specks(page.image.convert("L")))
    if page.image.mode == "L":
        page = replace(page, image=without_grain(page.image))
    if is_snippet(page.original_size) and max(page.image.size) + 2 * MARGIN_PX <= MAX_SIDE:
        return framed(page, MARGIN_PX)
    return replace(page, image=without_ruled_lines(page.image.convert("L"))) if analysis.is_form else page


def _scaled_for_reading(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page made smaller if its letters are large, larger if it is small and its letters are thin."""
    snippet = is_snippet(page.original_size)
    longer_side = max(page.image.size)
    min_scale = MIN_SNIPPET_SCALE if snippet else MIN_SHRUNK_SIDE_PX / longer_side
    scale = max(TARGET_STROKE_PX / max(analysis.stroke_px, 1.0), min_scale)
    if scale <= SHRINK_UP_TO:
        return scaled(page, scale)
    small = longer_side < (ENLARGE_FORMS_BELOW_PX if analysis.is_form else ENLARGE_BELOW_PX)
    thin = analysis.stroke_px <= (THIN_STROKE_ON_SNIPPETS_PX if snippet else THIN_STROKE_PX)
    if small and thin and not _may_be_narrow(page, analysis):
        return scaled(page, 3.0 if longer_side < TRIPLE_BELOW_PX and not snippet else 2.0)
    return page


def _may_be_narrow(page: PageImage, analysis: PageAnalysis) -> bool:
    """True if the page is narrow as it lies, or may be narrow once it is turned."""
    if is_narrow(page.image.size):
        return True
    width, height = page.image.size
    return not is_snippet(page.original_size) and not analysis.is_upright and is_narrow((height, width))
