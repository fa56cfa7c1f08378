"""Child side: the orientation of a page: which turns to try, and whether the recognised text is upright."""

from collections.abc import Sequence

from docserver.layout import Word, lines_of, words_of
from docserver.ocr.image.analysis import PageAnalysis, skew_and_clarity
from docserver.ocr.image.curved_lines import curved_lines
from docserver.ocr.image.shape import is_narrow, is_snippet
from docserver.ocr.image.transform import PageImage, dewarped, straightened
from docserver.ocr.recognition.tesseract import Recognised

MIN_SKEW_DEG, MIN_SKEW_ON_PHOTOS_DEG = 1.5, 0.5
"""Smallest skew that is corrected, on scans and on photos. Tesseract itself can follow lines with less skew. On photos,
the skew differs from line to line, so some lines have more than the page."""

MIN_CLARITY, MIN_CLARITY_ON_PHOTOS, MIN_CLARITY_ON_SNIPPETS = 1.7, 1.45, 5.0
"""Smallest clarity of a skew that is trusted, on scans, photos and snippets. A skew with less clarity comes from
pictures or noise. Lines on photos are not quite parallel. On a snippet with few letters, only the tops of the letters
are measured; a long line has more clarity."""

MIN_CONFIDENCE, MIN_CONFIDENCE_IF_UNCLEAR = 60.0, 70.0
"""Smallest confidence of upright text, even if it is badly printed. Text that is upside down has 20 to 40, a single
line of it up to 55, and some words more. The second value is used if the analysis did not find the page's
orientation."""

MIN_TEXT_WEIGHT = 1000.0
"""Smallest weight of a text that proves a page to be upright: that of a dozen letters. On a sideways page, Tesseract
may still read less than this, such as a stamp or a number."""

MIN_CONFIDENCE_OF_LONG_TEXTS, MIN_LONG_TEXT_WEIGHT = 50.0, 10_000.0
"""Smallest confidence of a long upright text, even if it is hardly legible, and smallest weight of a long text: that of
a hundred letters or more. A long text that is upside down has 15 to 30, and one on its side is seen to run downwards.
"""

MIN_TURNED_WEIGHT = 350.0
"""Smallest weight of a text for which a page is turned: that of four letters or digits. Of fewer, some other direction
often looks like letters too: `-12.5` on its side, or `A4`."""

MIN_LINE_LETTERS = 4
"""Fewest letters of a line whose box shows its direction. A horizontal line of four letters is wider than high."""

MIN_VERTICAL_LETTERS = 3
"""Fewest letters of a word that is wider than high if it is upright. Two narrow ones, as in `Il`, are not."""

DOWNWARDS_ABOVE = 0.5
"""If more than this share of the lines with enough letters are higher than wide, the text runs downwards."""

UPRIGHT_TURN = 270
"""Degrees clockwise by which a page must be turned so that lines which run downwards become horizontal."""


def directions(page: PageImage, analysis: PageAnalysis) -> tuple[int, ...]:
    """The turns to try for the page, in degrees clockwise, the likeliest first."""
    if is_snippet(page.original_size) or is_narrow(page.image.size):
        # The analysis is not used, because the columns of a receipt may be sharper than its lines.
        return (0, 180, 90, 270)
    if analysis.is_sideways:
        return (90, 270, 0)
    return (0, 180) if analysis.is_upright else (0, 180, 90, 270)


def with_level_lines(page: PageImage, analysis: PageAnalysis) -> PageImage:
    """The page with level and straight lines. `analysis` is that of the original page, before any quarter turn."""
    min_skew, min_clarity = MIN_SKEW_DEG, MIN_CLARITY
    if page.rotation in (90, 270):
        # The analysis measured horizontal lines of the original page. They are vertical now, so measure again.
        skew, clarity = skew_and_clarity(page.overview)
    else:
        skew, clarity = analysis.skew, analysis.clarity
        if analysis.is_unevenly_lit or analysis.faint:
            min_skew, min_clarity = MIN_SKEW_ON_PHOTOS_DEG, MIN_CLARITY_ON_PHOTOS
    if is_snippet(page.original_size):
        min_clarity = MIN_CLARITY_ON_SNIPPETS
    askew = abs(skew) >= min_skew and clarity >= min_clarity
    level = straightened(page, skew) if askew else page
    lines = None if is_snippet(page.original_size) else curved_lines(level.overview)
    return level if lines is None else dewarped(level, lines)


def is_read_upright(recognised: Recognised, *, page: PageImage, analysis: PageAnalysis) -> bool:
    """True if the page was read so well that it must be upright, and no other direction needs to be tried."""
    if recognised.weight >= MIN_LONG_TEXT_WEIGHT and recognised.confidence >= MIN_CONFIDENCE_OF_LONG_TEXTS:
        return True
    min_weight = 0.0 if is_snippet(page.original_size) or analysis.is_upright else MIN_TEXT_WEIGHT
    min_confidence = MIN_CONFIDENCE if analysis.is_clear else MIN_CONFIDENCE_IF_UNCLEAR
    return recognised.confidence >= min_confidence and recognised.weight >= min_weight


def is_worth_turning(recognised: Recognised) -> bool:
    """True if a text that was read in another direction is evidence that the page lies in this direction."""
    words = words_of(recognised.blocks)
    weight = sum(word.confidence * sum(map(str.isalnum, word.text)) for word in words)
    return weight >= MIN_TURNED_WEIGHT


def runs_downwards(recognised: Recognised) -> bool:
    """True if the lines that Tesseract found run downwards."""
    boxes = [
        line.box
        for line in lines_of(recognised.blocks)
        if sum(len(word.text) for word in line.words) >= MIN_LINE_LETTERS
    ]
    higher_than_wide = sum(bottom - top > right - left for left, top, right, bottom in boxes)
    return higher_than_wide > DOWNWARDS_ABOVE * len(boxes)


def turns_of_line(words: Sequence[Word]) -> int:
    """The quarter turns counterclockwise from upright of a line that Tesseract read on an upright page: 0, or 3 or 1 if
    its words are higher than wide, and follow each other downwards or upwards.
    """
    (_, top, _, bottom), (_, last_top, _, last_bottom) = words[0].box, words[-1].box
    slim = sum(len(word.text) for word in words if _is_slim(word))
    if 2 * slim <= sum(len(word.text) for word in words):
        return 0
    # A single word may run either way. Tesseract reads more lines that run downwards.
    return 3 if last_top + last_bottom >= top + bottom else 1


def _is_slim(word: Word) -> bool:
    """True if a word of several letters is higher than wide."""
    left, top, right, bottom = word.box
    return len(word.text) >= MIN_VERTICAL_LETTERS and bottom - top > right - left
