"""Tricks with words that nobody sees, over and beside words that one sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageFilter

from bench import texts
from bench.silence.sheet import HEIGHT, LEFT, WIDTH, Sheet

SECRET = ("Confidential", "deleted", "obsolete", "4711.00", "draft")


def _secret(sheet: Sheet) -> str:
    return " ".join(sheet.chance.sample(SECRET, sheet.chance.randint(1, 3)))


def _beside(sheet: Sheet) -> tuple[float, float]:
    """A place for hidden words beside a visible line."""
    end = sheet.line(f"Total {texts.amount(sheet.chance)}")
    return end + 3 * sheet.size, sheet.y


def _over(sheet: Sheet) -> tuple[float, float]:
    """A place for hidden words over a visible line."""
    sheet.line(f"Balance {texts.amount(sheet.chance)} due {texts.date(sheet.chance)}")
    return LEFT + sheet.chance.uniform(-2, 10), sheet.y + sheet.chance.uniform(-1, 1)


def invisible_mode(sheet: Sheet) -> None:
    for x, y in (_beside(sheet), _over(sheet)):
        with sheet.state(operators="3 Tr"):
            sheet.draw(_secret(sheet), x, y)


def transparent(sheet: Sheet) -> None:
    for x, y in (_beside(sheet), _over(sheet)):
        with sheet.state(alpha=0.0):
            sheet.draw(_secret(sheet), x, y)


def white_on_white(sheet: Sheet) -> None:
    x, y = _beside(sheet)
    with sheet.state(fill=(1, 1, 1)):
        sheet.draw(_secret(sheet), x, y)
    sheet.down(2 * sheet.size)
    with sheet.state(fill=(1, 1, 1)):
        sheet.draw(_secret(sheet), LEFT, sheet.y)
    sheet.line(f"Paid {texts.amount(sheet.chance)}")


def painted_over(sheet: Sheet) -> None:
    y = sheet.down(2 * sheet.size)
    old = _secret(sheet)
    sheet.draw(old, LEFT, y)
    sheet.box(LEFT - 2, y - 0.3 * sheet.size, sheet.width(old) + 4, 1.2 * sheet.size, fill=(1, 1, 1))
    if sheet.chance.random() < 0.7:
        sheet.put(texts.amount(sheet.chance), LEFT, y)
    x, y = _beside(sheet)
    sheet.draw(old, x, y)
    sheet.picture(Image.new("RGB", (4, 4), "white"), x - 2, y - 4, width=sheet.width(old) + 4, height=1.5 * sheet.size)


def black_bars(sheet: Sheet) -> None:
    for _ in range(2):
        end = sheet.line(f"Account of {sheet.chance.choice(texts.NAMES)}:")
        number = str(sheet.chance.randint(10**6, 10**9))
        x, y = end + sheet.width(" "), sheet.y
        after = sheet.draw(number, x, y)
        sheet.put("since", after + sheet.width(" "), y, same_line=True)
        sheet.box(x - 1, y - 0.3 * sheet.size, after - x + 2, 1.3 * sheet.size)


def off_page(sheet: Sheet) -> None:
    for x, y in ((WIDTH + 20, 400), (-200, 500), (100, HEIGHT + 20), (100, -30)):
        sheet.draw(_secret(sheet), x, y)
    sheet.line()


def outside_crop(sheet: Sheet) -> None:
    sheet.draw(_secret(sheet), 100, 8)
    sheet.draw(_secret(sheet), 100, HEIGHT - 15)
    sheet.draw("deleted", 3, 400, size=9)
    sheet.line()
    sheet.page_entry("CropBox", Array([50, 30, WIDTH, HEIGHT - 40]))


def _layers(sheet: Sheet) -> None:
    """Give the page the layers /ON and /OFF, of which viewers show the first."""

    def layers(pdf: pikepdf.Pdf) -> None:
        on, off = (pdf.make_indirect(Dictionary(Type=Name.OCG, Name=name)) for name in ("on", "off"))
        pdf.pages[0].obj.Resources.Properties = Dictionary(ON=on, OFF=off)
        pdf.Root.OCProperties = Dictionary(
            OCGs=Array([on, off]), D=Dictionary(OFF=Array([off]), Order=Array([on, off]))
        )

    sheet.changes.append(layers)


@contextmanager
def _layer(sheet: Sheet, name: str) -> Iterator[None]:
    sheet.canvas.addLiteral(f"/OC /{name} BDC")
    yield
    sheet.canvas.addLiteral("EMC")


def hidden_layer(sheet: Sheet) -> None:
    for x, y in (_beside(sheet), _over(sheet)):
        with _layer(sheet, "OFF"):
            sheet.draw(_secret(sheet), x, y)
    with _layer(sheet, "ON"):
        sheet.line()
    _layers(sheet)


def form_in_hidden_layer(sheet: Sheet) -> None:
    """A form is used in a layer that is off and in one that is on."""
    text = texts.line(sheet.chance)
    sheet.canvas.beginForm("once")
    sheet.draw(text, 0, 10)
    sheet.canvas.endForm()
    for name in ("OFF", "ON"):
        with sheet.moved(LEFT, sheet.down(30)), _layer(sheet, name):
            sheet.canvas.doForm("once")
            if name == "ON":
                sheet.see(text, 0, 10)
    _layers(sheet)


def transparent_form(sheet: Sheet) -> None:
    """A form of no opacity."""
    sheet.canvas.beginForm("ghost")
    sheet.draw(_secret(sheet), 0, 10)
    sheet.canvas.endForm()
    x, y = _over(sheet)
    with sheet.moved(x, y - 10), sheet.state(alpha=0.0):
        sheet.canvas.doForm("ghost")


def _blending(mode: str, _: pikepdf.Pdf) -> Dictionary:
    return Dictionary(BM=Name(f"/{mode}"))


def blended_away(sheet: Sheet) -> None:
    """Black words that are only lightened, and white ones that are multiplied, on a white box."""
    for mode, level in (("Lighten", 0), ("Multiply", 1)):
        x, y = _beside(sheet)
        sheet.box(x - 5, y - 5, 250, 2 * sheet.size, fill=(1, 1, 1))
        with sheet.state(operators=f"/{mode} gs", fill=(level, level, level)):
            sheet.draw(_secret(sheet), x, y)
        sheet.resource("ExtGState", mode, partial(_blending, mode))


def hidden_copy(sheet: Sheet) -> None:
    """The words of a visible line again, invisible and a little beside it, as recognition programs leave them."""
    for _ in range(2):
        text = texts.line(sheet.chance)
        sheet.line(text)
        with sheet.state(operators="3 Tr"):
            sheet.draw(text, LEFT + sheet.chance.uniform(-3, 3), sheet.y + sheet.chance.uniform(-2, 2), font="Courier")


def no_width(sheet: Sheet) -> None:
    """Words that are scaled to nothing, or nearly."""
    x, y = _beside(sheet)
    with sheet.state(operators="0.1 Tz"):
        sheet.draw(_secret(sheet), x, y)
    sheet.draw(_secret(sheet), *_over(sheet), size=0.01)
    sheet.canvas.addLiteral("100 Tz")


def in_ground_colour(sheet: Sheet) -> None:
    """Words in the colour of a coloured box, beside words of another colour."""
    ground = tuple(sheet.chance.uniform(0.1, 0.4) for _ in range(3))
    y = sheet.down(3 * sheet.size)
    sheet.box(LEFT - 5, y - 5, 450, 2 * sheet.size, fill=ground)
    with sheet.state(fill=(1, 1, 1)):
        end = sheet.put("Total", LEFT, y)
    with sheet.state(fill=ground):
        end = sheet.draw(_secret(sheet), end + 10, y)
    with sheet.state(fill=(1, 1, 0.9)):
        sheet.put(texts.amount(sheet.chance), end + 10, y, same_line=True)


def clipped_away(sheet: Sheet) -> None:
    """Some words of a line are within the clip, some outside; one is cut."""
    for share in (0.3, 0.6):
        words = texts.line(sheet.chance).split()
        y = sheet.down(1.6 * sheet.size)
        ends = [sheet.width(" ".join(words[: count + 1])) for count in range(len(words))]
        edge = share * ends[-1]
        with sheet.clip(LEFT - 1, y - 0.3 * sheet.size, edge, 1.3 * sheet.size):
            sheet.draw(" ".join(words), LEFT, y)
            for number, (word, end) in enumerate(zip(words, ends, strict=True)):
                begin = end - sheet.width(word)
                if begin < edge:
                    sheet.see(word, LEFT + begin, y, same_line=number > 0, certain=end < edge)


def under_picture(sheet: Sheet) -> None:
    """A photograph covers a paragraph of an earlier version."""
    top = sheet.y
    for text in sheet.wrapped(4, width=200):
        sheet.draw(text, LEFT + 10, sheet.down(1.3 * sheet.size))
    noise = Image.effect_noise((60, 40), 80).filter(ImageFilter.GaussianBlur(2)).convert("RGB")
    sheet.picture(noise, LEFT, sheet.y - 8, width=260, height=top - sheet.y + 12)
    sheet.down(2 * sheet.size)
    sheet.line()


def cut_by_crop(sheet: Sheet) -> None:
    """The same words once on the page and once in the part that is cut off."""
    text = texts.line(sheet.chance)
    sheet.line(text)
    sheet.draw(text, LEFT, 12)
    sheet.page_entry("CropBox", Array([0, 40, WIDTH, HEIGHT]))


def half_barred(sheet: Sheet) -> None:
    """A bar over the end of a line, drawn word by word; and a white box over the middle of another."""
    for fill in ((0, 0, 0), (1, 1, 1)):
        y = sheet.down(1.6 * sheet.size)
        words, x = [sheet.chance.choice(texts.VOCABULARY) for _ in range(6)], LEFT
        sheet.see("", LEFT, y)
        for number, word in enumerate(words):
            if number < 3:
                end = sheet.put(word, x, y, same_line=True)
                bar = end + 1
            else:
                end = sheet.draw(word, x, y)
            x = end + sheet.width(" ")
        sheet.box(bar, y - 0.3 * sheet.size, x - bar, 1.25 * sheet.size, fill=fill)


def stencilled(sheet: Sheet) -> None:
    """A picture of one bit a pixel is painted over words: only its ones cover them."""
    y = sheet.down(2 * sheet.size)
    end = sheet.put("Visible", LEFT, y)
    x = end + 10
    hidden_end = sheet.draw("covered", x, y)
    sheet.put("again", hidden_end + 10, y, same_line=True)
    with sheet.moved(LEFT, y - 0.3 * sheet.size):
        width = 600.0
        first, last = (int((side - LEFT) / width * 64) for side in (x - 3, hidden_end + 4))
        row = "".join("1" if first <= place <= last else "0" for place in range(64))
        data = f"{int(row, 2):016x}" * 2
        sheet.canvas.addLiteral(
            f"q {width} 0 0 {1.4 * sheet.size} 0 0 cm BI /W 64 /H 2 /IM true /D [1 0] /F /AHx ID {data}> EI Q"
        )


def no_colorant(sheet: Sheet) -> None:
    """Words in the colour space of no ink."""
    x, y = _beside(sheet)
    with sheet.state(operators="/Nothing cs 1 scn"):
        sheet.canvas.setFont("Helvetica", sheet.size)
        sheet.canvas.addLiteral(f"BT /F1 {sheet.size} Tf {x} {y} Td (obsolete) Tj ET")

    def space(pdf: pikepdf.Pdf) -> Array:
        code = pdf.make_stream(b"{pop 1}")
        code.FunctionType, code.Domain, code.Range = 4, Array([0, 1]), Array([0, 1])
        return Array([Name.Separation, Name("/None"), Name.DeviceGray, code])

    sheet.resource("ColorSpace", "Nothing", space)


def white_tags(sheet: Sheet) -> None:
    """White marks for a program, right behind visible words."""
    for _ in range(2):
        end = sheet.line("Signature:")
        with sheet.state(fill=(1, 1, 1)):
            sheet.draw("sig1", end + sheet.chance.uniform(0, 0.1) * sheet.size, sheet.y)


TRICKS = (
    invisible_mode,
    transparent,
    white_on_white,
    painted_over,
    black_bars,
    off_page,
    outside_crop,
    hidden_layer,
    form_in_hidden_layer,
    transparent_form,
    blended_away,
    hidden_copy,
    no_width,
    in_ground_colour,
    half_barred,
    stencilled,
    no_colorant,
    white_tags,
    clipped_away,
    under_picture,
    cut_by_crop,
)
