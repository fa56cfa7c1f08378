"""Words of lines with right-to-left script, in whichever order the file draws their letters."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from PIL import ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from docserver.layout import Rect
from docserver.ocr.pdf.words.right_to_left import in_logical_order
from tests.support.samples.pdf_layers import HEIGHT, pdf
from tests.support.text_layers import layer, refusal

SIZE = 12
Order = Callable[[Iterable[tuple[float, str]]], Iterable[tuple[float, str]]]


def by_letter(seen: str, order: Order, *, rise: float = 0.0) -> bytes:
    """A page with a line as one sees it from left to right, of which each letter is drawn by itself, in this order."""

    def line(canvas: Canvas) -> None:
        pdfmetrics.registerFont(TTFont("DejaVu", ImageFont.truetype("DejaVuSans.ttf").path))
        canvas.setFont("DejaVu", SIZE)
        x = 100.0
        letters = []
        for letter in seen:
            letters.append((x, letter))
            x += pdfmetrics.stringWidth(letter, "DejaVu", SIZE)
        for place, (left, letter) in enumerate(order(letters)):
            if letter != " ":
                canvas.drawString(left, HEIGHT - 100 + place % 2 * rise, letter)

    return pdf(line)


def from_left(letters: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted(letters)


def from_right(letters: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted(letters, reverse=True)


def digits_last(letters: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted(letters, key=lambda letter: (letter[1].isdigit(), -letter[0]))


@pytest.mark.parametrize(
    ("seen", "read"),
    [
        ("טקפ 4,711.50 ריחמ 12/03/2024 ןובשח", "חשבון 12/03/2024 מחיר 4,711.50 פקט"),
        ("(99.90) רפס", "ספר (99.90)"),
        (".(99.90) רפס", "ספר (99.90)."),
        ("ןאכ [12] (הרעה) ריחמ", "מחיר (הערה) [12] כאן"),
        (".ןאכ (3 ףיעס האר", "ראה סעיף 3) כאן."),
        (".1995 תנשב אצי רפסה", "הספר יצא בשנת 1995."),
        ("תודיחי 12-ל 50%-ב רכמנ", "נמכר ב-50% ל-12 יחידות"),
        ("הצוחנ ACME (Ltd) INV-2024/17 הרבח", "חברה ACME (Ltd) INV-2024/17 נחוצה"),
        ("He said (םולש) and left in 1990 with 3) items", "He said (שלום) and left in 1990 with 3) items"),
        ("فلأ 4,711.50 غلبملا ١٢٣٤ مقر", "رقم ١٢٣٤ المبلغ 4,711.50 ألف"),
        ("\u0629\u062b\ufefc\u062b (غلبملا)", "(المبلغ) ثلاثة"),
    ],
)
@pytest.mark.parametrize("order", [from_left, from_right, digits_last])
def test_letters_are_in_logical_order_in_whichever_they_are_drawn(seen: str, read: str, order: Order) -> None:
    assert layer(by_letter(seen, order)).text == read


def test_a_word_whose_letters_stand_on_several_baselines_is_left_to_ocr() -> None:
    data = by_letter("םולש ריחמ", from_left, rise=0.2 * SIZE)

    assert refusal(data) == "letters of a word on several baselines"


@dataclass
class Glyphs:
    """Characters as PDFium has them, which adds spaces. Each is of the glyph that begins here, half as wide as high."""

    text: str
    lefts: list[float]

    def address(self, index: int) -> int:
        return int(self.text[index] != " ")

    def room(self, index: int) -> Rect:
        return self.lefts[index], 0.0, self.lefts[index] + SIZE / 2, SIZE

    def upright_place(self, index: int) -> tuple[int, float, float, float]:
        return 0, self.lefts[index], 0.0, SIZE

    def logical(self) -> str:
        ordered = in_logical_order([*map(ord, self.text)], self)
        return " ".join("".join(chr(code) for _, code in ordered).split())


@pytest.mark.parametrize(
    ("one_glyph", "read"),
    [("\u0644\u062e", "\u0644\u062e"), ("\u062e\u0644", "\u0644\u062e"), ("\u0627\u0644", "\u0644\u0627")],
    ids=["presentation form of lam with khah", "the same mapped to two letters", "lam with alef mapped to two letters"],
)
def test_the_letters_of_one_glyph_are_in_order(one_glyph: str, read: str) -> None:
    assert Glyphs("\u0637" + one_glyph, [16.0, 10.0, 10.0]).logical() == "\u0637" + read


@pytest.mark.parametrize(
    ("text", "gap", "words"),
    [("\u0637 \u0645", 0.14, 2), ("\u0637\u0645", 0.14, 1), ("\u0637 \u0645", 0.05, 1), ("\u0637\u0645", 0.2, 2)],
    ids=["a narrow space", "no space", "a space within a word", "a wide gap"],
)
def test_words_are_parted_by_wide_gaps_and_narrow_spaces(text: str, gap: float, words: int) -> None:
    lefts = [10 + SIZE * (0.5 + gap), 10 + SIZE / 2, 10.0]

    assert len(Glyphs(text, lefts if " " in text else lefts[::2]).logical().split()) == words
