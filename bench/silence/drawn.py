"""Tricks with words that one sees and that are drawn in unusual ways: twice, through masks, in patterns, by letters."""

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw, ImageFilter

from bench import texts
from bench.silence.sheet import LEFT, WIDTH, Sheet


def repeats(sheet: Sheet) -> None:
    """The same word again beside itself, in another size, and over itself a line below."""
    amount = texts.amount(sheet.chance)
    end = sheet.line(amount)
    sheet.put(amount, end + 0.35 * sheet.size, sheet.y, same_line=True)
    y = sheet.down(2.2 * sheet.size)
    end = sheet.put("Total", LEFT, y, size=1.6 * sheet.size)
    sheet.put("Total", end + 0.5 * sheet.size, y, size=sheet.size, same_line=True)
    sheet.line(amount)
    sheet.put(amount, LEFT, sheet.down(0.95 * sheet.size))


def narrow_digits(sheet: Sheet) -> None:
    """Single digits in a narrow font."""
    scale = sheet.chance.uniform(45, 70)
    for _ in range(3):
        y = sheet.down(1.4 * sheet.size)
        digits = [str(sheet.chance.choice((1, 1, 1, 7, 0))) for _ in range(8)]
        x, gap = LEFT, sheet.chance.uniform(0.4, 1.0) * sheet.size
        for number, digit in enumerate(digits):
            with sheet.moved(x, y):
                sheet.canvas.scale(scale / 100, 1)
                sheet.put(digit, 0, 0, font="Helvetica", same_line=number > 0)
            x += sheet.width(digit, font="Helvetica") * scale / 100 + gap


def fake_bold(sheet: Sheet) -> None:
    text = texts.line(sheet.chance)
    offset = sheet.chance.uniform(0.1, 0.6)
    y = sheet.down(1.6 * sheet.size)
    sheet.put(text, LEFT, y)
    sheet.draw(text, LEFT + offset, y)
    with sheet.moved(LEFT + 400, y - 150, turn=90):
        sheet.put("Copy 11", 0, 0)
        sheet.draw("Copy 11", 0, offset)


def shadow(sheet: Sheet) -> None:
    text = texts.title(sheet.chance)
    y = sheet.down(3 * sheet.size)
    offset = sheet.chance.uniform(0.5, 2.0)
    with sheet.state(fill=(0.7, 0.7, 0.7)):
        sheet.draw(text, LEFT + offset, y - offset, size=1.8 * sheet.size)
    sheet.put(text, LEFT, y, size=1.8 * sheet.size)


def watermark(sheet: Sheet) -> None:
    """Large pale words behind the text, along the lines."""
    with sheet.state(fill=(0.85, 0.85, 0.85)):
        sheet.put(sheet.chance.choice(("COPY", "DRAFT", "SAMPLE")), 120, sheet.y - 40, font="Helvetica", size=70)
    sheet.prose(5)


def _mask(size: tuple[int, int], level: int) -> Image.Image:
    image = Image.new("RGBA", size, (200, 30, 30, level))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 3, size[1]), fill=(30, 30, 200, level // 2))
    return image


def under_glass(sheet: Sheet) -> None:
    """A picture with a soft mask lies over words."""
    level = sheet.chance.choice((0, 20, 60, 90))
    top = sheet.y
    sheet.prose(3)
    image = _mask((90, 40), level)
    sheet.picture(image, LEFT - 5, sheet.y, width=sheet.chance.uniform(150, 400), height=top - sheet.y)


def under_tint(sheet: Sheet) -> None:
    """A coloured rectangle of little opacity lies over words."""
    top = sheet.y
    sheet.prose(3)
    with sheet.state(fill=(1, 0.9, 0), alpha=sheet.chance.uniform(0.1, 0.5)):
        sheet.canvas.rect(LEFT, sheet.y, 200, top - sheet.y, stroke=0, fill=1)


def multiplied(sheet: Sheet) -> None:
    """A marker's colour is multiplied with words."""
    top = sheet.y
    sheet.prose(2)
    with sheet.state(operators="/Marked gs", fill=(1, 1, 0.2)):
        sheet.canvas.rect(LEFT, sheet.y, 300, top - sheet.y, stroke=0, fill=1)
    sheet.resource("ExtGState", "Marked", lambda _: Dictionary(BM=Name.Multiply))


def soft_mask_group(sheet: Sheet) -> None:
    """Words drawn through a soft mask of the graphics state: one half is seen, the other is not."""
    y = sheet.down(2 * sheet.size)

    def state(pdf: pikepdf.Pdf) -> Dictionary:
        group = pdf.make_stream(f"1 g 0 0 250 {y + 400:.0f} re f".encode())
        group.Type, group.Subtype, group.BBox = Name.XObject, Name.Form, Array([0, 0, 2000, 2000])
        group.Group = Dictionary(S=Name.Transparency, CS=Name.DeviceGray)
        return Dictionary(SMask=Dictionary(S=Name.Luminosity, G=group))

    with sheet.state(operators="/Masked gs"):
        sheet.put("Amount", LEFT, y)
        sheet.draw("withdrawn", 300, y)
    sheet.resource("ExtGState", "Masked", state)
    sheet.put(texts.amount(sheet.chance), 420, y)


def cropped_picture(sheet: Sheet) -> None:
    """A large picture of which a clip shows a small part; the rest of it would lie under words."""
    y = sheet.down(90)
    noise = Image.effect_noise((200, 200), 90).filter(ImageFilter.GaussianBlur(3)).convert("RGB")
    with sheet.clip(LEFT, y, 80, 80):
        sheet.picture(noise, LEFT - 100, y - 150, width=400, height=400)
    for number, text in enumerate(sheet.wrapped(5, width=250)):
        sheet.put(text, LEFT + 100, y + 70 - 14 * number)
    sheet.put(f"Photo: {sheet.chance.choice(texts.NAMES)}", LEFT, y - 1.2 * sheet.size)
    sheet.down(2 * sheet.size)


def over_photograph(sheet: Sheet) -> None:
    """Visible words on a photograph."""
    y = sheet.down(110)
    dark = sheet.chance.random() < 0.5
    noise = Image.effect_noise((200, 60), 60).filter(ImageFilter.GaussianBlur(4))
    noise = noise.point(lambda level: level // 3 if dark else 170 + level // 3).convert("RGB")
    sheet.picture(noise, LEFT, y, width=WIDTH - 2 * LEFT, height=100)
    with sheet.state(fill=(1, 1, 1) if dark else (0, 0, 0)):
        sheet.put(texts.title(sheet.chance), LEFT + 30, y + 60, size=20)
        sheet.put(texts.line(sheet.chance), LEFT + 30, y + 30)


def coloured(sheet: Sheet) -> None:
    """Coloured words on grounds of other colours, light on dark among them."""
    pairs = (
        ((1, 1, 1), (0.1, 0.1, 0.3)),
        ((0.8, 0, 0), (1, 1, 0.8)),
        ((1, 1, 0), (0.5, 0, 0.5)),
        ((0, 0.3, 0), (0.6, 0.9, 0.6)),
    )
    for ink, ground in sheet.chance.sample(pairs, 3):
        y = sheet.down(2 * sheet.size)
        sheet.box(LEFT - 4, y - 0.5 * sheet.size, 440, 1.6 * sheet.size, fill=ground)
        with sheet.state(fill=ink):
            sheet.put(texts.line(sheet.chance), LEFT, y)


def equal_grey(sheet: Sheet) -> None:
    """Words whose colour is as light as that of their ground."""
    for ink, ground in (((1, 0, 0), (0, 0.51, 0)), ((0, 0.4, 1), (0.75, 0.2, 0))):
        y = sheet.down(2 * sheet.size)
        sheet.box(LEFT - 4, y - 0.5 * sheet.size, 440, 1.6 * sheet.size, fill=ground)
        with sheet.state(fill=ink):
            sheet.put(texts.line(sheet.chance), LEFT, y)


def pattern(sheet: Sheet) -> None:
    """Words in the cell of a tiling pattern, which is drawn once."""
    word, y = texts.amount(sheet.chance), sheet.down(3 * sheet.size)
    x = LEFT + sheet.chance.uniform(0, 200)

    def cell(pdf: pikepdf.Pdf) -> pikepdf.Stream:
        stream = pdf.make_stream(f"BT /F 14 Tf 4 8 Td ({word}) Tj ET".encode())
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        stream.Resources = Dictionary(Font=Dictionary(F=font))
        stream.PatternType, stream.PaintType, stream.TilingType = 1, 1, 1
        stream.BBox, stream.XStep, stream.YStep = Array([0, 0, 100, 30]), 100, 30
        stream.Matrix = Array([1, 0, 0, 1, *corner])
        return stream

    corner = sheet.canvas.absolutePosition(x, y)
    with sheet.state(operators="/Pattern cs /Cell scn"):
        sheet.canvas.addLiteral(f"{x} {y} 100 30 re f")
    sheet.resource("Pattern", "Cell", cell)
    sheet.see(word, x + 4, y + 8, font="Helvetica", size=14)
    sheet.down(sheet.size)


def nested_forms(sheet: Sheet) -> None:
    """Words in forms within forms, one of them used twice."""
    inner, outer = texts.line(sheet.chance), texts.amount(sheet.chance)
    sheet.canvas.beginForm("inner")
    sheet.draw(inner, 0, 10)
    sheet.canvas.endForm()
    sheet.canvas.beginForm("outer")
    sheet.canvas.doForm("inner")
    sheet.draw(outer, 0, 10 + 1.5 * sheet.size)
    sheet.canvas.endForm()
    for _ in range(2):
        with sheet.moved(LEFT, sheet.down(5 * sheet.size), scale=sheet.chance.choice((1, 0.8, 1.3))):
            sheet.canvas.doForm("outer")
            sheet.see(inner, 0, 10)
            sheet.see(outer, 0, 10 + 1.5 * sheet.size)


def stroked(sheet: Sheet) -> None:
    """Words of which only the contours are drawn."""
    y = sheet.down(30)
    with sheet.state(operators="1 Tr 0.4 w"):
        sheet.put(texts.title(sheet.chance), LEFT, y, font="Helvetica-Bold", size=20)
    sheet.canvas.addLiteral("0 Tr")


def spaced_by_offsets(sheet: Sheet) -> None:
    """Words with offsets between them instead of spaces, as TeX has it."""
    for _ in range(2):
        text = texts.line(sheet.chance)
        x, y = LEFT, sheet.down(1.4 * sheet.size)
        shown = sheet.canvas.beginText(x, y)
        shown.setFont("Helvetica", sheet.size)
        space = sheet.width(" ", font="Helvetica")
        sheet.see(text, x, y, font="Helvetica")
        for word in text.split():
            shown.setTextOrigin(x, y)
            shown.textOut(word)
            x += sheet.width(word, font="Helvetica") + space
        sheet.canvas.drawText(shown)


def letter_by_letter(sheet: Sheet) -> None:
    """Every letter is drawn by itself."""
    for _ in range(2):
        text = texts.line(sheet.chance)
        y = sheet.down(1.4 * sheet.size)
        sheet.see(text, LEFT, y)
        for place, letter in enumerate(text):
            if letter != " ":
                sheet.draw(letter, LEFT + sheet.width(text[:place]), y)


def shuffled(sheet: Sheet) -> None:
    """Lines that are drawn in any order."""
    top, lines = sheet.y, sheet.wrapped(5, width=400)
    order = list(range(len(lines)))
    for number, text in enumerate(lines):
        sheet.see(text, LEFT, top - 14 * (number + 1))
    sheet.chance.shuffle(order)
    for number in order:
        sheet.draw(lines[number], LEFT, top - 14 * (number + 1))
    sheet.y = top - 14 * len(lines) - sheet.size


def mirrored_twice(sheet: Sheet) -> None:
    """Coordinates that grow downwards, with letters that are mirrored back, as browsers have it."""
    y = sheet.down(2 * sheet.size)
    text = texts.line(sheet.chance)
    sheet.see(text, LEFT, y, font="Helvetica")
    with sheet.state(operators=f"1 0 0 -1 0 {2 * y} cm"):
        shown = sheet.canvas.beginText()
        shown.setTextTransform(1, 0, 0, -1, LEFT, y)
        shown.setFont("Helvetica", sheet.size)
        shown.textOut(text)
        sheet.canvas.drawText(shown)


def in_shading(sheet: Sheet) -> None:
    """Letters that are painted with a pattern."""

    def ink(pdf: pikepdf.Pdf) -> pikepdf.Stream:
        stream = pdf.make_stream(b"0.8 0 0 rg 0 0 5 5 re f 0 0 0.6 rg 5 0 5 5 re f 0 0.4 0 rg 0 5 10 5 re f")
        stream.Resources = Dictionary()
        stream.PatternType, stream.PaintType, stream.TilingType = 1, 1, 1
        stream.BBox, stream.XStep, stream.YStep = Array([0, 0, 10, 10]), 10, 10
        return stream

    y = sheet.down(30)
    text = texts.title(sheet.chance)
    sheet.see(text, LEFT, y, font="Helvetica-Bold", size=18)
    with sheet.state():
        sheet.canvas.setFont("Helvetica-Bold", 18)
        sheet.canvas.addLiteral("/Pattern cs /Ink scn")
        sheet.canvas.drawString(LEFT, y, text)
    sheet.resource("Pattern", "Ink", ink)


def filled_and_stroked(sheet: Sheet) -> None:
    y = sheet.down(1.6 * sheet.size)
    with sheet.state(operators="2 Tr 0.3 w"):
        sheet.put(texts.line(sheet.chance), LEFT, y)
    sheet.canvas.addLiteral("0 Tr")


def pale(sheet: Sheet) -> None:
    """Pale words that one can still read."""
    level = sheet.chance.uniform(0.5, 0.85)
    with sheet.state(fill=(level, level, level)):
        sheet.line()
    with sheet.state(fill=(1, 0.85, 0.1)):
        sheet.line()


def struck_out(sheet: Sheet) -> None:
    """Words with a line through or below them."""
    for height in (0.3, -0.1):
        text = texts.line(sheet.chance)
        sheet.line(text)
        sheet.box(LEFT, sheet.y + height * sheet.size, sheet.width(text), 0.06 * sheet.size)


def parts_drawn_later(sheet: Sheet) -> None:
    """Parts of amounts and words that are drawn after the lines, as browsers do with what has an opacity of its own."""
    later = []
    alpha = sheet.chance.choice((0.6, 1))
    for _ in range(3):
        text = f"Total {texts.amount(sheet.chance)} EUR"
        y = sheet.down(1.6 * sheet.size)
        sheet.see(text, LEFT, y)
        start = sheet.chance.randint(7, 9)
        end = start + sheet.chance.randint(1, 2)
        sheet.draw(text[:start], LEFT, y)
        sheet.draw(text[end:], LEFT + sheet.width(text[:end]), y)
        later.append((text[start:end], LEFT + sheet.width(text[:start]), y))
    with sheet.state(alpha=alpha):
        for part, x, y in later:
            sheet.draw(part, x, y)


def raised_numbers(sheet: Sheet) -> None:
    """Raised numbers as large as browsers make them, some drawn after their lines."""
    later = []
    size = sheet.chance.uniform(0.6, 0.83) * sheet.size
    for is_late in (False, True):
        y = sheet.down(1.8 * sheet.size)
        number, raised = str(sheet.chance.randint(10, 2000)), str(sheet.chance.randint(2, 99))
        end = sheet.put(f"In the year {number}", LEFT, y)
        sheet.see(raised, end, y + 0.36 * sheet.size, size=size, same_line=True)
        if is_late:
            later.append((raised, end, y + 0.36 * sheet.size))
        else:
            sheet.draw(raised, end, y + 0.36 * sheet.size, size=size)
        end += sheet.width(raised, size=size) + sheet.width(" ")
        sheet.put("and later", end, y, same_line=True)
    for raised, x, y in later:
        sheet.draw(raised, x, y, size=size)


def moved_digits(sheet: Sheet) -> None:
    """The second half of a number is drawn first."""
    y = sheet.down(2 * sheet.size)
    number = str(sheet.chance.randint(1000, 9999))
    sheet.see(number, LEFT, y, font="Courier")
    # Every letter of Courier is 600 wide.
    with sheet.state():
        sheet.canvas.setFont("Courier", sheet.size)
        name = sheet.canvas._doc.getInternalFontName("Courier")  # noqa: SLF001
        x = LEFT + 1.2 * sheet.size
        strings = f"[({number[2:]}) 2400 ({number[:2]})] TJ"
        sheet.canvas.addLiteral(f"BT /{name.lstrip('/')} {sheet.size} Tf {x} {y} Td {strings} ET")


TRICKS = (
    parts_drawn_later,
    raised_numbers,
    moved_digits,
    repeats,
    narrow_digits,
    fake_bold,
    shadow,
    watermark,
    under_glass,
    under_tint,
    multiplied,
    soft_mask_group,
    cropped_picture,
    over_photograph,
    coloured,
    equal_grey,
    pattern,
    nested_forms,
    stroked,
    spaced_by_offsets,
    letter_by_letter,
    shuffled,
    mirrored_twice,
    in_shading,
    filled_and_stroked,
    pale,
    struck_out,
)
