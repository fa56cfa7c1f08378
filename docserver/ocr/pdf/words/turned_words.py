"""Child side: joins the letters of words that run up or down the page or stand on their head, if drawn one by one.

PDFium takes such letters from left to right on the page, and puts spaces between them.
"""

from collections.abc import Iterable, Iterator, Sequence

from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.text_runs import are_two_numbers
from docserver.ocr.pdf.words.text_words import TextPage
from docserver.ocr.pdf.words.touching_words import joined_where_touching

MAX_GAP = 0.13
"""Widest room between two letters of a word, as a share of the letters' height. The narrowest space has 0.17."""

MAX_OVERLAP = 0.25
"""Largest overlap of two letters of a word, as a share of the letters' height. A bold letter that is drawn twice
overlaps more."""

MAX_BASELINE_OFFSET = 0.35
"""Largest difference of baselines within a word, as a share of the letters' height, as in H2O."""


def with_turned_words(words: Sequence[PdfWord], text_page: TextPage, *, painted: Iterable[int]) -> list[PdfWord]:
    """The words, those last that are not upright. `painted` are the addresses of text objects in their order."""
    # Asking for the turns first saves time: almost all words have none.
    turned = [word for word in words if word.orientation.turns and word.orientation.is_turned]
    if not turned:
        return list(words)
    places = {address: place for place, address in enumerate(painted)}
    turned.sort(key=lambda word: (places.get(word.address, 0), word.first))
    upright = [word for word in words if not word.orientation.is_turned]
    joined = list(_joined(turned, text_page))
    for turns in {word.orientation.turns for word in turned}:
        joined = joined_where_touching(joined, text_page, turns=turns)
    return [*upright, *joined]


def _joined(parts: Sequence[PdfWord], text_page: TextPage) -> Iterator[PdfWord]:
    whole = last = parts[0]
    for part in parts[1:]:
        if _continues(last, part, text_page):
            whole = whole.followed_by(part)
        else:
            yield whole
            whole = part
        last = part
    yield whole


def _continues(before: PdfWord, part: PdfWord, text_page: TextPage) -> bool:
    """True if a part belongs to the same word as the one that is painted before it."""
    orientation = before.orientation
    if before.address == part.address or part.orientation.turns != orientation.turns:
        return False
    if text_page.look(before.first) != text_page.look(part.first):
        # One of them may be invisible.
        return False
    (x0, y0), (x1, y1) = text_page.origin(before), text_page.origin(part)
    if abs(x1 - x0 if orientation.turns % 2 else y1 - y0) > MAX_BASELINE_OFFSET * orientation.height:
        return False
    gap = text_page.extent(part)[0] - text_page.extent(before)[1]
    if not -MAX_OVERLAP * orientation.height <= gap <= MAX_GAP * orientation.height:
        return False
    return not are_two_numbers(
        before.text + part.text,
        text_page.run(before, place=0),
        text_page.run(part, place=len(before.text)),
    )
