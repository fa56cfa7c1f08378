"""Draws tables: in columns as wide as their texts, with the rules of their style."""

import random
from dataclasses import dataclass, replace
from itertools import accumulate

from bench.tables.made import LEFT, LONG, RIGHT, Cell, Content, Made, Style, content_of, prose, style_of, wrapped
from bench.tables.sheet import BOLD, Sheet

LINE = 1.25
"""Distance of two lines of a cell, as a multiple of the font's size."""

MIN_LONG, MAX_LONG = 9, 16
"""Width of the columns with long cells, as multiples of the font's size."""

SMALLER = 0.9
"""How much smaller letters are made until a table fits on the page."""

RIGHT_ALIGNED = ("number", "percent")


@dataclass(frozen=True, slots=True)
class _Layout:
    xs: list[float]
    ys: list[float]
    gap: float
    space: float
    lines: dict[Cell, list[str]]


def page(kind: str, seed: int) -> Made:
    """A page with some prose, a table of this kind, and prose again."""
    chance = random.Random(f"{kind} {seed}")
    made, style = Made(), style_of(kind, chance)
    top = prose(made.sheet, 70.0, style, chance) + 1.5 * style.size
    content = content_of(style, chance)
    while _room(_widths(made.sheet, content, style), _gap(style)) < 0:
        style = replace(style, size=style.size * SMALLER)
    layout = _layout(made.sheet, content, style, chance, top=top)
    for cell in content.cells:
        _write(made.sheet, cell, content, layout, style)
    for line in _rules(content, layout, style.rules):
        made.sheet.rule(*line)
    prose(made.sheet, layout.ys[-1] + 3 * style.size, style, chance)
    made.cells = [cell for cell in content.cells if cell.text]
    return made


def _layout(sheet: Sheet, content: Content, style: Style, chance: random.Random, *, top: float) -> _Layout:
    size = style.size
    gap = _gap(style)
    widths = _widths(sheet, content, style)
    stretch = chance.uniform(0, 1) * _room(widths, gap) / len(widths) if chance.random() < 1 / 2 else 0.0
    xs = list(accumulate((width + stretch + gap for width in widths), initial=LEFT))
    lines = {}
    for cell in content.cells:
        wide = xs[cell.column + cell.column_span] - xs[cell.column] - gap
        lines[cell] = wrapped(sheet, cell.text, (_font(cell, content, style), size), wide)
    is_wide = style.rules in ("all", "rows") or not style.is_tight
    space = 2 * style.padding if is_wide else size * chance.uniform(0.2, 0.45)
    if LONG in content.kinds and style.rules == "none":
        space = max(space, size * 0.6)
    heights = [size * LINE + space] * content.rows
    for cell in content.cells:
        if cell.row_span == 1:
            heights[cell.row] = max(heights[cell.row], len(lines[cell]) * size * LINE + space)
    return _Layout(xs, list(accumulate(heights, initial=top)), gap, space, lines)


def _gap(style: Style) -> float:
    """The space between the texts of two columns."""
    return 2 * style.padding if style.rules == "all" else max(2 * style.padding, style.size * style.gap)


def _room(widths: list[float], gap: float) -> float:
    """The width that is left beside the columns; less than 0 if they are wider than the page."""
    return RIGHT - LEFT - sum(widths) - gap * len(widths)


def _widths(sheet: Sheet, content: Content, style: Style) -> list[float]:
    kinds = content.kinds
    widths = [style.size * 2] * len(kinds)
    for cell in content.cells:
        if cell.column_span == 1 and kinds[cell.column] != LONG:
            wide = sheet.width(cell.text, _font(cell, content, style), style.size)
            widths[cell.column] = max(widths[cell.column], wide)
    short = sum(width for width, kind in zip(widths, kinds, strict=True) if kind != LONG)
    free = RIGHT - LEFT - _gap(style) * len(kinds) - short
    long = max(min(free, style.size * MAX_LONG), style.size * MIN_LONG)
    return [long if kind == LONG else width for width, kind in zip(widths, kinds, strict=True)]


def _font(cell: Cell, content: Content, style: Style) -> str:
    return BOLD[style.font] if cell.row < content.heading else style.font


def _write(sheet: Sheet, cell: Cell, content: Content, layout: _Layout, style: Style) -> None:
    font = _font(cell, content, style)
    left = layout.xs[cell.column] + layout.gap / 2
    right = layout.xs[cell.column + cell.column_span] - layout.gap / 2
    y = layout.ys[cell.row] + layout.space / 2 + 0.95 * style.size
    for line in layout.lines[cell]:
        wide = sheet.width(line, font, style.size)
        x = left
        if cell.column_span > 1 and cell.row < content.heading:
            x = (left + right - wide) / 2
        elif content.kinds[cell.column] in RIGHT_ALIGNED and cell.column_span == 1:
            x = right - wide
        sheet.text((x, y), line, font, style.size)
        y += LINE * style.size


def _rules(content: Content, layout: _Layout, rules: str) -> list[tuple[float, float, float, float]]:
    xs, ys = layout.xs, layout.ys
    if rules == "all":
        boxes = [
            (xs[cell.column], ys[cell.row], xs[cell.column + cell.column_span], ys[cell.row + cell.row_span])
            for cell in content.cells
        ]
        return [
            side
            for x0, y0, x1, y1 in boxes
            for side in ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1))
        ]
    heights = {
        "heading": [ys[0], ys[content.heading], ys[-1]],
        "rows": [ys[0], *ys[content.heading :]],
        "none": [],
    }[rules]
    return [(xs[0], y, xs[-1], y) for y in heights]
