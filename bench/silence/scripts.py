"""Tricks with scripts and letters: other alphabets, directions, ligatures, hyphens, raised numbers, spaced letters."""

import io
from functools import cache

from fontTools.ttLib import TTFont as FontFile
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from bench import texts
from bench.silence.sheet import LEFT, Sheet, file_of

GEORGIAN = "საქართველოს მთავრობა დღეს ახალ კანონს განიხილავს და ხვალ გამოაქვეყნებს მის ტექსტს ყველა ენაზე"
GREEK = "η ελληνική γλώσσα έχει μακρά ιστορία και πολλά κείμενα γράφτηκαν στην αρχαία πόλη κοντά στη θάλασσα"
RUSSIAN = "сегодня утром на берегу реки собрались люди чтобы посмотреть как строят новый мост через широкую воду"
HEBREW = "הספר הזה מספר על עיר קטנה ליד הים שבה גרו אנשים רבים במשך שנים ארוכות"
ARABIC = "هذا الكتاب يتحدث عن مدينة صغيرة قرب البحر عاش فيها ناس كثيرون سنوات طويلة"
ABBREVIATIONS = ("ISO", "GDP", "VAT", "USB", "NATO", "IBAN", "SWIFT", "PDF")
UNICODE = "DejaVuSans"


def _foreign(sheet: Sheet, words: str) -> None:
    """Much exact text of one script, and one line of Latin abbreviations."""
    with sheet.flow():
        for _ in range(6):
            sheet.line(" ".join(sheet.chance.choices(words.split(), k=8)), font=UNICODE)
    sheet.line(" ".join(sheet.chance.sample(ABBREVIATIONS, 4)), font=UNICODE)


def georgian(sheet: Sheet) -> None:
    _foreign(sheet, GEORGIAN)


def greek(sheet: Sheet) -> None:
    _foreign(sheet, GREEK)


def cyrillic(sheet: Sheet) -> None:
    _foreign(sheet, RUSSIAN)


def _right_to_left(sheet: Sheet, words: str) -> None:
    with sheet.flow():
        for _ in range(4):
            line = sheet.chance.choices(words.split(), k=sheet.chance.randint(4, 8))
            line.insert(2, str(sheet.chance.randint(12, 2025)))
            x, y = 530.0, sheet.down(1.5 * sheet.size)
            for number, word in enumerate(line):
                width = sheet.width(word, font=UNICODE)
                x -= width
                sheet.see(word, x, y, font=UNICODE, same_line=number > 0)
                x -= sheet.width(" ", font=UNICODE)
            shown = " ".join(word if word.isdigit() else word[::-1] for word in reversed(line))
            sheet.draw(shown, 530 - sheet.width(shown, font=UNICODE), y, font=UNICODE)


def hebrew(sheet: Sheet) -> None:
    _right_to_left(sheet, HEBREW)


def arabic(sheet: Sheet) -> None:
    _right_to_left(sheet, ARABIC)


def ligatures(sheet: Sheet) -> None:
    """Letters that are joined to one."""
    for word in ("of\ufb01ce", "\ufb02ood", "e\ufb03cient", "o\ufb00er", "\ufb01nal"):
        plain = word.replace("\ufb01", "fi").replace("\ufb02", "fl").replace("\ufb03", "ffi").replace("\ufb00", "ff")
        y = sheet.down(1.4 * sheet.size)
        end = sheet.put(sheet.chance.choice(texts.VOCABULARY), LEFT, y, font=UNICODE)
        x = end + sheet.width(" ", font=UNICODE)
        sheet.see(plain, x, y, font=UNICODE, same_line=True)
        sheet.draw(word, x, y, font=UNICODE)


def _raised(sheet: Sheet, text: str, raised: str, x: float, y: float) -> float:
    """Draw a text with a small raised part right behind it, which is a word of its own."""
    end = sheet.put(text, x, y, size=1.5 * sheet.size, same_line=x > LEFT)
    return sheet.put(raised, end + 0.3, y + 0.55 * sheet.size, size=0.8 * sheet.size, same_line=True)


def raised_cents(sheet: Sheet) -> None:
    """Raised cents right behind the euros."""
    y = sheet.down(2.5 * sheet.size)
    end = sheet.put("Only", LEFT, y, size=1.5 * sheet.size)
    for _ in range(2):
        euros, cents = str(sheet.chance.randint(11, 99)), f"{sheet.chance.randint(10, 99)}"
        end = _raised(sheet, euros, cents, end + 2 * sheet.size, y)


def footnotes(sheet: Sheet) -> None:
    """Numbers with a raised number of a note behind them."""
    for _ in range(3):
        end = sheet.line(sheet.chance.choice(texts.VOCABULARY))
        x, y = end + sheet.width(" "), sheet.y
        end = sheet.put(str(sheet.chance.randint(1900, 2025)), x, y, same_line=True)
        end = sheet.put(
            str(sheet.chance.randint(1, 19)), end, y + 0.35 * sheet.size, size=0.6 * sheet.size, same_line=True
        )
        sheet.put("and", end + sheet.width(" "), y, same_line=True)


def soft_hyphens(sheet: Sheet) -> None:
    """Soft hyphens within a line, which this font draws."""
    for word in ("Donau\u00addampf\u00adschiff", "Bundes\u00adrat"):
        end = sheet.line(sheet.chance.choice(texts.VOCABULARY), font=UNICODE)
        x = end + sheet.width(" ", font=UNICODE)
        sheet.see(word.replace("\u00ad", "-"), x, sheet.y, font=UNICODE, same_line=True)
        sheet.draw(word, x, sheet.y, font=UNICODE)


def spaced_heading(sheet: Sheet) -> None:
    """A heading whose letters stand apart, letter by letter or by the operator for that."""
    words, y = sheet.chance.choice(("SUMMARY", "CONTENTS", "INTRODUCTION")), sheet.down(2.5 * sheet.size)
    gap, size = sheet.chance.uniform(0.4, 0.9) * 14, 14.0
    x = LEFT
    if sheet.chance.random() < 0.5:
        sheet.see(words, x, y, font="Helvetica-Bold", size=size, step=gap)
        for letter in words:
            x = sheet.draw(letter, x, y, font="Helvetica-Bold", size=size) + gap
    else:
        sheet.see(words, x, y, font="Helvetica-Bold", size=size, step=gap)
        spaced = sheet.canvas.beginText(x, y)
        spaced.setFont("Helvetica-Bold", size)
        spaced.setCharSpace(gap)
        spaced.textOut(words)
        spaced.setCharSpace(0)
        sheet.canvas.drawText(spaced)


def vertical(sheet: Sheet) -> None:
    """Ideographs one below the other, in columns from the right."""
    _register_ideographs()
    top = sheet.down(20)
    with sheet.flow():
        for column in range(3):
            x, y = 500 - 24 * column, top
            letters = [chr(0x4E00 + sheet.chance.randrange(200)) for _ in range(6)]
            for letter in letters:
                y -= 14
                sheet.draw(letter, x, y, font="Ideographs", size=13)
            # A column is a line of one word. The place of its last letter is in that of the word.
            sheet.see("", x, y)
            sheet.see_word("".join(letters), x, y, width=13, size=13)
    sheet.down(100)


def ideographs(sheet: Sheet) -> None:
    """Lines of ideographs, which have no spaces."""
    _register_ideographs()
    with sheet.flow():
        for _ in range(3):
            sheet.line("".join(chr(0x4E00 + sheet.chance.randrange(200)) for _ in range(14)), font="Ideographs")


@cache
def _register_ideographs() -> None:
    """A font whose ideographs look like other letters: no real one is needed to know what was drawn."""
    font = FontFile(file_of(UNICODE))
    names = font.getBestCmap()
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap |= {0x4E00 + number: names[0x100 + number] for number in range(200)}
    for name in font["name"].names:
        # Reportlab numbers the letters of all fonts of one name together.
        name.string = "Ideographs"
    file = io.BytesIO()
    font.save(file)
    file.seek(0)
    pdfmetrics.registerFont(TTFont("Ideographs", file))


TRICKS = (
    georgian,
    greek,
    cyrillic,
    hebrew,
    arabic,
    ligatures,
    raised_cents,
    footnotes,
    soft_hyphens,
    spaced_heading,
    vertical,
    ideographs,
)
