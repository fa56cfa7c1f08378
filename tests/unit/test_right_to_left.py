"""Words of lines with right-to-left script, in whichever order the file draws their letters."""

from collections.abc import Callable, Iterable

import pytest
from PIL import ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

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
