"""Child side: parts words of a PDF page at spaces that PDFium overlooked."""

from collections.abc import Iterable, Sequence
from itertools import compress, pairwise
from statistics import median

from docserver.layout import Rect
from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.text_words import TextPage

WIDE_LETTER = 0.75
"""Width of a wide letter, as a share of the letters' height. Words whose letters are wider on average may have gaps."""

MAX_GAP = 2.0
"""Widest gap in a word, as a share of the letters' height. Letters of spaced words have gaps of up to 1.3."""

MIN_SPACE = 0.155
"""Smallest space in what several text objects draw, as a share of the letters' height. Letters that are drawn one by
one are up to 0.14 apart."""

MIN_SPACE_RATIO = 3.0
"""Smallest space between two words, as a multiple of the usual space between two letters."""

MIN_CLEAR_SPACE = 0.1
"""Smallest space between pieces of text without gaps, as a share of the letters' height. A line that is justified may
have little more."""

MIN_CLEAR_RATIO = 4.0
"""Smallest such space, as a multiple of the widest gap between two letters of a piece."""

MIN_PIECE = 2
"""Fewest letters of such a piece on average. Of letters that are drawn one by one, some are up to 0.14 apart."""

_CLOSING = frozenset(".,;:!?)]}")
"""Signs that never begin a word."""


def parted_at_gaps(words: Iterable[PdfWord], text_page: TextPage) -> list[PdfWord]:
    """The words, parted where cells of a table or words of a line have become one."""
    words = list(words)
    may_have_gap = list(map(_may_have_gap, words))
    rooms = text_page.rooms(list(compress(words, may_have_gap)))
    return [
        part
        for word, may_have in zip(words, may_have_gap, strict=True)
        for part in (_parts(word, next(rooms), text_page) if may_have else (word,))
    ]


def _may_have_gap(word: PdfWord) -> bool:
    """These checks save looking at every letter."""
    if word.objects < 2:
        left, bottom, right, top = word.rect
        length = top - bottom if word.orientation.turns % 2 else right - left
        if length <= WIDE_LETTER * word.orientation.height * len(word.text):
            return False
    return len(word.text) == word.end - word.first and not word.right_to_left


def _parts(word: PdfWord, rooms: Sequence[Rect], text_page: TextPage) -> Iterable[PdfWord]:
    starts = _starts(word, rooms, text_page)
    if not starts:
        return (word,)
    return (text_page.part(word, start, end) for start, end in pairwise((0, *starts, len(word.text))))


def _starts(word: PdfWord, rooms: Sequence[Rect], text_page: TextPage) -> list[int]:
    """The places in a word that are behind a gap. Its letters have these rooms."""
    gaps = [after[0] - before[2] for before, after in pairwise(rooms)]
    height = word.orientation.height
    if max(gaps, default=0.0) <= MIN_CLEAR_SPACE * height:
        return []
    usual = median(top - bottom for _, bottom, _, top in rooms)
    if height < usual and text_page.ink(word.first)[1::2] == rooms[0][1::2]:
        # The font of the first letter says nothing of the room for accents and descenders.
        height = usual
    space = MAX_GAP * height
    if word.objects > 1 and gaps:
        space = min(space, max(MIN_SPACE * height, MIN_SPACE_RATIO * _usual_gap(word.text, gaps)))
    starts = [place for place, gap in enumerate(gaps, 1) if gap > space and word.text[place] not in _CLOSING]
    return starts or _clear_starts(word, gaps, space=MIN_CLEAR_SPACE * height)


def _clear_starts(word: PdfWord, gaps: Sequence[float], *, space: float) -> list[int]:
    """The places behind such gaps between pieces whose letters have none."""
    if len(word.text) < MIN_PIECE * word.objects:
        return []
    starts = [place for place, gap in enumerate(gaps, 1) if gap > space]
    # Each of these gaps has to be between two text objects.
    if not 0 < len(starts) < word.objects or not all(word.text[place - 1 : place + 1].isalnum() for place in starts):
        return []
    widest = max((gap for gap in gaps if gap <= space), default=0.0)
    return starts if min(gaps[place - 1] for place in starts) > MIN_CLEAR_RATIO * widest else []


def _usual_gap(text: str, gaps: Sequence[float]) -> float:
    """The gap between two letters of a word, or two digits of a number.

    Numbers of an axis have few digits, so that half of the gaps may be between numbers.
    """
    return abs(median(gaps)) if any(map(str.isalpha, text)) else max(0.0, min(gaps))
