"""Makes tables with their truth; the same seed gives the same one. All texts are made up. `drawing` draws them."""

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from bench import texts
from bench.tables.sheet import FONTS, Sheet

LEFT, RIGHT = 60.0, 535.0
"""The margins, in points."""

KINDS = ("ruled", "half ruled", "unruled")

WORDS = (
    *("market", "river", "winter", "engine", "paper", "garden", "silver", "bridge", "copper", "harbour", "letter"),
    *("window", "timber", "valley", "cotton", "mirror", "orange", "pepper", "salmon", "velvet", "barley", "canvas"),
    *("danger", "fabric", "ginger", "hammer", "island", "jacket", "kettle", "ladder", "magnet", "needle"),
)

LONG = "long"
"""A column whose cells may have several lines."""

SHORT = ("number", "number", "short", "date", "percent")

EMPTY, WITH_LONG, WITH_GROUP, WITH_SPAN = 0.07, 0.4, 0.3, 0.5
"""Shares of cells that are empty, and of tables with long cells, with a heading over two others, and with a span."""

MAX_COLUMNS = 6


class Cell(NamedTuple):
    row: int
    column: int
    row_span: int
    column_span: int
    text: str


@dataclass(slots=True)
class Made:
    """A page, and the cells with text of its table."""

    sheet: Sheet = field(default_factory=Sheet)
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Style:
    font: str
    size: float
    padding: float
    gap: float
    """Between the columns of tables without a grid, as a multiple of the size."""
    is_tight: bool
    rules: str
    """`all`, `heading`, `rows` or `none`."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a table has: the kind of each column, its cells, and how many of its rows are its heading."""

    kinds: list[str]
    cells: list[Cell]
    heading: int

    @property
    def rows(self) -> int:
        return max(cell.row + cell.row_span for cell in self.cells)


def style_of(kind: str, chance: random.Random) -> Style:
    font = chance.choice(FONTS)
    size = chance.choice((8.0, 9.0, 10.0, 11.0)) - (1.0 if font == "Courier" else 0.0)
    rules = {"ruled": "all", "half ruled": chance.choice(("heading", "rows")), "unruled": "none"}[kind]
    return Style(font, size, chance.uniform(3, 6), chance.uniform(1.3, 3.0), chance.random() < 1 / 2, rules)


def content_of(style: Style, chance: random.Random) -> Content:
    kinds = ["label", *(chance.choice(SHORT) for _ in range(chance.randint(2, MAX_COLUMNS - 1)))]
    if chance.random() < WITH_LONG:
        kinds[-1 if style.rules == "none" else chance.randrange(1, len(kinds))] = LONG
    rows = chance.randint(4, 14)
    is_ruled = style.rules == "all"
    cells, heading = _heading(kinds, is_ruled=is_ruled, chance=chance)
    span = _span(rows, len(kinds), chance) if is_ruled and chance.random() < WITH_SPAN else (0, 0, 0, 0)
    row, column, row_span, column_span = span
    for r in range(rows):
        for c, kind in enumerate(kinds):
            text = _text(kind, chance)
            if (r, c) == (row, column) and row_span:
                cells.append(Cell(r + heading, c, row_span, column_span, text))
            elif not (row <= r < row + row_span and column <= c < column + column_span):
                is_empty = c > 0 and kind != LONG and chance.random() < EMPTY
                cells.append(Cell(r + heading, c, 1, 1, "" if is_empty else text))
    return Content(kinds, cells, heading)


def _heading(kinds: list[str], *, is_ruled: bool, chance: random.Random) -> tuple[list[Cell], int]:
    """The cells of the heading, and its rows: two if a heading stands over two others."""
    names = [" ".join(chance.sample(WORDS, 1 + (kind == LONG))).capitalize() for kind in kinds]
    if len(kinds) <= len(SHORT) // 2 + 1 or chance.random() >= WITH_GROUP:
        return [Cell(0, c, 1, 1, name) for c, name in enumerate(names)], 1
    start = chance.randint(1, len(kinds) - 3)
    group = Cell(0, start, 1, 2, " ".join(chance.sample(WORDS, 2)).capitalize())
    below = [
        Cell(0, c, 2, 1, name) if is_ruled and not start <= c < start + 2 else Cell(1, c, 1, 1, name)
        for c, name in enumerate(names)
    ]
    return [group, *below], 2


def _span(rows: int, columns: int, chance: random.Random) -> tuple[int, int, int, int]:
    row, column = chance.randrange(rows - 2), chance.randrange(columns - 1)
    return (row, column, 2, 1) if chance.random() < 1 / 2 else (row, column, 1, 2)


def _text(kind: str, chance: random.Random) -> str:
    match kind:
        case "label":
            return " ".join(chance.sample(WORDS, chance.randint(1, 3))).capitalize()
        case "number":
            return f"{chance.uniform(1, 10 ** chance.randint(1, 5)):,.2f}"
        case "short":
            return chance.choice(WORDS)
        case "date":
            return f"{chance.randint(1, 28):02}.{chance.randint(1, 12):02}.{chance.randint(1990, 2026)}"
        case "percent":
            return f"{chance.uniform(0, 100):.1f}%"
    return " ".join(chance.choices(WORDS, k=chance.randint(3, 9)))


def prose(sheet: Sheet, top: float, style: Style, chance: random.Random) -> float:
    """A few lines; returns where the next one would stand."""
    count = chance.randint(2, 6)
    words = [word for paragraph in texts.prose(chance, words=40 * count) for word in paragraph.split()]
    text = " ".join(word for word in words if word.isascii())
    for line in wrapped(sheet, text, (style.font, style.size), RIGHT - LEFT)[:count]:
        sheet.text((LEFT, top), line, style.font, style.size)
        top += 1.3 * style.size
    return top


def wrapped(sheet: Sheet, text: str, face: tuple[str, float], wide: float) -> list[str]:
    """The lines of a text in a font and size."""
    lines: list[str] = []
    for word in text.split():
        if lines and sheet.width(f"{lines[-1]} {word}", *face) <= wide + 0.01:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
