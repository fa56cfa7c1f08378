"""Tricks with places: turned and scaled text, tables, columns, leaders, pages that are turned or cut."""

from pikepdf import Array

from bench import texts
from bench.silence.sheet import HEIGHT, LEFT, WIDTH, Sheet


def _table(sheet: Sheet, *, rows: int, columns: int, width: float, height: float, ruled: bool = False) -> None:
    """Equal and different numbers in rows, from the origin upwards."""
    numbers = [str(sheet.chance.choice((1, 1, 7, 10, 100, 2500))) for _ in range(3)]
    for row in range(rows):
        for column in range(columns):
            y = (rows - 1 - row) * height
            sheet.put(sheet.chance.choice(numbers), column * width, y, same_line=column > 0)
    if ruled:
        for row in range(rows + 1):
            sheet.canvas.line(-3, row * height - 4, columns * width, row * height - 4)
        for column in range(columns + 1):
            sheet.canvas.line(column * width - 3, -4, column * width - 3, rows * height - 4)


def turned_table(sheet: Sheet) -> None:
    turn = sheet.chance.choice((90, 270))
    y = sheet.down(180)
    x = sheet.chance.uniform(200, 350)
    with sheet.moved(x, y if turn == 90 else y + 170, turn=turn):
        _table(sheet, rows=5, columns=4, width=40, height=1.4 * sheet.size)
    sheet.down(20)


def scaled_table(sheet: Sheet) -> None:
    """Letters of size 1 that a matrix makes as large as others."""
    scale = sheet.chance.choice((0.1, 10.0))
    size, sheet.size = sheet.size, sheet.size / scale
    with sheet.moved(LEFT, sheet.down(100), scale=scale):
        _table(sheet, rows=4, columns=6, width=50 / scale, height=18 / scale)
    sheet.size = size


def ruled_table(sheet: Sheet) -> None:
    with sheet.moved(LEFT, sheet.down(120)):
        _table(sheet, rows=6, columns=5, width=70, height=18, ruled=True)
    sheet.down(10)


def turned_words(sheet: Sheet) -> None:
    """Headings of columns and notes at the margin on their sides."""
    y = sheet.down(120)
    for number in range(4):
        with sheet.moved(LEFT + 30 * number, y, turn=90):
            sheet.put(f"{sheet.chance.choice(texts.GOODS)} {sheet.chance.randint(1, 99)}", 0, 0)
    with sheet.moved(WIDTH - 30, 500, turn=sheet.chance.choice((90, 270))):
        sheet.put(f"Form {texts.code(sheet.chance)}", 0, 0, size=7)
    sheet.down(10)


def slanted_table(sheet: Sheet) -> None:
    """Rows at any angle, as on a stamp or a label."""
    with sheet.moved(300, sheet.down(260) + 130, turn=sheet.chance.choice((20, 45, 70, 130, 200, -35))):
        for row in range(4):
            sheet.put(sheet.chance.choice(texts.GOODS), -110, -14 * row)
            for column in range(2):
                sheet.put("100.0", 40 * column, -14 * row)
    sheet.down(10)


def upside_down(sheet: Sheet) -> None:
    with sheet.moved(400, sheet.down(40), turn=180):
        sheet.put(texts.line(sheet.chance), 0, 0)
    sheet.down(10)


def columns(sheet: Sheet) -> None:
    top = sheet.y
    bottoms = []
    for column in range(2):
        sheet.y = top
        sheet.prose(8, x=LEFT + 245 * column, width=210)
        bottoms.append(sheet.y)
    sheet.y = min(bottoms)


def leaders(sheet: Sheet) -> None:
    """A list of contents with dots before the numbers of its pages."""
    for _ in range(4):
        end = sheet.line(texts.title(sheet.chance))
        number = str(sheet.chance.randint(1, 300))
        right = 500 - sheet.width(number)
        sheet.put(" ." * int((right - end - 6) / sheet.width(" .")), end, sheet.y, same_line=True)
        sheet.put(number, right, sheet.y, same_line=True)


def side_by_side(sheet: Sheet) -> None:
    """Names on the left and amounts at the right edge."""
    for _ in range(4):
        sheet.line(sheet.chance.choice(texts.GOODS))
        amount = texts.amount(sheet.chance)
        sheet.put(amount, 530 - sheet.width(amount), sheet.y, same_line=True)


def tiny(sheet: Sheet) -> None:
    sheet.line(size=sheet.chance.uniform(4, 6))


def lone_signs(sheet: Sheet) -> None:
    """Single letters and digits far from everything."""
    for x in (80, 250, 480):
        sheet.put(sheet.chance.choice("3B7xQ"), x, sheet.y - sheet.chance.uniform(30, 60))
    sheet.down(80)


def overlapping_boxes(sheet: Sheet) -> None:
    """Large letters whose boxes overlap small lines, which stand beside their ink."""
    y = sheet.down(50)
    end = sheet.put("p", LEFT, y, size=60)
    sheet.put(texts.line(sheet.chance), end + 20, y)
    sheet.put(texts.line(sheet.chance), end + 20, y + 1.3 * sheet.size)
    sheet.down(20)


def turned_page(sheet: Sheet) -> None:
    """A page that a viewer turns, with a line that it turns to its side."""
    turn = sheet.chance.choice((90, 180, 270))
    sheet.line()
    sheet.page_entry("Rotate", turn)


def large_unit(sheet: Sheet) -> None:
    sheet.line()
    sheet.page_entry("UserUnit", 2)


def far_origin(sheet: Sheet) -> None:
    """A page whose boxes do not begin at zero, turned on top of that."""
    left, bottom = sheet.chance.uniform(10, 40), sheet.chance.uniform(10, 40)
    turn = sheet.chance.choice((0, 90))
    sheet.line()
    sheet.page_entry("MediaBox", Array([-50, -70, WIDTH + 30, HEIGHT + 10]))
    sheet.page_entry("CropBox", Array([left, bottom, WIDTH, HEIGHT]))
    sheet.page_entry("Rotate", turn)


TRICKS = (
    turned_table,
    scaled_table,
    ruled_table,
    turned_words,
    slanted_table,
    upside_down,
    columns,
    leaders,
    side_by_side,
    tiny,
    lone_signs,
    overlapping_boxes,
    turned_page,
    large_unit,
    far_origin,
)
