"""Child side: joins the letters that are written into a row of boxes drawn on the page, such as those for a date.

Comb fields, whose boxes belong to the form, are in `comb_fields`.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from docserver.layout import Rect
from docserver.ocr.pdf.page_objects import PlacedObject
from docserver.ocr.pdf.words.box_dividers import boxes_between_dividers
from docserver.ocr.pdf.words.pdf_words import PdfWord
from docserver.ocr.pdf.words.plausibility import share_of_common_pairs

MIN_LETTERS = 4
"""Fewest letters of a row. Shorter rows may be anything."""

MIN_SIDE, MAX_SIDE = 5.0, 40.0
"""Shortest and longest side of a box, in points."""

MAX_WIDTH = 1.4
"""Largest width of a box, as a multiple of its height. Cells of tables are wider."""

MAX_GAP = 0.3
"""Widest gap between two boxes of a word, or of two rows of a grid, as a share of their sides. The bounds of two boxes
overlap, because the bounds of a path include room for its line."""

TOLERANCE = 1.0
"""Largest difference of the places and sides of equal boxes, in points."""

MAX_PATHS = 1_000
"""Most paths of a page that are looked at. A page with more is a drawing or a large table."""

MIN_COMMON_SHARE = 0.4
"""Smallest share of pairs of letters that are common in some language. The days of a week, M T W T F, have fewer."""


def joined_in_boxes(words: Sequence[PdfWord], paths: Sequence[PlacedObject]) -> list[PdfWord]:
    """The words, with those letters joined that stand in boxes beside each other, but not in several rows of boxes."""
    if not paths:
        return list(words)
    rows = [(is_single, list(alike)) for is_single, alike in groupby(words, key=_is_single)]
    if len(paths) > MAX_PATHS or not any(is_single and len(row) >= MIN_LETTERS for is_single, row in rows):
        return list(words)
    boxes = [bounds for path in paths if _may_be_box(bounds := path.bounds)]
    boxes += boxes_between_dividers(paths)
    return [
        whole
        for is_single, row in rows
        for whole in (_joined(row, boxes) if is_single and len(row) >= MIN_LETTERS else row)
    ]


def _is_single(word: PdfWord) -> bool:
    return len(word.text) == 1 and word.text.isalnum()


def _may_be_box(rect: Rect) -> bool:
    width, height = rect[2] - rect[0], rect[3] - rect[1]
    return MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_WIDTH * height


def _joined(row: Sequence[PdfWord], boxes: Sequence[Rect]) -> Iterable[PdfWord]:
    around = [next((box for box in boxes if _is_around(box, letter.rect)), None) for letter in row]
    whole = [row[0]]
    for (box, next_box), letter in zip(pairwise(around), row[1:], strict=True):
        if (
            box
            and next_box
            and _are_neighbours(box, next_box)
            and not _is_in_grid(box, boxes)
            and around.count(box) < 2
        ):
            whole[-1] = whole[-1].followed_by(letter)
        else:
            whole.append(letter)
    return whole if all(_may_be_word(word.text) for word in whole) else row


def _is_around(box: Rect, letter: Rect) -> bool:
    x, y = (letter[0] + letter[2]) / 2, (letter[1] + letter[3]) / 2
    return box[0] < x < box[2] and box[1] < y < box[3]


def _are_neighbours(box: Rect, following: Rect) -> bool:
    gap, width = following[0] - box[2], box[2] - box[0]
    return (
        abs(gap) <= MAX_GAP * width
        and abs(box[1] - following[1]) <= TOLERANCE
        and abs(box[3] - following[3]) <= TOLERANCE
        and abs(following[2] - following[0] - width) <= TOLERANCE
    )


def _is_in_grid(box: Rect, boxes: Iterable[Rect]) -> bool:
    """True if there is another box right above or below it."""
    reach = MAX_GAP * (box[3] - box[1])
    return any(
        abs(other[0] - box[0]) <= TOLERANCE and (abs(other[1] - box[3]) <= reach or abs(box[1] - other[3]) <= reach)
        for other in boxes
    )


def _may_be_word(text: str) -> bool:
    """False for lists: letters that form no word, and numbers that follow each other."""
    if len(text) == 1:
        return True
    if text.isalpha():
        return share_of_common_pairs([text]) >= MIN_COMMON_SHARE
    return not (text.isdecimal() and len(text) > 2 and all(int(b) - int(a) == 1 for a, b in pairwise(text)))
