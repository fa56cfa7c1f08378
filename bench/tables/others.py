"""Pages without a table that look a little like one."""

import random
from collections.abc import Callable

from bench import texts
from bench.tables.made import LEFT, RIGHT, WORDS, Made, wrapped
from bench.tables.sheet import FONTS, Sheet

GUTTER = 18.0

LAST_LINES = 0.12
"""Share of lines that end a paragraph."""


def _columns(sheet: Sheet, chance: random.Random, count: int) -> None:
    font, size = chance.choice(FONTS[:2]), chance.choice((8.0, 9.0, 10.0))
    wide = (RIGHT - LEFT - GUTTER * (count - 1)) / count
    words = [word for part in texts.prose(chance, words=700) for word in part.split() if word.isascii()]
    lines = wrapped(sheet, " ".join(words), (font, size), wide)
    for column in range(count):
        x, y = LEFT + column * (wide + GUTTER), 80.0
        for line in lines[column * 40 : column * 40 + chance.randint(30, 40)]:
            if chance.random() < LAST_LINES:
                sheet.text((x, y), " ".join(line.split()[:2]), font, size)
                y += size * 0.6
            else:
                _justified(sheet, (x, y), line, (font, size), wide)
            y += 1.25 * size


def _justified(sheet: Sheet, place: tuple[float, float], line: str, face: tuple[str, float], wide: float) -> None:
    words = line.split()
    x, y = place
    space = (wide - sum(sheet.width(word, *face) for word in words)) / max(1, len(words) - 1)
    for word in words:
        sheet.text((x, y), word, *face)
        x += sheet.width(word, *face) + min(space, face[1])


def two_columns(sheet: Sheet, chance: random.Random) -> None:
    _columns(sheet, chance, 2)


def three_columns(sheet: Sheet, chance: random.Random) -> None:
    _columns(sheet, chance, 3)


def contents(sheet: Sheet, chance: random.Random) -> None:
    has_leaders, page, y = chance.random() < 0.5, 1, 90.0
    for number in range(1, 22):
        title = " ".join(chance.choices(texts.VOCABULARY, k=chance.randint(2, 6))).capitalize()
        sheet.text((LEFT, y), f"{number} {title}", "Times-Roman", 11)
        wide = sheet.width(str(page), "Times-Roman", 11)
        if has_leaders:
            start = LEFT + sheet.width(f"{number} {title} ", "Times-Roman", 11)
            dot = sheet.width(".", "Times-Roman", 11)
            sheet.text((start, y), "." * int((RIGHT - 30 - start) / dot), "Times-Roman", 11)
        sheet.text((RIGHT - wide, y), str(page), "Times-Roman", 11)
        page += chance.randint(1, 9)
        y += 18


def bullets(sheet: Sheet, chance: random.Random) -> None:
    y = 90.0
    for number in range(1, 14):
        marker = chance.choice(("*", f"{number}.", f"({number})"))
        sheet.text((LEFT, y), marker, "Helvetica", 10)
        words = " ".join(chance.choices(texts.VOCABULARY, k=chance.randint(4, 25)))
        for line in wrapped(sheet, words, ("Helvetica", 10), 400):
            sheet.text((LEFT + 28, y), line, "Helvetica", 10)
            y += 12.5
        y += 4


def letter(sheet: Sheet, chance: random.Random) -> None:
    for place in range(4):
        sheet.text((LEFT, 80 + 13 * place), " ".join(chance.sample(WORDS, 2)).title(), "Times-Roman", 11)
        sheet.text((380, 80 + 13 * place), " ".join(chance.sample(WORDS, 2)).title(), "Times-Roman", 11)
    y = 180.0
    words = " ".join(texts.prose(chance, words=250))
    for line in wrapped(sheet, words.encode("ascii", "ignore").decode(), ("Times-Roman", 11), RIGHT - LEFT):
        sheet.text((LEFT, y), line, "Times-Roman", 11)
        y += 14
    sheet.text((LEFT, y + 40), "Director of Sales", "Times-Roman", 11)
    sheet.text((380, y + 40), "Head of Office", "Times-Roman", 11)


def form(sheet: Sheet, chance: random.Random) -> None:
    y = 90.0
    for _ in range(10):
        sheet.text((LEFT, y), f"{chance.choice(WORDS).title()}:", "Helvetica", 10)
        sheet.text((LEFT + 120, y), " ".join(chance.sample(WORDS, 2)), "Helvetica", 10)
        y += 22


OTHERS: dict[str, Callable[[Sheet, random.Random], None]] = {
    "two columns": two_columns,
    "three columns": three_columns,
    "contents": contents,
    "list": bullets,
    "letter": letter,
    "form": form,
}


def page(kind: str, seed: int) -> Made:
    made = Made()
    OTHERS[kind](made.sheet, random.Random(f"{kind} {seed}"))
    return made
