"""Child side: how a page may lie, which ways to turn it are tried, and whether what was read shows it upright."""

from docserver.layout import lines_of
from docserver.ocr.image.analysis import PageAnalysis, analyse
from docserver.ocr.image.shape import is_narrow, is_snippet
from docserver.ocr.image.transform import PageImage, straightened
from docserver.ocr.recognition.tesseract import Recognised

MIN_SKEW_DEG, MIN_SKEW_ON_PHOTOS_DEG = 1.5, 0.5
"""Smallest skew that is corrected. Tesseract itself follows lines that are less askew. On photos the skew differs from
line to line, so some lines are more askew than the page."""

MIN_CLARITY, MIN_CLARITY_ON_PHOTOS, MIN_CLARITY_ON_SNIPPETS = 1.7, 1.45, 5.0
"""Smallest clarity of a skew that is trusted: a less clear one comes from a picture or from noise. Lines on photos are
not quite parallel. On a snippet, the skew of a few letters is that of their tops, and only a long line is clearer."""

MIN_CONFIDENCE, MIN_CONFIDENCE_IF_UNCLEAR = 60.0, 70.0
"""Confidence of an upright text, however badly printed. Text that is upside down is read with 20 to 40, one line of it
with up to 55, and some words with more. The second holds where the analysis does not tell how the page lies."""

MIN_TEXT_WEIGHT = 1000.0
"""Weight of a dozen letters. Less does not show that a page is upright: on a page that lies on its side, Tesseract may
still read a stamp or a number."""

MIN_LINE_LETTERS = 4
"""Letters of a line that is surely wider than high if it is horizontal."""

DOWNWARDS_ABOVE = 0.5
"""Share of the longer lines that are higher than wide, where Tesseract found that lines run downwards."""

UPRIGHT_TURN = 270
"""Degrees clockwise that make lines which run downwards horizontal."""


def directions(page: PageImage, analysis: PageAnalysis) -> tuple[int, ...]:
    """The degrees clockwise by which the page may have to be turned, the likeliest first."""
    if is_snippet(page.original_size) or is_narrow(page.image.size):
        # The columns of a receipt may stand out more than its lines.
        return (0, 180, 90, 270)
    if analysis.is_sideways:
        return (90, 270, 0)
    return (0, 180) if analysis.is_upright else (0, 180, 90, 270)


def straightened_if_askew(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page with level lines. `analysis` is that of the page as it came, before quarter turns."""
    if page.rotation in (90, 270):
        # The analysis measured the lines along the page as it came, which now run across.
        turned_analysis = analyse(page.image)
        if turned_analysis is None:
            return page
        analysis = turned_analysis
    min_skew, min_clarity = MIN_SKEW_DEG, MIN_CLARITY
    if analysis.is_unevenly_lit:
        min_skew, min_clarity = MIN_SKEW_ON_PHOTOS_DEG, MIN_CLARITY_ON_PHOTOS
    if is_snippet(page.original_size):
        min_clarity = MIN_CLARITY_ON_SNIPPETS
    askew = abs(analysis.skew) >= min_skew and analysis.clarity >= min_clarity
    return straightened(page, analysis.skew) if askew else page


def is_read_upright(recognised: Recognised, *, page: PageImage, analysis: PageAnalysis) -> bool:
    """True if the page was read so well that no other direction needs to be tried."""
    clear = analysis.is_sideways or analysis.is_upright
    min_weight = 0.0 if is_snippet(page.original_size) or analysis.is_upright else MIN_TEXT_WEIGHT
    min_confidence = MIN_CONFIDENCE if clear else MIN_CONFIDENCE_IF_UNCLEAR
    return recognised.confidence >= min_confidence and recognised.weight >= min_weight


def runs_downwards(recognised: Recognised) -> bool:
    """True if Tesseract found by itself that the lines run downwards."""
    boxes = [
        line.box
        for line in lines_of(recognised.blocks)
        if sum(len(word.text) for word in line.words) >= MIN_LINE_LETTERS
    ]
    higher_than_wide = sum(bottom - top > right - left for left, top, right, bottom in boxes)
    return higher_than_wide > DOWNWARDS_ABOVE * len(boxes)
