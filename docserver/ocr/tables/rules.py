"""Child side: the ruled lines of a page, and the grids that they form."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from docserver.layout import Rect, around
from docserver.ocr.tables.frame import Frame

TOLERANCE = 0.3
"""Largest distance of two rules that are one line, or of a rule's end from the line where it ends, as a share of the
letters' size."""

MAX_BREAK = 0.8
"""Widest gap in a ruled line, as a share of the letters' size."""

MIN_OVERHANG = 1.2
"""How far rules go on behind the last line that crosses them if there is another column or row, as a share of the
letters' size."""

MIN_COVERED = 0.6
"""Smallest share of the side of a cell that a rule covers."""


class Rule(NamedTuple):
    """A ruled line along one axis. Pixels."""

    start: float
    end: float
    at: float
    """Where it is along the other axis."""


@dataclass(frozen=True, slots=True)
class Rules:
    horizontal: Sequence[Rule] = ()
    vertical: Sequence[Rule] = ()


@dataclass(slots=True)
class Grid:
    """The lines of rules that cross each other."""

    xs: list[float]
    ys: list[float]
    horizontal: list[Rule]
    vertical: list[Rule]
    reach: float
    """Largest distance of two rules that were counted as one line."""

    @property
    def rect(self) -> Rect:
        return self.xs[0], self.ys[0], self.xs[-1], self.ys[-1]

    def is_ruled_below(self, row: int, column: int) -> bool:
        """True if there is a rule between this cell and the one below it."""
        side = self.xs[column], self.xs[column + 1]
        return _is_covered(self.horizontal, self.ys[row + 1], *side, reach=self.reach)

    def is_ruled_behind(self, row: int, column: int) -> bool:
        """True if there is a rule between this cell and the one on its right."""
        side = self.ys[row], self.ys[row + 1]
        return _is_covered(self.vertical, self.xs[column + 1], *side, reach=self.reach)


def rules_of(rects: Iterable[Rect], frame: Frame) -> Rules:
    """The rules that are drawn in thin rectangles on the page as it lies, on the turned and straightened page."""
    return rules_of_level(
        around([(*frame.point(x0, y0) * 2,), (*frame.point(x1, y1) * 2,)]) for x0, y0, x1, y1 in rects
    )


def rules_of_level(rects: Iterable[Rect]) -> Rules:
    """The same for rectangles on the turned and straightened page."""
    horizontal, vertical = [], []
    for x0, y0, x1, y1 in rects:
        if x1 - x0 >= y1 - y0:
            horizontal.append(Rule(x0, x1, (y0 + y1) / 2))
        else:
            vertical.append(Rule(y0, y1, (x0 + x1) / 2))
    return Rules(horizontal, vertical)


def joined(rules: Rules, *, size: float) -> Rules:
    """The rules, those joined that are parts of one line, or the two sides of a thick one."""
    return Rules(_joined(rules.horizontal, size), _joined(rules.vertical, size))


def grids(rules: Rules, *, size: float) -> list[Grid]:
    """The grids of joined rules. Each has at least two columns and one row. An outer side may lack a line: there, the
    grid ends where its rules in the other direction end.
    """
    reach = TOLERANCE * size
    groups: list[tuple[list[Rule], list[Rule]]] = []
    for across in rules.horizontal:
        crossing = {
            index
            for index, rule in enumerate(rules.vertical)
            if across.start - reach <= rule.at <= across.end + reach
            and rule.start - reach <= across.at <= rule.end + reach
        }
        _add(groups, across, [rules.vertical[index] for index in sorted(crossing)])
    found = []
    for horizontal, vertical in groups:
        grid = _grid(horizontal, vertical, size)
        if len(grid.xs) > 2 and len(grid.ys) >= 2:
            found.append(grid)
    return found


def _add(groups: list[tuple[list[Rule], list[Rule]]], across: Rule, crossing: list[Rule]) -> None:
    if not crossing:
        return
    new = ([across], list(crossing))
    for group in [group for group in groups if any(rule in group[1] for rule in crossing)]:
        groups.remove(group)
        new[0].extend(group[0])
        new[1].extend(rule for rule in group[1] if rule not in new[1])
    groups.append(new)


def _grid(horizontal: list[Rule], vertical: list[Rule], size: float) -> Grid:
    xs, ys = _places(vertical, size), _places(horizontal, size)
    for places, across in ((xs, horizontal), (ys, vertical)):
        first, last = min(rule.start for rule in across), max(rule.end for rule in across)
        if first < places[0] - MIN_OVERHANG * size:
            places.insert(0, first)
        if last > places[-1] + MIN_OVERHANG * size:
            places.append(last)
    return Grid(xs, ys, horizontal, vertical, 2 * TOLERANCE * size)


def _places(rules: Iterable[Rule], size: float) -> list[float]:
    """Where the lines are, those counted once that are close together."""
    groups: list[list[float]] = []
    for at in sorted(rule.at for rule in rules):
        if groups and at - groups[-1][-1] <= 2 * TOLERANCE * size:
            groups[-1].append(at)
        else:
            groups.append([at])
    return [sum(group) / len(group) for group in groups]


def _joined(rules: Iterable[Rule], size: float) -> list[Rule]:
    lines: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda rule: rule.at):
        if lines and rule.at - lines[-1][0].at <= TOLERANCE * size:
            lines[-1].append(rule)
        else:
            lines.append([rule])
    joined = []
    for line in lines:
        at = sum(rule.at for rule in line) / len(line)
        start, end = None, 0.0
        for rule in sorted(line):
            if start is None:
                start, end = rule.start, rule.end
            elif rule.start <= end + MAX_BREAK * size:
                end = max(end, rule.end)
            else:
                joined.append(Rule(start, end, at))
                start, end = rule.start, rule.end
        if start is not None:
            joined.append(Rule(start, end, at))
    return joined


def _is_covered(rules: Iterable[Rule], at: float, start: float, end: float, *, reach: float) -> bool:
    covered = 0.0
    last = start
    for rule in sorted(rules):
        if abs(rule.at - at) <= reach:
            covered += max(0.0, min(rule.end, end) - max(rule.start, last))
            last = max(last, min(rule.end, end))
    return covered >= MIN_COVERED * (end - start)
