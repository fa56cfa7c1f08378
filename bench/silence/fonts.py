"""Tricks with fonts: letters that are pictures or operators, and letters that map to no character or to a blank."""

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageDraw, ImageFont

from bench import texts
from bench.silence.sheet import EMBEDDED, LEFT, UNMAPPED, Sheet, file_of


def type3(sheet: Sheet) -> None:
    """Digits of a Type 3 font, with a mapping: shapes of rectangles as on a calculator."""
    sides = {
        "a": "10 90 30 8",
        "b": "36 50 8 44",
        "c": "36 6 8 44",
        "d": "10 2 30 8",
        "e": "6 6 8 44",
        "f": "6 50 8 44",
        "g": "10 46 30 8",
    }
    lit = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgecd", "abc", "abcdefg", "abfgcd")

    def font(pdf: pikepdf.Pdf) -> Dictionary:
        shapes = Dictionary()
        for digit, on in enumerate(lit):
            path = " ".join(f"{sides[side]} re" for side in on)
            shapes[f"/d{digit}"] = pdf.make_stream(f"55 0 0 0 50 100 d1 {path} f".encode())
        listed = "\n".join(f"<{48 + digit:02X}> <{48 + digit:04X}>" for digit in range(10))
        mapping = (
            f"begincmap 1 begincodespacerange <00> <FF> endcodespacerange 10 beginbfchar\n{listed}\nendbfchar endcmap"
        )
        return Dictionary(
            Type=Name.Font, Subtype=Name.Type3, FontBBox=Array([0, 0, 55, 100]),
            FontMatrix=Array([0.01, 0, 0, 0.01, 0, 0]), CharProcs=shapes,
            Encoding=Dictionary(Differences=Array([48, *(Name(f"/d{digit}") for digit in range(10))])),
            FirstChar=48, LastChar=57, Widths=Array([55] * 10), ToUnicode=pdf.make_stream(mapping.encode()),
        )  # fmt: skip

    end = sheet.line("Meter reading")
    number = str(sheet.chance.randint(10000, 999999))
    x, y = end + sheet.size, sheet.y
    with sheet.state():
        sheet.canvas.addLiteral(f"BT /Digits {sheet.size} Tf {x} {y} Td ({number}) Tj ET")
    sheet.resource("Font", "Digits", font)
    sheet.see_word(number, x, y, width=0.55 * sheet.size * len(number), size=sheet.size)


def bitmap_letters(sheet: Sheet) -> None:
    """A Type 3 font whose letters are pictures, without a mapping but with names, as old TeX made them."""
    text = sheet.chance.choice(("INVOICE", "NOTICE", "RECEIPT")) + str(sheet.chance.randint(10, 99))
    letters = sorted(set(text))
    digits = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    names = {str(digit): name for digit, name in enumerate(digits)}

    def font(pdf: pikepdf.Pdf) -> Dictionary:
        shapes, marks = Dictionary(), ImageFont.truetype(str(file_of(EMBEDDED[0])), 60)
        for letter in letters:
            cell = Image.new("1", (56, 80))
            ImageDraw.Draw(cell).text((4, 4), letter, fill=1, font=marks)
            image = f"BI /W 56 /H 80 /IM true /D [1 0] /F /AHx ID {cell.tobytes().hex()}> EI"
            data = f"60 0 0 0 60 80 d1 56 0 0 80 0 -16 cm {image}"
            shapes[f"/{names.get(letter, letter)}"] = pdf.make_stream(data.encode())
        coded = (part for letter in letters for part in (ord(letter), Name(f"/{names.get(letter, letter)}")))
        return Dictionary(
            Type=Name.Font, Subtype=Name.Type3, FontBBox=Array([0, -20, 60, 80]),
            FontMatrix=Array([0.0125, 0, 0, 0.0125, 0, 0]), CharProcs=shapes,
            Encoding=Dictionary(Differences=Array(list(coded))),
            FirstChar=32, LastChar=122, Widths=Array([60] * 91),
        )  # fmt: skip

    x, y = LEFT, sheet.down(2 * sheet.size)
    with sheet.state():
        sheet.canvas.addLiteral(f"BT /Bitmap {sheet.size} Tf {x} {y} Td ({text}) Tj ET")
    sheet.resource("Font", "Bitmap", font)
    sheet.see("", x, y)
    sheet.see_word(text, x, y, width=0.75 * sheet.size * len(text), size=sheet.size)


def unmapped(sheet: Sheet) -> None:
    """Words, amounts and single digits in a font that does not say what its letters mean."""
    for _ in range(3):
        sheet.line(sheet.chance.choice(texts.GOODS))
        text = sheet.chance.choice((texts.amount(sheet.chance), str(sheet.chance.randint(1, 9)), "Special offer"))
        sheet.put(text, 400, sheet.y, font=UNMAPPED, same_line=True)
    sheet.unmap()


def unmapped_letters(sheet: Sheet) -> None:
    """Some letters within words have no meaning: ligatures, digits, a vowel."""
    font, letters = "DejaVuSans-Bold", sheet.chance.choice(("\ufb01\ufb02", "0123456789", "e", "t1"))
    for word in ("con\ufb01rmed", "\ufb02oor", "of\ufb01ce"):
        y = sheet.down(1.5 * sheet.size)
        amount = texts.amount(sheet.chance)
        sheet.see(word.replace("\ufb01", "fi").replace("\ufb02", "fl"), LEFT, y, font=font)
        sheet.draw(word, LEFT, y, font=font)
        sheet.put(amount, 300, y, font=font, same_line=True)
    sheet.remap(font, letters, sheet.chance.choice((0, 0x20, 0xAD, 0x200B, 0xE001, 0xFFFD)))


def swapped_letters(sheet: Sheet) -> None:
    """A font says of two digits, capitals or signs that each is the other one."""
    font = sheet.chance.choice(("DejaVuSans-Bold", "DejaVuSerif"))
    one, other = sheet.chance.choice(("36", "17", "09", "58", "MP", "ae", "$%"))
    for _ in range(3):
        sheet.line(sheet.chance.choice(texts.GOODS))
        text = f"{one}{other}{texts.amount(sheet.chance)}"
        if one.isalpha():
            text = sheet.chance.choice((f"{one}arlowe", f"M{other}adow", f"P{one}{other}rson"))
        sheet.put(text, 300, sheet.y, font=font, same_line=True)
    for letter, meaning in ((one, "\ue000"), (other, one), ("\ue000", other)):
        sheet.remap(font, letter, ord(meaning))


def one_letter_for_two(sheet: Sheet) -> None:
    """A font says of two digits that both are one of them."""
    font, (one, other) = "DejaVuSans-Bold", sheet.chance.choice(("68", "17", "35", "90"))
    for _ in range(3):
        sheet.line(sheet.chance.choice(texts.GOODS))
        sheet.put(f"{one}{other}{texts.amount(sheet.chance)}", 300, sheet.y, font=font, same_line=True)
    sheet.remap(font, one, ord(other))


def actual_text(sheet: Sheet) -> None:
    """Amounts of which an /ActualText says another amount, and a word without one."""
    for _ in range(3):
        end = sheet.line(sheet.chance.choice(texts.GOODS))
        sheet.canvas.addLiteral(f"/Span << /ActualText ({texts.amount(sheet.chance)}) >> BDC")
        sheet.put(texts.amount(sheet.chance), end + 2 * sheet.size, sheet.y, same_line=True)
        sheet.canvas.addLiteral("EMC")


TRICKS = (
    type3,
    bitmap_letters,
    unmapped,
    unmapped_letters,
    swapped_letters,
    one_letter_for_two,
    actual_text,
)
