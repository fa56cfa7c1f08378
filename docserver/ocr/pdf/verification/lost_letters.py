"""Child side: finds text objects of a PDF page of which PDFium takes some letters for repeats of hidden ones.

Only the end of a line may be hidden, such as an amount. The rest of the line is seen, so it stays in the page's text,
and PDFium drops the digits of a new amount that equal hidden ones. Which digits it drops is not known here.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from typing import Any

from docserver.ocr.pdf.glyphs.letter_shadows import without_text_of
from docserver.ocr.pdf.words.text_words import TextPage


def texts_with_lost_letters(page: Any, texts: Mapping[int, Any], layers: Mapping[int, int]) -> list[int]:
    """The addresses of the text objects of which PDFium reads fewer letters than without the objects that they overlap.
    `layers` maps the addresses of objects that overlap others to the numbers of their layers, in which none overlap.

    Objects that lose all letters are left out: their text is drawn twice, and is read once.
    """
    numbers = set(layers.values())
    if len(numbers) < 2:
        return []
    beside = _letters(page, layers)
    alone: Counter[int] = Counter()
    for number in numbers:
        with without_text_of([texts[address] for address, layer in layers.items() if layer != number]):
            alone += _letters(page, [address for address, layer in layers.items() if layer == number])
    return [address for address in layers if 0 < beside[address] < alone[address]]


def _letters(page: Any, texts: Collection[int]) -> Counter[int]:
    """How many characters the page's text has of each of these text objects, without spaces."""
    with closing(TextPage(page)) as text_page:
        return Counter(
            address
            for index, address in enumerate(text_page.objects())
            if address in texts and not chr(text_page.code(index)).isspace()
        )
