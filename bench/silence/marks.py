"""Tricks with single characters that are lines, shapes, patches or too small, and with marks that are no characters."""

from bench import texts
from bench.silence.sheet import LEFT, Sheet


def _number(sheet: Sheet, before: str, after: str, *, room: float, sign: str) -> float:
    """A number whose character in the middle is left out. Returns where the room for that begins."""
    end = sheet.line(sheet.chance.choice(texts.GOODS)) + 2 * sheet.size
    y, whole = sheet.y, before + sign + after
    x = sheet.draw(before, end, y) if before else end
    right = sheet.draw(after, x + room, y) if after else x + room
    sheet.see("", end, y, same_line=True)
    sheet.see_word(whole, end, y, width=right - end, size=sheet.size)
    return x


def _bar(sheet: Sheet, x: float, y: float, *, width: float, height: float) -> None:
    """A filled or stroked bar from its lower left corner."""
    if sheet.chance.random() < 0.5:
        sheet.canvas.rect(x, y, width, height, stroke=0, fill=1)
    elif width > height:
        sheet.canvas.setLineWidth(height)
        sheet.canvas.line(x, y + height / 2, x + width, y + height / 2)
    else:
        sheet.canvas.setLineWidth(width)
        sheet.canvas.line(x + width / 2, y, x + width / 2, y + height)


def minus(sheet: Sheet) -> None:
    """A minus before or behind a number that is a line."""
    size = sheet.size
    for amount in (texts.amount(sheet.chance), str(sheet.chance.randint(2, 99))):
        before, after = sheet.chance.choice((("", amount), (amount, "")))
        x = _number(sheet, before, after, room=0.55 * size, sign="-")
        _bar(sheet, x + 0.06 * size, sheet.y + 0.25 * size, width=0.4 * size, height=0.08 * size)


def point(sheet: Sheet) -> None:
    """A decimal point that is a dot, square or round."""
    size = sheet.size
    for _ in range(2):
        whole, cents = str(sheet.chance.randint(1, 999)), f"{sheet.chance.randint(0, 99):02}"
        x = _number(sheet, whole, cents, room=0.28 * size, sign=".")
        if sheet.chance.random() < 0.5:
            sheet.canvas.circle(x + 0.14 * size, sheet.y + 0.06 * size, 0.07 * size, stroke=0, fill=1)
        else:
            sheet.canvas.rect(x + 0.08 * size, sheet.y, 0.12 * size, 0.12 * size, stroke=0, fill=1)


def one(sheet: Sheet) -> None:
    """A digit 1 that is a bar with or without a stroke at its top."""
    size = sheet.size
    x = _number(sheet, str(sheet.chance.randint(2, 9)), str(sheet.chance.randint(20, 99)), room=0.5 * size, sign="1")
    _bar(sheet, x + 0.25 * size, sheet.y, width=0.1 * size, height=0.7 * size)
    if sheet.chance.random() < 0.5:
        sheet.canvas.setLineWidth(0.07 * size)
        sheet.canvas.line(x + 0.3 * size, sheet.y + 0.68 * size, x + 0.14 * size, sheet.y + 0.55 * size)


def underscore(sheet: Sheet) -> None:
    """An underscore that is a rule, as TeX has it."""
    size = sheet.size
    first, second = sheet.chance.sample(texts.VOCABULARY, 2)
    x = _number(sheet, first, second, room=0.5 * size, sign="_")
    sheet.canvas.rect(x + 0.05 * size, sheet.y - 0.1 * size, 0.4 * size, 0.05 * size, stroke=0, fill=1)


def no_characters(sheet: Sheet) -> None:
    """Bullets, check boxes, lines below and between numbers, and the ticks of an axis."""
    size = sheet.size
    for number in range(4):
        y = sheet.down(2 * size)
        sheet.put(texts.amount(sheet.chance), LEFT + 30, y)
        sheet.canvas.setLineWidth(0.6)
        if number == 0:
            sheet.canvas.circle(LEFT + 24, y + 0.3 * size, 0.15 * size, stroke=0, fill=1)
        elif number == 1:
            sheet.canvas.rect(LEFT + 26 - 0.7 * size, y, 0.7 * size, 0.7 * size)
        elif number == 2:
            sheet.canvas.line(LEFT + 30, y - 1.5, LEFT + 55, y - 1.5)
        else:
            sheet.canvas.line(LEFT + 20, y - 10, LEFT + 20, y + 60)
            sheet.canvas.line(LEFT + 20, y + 0.3 * size, LEFT + 25, y + 0.3 * size)
    sheet.down(size)


def patched(sheet: Sheet) -> None:
    """A white box over one digit of a number, and another digit drawn on that."""
    number, place = str(sheet.chance.randint(100, 9999)), sheet.chance.randint(0, 2)
    new = sheet.chance.choice([digit for digit in "23456789" if digit != number[place]])
    end = sheet.line(sheet.chance.choice(texts.GOODS)) + 2 * sheet.size
    sheet.draw(number, end, sheet.y)
    x = end + sheet.width(number[:place])
    sheet.box(x, sheet.y - 0.2 * sheet.size, sheet.width(number[place]), sheet.size, fill=(1, 1, 1))
    sheet.draw(new, x, sheet.y)
    sheet.see(number[:place] + new + number[place + 1 :], end, sheet.y, same_line=True)


def too_small(sheet: Sheet) -> None:
    """Words that nobody reads, and some that one can read if they are enlarged."""
    sheet.draw("obsolete words", LEFT, sheet.down(10), size=sheet.chance.choice((0.2, 0.5, 0.8, 1.1)))
    sheet.line("In case of doubt this is binding", size=sheet.chance.choice((1.5, 2.0, 3.0)))


TRICKS = (
    minus,
    point,
    one,
    underscore,
    no_characters,
    patched,
    too_small,
)
