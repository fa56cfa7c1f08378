"""Child side: joins the texts of two engines on one page: Tesseract's, and lines that the second engine has read.

Tesseract's lines stay in their order. What the second engine has read of a line takes the place of Tesseract's words
there. All boxes are in one picture, in which lines are level or a little askew.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import itemgetter
from statistics import mean, median

from docserver.layout import Block, Box, Line, Paragraph, Word, around, lines_of, overlap, words_of
from docserver.ocr.recognition.agreement import SURE_FROM, chosen
from docserver.ocr.recognition.misread_columns import misread_columns
from docserver.ocr.recognition.missed_lines import with_line

MIN_COVERED = 0.8
"""Smallest share of a line's width in which Tesseract has words. Below it, it has missed some."""

MARGIN = 0.25
"""Margin on each side of a line that the second engine has found, as a share of the height of the line's box."""

MIN_SHARE_IN_LINE = 0.3
"""Smallest share of a word's area that is in a line to which it belongs, or in other words that take its place."""

SURE_ALONE_FROM = 50.0
"""Smallest confidence of a word of Tesseract's that is kept where the second engine sees nothing. In dirt and drawings
it reads words with less."""

MIN_HEIGHT, MAX_HEIGHT = 0.5, 4.0
"""Height of what may be a word where the second engine sees nothing, as a multiple of the height of lines."""

MIN_WIDTH, MAX_WIDTH = 0.2, 1.5
"""Width of each letter of such a word, as a multiple of its height. Tesseract reads rules and edges as words too."""

MAX_GAP = 1.5
"""Widest gap between two words of a line, as a multiple of the height of the higher one."""

MAX_GAP_OF_NUMBER, MAX_SHORT_NUMBER = 10.0, 4
"""Widest gap between the number of a row of a table and the row, in heights of the number, and most signs of it."""

MAX_READ_ALONE = 20
"""Most such words that are read. If there are more, most are parts of a drawing."""


@dataclass(frozen=True, slots=True)
class Combined:
    """The text of two engines."""

    blocks: tuple[Block, ...]
    left_out: bool
    """True if something that may be a word is not in it, because the second engine cannot read it."""


@dataclass(slots=True)
class _Found:
    """A line that the second engine has found, and Tesseract's words in it."""

    box: Box
    words: list[Word] = field(default_factory=list)

    def share_of(self, word: Word) -> float:
        """The share of a word's area that is in the line, without half of the margins above and below it."""
        left, top, right, bottom = self.box
        margin = MARGIN / 2 * (bottom - top)
        x0, y0, x1, y1 = word.box
        width = min(x1, right) - max(x0, left)
        height = min(float(y1), bottom - margin) - max(float(y0), top + margin)
        return max(0, width) * max(0.0, height) / max(1, (x1 - x0) * (y1 - y0))

    @property
    def is_sure(self) -> bool:
        """True if Tesseract has read the whole line, and is sure of each word."""
        left, top, right, bottom = self.box
        covered = sum(min(word.box[2], right) - max(word.box[0], left) for word in self.words)
        width = right - left - 2 * MARGIN * (bottom - top)
        return all(word.confidence >= SURE_FROM for word in self.words) and covered >= MIN_COVERED * width


def combined(
    blocks: tuple[Block, ...],
    boxes: Sequence[Box],
    *,
    read: Callable[[int], Sequence[Word]],
    read_at: Callable[[Box], Sequence[Word]],
    all_lines: bool = False,
) -> Combined:
    """Tesseract's blocks with the second engine's words in the lines that Tesseract was not sure of or has missed. With
    `all_lines`, only the second engine's words are left, in the order of Tesseract's text.

    `boxes` are those of the lines that the second engine has found. `read` lets it read the line with an index, and
    `read_at` what is in a box.
    """
    found = [_Found(box) for box in boxes]
    columns = misread_columns(list(words_of(blocks)))
    taken: dict[int, list[Word]] = {id(word): [] for word in columns}
    """The id of a word of Tesseract's → the words that take its place."""
    unseen = _assign((word for word in words_of(blocks) if id(word) not in taken), found)
    added: list[Sequence[Word]] = []
    seen: list[Word] = []
    for index, line in enumerate(found):
        words = [] if line.is_sure and not all_lines else read(index)
        seen += words or ([] if all_lines else line.words)
        if words and not all_lines:
            words = chosen(line.words, words)
        if line.words and (words or all_lines):
            taken |= {id(word): [] for word in line.words}
            for word in words:
                taken[id(_nearest(word, line.words))].append(word)
            unseen += [word for word in line.words if not _is_among(word, words)]
        elif words:
            added.append(words)
    for cell in islice(_unread_cells(columns, boxes, seen), MAX_READ_ALONE):
        words = [word for word in read_at(cell) if not _is_among(word, seen)]
        seen += words
        added += [words] if words else []
    left_out = _replace_unseen(unseen, taken, seen, height=_height(boxes, unseen), read_at=read_at, all_words=all_lines)
    left_out = left_out or not all(any(overlap(word.box, other.box) for other in seen) for word in columns)
    return Combined(with_lines(with_words(blocks, taken), added), left_out)


def _replace_unseen(
    unseen: Iterable[Word],
    taken: dict[int, list[Word]],
    seen: list[Word],
    *,
    height: float,
    read_at: Callable[[Box], Sequence[Word]],
    all_words: bool,
) -> bool:
    """Decide about the words that only Tesseract has seen: each stays, is read by the second engine, or is left out.

    The words that stand in their places then are added to `taken`. `height` is that of most lines, and `seen` has the
    other words that were read on the page. Returns True if something that may be a word is left out.
    """
    left_out = False
    reads = 0
    for word in unseen:
        others = taken.setdefault(id(word), [])
        if _is_among(word, seen):
            continue
        if word.confidence >= SURE_ALONE_FROM and not all_words:
            others.append(word)
        elif _may_be_word(word, height):
            reads += 1
            words = read_at(word.box) if reads <= MAX_READ_ALONE else ()
            left_out = left_out or not words
            new = [other for other in words if not (_is_among(other, seen) or _surrounds(other, seen))]
            seen += new
            # The second engine has found no line there, so its own confidence is too high.
            others += [replace(other, confidence=min(other.confidence, word.confidence)) for other in new]
    return left_out


def _unread_cells(columns: Sequence[Word], boxes: Sequence[Box], seen: Sequence[Word]) -> Iterator[Box]:
    """The cells of columns that Tesseract has read as words, as high as the lines beside them, where no word is."""
    for left, top, right, bottom in (word.box for word in columns):
        lines: list[Box] = []
        # The nearest lines show best where a row is on a page that is askew.
        for box in sorted(boxes, key=lambda box: max(box[0] - right, left - box[2])):
            if top < _middle(box)[1] < bottom and not any(_are_level(box, line) for line in lines):
                lines.append(box)
        for _, upper, _, lower in lines:
            cell = left, upper, right, lower
            if not any(_are_level(word.box, cell) and left < _middle(word.box)[0] < right for word in seen):
                yield cell


def _assign(words: Iterable[Word], found: Sequence[_Found]) -> list[Word]:
    """Add each word to the line where most of it is. Returns those that are in none."""
    alone = []
    for word in words:
        shares = [line.share_of(word) for line in found]
        if sum(shares) >= MIN_SHARE_IN_LINE:
            found[shares.index(max(shares))].words.append(word)
        else:
            alone.append(word)
    return alone


def _is_among(word: Word, others: Iterable[Word]) -> bool:
    """True if others are where the word is."""
    x0, y0, x1, y1 = word.box
    covered = 0
    for left, top, right, bottom in (other.box for other in others):
        covered += max(0, min(x1, right) - max(x0, left)) * max(0, min(y1, bottom) - max(y0, top))
    return covered >= MIN_SHARE_IN_LINE * (x1 - x0) * (y1 - y0)


def _surrounds(word: Word, others: Iterable[Word]) -> bool:
    """True if another word is inside the word. The box of a word with dirt beside it is too large."""
    left, top, right, bottom = word.box
    return any(left <= x < right and top <= y < bottom for x, y in (_middle(other.box) for other in others))


def _height(boxes: Sequence[Box], words: Sequence[Word]) -> float:
    """The height of most lines, without the margins of those that the second engine has found."""
    heights = [(1 - 2 * MARGIN) * (bottom - top) for _, top, _, bottom in boxes]
    return median(heights or [word.box[3] - word.box[1] for word in words] or [0])


def _may_be_word(word: Word, height: float) -> bool:
    """True if a word that only Tesseract has read has a letter and, if it is unsure, the shape of a word."""
    left, top, right, bottom = word.box
    is_high = MIN_HEIGHT * height <= bottom - top <= MAX_HEIGHT * height
    is_wide = MIN_WIDTH <= (right - left) / max(1, len(word.text) * (bottom - top)) <= MAX_WIDTH
    is_sure = word.confidence >= SURE_ALONE_FROM
    return (is_sure or (is_high and is_wide)) and any(map(str.isalnum, word.text))


def _nearest(word: Word, others: Sequence[Word]) -> Word:
    x, _ = _middle(word.box)
    return min(others, key=lambda other: max(other.box[0] - x, x - other.box[2]))


def with_words(blocks: Iterable[Block], taken: dict[int, list[Word]]) -> tuple[Block, ...]:
    """The blocks with other words in the places of some, without what gets empty."""
    return _with_lines_of(blocks, lambda line: _rows(line, taken))


def with_others(blocks: Iterable[Block], others: Mapping[int, Word | None]) -> tuple[Block, ...]:
    """The blocks with another word or none in the places of some, by their ids, without what gets empty. Each
    stays in its line.
    """

    def row(line: Line) -> Iterator[Line]:
        words = tuple(other for word in line.words if (other := others.get(id(word), word)))
        if words:
            yield Line(around(word.box for word in words), words)

    return _with_lines_of(blocks, row)


def _with_lines_of(blocks: Iterable[Block], lines_for: Callable[[Line], Iterable[Line]]) -> tuple[Block, ...]:
    """The blocks with other lines in the place of each, without what gets empty."""
    return tuple(
        Block(around(paragraph.box for paragraph in paragraphs), paragraphs)
        for block in blocks
        if (paragraphs := tuple(_paragraphs(block, lines_for)))
    )


def _paragraphs(block: Block, lines_for: Callable[[Line], Iterable[Line]]) -> Iterator[Paragraph]:
    for paragraph in block.paragraphs:
        lines = tuple(other for line in paragraph.lines for other in lines_for(line))
        if lines:
            yield Paragraph(around(line.box for line in lines), lines)


def _rows(line: Line, taken: dict[int, list[Word]]) -> Iterator[Line]:
    """The line with other words; as several lines if these are below each other."""
    if not any(id(word) in taken for word in line.words):
        yield line
        return
    words = [other for word in line.words for other in taken.get(id(word), [word])]
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.box[0]):
        # Lines may be a little askew, so that only words near each other show whether they are in one row.
        row = next((row for row in rows if _are_level(row[-1].box, word.box)), None)
        if row is None:
            rows.append([word])
        else:
            row.append(word)
    for row in sorted(rows, key=lambda row: mean(_middle(word.box)[1] for word in row)):
        yield Line(around(word.box for word in row), tuple(row))


def _are_level(box: Box, other: Box) -> bool:
    """True if one of two boxes is at the height of the other one's middle."""
    return box[1] < _middle(other)[1] < box[3] or other[1] < _middle(box)[1] < other[3]


def with_lines(blocks: tuple[Block, ...], added: Sequence[Sequence[Word]]) -> tuple[Block, ...]:
    """The blocks with lines that Tesseract has not seen."""
    for words in sorted(added, key=lambda words: _middle(words[0].box)[1]):
        line = Line(around(word.box for word in words), tuple(words))
        beside = _beside(line, blocks)
        if beside:
            blocks = with_words(blocks, {id(beside.words[-1]): [beside.words[-1], *words]})
        else:
            blocks = with_line(blocks, line)
    return blocks


def rows_of(words: Iterable[Word]) -> list[list[Word]]:
    """The words, with those together that follow each other in a line."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.box[0]):
        for row in rows:
            if are_close(row[-1].box, word.box, MAX_GAP):
                row.append(word)
                break
        else:
            rows.append([word])
    return rows


def are_close(one: Box, other: Box, max_gap: float) -> bool:
    """True if two places are beside each other in a line. `max_gap` is the widest gap between them as a multiple of
    the height of the higher one. The lower one must reach the middle of the higher one's height: raised digits and
    small print beside a price do not.
    """
    gap = max(one[0], other[0]) - min(one[2], other[2])
    lower, higher = sorted((one, other), key=lambda place: place[3] - place[1])
    is_in_line = 2 * lower[1] <= higher[1] + higher[3] <= 2 * lower[3]
    return is_in_line and gap <= max_gap * (higher[3] - higher[1])


def _beside(line: Line, blocks: Iterable[Block]) -> Line | None:
    """The nearest line at the same height in a block that reaches across this line's middle, or of a short number, in
    one beside it. On a receipt, a price that Tesseract has missed joins the name before it in this way, and in a table
    the number of a row.
    """
    x, _ = _middle(line.box)

    def gap(word: Word) -> int:
        return max(word.box[0] - line.box[2], line.box[0] - word.box[2])

    # On a page that is askew, only the nearest words of a line show whether it is at the same height.
    nearest = [(block, other, min(other.words, key=gap)) for block in blocks for other in lines_of([block])]
    level = [
        (gap(word), block.box[0] <= x <= block.box[2], other)
        for block, other, word in nearest
        if _are_level(word.box, line.box)
    ]
    most = MAX_GAP_OF_NUMBER * (line.box[3] - line.box[1]) if _is_short_number(line) else 0
    rows = [row for row in level if row[1]] or [row for row in level if row[0] <= most]
    return min(rows, key=itemgetter(0))[2] if rows else None


def _is_short_number(line: Line) -> bool:
    (word, *others) = line.words
    return not others and any(map(str.isdigit, word.text)) and len(word.text) <= MAX_SHORT_NUMBER


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
